import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOUR, SECOND } from "../../src/base/time.ts";
import {
  formatCount,
  formatInstant,
  formatSeconds,
  formatSpan,
  indented,
  table,
  wrap,
} from "../../src/cli/layout.ts";

const words = fc.array(fc.stringMatching(/^[a-z]{1,30}$/), { minLength: 1, maxLength: 40 });

describe("wrapped text", () => {
  it("keeps every word in its order, and every line within the width if words allow", () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 60 }), (text, width) => {
        const lines = wrap(text.join(" "), width);
        expect(lines.flatMap((line) => line.split(" "))).toEqual(text);
        for (const line of lines) expect(line.length <= width || !line.includes(" ")).toBe(true);
      }),
    );
  });

  it("keeps the blanks of a line that fits", () => {
    expect(wrap("  1  10.0.0.1   40 us", 40)).toEqual(["  1  10.0.0.1   40 us"]);
  });

  it("stands behind its indentation", () => {
    expect(indented("aa bb cc dd ee ff gg hh ii", 4, 24)).toEqual([
      "    aa bb cc dd ee ff gg",
      "    hh ii",
    ]);
  });
});

describe("a table", () => {
  const columns = [{ title: "count", isNumber: true }, { title: "name" }, { title: "what" }];

  it("aligns numbers right and words left, without blanks at the end of a line", () => {
    const rows = [
      ["7", "vif3.0", "a"],
      ["12", "x", ""],
    ];
    expect(table(columns, rows, { width: 40 })).toEqual([
      "count  name    what",
      "    7  vif3.0  a",
      "   12  x",
    ]);
  });

  it("breaks its last column where the width ends", () => {
    const rows = [["7", "vif3.0", "one two three four five six"]];
    expect(table(columns, rows, { width: 36, indent: 1 })).toEqual([
      " count  name    what",
      "     7  vif3.0  one two three four",
      "                five six",
    ]);
  });

  it("is nothing without rows", () => {
    expect(table(columns, [], { width: 40 })).toEqual([]);
  });

  it("is never wider than asked for, where the columns before the last leave room", () => {
    fc.assert(
      fc.property(fc.array(words.map((text) => text.slice(0, 8).join(" "))), (texts) => {
        const rows = texts.map((text, index) => [String(index), "x", text]);
        for (const line of table(columns, rows, { width: 70 })) {
          expect(line.length).toBeLessThanOrEqual(70);
        }
      }),
    );
  });
});

describe("figures", () => {
  it.each([
    [0, "0.000 s"],
    [1_500, "0.002 s"],
    [12 * SECOND + 345_678, "12.346 s"],
    [HOUR - 1000, "3599.999 s"],
    [HOUR, "1:00:00.000"],
    [33 * HOUR + 31 * 60 * SECOND + 13_650_000, "33:31:13.650"],
  ])("of an instant: %i us is %s", (at, text) => {
    expect(formatInstant(at)).toBe(text);
  });

  it.each([
    [0, "0 us"],
    [999, "999 us"],
    [20_340, "20.3 ms"],
    [999_600, "1000 ms"],
    [1_248_060, "1.25 s"],
  ])("of a span: %i us is %s", (us, text) => {
    expect(formatSpan(us)).toBe(text);
  });

  it.each([
    [90, "90 s"],
    [600, "10 min"],
    [86_400, "24 h"],
    [172_800, "2 d"],
    [3601, "3601 s"],
  ])("of a lease: %i is %s", (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });

  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [32_504_936, "32,504,936"],
  ])("of a count: %i is %s", (count, text) => {
    expect(formatCount(count)).toBe(text);
  });
});
