import { createContext, runInContext } from "node:vm";
import { type OutputChunk, rolldown } from "rolldown";
import { beforeAll, describe, expect, it } from "vitest";
import * as library from "../src/index.ts";

/** The library for a browser, beside pino as an application would have it. */
const ENTRY = `export * from "./src/index.ts"; export { pino } from "pino";`;

/** What browsers have beyond the language itself. Neither `Buffer` nor `process` is among it. */
const WEB = {
  AbortController,
  AbortSignal,
  Event,
  EventTarget,
  ReadableStream,
  TextDecoder,
  TextEncoder,
  TransformStream,
  URL,
  WritableStream,
  atob,
  btoa,
  clearTimeout,
  console,
  crypto,
  performance,
  queueMicrotask,
  setTimeout,
  structuredClone,
};

/** Bundle the module `text`, which stands in the root of the project, for a browser. */
async function bundle(text: string): Promise<OutputChunk> {
  const build = await rolldown({
    input: "entry",
    platform: "browser",
    logLevel: "silent",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? `${process.cwd()}/entry.ts` : null),
        load: (id) => (id.endsWith("/entry.ts") ? text : null),
      },
    ],
  });
  const { output } = await build.generate({ format: "iife", name: "dom0", codeSplitting: false });
  await build.close();
  return output[0];
}

/** Run a bundle as a browser would. @returns what it exports. */
function runInBrowser({ code }: OutputChunk): Readonly<Record<string, unknown>> {
  const context = createContext({ ...WEB });
  runInContext(code, context);
  return context["dom0"] as Readonly<Record<string, unknown>>;
}

describe("the library in a browser", () => {
  let chunk: OutputChunk;
  beforeAll(async () => {
    chunk = await bundle(ENTRY);
  });

  it("needs no module from outside its bundle", () => {
    expect([...chunk.imports, ...chunk.dynamicImports]).toEqual([]);
  });

  it("is loaded without Buffer and without process, and exports what it exports in Node", () => {
    const exported = runInBrowser(chunk);
    expect(Object.keys(exported).toSorted()).toEqual([...Object.keys(library), "pino"].toSorted());
  });

  it("gets pino's own entry for browsers", () => {
    const modules = chunk.moduleIds.filter((id) => /\/node_modules\/pino\//.test(id));
    expect(modules.map((id) => id.replace(/.*\/node_modules\//, ""))).toEqual(["pino/browser.js"]);
  });
});

describe("the check", () => {
  it("sees a module of Node", async () => {
    const chunk = await bundle(`import { open } from "node:fs"; export const a = open;`);
    expect(chunk.imports).toEqual(["node:fs"]);
  });

  it.each(["Buffer.alloc(1)", "process.pid"])("sees a use of %s", async (use) => {
    const chunk = await bundle(`export const a = ${use};`);
    expect(() => runInBrowser(chunk)).toThrow("is not defined");
  });
});
