import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, inject, it } from "vitest";
import { compile, copyConsumer, runIn } from "./support/compile.ts";

const { files, consumer } = inject("packed");
const folder = copyConsumer(consumer);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;

interface Locked {
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What the lockfile says of each package, by its place. */
const locked = (
  JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, Locked> }
).packages;

/** The place of the package that `name` means to the package at `place`, or `null`. */
function findLocked(place: string, name: string): string | null {
  const candidate = `${place === "" ? "" : `${place}/`}node_modules/${name}`;
  if (candidate in locked) return candidate;
  return place === ""
    ? null
    : findLocked(place.replace(/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+$/, ""), name);
}

const SHIPPED = new RegExp(
  [
    /^dist\/.+(?:\.d\.ts|\.js)$/,
    /^(?:docs|examples)\/.+$/,
    /^schema\/.+\.json$/,
    /^(?:README\.md|LICENSE|CHANGELOG\.md|package\.json)$/,
  ]
    .map(({ source }) => source)
    .join("|"),
);

/** A program that needs every declaration, and nothing of the library's by name. */
const NAMES = `
  import * as dom0 from "dom0";
  export const names: string[] = Object.keys(dom0);
`;

describe("the tarball", () => {
  it.each([
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "package.json",
    "dist/index.js",
    "dist/index.d.ts",
    "dist/testing/index.js",
    "dist/testing/index.d.ts",
    "dist/cli/main.js",
    "schema/scenario.json",
    "schema/world.json",
    "examples/seed-host.yaml",
    "examples/router/world.yaml",
    "examples/ufw/ufw.test.ts",
    "examples/container-host/rules.v4",
  ])("holds %s", (file) => {
    expect(files).toContain(file);
  });

  it("holds nothing else than what is built and what is to be read", () => {
    expect(files.filter((file) => !SHIPPED.test(file))).toEqual([]);
    const isTest = (file: string): boolean => /\btests?\b|\.test\./.test(file);
    const own = files.filter((file) => !file.startsWith("examples/"));
    expect(own.filter(isTest)).toEqual([]);
  });

  it("holds types for every module", () => {
    const modules = files.filter((file) => file.endsWith(".js"));
    const untyped = modules.filter((file) => !files.includes(file.replace(/\.js$/, ".d.ts")));
    expect(untyped).toEqual([]);
  });
});

describe("the installed package", () => {
  it("compiles for a strict consumer without Node's types", () => {
    expect(compile(folder, new Map([["browser.ts", NAMES]]))).toEqual({ status: 0, output: "" });
  });

  it("compiles and runs for a strict consumer on Node", () => {
    const text = [
      `import * as dom0 from "dom0";`,
      `import * as testing from "dom0/testing";`,
      `for (const names of [dom0, testing].map(Object.keys)) console.log(names.join());`,
    ].join("\n");
    const program = new Map([["node.ts", text]]);
    expect(compile(folder, program, { types: ["node"] })).toEqual({ status: 0, output: "" });
    const { status, output } = runIn(folder, process.execPath, ["node.js"]);
    expect(status).toBe(0);
    expect(output).toMatch(/^\w+(?:,\w+)+\n\w+(?:,\w+)*\n$/);
  });

  it("compiles for a bundler", () => {
    const options = { module: "ESNext", moduleResolution: "Bundler" };
    const outcome = compile(folder, new Map([["bundler.ts", NAMES]]), options);
    expect(outcome).toEqual({ status: 0, output: "" });
  });

  it("keeps what is not exported to itself", () => {
    const program = `import "dom0/dist/base/time.js";`;
    const { status, output } = runIn(folder, process.execPath, [
      "--input-type=module",
      "-e",
      program,
    ]);
    expect(status).not.toBe(0);
    expect(output).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  it("has a command that tells its version", () => {
    const main = join(folder, "node_modules/dom0/dist/cli/main.js");
    expect(readFileSync(main, "utf8").startsWith("#!/usr/bin/env node\n")).toBe(true);
    const outcome = runIn(folder, process.execPath, [main, "--version"]);
    expect(outcome).toEqual({ status: 0, output: `${manifest.version}\n` });
  });
});

describe("the dependencies", () => {
  it("each have a reason on record, and nothing else has", () => {
    const record = readFileSync("docs/decisions/0001-dependencies.md", "utf8");
    const recorded = [...record.matchAll(/^- `([^`]+)`: \S.+$/gm)].map(([, name = ""]) => name);
    const { dependencies, devDependencies } = manifest;
    const needed = Object.keys({ ...dependencies, ...devDependencies });
    expect(recorded.toSorted()).toEqual(needed.toSorted());
  });

  it("run no script when the package is installed", () => {
    const scripted = Object.keys(locked).filter((place) => locked[place]?.hasInstallScript);
    expect(scripted).toEqual([]);
  });

  it("are locked for every platform, as npm ci wants it", () => {
    const lost = Object.entries(locked).flatMap(([place, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => findLocked(place, name) === null),
    );
    expect(lost).toEqual([]);
  });
});
