import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { completeServices } from "../../src/filter/services.ts";
import { ChainSet } from "../../src/filter/chain-set.ts";
import { runCommand } from "../../src/filter/commands.ts";
import { RuleError } from "../../src/filter/errors.ts";
import { printTable } from "../../src/filter/save-text.ts";
import { splitWords } from "../../src/filter/words.ts";
import { isReachSound } from "../model/reach-search.ts";

const SERVICES = completeServices({});

const chain = fc.constantFrom("INPUT", "FORWARD", "OUTPUT", "a", "b", "c", "d");
const own = fc.constantFrom("a", "b", "c", "d");
/** `-m mac` may not stand where OUTPUT leads. */
const rule = fc.oneof(
  own.map((name) => `-j ${name}`),
  own.map((name) => `-p tcp -g ${name}`),
  fc.constantFrom("-m mac --mac-source 12:31:39:00:A5:11 -j DROP", "-j ACCEPT", "-s 1.1.1.1"),
);
const number = fc.integer({ min: 1, max: 3 }).map(String);

const command = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("-A"), chain, rule) },
  fc.tuple(fc.constant("-I"), chain, number, rule),
  fc.tuple(fc.constant("-R"), chain, number, rule),
  fc.tuple(fc.constant("-D"), chain, number),
  fc.tuple(fc.constant("-F"), chain),
  fc.tuple(fc.constant("-E"), own, own),
  fc.tuple(fc.constant("-X"), own),
  fc.tuple(fc.constant("-N"), own),
);

/** Do what a table does: take a change back whose ways are not sound. @returns if it stands. */
function change(chains: ChainSet, words: readonly string[]): boolean | null {
  let undo: () => void;
  try {
    undo = runCommand(chains, splitWords(words.join(" ")));
  } catch (error) {
    expect(error).toBeInstanceOf(RuleError);
    return null;
  }
  const isSound = isReachSound([...chains]);
  const wrong = isSound ? null : ["loop", "rule-place"];
  try {
    chains.checkReach();
    expect(wrong).toBeNull();
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    expect(wrong).toContain(error.code);
    undo();
  }
  return isSound;
}

describe("Ways of packets", () => {
  it("are judged change by change as by walking all of them", () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40, size: "max" }), (commands) => {
        const chains = new ChainSet("filter", SERVICES);
        for (const name of ["a", "b", "c", "d"]) chains.create(name);
        for (const words of commands) {
          const before = printTable("filter", chains);
          if (change(chains, words) === false) {
            refused += 1;
            expect(printTable("filter", chains)).toBe(before);
          }
        }
      }),
      { numRuns: 300 },
    );
    expect(refused).toBeGreaterThan(50);
  });

  it("are judged many at once as by walking all of them", () => {
    const names = Array.from({ length: 12 }, (_, index) => `c${index}`);
    const anyOwn = fc.constantFrom(...names);
    const sender = "-m mac --mac-source 12:31:39:00:A5:11 -j DROP";
    const what = fc.oneof(
      { weight: 12, arbitrary: anyOwn.map((name) => `-j ${name}`) },
      fc.constantFrom(sender, "-j ACCEPT", "-s 1.1.1.1"),
    );
    const from = fc.constantFrom("INPUT", "FORWARD", "OUTPUT", ...names, ...names);
    const isForward = ([left, right]: readonly [string, string]): boolean =>
      !left.startsWith("c") || !right.startsWith("-j c") || left < right.slice(3);
    const rules = fc.array(fc.tuple(from, what), { minLength: 17, maxLength: 40, size: "max" });
    let refused = 0;
    fc.assert(
      fc.property(rules, fc.boolean(), (all, isOrdered) => {
        const chains = new ChainSet("filter", SERVICES);
        for (const name of names) chains.create(name);
        const kept = isOrdered ? all.filter(isForward) : all;
        for (const [home, words] of kept) runCommand(chains, splitWords(`-A ${home} ${words}`));
        const isSound = isReachSound([...chains]);
        if (!isSound) refused += 1;
        if (isSound) chains.checkReach();
        else expect(() => chains.checkReach()).toThrow(RuleError);
        change(chains, splitWords("-A FORWARD -j c0"));
        change(chains, splitWords("-A c11 -j c3"));
      }),
      { numRuns: 200 },
    );
    expect(refused).toBeGreaterThan(20);
    expect(refused).toBeLessThan(180);
  });
});
