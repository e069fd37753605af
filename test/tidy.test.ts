import { describe, expect, it } from "vitest";
import { parseSource, readSources } from "./support/source.ts";
import { RULES, findUntidy } from "./support/tidy.ts";

const RFC = "RFC";
const SOURCE = "src/l3/a.ts";
const COMMAND = "src/cli/a.ts";

/** A text, where it stands, and what its rule finds there. */
type Example = readonly [path: string, text: string, ...findings: string[]];

const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  columns: [
    [SOURCE, `// ${"é".repeat(97)}`],
    [SOURCE, `\n// ${"é".repeat(98)}`, "2: 101 columns"],
    ["test/l3/a.test.ts", `// ${"x".repeat(100)}`, "1: 103 columns"],
  ],
  "lines of a file": [
    [SOURCE, "//\n".repeat(400)],
    [SOURCE, "//\n".repeat(401), "401: 401 lines"],
  ],
  "lines of a function": [
    [SOURCE, `function a() {${"\n".repeat(69)}}`],
    [SOURCE, `function a() {${"\n".repeat(70)}}`, "1: a function of 71 lines"],
    [SOURCE, `\nconst a = () => {${"\n".repeat(70)}};`, "2: a function of 71 lines"],
    [SOURCE, `class A {\n  b() {${"\n".repeat(70)}}\n}`, "2: a function of 71 lines"],
    [SOURCE, `class A {${"\n".repeat(90)}}`],
    ["test/l3/a.test.ts", `describe("a", () => {${"\n".repeat(90)}});`],
    ["test/l3/a.test.ts", `it("a", () => {${"\n".repeat(90)}});`, "1: a function of 91 lines"],
  ],
  "module comment": [
    [SOURCE, "/** What it is. @module */\nimport {} from './b.ts';"],
    [SOURCE, "import {} from './b.ts';\n/** What it is. @module */", "1: no module comment"],
    [SOURCE, "/** What it is. */", "1: no module comment"],
    [SOURCE, "// What it is. @module", "1: no module comment"],
    [SOURCE, "", "1: no module comment"],
    [COMMAND, "#!/usr/bin/env node\n/** What it is. @module */"],
    [COMMAND, "#!/usr/bin/env node\nlet a;", "1: no module comment"],
  ],
  "documented exports": [
    [SOURCE, "/** Said. */\nexport const A = 1;\nconst b = 2;"],
    [SOURCE, "/** Said. */\nexport const A = {} as const;\nexport type A = keyof typeof A;"],
    [SOURCE, "/** Said. */\nexport function a(b: 1): 1;\nexport function a(b: 2): 2;"],
    [SOURCE, "/** Said. */\nconst b = 2;\nexport const A = 1;", "3: A has no sentence"],
    [SOURCE, "/** A module. @module */\nexport class A {}", "2: A has no sentence"],
    [SOURCE, "// Said.\nexport interface A {}", "2: A has no sentence"],
    [SOURCE, "export type A = 1;", "1: A has no sentence"],
    [SOURCE, "/** Said. */\nconst a = 1;\nexport { a };", "3: a list of exports has no sentence"],
    ["src/index.ts", `export { a } from "./l3/a.ts";`],
  ],
  citations: [
    [SOURCE, "// RFC 2131 section 4.3.1 and RFC 791 section 3"],
    [SOURCE, "// RFC 826, whose sections have no numbers, and what the RFC leaves open"],
    [SOURCE, `export const name = "rfc3442-classless-static-routes";`],
    [SOURCE, `\n// ${RFC} 2131`, `2: ${RFC} 2131`],
    [SOURCE, `// ${RFC} 2131, section 4.3.1`, `1: ${RFC} 2131`],
    [SOURCE, `// ${RFC}2131 section 4.3.1 or ${RFC}-826`, `1: ${RFC}-826`],
    [SOURCE, `// ${RFC} 2131 §4.3.1`, `1: ${RFC} 2131`],
    [SOURCE, `/* ${RFC} 2131\n * section 4.3.1 */`, `1: ${RFC} 2131`],
    [SOURCE, `// ${RFC}s 1071 and 1624`, `1: ${RFC}s 1071`],
    ["test/l3/a.test.ts", `it("keeps ${RFC} 2131", () => {});`, `1: ${RFC} 2131`],
  ],
  "work left over": [
    [SOURCE, `export const name = "TODO";`],
    [SOURCE, "\n// TODO: the rest", "2: TODO"],
    [SOURCE, "/** FIXME */", "1: FIXME"],
  ],
  "loose types": [
    [SOURCE, `// any enum!\nexport const a: unknown = "any";`],
    [SOURCE, "let a: any;", "1: any"],
    [SOURCE, "const a = (b: any[]) => b;", "1: any"],
    [SOURCE, "\nconst a = b!.c;", "2: non-null !"],
    [SOURCE, "enum A { B }", "1: enum"],
    ["test/l3/a.test.ts", "const a = b!.c;", "1: non-null !"],
  ],
  "assertions of types": [
    [SOURCE, `import { a as b } from "./b.ts"; const c = [b] as const; const d = c satisfies B;`],
    [SOURCE, "const a = b as unknown as C;", "1: as C", "1: as unknown"],
    [SOURCE, "const a = <B>c;", "1: as B"],
    ["src/wire/addr.ts", "const a = 0 as Mac;"],
    ["test/l3/a.test.ts", "const a = 0 as Mac;"],
  ],
  console: [
    [SOURCE, "const node = { console: tree.console };"],
    [SOURCE, `console.log("a");`, "1: console"],
    [SOURCE, "globalThis.console.log();", "1: console"],
    ["src/backend/a.ts", `console.log("a");`, "1: console"],
    [COMMAND, `console.log("a");`],
  ],
  "the host computer": [
    [SOURCE, "const a = new ArrayBuffer(8); this.process(a);"],
    [SOURCE, "Buffer.alloc(8);", "1: Buffer"],
    [SOURCE, "let a: Buffer;", "1: Buffer"],
    [SOURCE, "const a = globalThis.Buffer;", "1: Buffer"],
    [SOURCE, "const { Buffer } = globalThis;", "1: Buffer"],
    [SOURCE, "if (process.env.A) require('b');", "1: process", "1: require"],
    ["src/uplink/a.ts", "Buffer.alloc(8);"],
  ],
  "clocks and chance": [
    [SOURCE, "const a = now + Math.round(prng.below(8)); sim.setTimeout(a); new Date(a);"],
    [SOURCE, "setTimeout(a, 1);", "1: setTimeout"],
    [SOURCE, "globalThis.setInterval(a, 1);", "1: setInterval"],
    [SOURCE, "const a = Math.random;", "1: Math.random"],
    [SOURCE, "const a = Date.now();", "1: Date.now"],
    [SOURCE, "const a = new Date();", "1: new Date()"],
    [SOURCE, "const a = performance.now();", "1: performance"],
    [SOURCE, "crypto.getRandomValues(a);", "1: crypto.getRandomValues"],
    ["src/backend/a.ts", "setTimeout(a, Math.random() * Date.now());"],
  ],
};

const sources = [...readSources("src"), ...readSources("test")];

describe.each(RULES.map((rule) => [rule.name, rule] as const))("%s", (name, rule) => {
  const examples = EXAMPLES[name] ?? [];

  it("has an example that breaks it and one that keeps it", () => {
    const breaking = examples.filter(([, , ...findings]) => findings.length > 0);
    expect(breaking.length).toBeGreaterThan(0);
    expect(breaking.length).toBeLessThan(examples.length);
  });

  it("is broken where its examples say, and nowhere else", () => {
    const found = examples.map(([path, text]) => findUntidy(rule, [parseSource(path, text)]));
    const expected = examples.map(([path, , ...findings]) =>
      findings.map((finding) => `${path}:${finding}`),
    );
    expect(found).toEqual(expected);
  });

  it("is kept by every file", () => {
    expect(findUntidy(rule, sources)).toEqual([]);
  });
});
