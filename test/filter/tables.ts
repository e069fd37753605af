/** Whole tables of rules that have a model. */
import fc from "fast-check";
import type { Deed, ModelChain, ModelRule } from "../model/rule-evaluator.ts";
import type { Facts } from "./facts.ts";
import { questions, stateQuestion } from "./questions.ts";

export type Rule = ModelRule<Facts>;
export type Chain = ModelChain<Facts>;

const verdict = fc
  .constantFrom("accept", "drop", "return")
  .map((one) => ({ kind: "verdict", text: `-j ${one.toUpperCase()}`, verdict: one }) as const);

const mark = fc
  .tuple(fc.constantFrom(0, 1, 0x10, 0x8000_0001), fc.constantFrom(0, 0xff, 0xffff_ffff))
  .map(([value, mask]): Deed<Facts> => {
    const text = `-j MARK --set-xmark 0x${value.toString(16)}/0x${mask.toString(16)}`;
    return {
      kind: "do",
      text,
      change(facts) {
        const kept = BigInt(facts.mark) & ~BigInt(mask) & 0xffff_ffffn;
        facts.mark = Number(kept ^ BigInt(value));
      },
    };
  });

const ttl = fc
  .tuple(fc.constantFrom("set", "dec", "inc"), fc.constantFrom(1, 5, 64))
  .map(([form, value]): Deed<Facts> => {
    return {
      kind: "do",
      text: `-j TTL --ttl-${form} ${value}`,
      change(facts) {
        const after = { set: value, dec: facts.ttl - value, inc: facts.ttl + value }[form] ?? 0;
        facts.ttl = Math.max(0, Math.min(255, after));
      },
    };
  });

const service = fc
  .tuple(fc.constantFrom(0, 0x10, 0xb8), fc.constantFrom(0xff, 0x3f, 0))
  .map(([value, mask]): Deed<Facts> => {
    const pair = [value, mask].map((one) => `0x${one.toString(16).padStart(2, "0")}`);
    return {
      kind: "do",
      text: `-j TOS --set-tos ${pair.join("/")}`,
      change: (facts) => void (facts.tos = (facts.tos & (255 - mask)) ^ value),
    };
  });

const dscp = fc.constantFrom(0, 10, 46).map((value): Deed<Facts> => ({
  kind: "do",
  text: `-j DSCP --set-dscp 0x${value.toString(16).padStart(2, "0")}`,
  change: (facts) => void (facts.tos = value * 4 + (facts.tos % 4)),
}));

const changes = {
  filter: fc.oneof(mark),
  raw: fc.oneof(mark),
  mangle: fc.oneof(mark, ttl, service, dscp),
};

/** `below` are chains that a rule may lead to: no rule leads back. */
function deed(
  table: keyof typeof changes,
  below: readonly string[],
): fc.Arbitrary<Deed<Facts> | null> {
  const own = [
    { weight: 3, arbitrary: verdict },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: changes[table] },
  ];
  if (below.length === 0) return fc.oneof(...own);
  const leads = fc
    .tuple(fc.constantFrom("jump" as const, "goto" as const), fc.constantFrom(...below))
    .map(([kind, chain]) => ({ kind, chain, text: `-${kind === "jump" ? "j" : "g"} ${chain}` }));
  return fc.oneof(...own, { weight: 4, arbitrary: leads });
}

/** What a generated table is for. */
export interface TableShape {
  readonly table: "filter" | "raw" | "mangle";
  /** The built-in chain that has rules; the others stay empty. */
  readonly chain: string;
  readonly builtIn: readonly string[];
  readonly hasOutput: boolean;
  readonly hasStates: boolean;
}

export const FORWARDING: TableShape = {
  table: "filter",
  chain: "FORWARD",
  builtIn: ["INPUT", "FORWARD", "OUTPUT"],
  hasOutput: true,
  hasStates: true,
};

const NAMES = ["a", "b", "c"];

/** Built-in chains in order, then the others by name, as `iptables-save` prints them. */
export function tableChains(shape: TableShape, mostRules = 6): fc.Arbitrary<Chain[]> {
  const { table, chain, builtIn, hasOutput, hasStates } = shape;
  const asked = questions(hasStates ? [stateQuestion] : [], hasOutput);
  const rules = (below: readonly string[]): fc.Arbitrary<Rule[]> =>
    fc.array(fc.record({ questions: asked, deed: deed(table, below) }), { maxLength: mostRules });
  const policy = fc.constantFrom("ACCEPT" as const, "DROP" as const);
  return fc
    .tuple(rules(NAMES), rules(NAMES.slice(1)), rules(NAMES.slice(2)), rules([]), policy)
    .map(([first, a, b, c, decides]) => [
      ...builtIn.map((name) => ({
        name,
        policy: name === chain ? decides : ("ACCEPT" as const),
        rules: name === chain ? first : [],
      })),
      ...[a, b, c].map((own, index) => ({ name: NAMES[index] ?? "", policy: null, rules: own })),
    ]);
}
