import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { completeServices } from "../../src/filter/services.ts";
import { ChainSet } from "../../src/filter/chain-set.ts";
import { runCommand } from "../../src/filter/commands.ts";
import { RuleError } from "../../src/filter/errors.ts";
import { printTable } from "../../src/filter/save-text.ts";
import { splitWords } from "../../src/filter/words.ts";

const SERVICES = completeServices({});

const chain = fc.constantFrom("INPUT", "OUTPUT", "a", "b", "c");
const asked = fc.constantFrom("-j DROP", "-j a", "-g b", "-s 1.1.1.1,2.2.2.2 -j ACCEPT", "");
const rule = fc.oneof({ arbitrary: asked, weight: 4 }, fc.constant("-c 3 4"));
const number = fc.integer({ min: 1, max: 4 }).map(String);

/** Commands, of which many cannot be made. */
const command = fc.oneof(
  fc.tuple(fc.constant("-A"), chain, rule),
  fc.tuple(fc.constant("-A"), chain, rule),
  fc.tuple(fc.constant("-I"), chain, number, rule),
  fc.tuple(fc.constant("-R"), chain, number, fc.constant("-j RETURN")),
  fc.tuple(fc.constant("-D"), chain, fc.oneof(number, asked)),
  fc.tuple(fc.constant("-C"), chain, asked),
  fc.tuple(fc.constantFrom("-F", "-X"), fc.oneof(chain, fc.constant(""))),
  fc.tuple(fc.constant("-N"), chain),
  fc.tuple(fc.constant("-N"), chain),
  fc.tuple(fc.constant("-E"), chain, chain),
  fc.tuple(fc.constant("-P"), chain, fc.constantFrom("ACCEPT", "DROP")),
);

describe("The chains of a table", () => {
  it("change by a command as a whole or not at all, and can be changed back", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 25, size: "max" }), (commands) => {
        const chains = new ChainSet("filter", SERVICES);
        const print = (): string => printTable("filter", chains, { hasCounters: true });
        for (const words of commands) {
          const run = (): (() => void) => runCommand(chains, splitWords(words.join(" ")));
          const before = print();
          try {
            const undo = run();
            const after = print();
            undo();
            expect(print()).toBe(before);
            run();
            expect(print()).toBe(after);
          } catch (error) {
            expect(error).toBeInstanceOf(RuleError);
            expect(print()).toBe(before);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
