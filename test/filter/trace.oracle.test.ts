import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Hook, Hooks } from "../../src/l3/hooks.ts";
import { formatMac, MAC_ZERO } from "../../src/wire/addr.ts";
import { Cast, PacketPool } from "../../src/wire/packet.ts";
import { tableText } from "../model/rule-evaluator.ts";
import { buildFrame, DEVICES, deviceOf, frameParts, isClassic, packetOf } from "./facts.ts";
import {
  canHearTraces,
  isKernelLogReadable,
  KernelRules,
  missingForRules,
} from "./kernel-rules.ts";
import { newRuleSet } from "./stand.ts";
import { tableChains } from "./tables.ts";

const NEAR = "vif1.0";
const MAC = DEVICES.get(NEAR)?.mac ?? MAC_ZERO;
const missing = missingForRules() ?? (canHearTraces() ? null : "no nfnetlink_log");
const hasLog = isKernelLogReadable();
const inLog = hasLog ? "" : " (skipped: the kernel does not log here)";
const BUILT_IN = ["PREROUTING", "OUTPUT"];

describe.skipIf(missing !== null)(`Lines about traced packets (${missing ?? "here"})`, () => {
  const pool = new PacketPool({ slots: 8, largeSlots: 0 });
  let kernel: KernelRules;

  beforeAll(() => {
    kernel = new KernelRules({ name: NEAR, mac: formatMac(MAC) });
  });

  afterAll(() => kernel.close());

  /**
   * Plays random rules and frames to both.
   * @param isWhole compare lines of the computer's log.
   * @returns how many lines were compared.
   */
  async function compare(isWhole: boolean): Promise<number> {
    let count = 0;
    const chains = tableChains({
      ...{ table: "raw", chain: "PREROUTING", builtIn: BUILT_IN },
      ...{ hasOutput: false, hasStates: false },
    });
    const sent = fc.array(frameParts.filter(isClassic), { minLength: 5, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(chains, sent, async (table, frames) => {
        const first = "-A PREROUTING -j TRACE";
        const text = tableText("raw", table).replace(/^(?=-A|COMMIT)/m, `${first}\n`);
        const { rules, heard } = newRuleSet();
        rules.restore(text);
        const hooks = new Hooks();
        rules.attach(hooks);
        for (const one of frames) {
          const place = { input: NEAR, output: null, cast: Cast.Host, flowState: 0, mark: 0 };
          const packet = packetOf(pool, one, place, MAC);
          const passed = hooks.pass(Hook.Prerouting, packet, deviceOf(NEAR), null, 0);
          if (passed !== null) pool.end(passed, "consumed", "test/passed", 0);
        }
        const { logged } = await kernel.judge({
          table: "raw",
          text,
          chains: BUILT_IN,
          logPrefix: "TRACE: raw:",
          isTraced: !isWhole,
          frames: frames.map((one) => Buffer.from(buildFrame(one, MAC)).toString("hex")),
        });
        const told = heard.logged.map(({ line }) => (isWhole ? line : line.replace(/IN=.*/s, "")));
        expect(told).toEqual(logged);
        count += told.length;
      }),
      { numRuns: 8 },
    );
    return count;
  }

  it("name the kernel's own places, rule by rule", { timeout: 60_000 }, async () => {
    expect(await compare(false)).toBeGreaterThan(0);
  });

  it.skipIf(!hasLog)(`are the kernel's own in its log${inLog}`, { timeout: 60_000 }, async () => {
    expect(await compare(true)).toBeGreaterThan(0);
  });
});
