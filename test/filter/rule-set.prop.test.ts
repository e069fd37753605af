import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hook, type HookContext, Verdict } from "../../src/l3/hooks.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { type Answer, type Question, RuleEvaluator, tableText } from "../model/rule-evaluator.ts";
import {
  circumstances,
  type Circumstances,
  DEVICE_NAMES,
  deviceOf,
  type Facts,
  factsOf,
  type FrameParts,
  frameParts,
  packetOf,
} from "./facts.ts";
import { tableText as anyTableText } from "./rule-texts.ts";
import { newRuleSet } from "./stand.ts";
import { type Chain, FORWARDING, type Rule, tableChains } from "./tables.ts";

type Sent = readonly (readonly [FrameParts, Circumstances])[];

const packets = fc.array(fc.tuple(frameParts, circumstances), { minLength: 1, maxLength: 12 });
const REASONS = {
  rule: ["filter/dropped", "anti-spoof/source-address"],
  policy: ["filter/policy"],
  malformed: ["filter/malformed"],
  accept: [""],
};

const pool = new PacketPool({ slots: 8, largeSlots: 0 });

/** The context of a packet on its way through. */
const contextOf = (packet: Packet, { input, output }: Circumstances): HookContext => ({
  hook: Hook.Forward,
  packet,
  input: deviceOf(input),
  output: deviceOf(output),
  now: 0,
  reason: "test/none",
  detail: "",
});

/** Send packets through `chains` and through the model, which must agree all the way. */
function compare(chains: readonly Chain[], sent: Sent): void {
  const { rules } = newRuleSet();
  rules.restore(tableText("filter", chains));
  const table = rules.table("filter");
  const model = new RuleEvaluator(chains);
  for (const [parts, place] of sent) {
    const facts = factsOf(parts, place);
    const expected = model.judge("FORWARD", facts, facts.totalLength);
    const packet = packetOf(pool, parts, place);
    const context = contextOf(packet, place);
    const verdict = table.onHook(packet, context);
    expect(verdict).toBe(expected === "accept" ? Verdict.Accept : Verdict.Drop);
    if (verdict === Verdict.Drop) expect(REASONS[expected]).toContain(context.reason);
    expect(packet.mark).toBe(facts.mark);
    pool.end(packet, "consumed", "test/done", 0);
  }
  for (const { name, policy, end, steps } of table.chains) {
    const counts = steps.map((step) => [step.packets, step.octets]);
    expect([name, counts]).toEqual([name, model.counts(name)]);
    if (policy !== null) expect([end.packets, end.octets]).toEqual(model.policyCount(name));
  }
}

/** A rule that names one device or address, so that a row of such can be looked up. */
const rowRule = (dimension: "i" | "o" | "s" | "d"): fc.Arbitrary<Rule> => {
  const names = dimension === "i" || dimension === "o" ? DEVICE_NAMES : ["10.0.0.1", "10.0.0.2"];
  const others = Array.from({ length: 30 }, (_, index) =>
    names === DEVICE_NAMES ? `vif${index + 10}.0` : `10.9.0.${index}`,
  );
  const question = fc.constantFrom(...names, ...others).map((name): Question<Facts> => ({
    text: names === DEVICE_NAMES ? `-${dimension} ${name}` : `-${dimension} ${name}/32`,
    start: () => (facts) => {
      const asked = {
        i: facts.input,
        o: facts.output,
        s: `10.0.0.${facts.src - 0x0a00_0000}`,
        d: `10.0.0.${facts.dst - 0x0a00_0000}`,
      }[dimension];
      return asked === name ? "yes" : "no";
    },
  }));
  const deed = fc.constantFrom(
    ...[null, null, null],
    { kind: "verdict", text: "-j ACCEPT", verdict: "accept" } as const,
    { kind: "jump", text: "-j a", chain: "a" } as const,
  );
  const answer = (isYes: boolean): Answer => (isYes ? "yes" : "no");
  const more: Question<Facts> = {
    text: "-m ttl --ttl-gt 4",
    start: () => (facts) => answer(facts.ttl > 4),
  };
  return fc.tuple(question, fc.boolean(), deed).map(([one, asksMore, does]) => ({
    questions: asksMore ? [one, more] : [one],
    deed: does,
  }));
};

const row = fc
  .constantFrom("i" as const, "o" as const, "s" as const, "d" as const)
  .chain((dimension) => fc.array(rowRule(dimension), { minLength: 5, maxLength: 25, size: "max" }));

describe("A rule set", () => {
  it("decides and counts as the model does, packet by packet", () => {
    fc.assert(fc.property(tableChains(FORWARDING), packets, compare), { numRuns: 100 });
  });

  it("does so too where it leaves out most of a long row of rules", () => {
    const rows = fc.tuple(row, row, row, tableChains(FORWARDING));
    fc.assert(
      fc.property(rows, packets, ([first, second, third, chains], sent) => {
        const long = chains.map((chain) => {
          const { name, rules } = chain;
          const isLong = name === "FORWARD";
          return isLong ? { ...chain, rules: [...first, ...rules, ...second, ...third] } : chain;
        });
        compare(long, sent);
      }),
      { numRuns: 60 },
    );
  });

  it("judges any octets after a sound IP header, and reads none past the packet's end", () => {
    const octets = fc.uint8Array({ maxLength: 60, size: "max" });
    const protocol = fc.constantFrom(1, 6, 6, 17, 33, 132, 136, 255);
    const hostile = fc
      .tuple(frameParts, octets, protocol)
      .map(([parts, transport, number]) => ({ ...parts, transport, protocol: number }));
    const sent = fc.array(fc.tuple(hostile, circumstances), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(anyTableText("filter"), sent, (text, all) => {
        const [seen, again] = [0x00, 0xff].map((beyond) => {
          const { rules, heard } = newRuleSet();
          rules.restore(text);
          const table = rules.table("filter");
          const verdicts = all.flatMap(([parts, place]) => {
            const packet = packetOf(pool, parts, place);
            pool.bytes.fill(beyond, packet.end, packet.end + 80);
            const outcome = [Hook.Input, Hook.Forward, Hook.Output].map((hook) =>
              table.onHook(packet, { ...contextOf(packet, place), hook }),
            );
            pool.end(packet, "consumed", "test/done", 0);
            return outcome;
          });
          return { verdicts, heard, saved: rules.save({ hasCounters: true }) };
        });
        expect(seen).toEqual(again);
      }),
      { numRuns: 60 },
    );
  });
});
