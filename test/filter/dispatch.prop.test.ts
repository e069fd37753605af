import fc from "fast-check";
import { expect, it, vi } from "vitest";
import type { Chain } from "../../src/filter/chain.ts";
import { ChainSet } from "../../src/filter/chain-set.ts";
import { completeServices } from "../../src/filter/services.ts";
import { parseRule } from "../../src/filter/rule-text.ts";
import { deviceKey, Op, Step } from "../../src/filter/step.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";

const ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
const DEVICES = ["vif1.0", "vif2.0", "eth0"];

const newChain = (): { chains: ChainSet; chain: Chain } => {
  const chains = new ChainSet("filter", completeServices({}));
  return { chains, chain: chains.get("FORWARD") };
};

const maybe = (word: string, values: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant("") },
    fc.constantFrom(...values).map((value) => `${word} ${value} `),
  );
const rule = fc.oneof(
  fc.constantFrom(...DEVICES).map((name) => `-o ${name}`),
  fc.constantFrom(...ADDRESSES).map((address) => `-s ${address}`),
  fc
    .tuple(
      maybe("-i", DEVICES),
      maybe("-o", DEVICES),
      maybe("-s", ADDRESSES),
      maybe("! -d", ADDRESSES),
    )
    .map((words) => words.join("")),
);
const edit = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("append"), rule }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete"), place: fc.nat(30) }) },
  fc.record({ kind: fc.constant("insert"), rule, place: fc.nat(30) }),
  fc.record({ kind: fc.constant("replace"), rule, place: fc.nat(30) }),
);
type Edit = typeof edit extends fc.Arbitrary<infer E> ? E : never;

/** A run of edits of one kind, which makes rows. */
const edits = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.array(edit, { maxLength: 6 }) },
      fc
        .tuple(fc.constantFrom("-o vif", "-s 10.0.0."), fc.integer({ min: 6, max: 10 }))
        .map(([word, count]): Edit[] =>
          Array.from({ length: count }, (_, index) => ({
            kind: "append",
            rule: word === "-o vif" ? `-o vif${index % 4}.0` : `${word}${index % 4}`,
          })),
        ),
    ),
    { maxLength: 8, size: "max" },
  )
  .map((runs) => runs.flat());

function make(chains: ChainSet, chain: Chain, next: Edit): void {
  const { length } = chain.steps;
  if (next.kind === "append") chains.insert(chain.name, null, parseRule(next.rule));
  else if (next.kind === "insert") {
    chains.insert(chain.name, (next.place % (length + 1)) + 1, parseRule(next.rule));
  } else if (length > 0) {
    const number = length - (next.place % Math.min(length, 12));
    if (next.kind === "delete") chains.delete(chain.name, number);
    else chains.replace(chain.name, number, parseRule(next.rule));
  }
}

type Ends = readonly [source: string, destination: string, input: string, output: string];

/** The rules that a packet between `ends` comes to and that match. */
function matched(chain: Chain, [source, destination, input, output]: Ends): string[] {
  const keys = [parseIpv4(source) | 0, parseIpv4(destination) | 0] as const;
  const texts: string[] = [];
  for (let step = chain.first; step !== chain.end;) {
    if (step.op === Op.Dispatch) {
      step = step.dispatch(...keys, deviceKey(input), deviceKey(output));
      continue;
    }
    texts.push(step.text);
    step = step.next;
  }
  return texts.filter((text) => isMatch(text, [source, destination, input, output]));
}

/** What the text of a rule says of a packet. */
function isMatch(text: string, [source, destination, input, output]: Ends): boolean {
  const asks = (word: string, value: string): boolean =>
    !text.includes(`${word} `) || text.includes(`${word} ${value}`);
  return (
    asks("-s", `${source}/32`) &&
    !text.includes(`! -d ${destination}/32`) &&
    asks("-i", input) &&
    asks("-o", output)
  );
}

it("leads packets to all rules that match, in their order, whatever was changed", () => {
  fc.assert(
    fc.property(edits, (list) => {
      const { chains, chain } = newChain();
      for (const next of list) {
        make(chains, chain, next);
        for (const source of ADDRESSES) {
          for (const output of DEVICES) {
            const ends: Ends = [source, "10.0.0.2", "vif1.0", output];
            const texts = chain.steps.map(({ text }) => text);
            expect(matched(chain, ends)).toEqual(texts.filter((text) => isMatch(text, ends)));
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

it("links none but the rule that comes or goes at the end of a long chain", () => {
  const dispatcher = vi.spyOn(Step, "dispatcher");
  const { chains, chain } = newChain();
  const begin = (): number => {
    expect(chain.first).toBeDefined();
    return dispatcher.mock.calls.length;
  };
  chains.insert("FORWARD", null, parseRule("-j ACCEPT"));
  for (let vif = 0; vif < 100; vif += 1) {
    chains.insert("FORWARD", null, parseRule(`-o vif${vif}.0`));
    begin();
  }
  const before = begin();
  expect(before).toBe(1);
  for (let vif = 100; vif < 200; vif += 1) {
    chains.insert("FORWARD", null, parseRule(`-o vif${vif}.0`));
    begin();
    chains.delete("FORWARD", parseRule(`-o vif${vif - 50}.0`));
    expect(begin()).toBe(before);
  }
  dispatcher.mockRestore();
});
