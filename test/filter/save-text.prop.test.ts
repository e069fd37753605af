import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { TABLE_NAMES } from "../../src/filter/placement.ts";
import { newRuleSet } from "./stand.ts";
import { tableText } from "./rule-texts.ts";

const save = (text: string): string => {
  const { rules } = newRuleSet();
  rules.restore(text, { keepsCounters: true });
  return rules.save({ hasCounters: true });
};

describe("The text of tables", () => {
  it.each(TABLE_NAMES)("is the same when it is read and printed again: %s", (table) => {
    fc.assert(
      fc.property(tableText(table), (text) => {
        const printed = save(text);
        expect(save(printed)).toBe(printed);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused in whole, with the line and the word, whatever else it is", () => {
    const word = fc.constantFrom(
      ..."-A -I -D -N -P INPUT FORWARD own -s -d ! -p tcp -m -j -g ACCEPT LOG tcp limit".split(" "),
      ...'--dport --limit 80 10.0.0.1/8 3/min "a [1:2] * : COMMIT *filter :own - --'.split(" "),
    );
    const line = fc.array(word, { maxLength: 7 }).map((words) => words.join(" "));
    const junk = fc.array(fc.oneof(line, fc.string({ maxLength: 30 })), { maxLength: 5 });
    fc.assert(
      fc.property(junk, (lines) => {
        const { rules } = newRuleSet();
        rules.restore("*filter\n-A INPUT -j DROP\nCOMMIT\n");
        const before = rules.save();
        try {
          rules.restore(["*filter", ...lines, "COMMIT", ""].join("\n"));
          expect(save(rules.save())).toBe(rules.save({ hasCounters: true }));
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
          expect((error as ParseError).line).toBeGreaterThan(0);
          expect(rules.save()).toBe(before);
        }
      }),
      { numRuns: 500 },
    );
  });
});
