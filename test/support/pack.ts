/**
 * Builds and packs the package once, and installs it for a consumer in a folder of its own: what
 * the tests of the `package` project of vitest.config.ts look at.
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";

/** The packed package, installed. */
export interface Packed {
  /** What the tarball holds, from the package's root. */
  readonly files: readonly string[];
  /** A folder whose `node_modules` has the package and what it needs; nobody writes there. */
  readonly consumer: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    readonly packed: Packed;
  }
}

/** What a consumer has besides the package: the types of Node and the optional peers. */
const BESIDE = ["@types/node", "fast-check", "vitest"];

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

/** @returns how to clean up. */
export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "dom0-packed-"));
  run("npm", "run", "--silent", "build");
  const [tarball] = JSON.parse(
    run("npm", "pack", "--silent", "--ignore-scripts", "--json", "--pack-destination", folder),
  ) as [{ filename: string; files: { path: string }[] }];
  const consumer = join(folder, "consumer");
  install(join(folder, tarball.filename), consumer);
  project.provide("packed", { files: tarball.files.map(({ path }) => path).toSorted(), consumer });
  return () => rmSync(folder, { recursive: true, force: true });
}

/** As `npm install` does it, but without a registry: the dependencies are those of this project. */
function install(tarball: string, consumer: string): void {
  const modules = join(consumer, "node_modules");
  mkdirSync(join(modules, "dom0"), { recursive: true });
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run("tar", "-xzf", tarball, "-C", join(modules, "dom0"), "--strip-components=1");
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), ...BESIDE]) {
    const link = join(modules, name);
    mkdirSync(join(link, ".."), { recursive: true });
    symlinkSync(resolve("node_modules", name), link, "dir");
  }
}
