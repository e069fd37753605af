import { describe, expect, it } from "vitest";
import { findCircles, findForbiddenImports } from "./support/architecture.ts";
import { parseSource, readSources } from "./support/source.ts";

const sources = readSources("src");

const forbiddenIn = (path: string, text: string): string[] =>
  findForbiddenImports([parseSource(path, text)]);

describe("the table of layers", () => {
  it("is kept by every file", () => {
    expect(findForbiddenImports(sources)).toEqual([]);
  });

  it.each([
    ["upwards", "src/wire/a.ts", `import { b } from "../l2/b.ts";`, "wire does not stand on l2"],
    [
      "sideways",
      "src/nat/a.ts",
      `import { b } from "../filter/b.ts";`,
      "nat does not stand on filter",
    ],
    [
      "upwards for a type",
      "src/base/a.ts",
      `import type { B } from "../wire/b.ts";`,
      "base does not stand on wire",
    ],
    [
      "upwards inside a type",
      "src/base/a.ts",
      `type A = import("../wire/b.ts").B;`,
      "base does not stand on wire",
    ],
    ["upwards when asked", "src/l3/a.ts", `await import("../l4/b.ts");`, "l3 does not stand on l4"],
    [
      "a guest into Dom0",
      "src/xen/a.ts",
      `import { b } from "../guest/b.ts";`,
      "xen does not stand on guest",
    ],
    [
      "the command",
      "src/zone/a.ts",
      `import { b } from "../cli/b.ts";`,
      "zone does not stand on cli",
    ],
    [
      "the barrel",
      "src/zone/a.ts",
      `import { b } from "../index.ts";`,
      "zone does not stand on library",
    ],
    [
      "out of the sources",
      "src/base/a.ts",
      `import { b } from "../../test/b.ts";`,
      "base does not stand on test/b.ts",
    ],
    [
      "from an unknown layer",
      "src/misc/a.ts",
      `import { b } from "../base/b.ts";`,
      "misc is not a layer",
    ],
    [
      "from a loose file",
      "src/a.ts",
      `import { b } from "./base/b.ts";`,
      "src/a.ts is not a layer",
    ],
    ["Node", "src/xen/a.ts", `import { open } from "node:fs";`, "xen imports node:fs"],
    ["Node by its old name", "src/zone/a.ts", `import fs from "fs";`, "zone imports fs"],
    [
      "buffer-layout twice",
      "src/l2/a.ts",
      `import { u8 } from "buffer-layout";`,
      "l2 imports buffer-layout",
    ],
    ["the command's packages", "src/zone/a.ts", `import { z } from "zod";`, "zone imports zod"],
    ["an unknown package", "src/base/a.ts", `import x from "left-pad";`, "base imports left-pad"],
    [
      "a computed name",
      "src/base/a.ts",
      `export const a = (b: string) => import(b);`,
      "base imports a computed name",
    ],
  ])("forbids to import %s", (_, path, text, reason) => {
    expect(forbiddenIn(path, text)).toEqual([`${path}:1: ${reason}`]);
  });

  it.each([
    ['export { b } from "./b.ts";'],
    ['export type { b } from "./b.ts";'],
    ['export * from "./b.ts";'],
  ])("forbids a second barrel: %s", (text) => {
    expect(forbiddenIn("src/l3/a.ts", text)).toEqual(["src/l3/a.ts:1: is a barrel for ./b.ts"]);
    expect(forbiddenIn("src/index.ts", text.replace("./b.ts", "./l3/b.ts"))).toEqual([]);
    expect(forbiddenIn("src/testing/index.ts", text)).toEqual([]);
  });

  it.each([
    ["src/dhcp/a.ts", `import { b } from "../l2/b.ts";`],
    ["src/xen/dom0.ts", `import { b } from "./xenstore/b.ts";`],
    ["src/zone/a.ts", `import { b } from "../base/b.ts";`],
    ["src/cli/a.ts", `import { b } from "../index.ts"; import { c } from "../backend/c.ts";`],
    ["src/backend/a.ts", `import { open } from "node:fs/promises";`],
    ["src/wire/layout.ts", `import * as untyped from "buffer-layout";`],
    ["src/cli/a.ts", `import { z } from "zod"; await import(z.name);`],
  ])("lets %s import what stands below: %s", (path, text) => {
    expect(forbiddenIn(path, text)).toEqual([]);
  });
});

describe("circles of files", () => {
  const a = (text: string) => parseSource("src/base/a.ts", text);
  const b = (text: string) => parseSource("src/base/b.ts", text);

  it("do not exist", () => {
    expect(findCircles(sources)).toEqual([]);
  });

  it("are found through imports and re-exports", () => {
    const circle = [a(`import "./b.ts";`), b(`export * from "./a.ts";`)];
    expect(findCircles(circle)).toEqual(["src/base/a.ts -> src/base/b.ts -> src/base/a.ts"]);
    expect(findCircles([a(`import "./a.ts";`)])).toEqual(["src/base/a.ts -> src/base/a.ts"]);
  });

  it("are not made by types, which are erased, nor by two ways to one file", () => {
    expect(findCircles([a(`import "./b.ts";`), b(`import type { A } from "./a.ts";`)])).toEqual([]);
    expect(findCircles([a(`import "./b.ts"; import "./b.ts";`), b("")])).toEqual([]);
  });
});
