/** What docs/serve.md and docs/domains.md show: every block is run, or says here why it is not. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { XenstoreClient } from "../../src/backend/xenstore-client.ts";
import { SILENT } from "../../src/base/log.ts";
import { play } from "../../src/cli/scenario/play.ts";
import { readScenario } from "../../src/cli/scenario/read.ts";
import { type Block, blocksOf } from "../support/docs.ts";
import { dom0 } from "./dom0.ts";
import { dom0Beside, runBeside, Serving } from "./serving.ts";

const PAGES = ["docs/serve.md", "docs/domains.md"];
const blocks = PAGES.flatMap((path) => blocksOf({ path, text: readFileSync(path, "utf8") }));

/** The only block of `page` in which `text` stands. */
function blockOf(page: string, text: string): Block {
  const found = blocks.filter((block) => block.page === page && block.text.includes(text));
  const [block] = found;
  if (block === undefined || found.length > 1) throw new Error(`${page}: ${found.length} ${text}`);
  met.add(block);
  return block;
}
/** Blocks that a test here takes. */
const met = new Set<Block>();

/** Names that are another one each time. */
const steady = (text: string): string => text.replaceAll(/dom0-[A-Za-z0-9]+(?=\/)/g, "dom0-x1");

const serve = "docs/serve.md";
const ready = blockOf(serve, "ready: xenstore");
const object = blockOf(serve, '"ready": true');
const domain = blockOf(serve, "guest: external");
const utilities = blockOf(serve, "XENSTORED_PATH");
const ours = blockOf(serve, "dom0 xenstore ls");
const scenario = blockOf("docs/domains.md", "steps:");
/** QEMU and its guests are in linux-guest.test.ts and qemu.test.ts, on other paths. */
const elsewhere = [blockOf(serve, "qemu-system-x86_64")];

describe("the pages about serving and domains", () => {
  it("have no block that nobody runs", () => {
    const isRun = ({ language, use }: Block): boolean =>
      use === "run" && (language === "ts" || language === "sh");
    const left = blocks.filter((block) => !isRun(block) && !met.has(block));
    expect(left.map(({ page, line }) => `${page}:${line}`)).toEqual([]);
    expect(elsewhere.every(({ use }) => use === "no-run")).toBe(true);
  });

  it("show the ready lines as they are", () => {
    const env = { TMPDIR: "/tmp" };
    const [line = ""] = dom0(["serve", "--until", "10ms"], { env }).stdout.split("\n");
    expect(`${steady(line)}\n`).toBe(ready.text);
    const words = ["serve", "--json", "--until", "10ms"];
    const [first = ""] = dom0(words, { env }).stdout.split("\n");
    expect(JSON.parse(steady(first))).toEqual(JSON.parse(object.text));
  });

  it("show a domain that a scenario takes", () => {
    const indented = domain.text.trimEnd().replaceAll("\n", "\n      ");
    const text = `hosts:\n  - domains:\n      ${indented}\n`;
    const [host] = readScenario("serve.md", text).hosts;
    expect(host?.domains[0]).toMatchObject({ guest: "external", name: "dom_32504940" });
  });

  it("show a scenario of which all expectations hold", async () => {
    const options = { seed: null, until: null, capture: null, traceLimit: 0, log: SILENT };
    for (const profile of ["ec2-2010", "linux"]) {
      const plan = readScenario("domains.md", `profile: ${profile}\n${scenario.text}`);
      const { signal } = new AbortController();
      const { failed } = await play({ ...options, plan, signal, onEvent: () => {} });
      expect(failed).toBe(0);
    }
  });

  const hasTools = spawnSync("xenstore-ls", ["-h"]).error === undefined;
  const skipped = hasTools ? "" : " (skipped: no xenstore-utils)";

  it("show commands for XenStore that do what they say", { timeout: 120_000 }, async () => {
    const { xenstore } = await Serving.start();
    const lines = ours.text.trimEnd().split("\n");
    // What is watched changes.
    const store = await XenstoreClient.open(xenstore);
    const changes = setInterval(() => {
      void store.write("/local/domain/0/backend/vif/news", "1", 0);
    }, 200);
    onTestFinished(() => {
      clearInterval(changes);
      store.close();
    });
    for (const line of lines) {
      const [, name = "", ...rest] = line.split(" ");
      const { status, stdout } = await dom0Beside([name, "--socket", xenstore, ...rest]);
      expect([status, stdout.length > 0], line).toEqual([0, true]);
    }
  });

  it.skipIf(!hasTools)(`show commands of others that do, too${skipped}`, async () => {
    const { xenstore } = await Serving.start();
    const path = "/tmp/zone/xenstore.sock";
    expect(utilities.text).toContain(path);
    // A watch goes on until it is interrupted: here until it was told once.
    const text = utilities.text
      .replace(path, xenstore)
      .replace("xenstore-watch", "xenstore-watch -n 1");
    const { status, stdout, stderr } = await runBeside("sh", ["-e", "-c", text]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("/local/domain/0/backend");
  });
});
