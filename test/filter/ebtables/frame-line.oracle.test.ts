import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Ebtables } from "../../../src/filter/ebtables/ebtables.ts";
import { formatMac } from "../../../src/wire/addr.ts";
import { isKernelLogReadable } from "../kernel-rules.ts";
import { frames } from "./frames.ts";
import { KernelBridge, missingForBridge } from "./kernel-bridge.ts";
import { BRIDGE_MAC, BridgeStand } from "./stand.ts";

const missing =
  missingForBridge() ??
  (isKernelLogReadable() ? null : "no log of namespaces: net.netfilter.nf_log_all_netns is 0");
const PREFIX = "dom0eb:";

describe.skipIf(missing !== null)(`Frames in the kernel's log (${missing ?? "here"})`, () => {
  let kernel: KernelBridge;

  beforeAll(() => {
    kernel = new KernelBridge(formatMac(BRIDGE_MAC));
  });

  afterAll(() => kernel.close());

  const details = fc.subarray(["--log-ip", "--log-arp"]).map((words) => words.join(" "));

  it("read as the watcher writes them", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(details, frames, async (words, sent) => {
        const rule = `--log-prefix ${PREFIX} ${words}`;
        const text = `*filter\n-A INPUT ${rule}\n-A FORWARD ${rule}\n-A OUTPUT ${rule}\n*nat\n`;
        const lines: string[] = [];
        const rules = new Ebtables({ log: { log: (_level, line) => lines.push(line) } });
        rules.restore(text);
        const stand = new BridgeStand(rules);
        for (const frame of sent) stand.send(frame);
        const request = { text, tables: [], frames: sent, logPrefix: PREFIX };
        expect(lines).toEqual((await kernel.judge(request)).logged);
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });
});
