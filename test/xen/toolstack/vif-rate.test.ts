import fc from "fast-check";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../../src/base/errors.ts";
import { xendRate, xlRate } from "../../../src/xen/toolstack/vif-rate.ts";
import { compileWithXen, linesOf, missingHeaders } from "../xen-headers.ts";

/** What `read` makes of `text`, "refused" for a parse error. */
function said(read: (text: string) => string, text: string): string {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof ParseError) return "refused";
    throw error;
  }
}

describe("a vif's rate", () => {
  it.each([
    ["10Mb/s", "62500,50000", "62500,50000"],
    ["10Mb/s@50ms", "62500,50000", "62500,50000"],
    ["1MB/s@20ms", "20000,20000", "20000,20000"],
    ["1GB/s@1s", "1000000000,1000000", "1000000000,1000000"],
    ["250KB/s@100us", "25,100", "25,100"],
    // xl alone lets the s go, and reads octal numbers.
    ["10MB/s@50m", "refused", "500000,50000"],
    ["10MB/s@50", "refused", "500000000,50000000"],
    ["010MB/s", "500000,50000", "400000,50000"],
    ["08MB/s", "400000,50000", "refused"],
    // xend's rule that no rate may come to nothing, or to 2^32; xl's numbers have 64 bits.
    ["1b/s", "refused", "0,50000"],
    ["4GB/s@2s", "refused", "8000000000,2000000"],
    ["0MB/s", "refused", "refused"],
    ["1MB/s@0s", "refused", "refused"],
    ["1MB/s@4295s", "refused", "refused"],
    ["4294967296B/s", "214748364,50000", "refused"],
    ["4294967295GB/s@4294s", "refused", "refused"],
    ["", "refused", "refused"],
    ["@50ms", "refused", "refused"],
    ["10Mb/s@", "refused", "refused"],
    ["10Mb/s@50ms@", "refused", "refused"],
    ["10 Mb/s", "refused", "refused"],
    ["10mb/s", "refused", "refused"],
    ["10Mb", "refused", "refused"],
    ["-1Mb/s", "refused", "refused"],
    ["10Mb/s\n", "refused", "refused"],
    ["62500,50000", "refused", "refused"],
  ])("%j is %s to xend, %s to xl", (text, xend, xl) => {
    expect([said(xendRate, text), said(xlRate, text)]).toEqual([xend, xl]);
  });

  it.each([
    ["fast", 'expected a rate such as "10Mb/s" or "1MB/s@50ms", got "fast"'],
    ["1MB/s@1h", 'expected an interval such as "50ms", "100us" or "1s", got "1MB/s@1h"'],
    ["0B/s", 'expected a rate whose number is 1 to 4294967295, got "0B/s"'],
    ["1B/s@5000s", 'expected an interval of 1us to 4294s, got "1B/s@5000s"'],
  ])("%j is refused in clear words", (text, message) => {
    expect(() => xlRate(text)).toThrow(message);
  });
});

const missing = existsSync("/usr/include/libxlutil.h") ? missingHeaders : "no libxlutil";

describe.skipIf(missing !== null)(`beside xl's own reader (${missing ?? "here"})`, () => {
  const number = fc.oneof(
    fc.nat(2000).map(String),
    fc.bigInt(0n, 2n ** 33n).map(String),
    fc.stringMatching(/^0{0,2}[0-9]{1,12}$/),
  );
  const rate = fc
    .tuple(number, fc.constantFrom("", "G", "M", "K"), fc.constantFrom("b", "B"))
    .map(([count, unit, kind]) => `${count}${unit}${kind}/s`);
  const interval = fc
    .tuple(number, fc.constantFrom("", "m", "u"), fc.constantFrom("", "s"))
    .map((parts) => `@${parts.join("")}`);
  const sound = fc.tuple(rate, fc.option(interval, { nil: "" })).map((parts) => parts.join(""));
  const spoiled = fc
    .tuple(sound, fc.nat(20), fc.constantFrom("", "@", "0", "8", "s", "b", "M", "/", " ", "x"))
    .map(([text, at, insert]) => text.slice(0, at) + insert + text.slice(at + 1));
  const texts = fc.oneof(sound, spoiled, fc.stringMatching(/^[0-9GMKBb/s@mu]{0,12}$/));

  it("says what xl says, of sound and of spoiled texts", () => {
    const program = compileWithXen("test/xen/toolstack/vif-rate.c", "-lxlutil", "-lxenlight");
    const drawn = fc.sample(texts, { numRuns: 20_000, seed: 1 });
    const answers = linesOf(program, `${drawn.join("\n")}\n`);
    expect(drawn.map((text) => `${text} ${said(xlRate, text)}`)).toEqual(
      drawn.map((text, at) => `${text} ${answers[at]}`),
    );
  });
});
