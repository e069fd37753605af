import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, inject, it } from "vitest";
import { compile, copyConsumer, runIn } from "./support/compile.ts";
import {
  type Block,
  blocksOf,
  commandsOf,
  findDeadLinks,
  helpOf,
  readPages,
} from "./support/docs.ts";

/** A page's commands run one after the other, each for a minute at most. */
const PAGE_TIMEOUT = 600_000;

const { consumer } = inject("packed");
const pages = readPages();
const blocks = pages.flatMap(blocksOf).filter(({ use }) => use !== "ignore");

const folder = copyConsumer(consumer);
const shims = mkdtempSync(join(tmpdir(), "dom0-shims-"));
afterAll(() => {
  for (const path of [folder, shims]) rmSync(path, { recursive: true, force: true });
});

/** `dom0` on the path, as `npm install --global` puts it there. */
const main = join(consumer, "node_modules/dom0/dist/cli/main.js");
writeFileSync(join(shims, "dom0"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
chmodSync(join(shims, "dom0"), 0o755);

const placeOf = ({ page, line }: Block): string => `${page}:${line}`;
const nameOf = ({ page, line }: Block): string => `${page.replaceAll(/\W/g, "-")}-${line}`;

describe("the programs", () => {
  const programs = blocks.filter(({ language }) => language === "ts");
  const texts = new Map(programs.map((block) => [`${nameOf(block)}.ts`, block.text]));
  const faults = programs.length === 0 ? "" : compile(folder, texts, { types: ["node"] }).output;

  it.each(programs.map((block) => [placeOf(block), block] as const))("compile: %s", (_, block) => {
    const own = faults.split("\n").filter((line) => line.startsWith(`${nameOf(block)}.ts`));
    expect(own).toEqual([]);
  });

  it.each(
    programs.filter(({ use }) => use === "run").map((block) => [placeOf(block), block] as const),
  )("run to their end: %s", (_, block) => {
    const { status, output } = runIn(folder, process.execPath, [`${nameOf(block)}.js`]);
    expect(status, output).toBe(0);
  });

  it("compile without a fault anywhere else", () => {
    const names = programs.map((block) => `${nameOf(block)}.ts`);
    const others = faults.split("\n").filter((line) => /^\S/.test(line));
    expect(others.filter((line) => !names.some((name) => line.startsWith(name)))).toEqual([]);
  });
});

describe("the commands", () => {
  const shells = pages.flatMap(({ path }) => {
    const own = blocks.filter(({ page, language }) => page === path && language === "sh");
    return own.some((block) => commandsOf(block).length > 0) ? [[path, own] as const] : [];
  });

  it.each(shells)(
    "do what they are shown to do: %s",
    (_, own) => {
      const place = mkdtempSync(join(tmpdir(), "dom0-page-"));
      try {
        for (const block of own) {
          for (const command of commandsOf(block)) {
            const line = block.use === "run" ? command : helpOf(command);
            const { status, output } = runIn(
              place,
              "bash",
              ["-o", "pipefail", "-c", line],
              [shims],
            );
            expect(status, `${placeOf(block)}: ${line}\n${output}`).toBe(0);
          }
        }
      } finally {
        rmSync(place, { recursive: true, force: true });
      }
    },
    PAGE_TIMEOUT,
  );
});

describe("the links", () => {
  it("lead to files and headings that are there", () => {
    expect(findDeadLinks(pages)).toEqual([]);
  });

  it.each([
    "[a](docs/nothing.md)",
    `[a](docs/nothing.md "title")`,
    "![a](nothing.png)",
    "[a]: docs/nothing.md",
    `<img src="nothing.svg">`,
    "[a](#no-such-heading)",
    "# A b\n[a](#a-c)",
    "[a](../outside.md)",
  ])("are found dead: %j", (text) => {
    expect(findDeadLinks([{ path: "README.md", text }])).toHaveLength(1);
  });

  it.each([
    "[a](package.json)",
    "[a](https://example.com/nothing) and [b](mailto:a@example.com)",
    "# The `a`: b, c!\n[a](#the-a-b-c)",
    "# A\n# A\n[a](#a-1)",
    "`[a](nothing.md)`",
    "```md\n[a](nothing.md)\n```",
    "[a](test/support#x)",
  ])("are found alive: %j", (text) => {
    expect(findDeadLinks([{ path: "README.md", text }])).toEqual([]);
  });
});

describe("a page", () => {
  const page = (text: string): { path: string; text: string } => ({ path: "a.md", text });

  it("is cut into its blocks", () => {
    const text = [
      "```ts\nlet a;\n```",
      "- b\n\n  ```sh no-run\n  dom0 serve\n  ```",
      "~~~ts ignore\n```\n~~~",
    ].join("\n\n");
    expect(blocksOf(page(text))).toEqual([
      { page: "a.md", line: 1, language: "ts", use: "run", text: "let a;\n" },
      { page: "a.md", line: 7, language: "sh", use: "no-run", text: "dom0 serve\n" },
      { page: "a.md", line: 11, language: "ts", use: "ignore", text: "```\n" },
    ]);
  });

  it.each(["```ts norun\n```", "```ts no-run please\n```"])("may not misspell: %j", (text) => {
    expect(() => blocksOf(page(text))).toThrow("a.md:1: a block is no-run or ignore");
  });

  it("gives the commands of its blocks", () => {
    const text =
      "```sh\nnpm ci\n$ dom0 demo --pcapng a \\\n    --seed 7\nnpx dom0 run b\ndom01\n```";
    const commands = blocksOf(page(text)).flatMap(commandsOf);
    expect(commands).toEqual(["dom0 demo --pcapng a --seed 7", "dom0 run b"]);
    expect(commands.map(helpOf)).toEqual(["dom0 demo --help", "dom0 run --help"]);
    expect(helpOf("dom0 --version")).toBe("dom0 --help");
  });
});

describe("a consumer's program", () => {
  it("is refused where its types or the package's are wrong", () => {
    const texts = new Map([["wrong.ts", `import { nothing } from "dom0";\nexport { nothing };\n`]]);
    const { status, output } = compile(folder, texts);
    expect(status).not.toBe(0);
    expect(output).toContain("wrong.ts(1,10): error TS");
  });

  it("is known to have failed when it fails", () => {
    expect(runIn(folder, process.execPath, ["-e", "process.exit(3)"]).status).toBe(3);
    const { status, output } = runIn(
      folder,
      "bash",
      ["-o", "pipefail", "-c", "dom0 nonsense"],
      [shims],
    );
    expect(status, output).toBe(2);
  });
});
