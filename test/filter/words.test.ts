import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutOctets, quote, splitWords } from "../../src/filter/words.ts";

describe("Words of a line", () => {
  it.each([
    ["-A INPUT  -j\tDROP", ["-A", "INPUT", "-j", "DROP"]],
    [' --comment "a b" x', ["--comment", "a b", "x"]],
    ['"a\\"b\\\\c\\d"', ['a"b\\cd']],
    ['a"b c"d', ["ab c", "d"]],
    ['""', [""]],
    ["a\\ b", ["a\\", "b"]],
    ["", []],
  ])("are split as iptables-restore splits them: %s", (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it("are refused if a quote is not closed", () => {
    expect(() => splitWords('-m comment --comment "a b')).toThrow("a quote is not closed");
  });

  it.each([
    ["plain_word-1", "plain_word-1"],
    ["a/b", '"a/b"'],
    ["it's", String.raw`"it\'s"`],
    ['say "x\\y"', String.raw`"say \"x\\y\""`],
    ["", '""'],
  ])("are quoted as iptables-save quotes them: %s", (text, quoted) => {
    expect(quote(text)).toBe(quoted);
  });

  it("are cut off by octets, but never within a character", () => {
    expect(cutOctets("é".repeat(15), 29)).toBe("é".repeat(14));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(20), (text, most) => {
        const cut = cutOctets(text, most);
        const octets = (part: string): number => new TextEncoder().encode(part).length;
        const [next = ""] = text.slice(cut.length);
        expect(text.startsWith(cut)).toBe(true);
        expect(octets(cut)).toBeLessThanOrEqual(most);
        if (next !== "") expect(octets(cut + next)).toBeGreaterThan(most);
      }),
    );
  });

  it("come back from their quotes", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        const line = words.map((word) => quote(word)).join(" ");
        expect(splitWords(line)).toEqual(words);
      }),
    );
  });
});
