import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Ebtables } from "../../../src/filter/ebtables/ebtables.ts";
import { formatMac } from "../../../src/wire/addr.ts";
import { tablesText } from "./frame-rule-texts.ts";
import { frames } from "./frames.ts";
import { type DeviceFrame, KernelBridge, missingForBridge } from "./kernel-bridge.ts";
import { BRIDGE_MAC, BridgeStand } from "./stand.ts";

const missing = missingForBridge();
const TABLES = ["filter", "nat"];

/** By device, for the order is only known of each. */
const byDevice = (sent: readonly DeviceFrame[]): Record<string, string[]> =>
  Object.fromEntries(
    ["br0", "p0", "p1"].map((name) => [
      name,
      sent.filter(([device]) => device === name).map(([, octets]) => octets),
    ]),
  );

describe.skipIf(missing !== null)(`ebtables beside the kernel's (${missing ?? "here"})`, () => {
  let kernel: KernelBridge;

  beforeAll(() => {
    kernel = new KernelBridge(formatMac(BRIDGE_MAC));
  });

  afterAll(() => kernel.close());

  it("prints rules as ebtables-save does", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(tablesText(true), async (text) => {
        const rules = new Ebtables();
        rules.restore(text);
        const request = { text, tables: TABLES, frames: [], logPrefix: "" };
        const { saved } = await kernel.judge(request);
        expect(rules.save()).toBe(saved.join(""));
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it("lets the same frames pass, changes and counts them alike", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(tablesText(false), frames, async (text, sent) => {
        const rules = new Ebtables({}, { filtersOutputFirst: true });
        rules.restore(text);
        const stand = new BridgeStand(rules);
        for (const frame of sent) stand.send(frame);
        const request = { text, tables: TABLES, frames: sent, logPrefix: "" };
        const answer = await kernel.judge(request);
        expect(byDevice(stand.sent)).toEqual(byDevice(answer.sent));
        expect(rules.save({ hasCounters: true })).toBe(answer.saved.join(""));
        expect(stand.pool.live).toBe(0);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});
