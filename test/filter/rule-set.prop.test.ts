import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RuleSet } from "../../src/filter/rule-set.ts";
import { Hook, Hooks } from "../../src/l3/hooks.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { RuleEvaluator, tableText } from "../model/rule-evaluator.ts";
import { circumstances, deviceOf, factsOf, frameParts, packetOf } from "./facts.ts";
import { FORWARDING, tableChains } from "./tables.ts";

const packets = fc.array(fc.tuple(frameParts, circumstances), { minLength: 1, maxLength: 12 });
const REASONS = { rule: "filter/dropped", policy: "filter/policy", malformed: "filter/malformed" };

describe("A rule set", () => {
  const pool = new PacketPool({ slots: 8, largeSlots: 0 });

  it("decides and counts as the model does, packet by packet", () => {
    fc.assert(
      fc.property(tableChains(FORWARDING), packets, (chains, sent) => {
        const rules = new RuleSet();
        rules.restore(tableText("filter", chains));
        const hooks = new Hooks();
        rules.attach(hooks);
        const model = new RuleEvaluator(chains);
        for (const [parts, place] of sent) {
          const facts = factsOf(parts, place);
          const expected = model.judge("FORWARD", facts, facts.totalLength);
          const packet = packetOf(pool, parts, place);
          const [input, output] = [deviceOf(place.input), deviceOf(place.output)];
          const before = new Map(pool.ends.entries());
          const passed = hooks.pass(Hook.Forward, packet, input, output, 0);
          expect(passed === null ? "drop" : "accept").toBe(expected === "accept" ? expected : "drop");
          if (passed === null) {
            const [[reason] = ["none"]] = pool.ends
              .entries()
              .filter(([name, count]) => count !== (before.get(name) ?? 0));
            const isOwn = reason === "anti-spoof/source-address" && expected === "rule";
            if (expected !== "accept" && !isOwn) expect(reason).toBe(REASONS[expected]);
          } else {
            expect(passed.mark).toBe(facts.mark);
            pool.end(passed, "consumed", "test/passed", 0);
          }
        }
        const table = rules.table("filter");
        for (const { name, end, steps } of table.chains) {
          const counts = steps.map((step) => [step.packets, step.octets]);
          expect([name, counts]).toEqual([name, model.counts(name)]);
          if (name === "FORWARD") expect([end.packets, end.octets]).toEqual(model.policyCount(name));
        }
        expect(pool.live).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
