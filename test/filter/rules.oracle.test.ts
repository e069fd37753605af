import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RuleSet } from "../../src/filter/rule-set.ts";
import { Hook, Hooks } from "../../src/l3/hooks.ts";
import { formatMac, MAC_ZERO } from "../../src/wire/addr.ts";
import { Cast, PacketPool } from "../../src/wire/packet.ts";
import { tableText } from "../model/rule-evaluator.ts";
import {
  buildFrame,
  type Circumstances,
  DEVICES,
  deviceOf,
  frameParts,
  packetOf,
} from "./facts.ts";
import { KernelRules, missingForRules } from "./kernel-rules.ts";
import { type TableShape, tableChains } from "./tables.ts";

const missing = missingForRules();
const NEAR = "vif1.0";
const MAC = DEVICES.get(NEAR)?.mac ?? MAC_ZERO;
/** Frames are addressed so that the kernel sees them as they are seen here. */
const ADDRESSED = [
  [Cast.Host, MAC],
  [Cast.Broadcast, 0xffff_ffff_ffff],
  [Cast.Multicast, 0x0100_5e00_0001],
] as const;
const ARRIVAL: Omit<TableShape, "table" | "builtIn"> = {
  chain: "PREROUTING",
  hasOutput: false,
  hasStates: false,
};
const SHAPES: readonly TableShape[] = [
  { ...ARRIVAL, table: "raw", builtIn: ["PREROUTING", "OUTPUT"] },
  {
    ...ARRIVAL,
    table: "mangle",
    builtIn: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  },
];

describe.skipIf(missing !== null)(`Rules beside the kernel's own (${missing ?? "here"})`, () => {
  const pool = new PacketPool({ slots: 8, largeSlots: 0 });
  let kernel: KernelRules;

  beforeAll(() => {
    kernel = new KernelRules({ name: NEAR, mac: formatMac(MAC) });
  });

  afterAll(() => kernel.close());

  const frames = fc.array(fc.tuple(frameParts, fc.constantFrom(...ADDRESSED)), {
    minLength: 20,
    maxLength: 60,
    size: "max",
  });

  it.each(SHAPES)("match the same packets in table $table", { timeout: 60_000 }, async (shape) => {
    await fc.assert(
      fc.asyncProperty(tableChains(shape, 10), frames, async (chains, sent) => {
        const text = tableText(shape.table, chains);
        const rules = new RuleSet();
        rules.restore(text);
        const hooks = new Hooks();
        rules.attach(hooks);
        for (const [parts, [cast, dst]] of sent) {
          const place: Circumstances = { input: NEAR, output: null, cast, flowState: 0, mark: 0 };
          const packet = packetOf(pool, parts, place, dst);
          const passed = hooks.pass(Hook.Prerouting, packet, deviceOf(NEAR), null, 0);
          if (passed !== null) pool.end(passed, "consumed", "test/passed", 0);
        }
        const { saved } = await kernel.judge({
          table: shape.table,
          text,
          chains: shape.builtIn,
          logPrefix: "",
          frames: sent.map(([parts, [, dst]]) =>
            Buffer.from(buildFrame(parts, dst)).toString("hex"),
          ),
        });
        expect(rules.save({ hasCounters: true })).toBe(saved);
      }),
      { numRuns: 25 },
    );
  });
});
