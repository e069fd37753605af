import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import {
  DAY,
  HOUR,
  MILLISECOND,
  MINUTE,
  NEVER,
  SECOND,
  parseDuration,
} from "../../src/base/time.ts";

describe("durations", () => {
  it.each([
    ["7us", 7],
    ["250ms", 250 * MILLISECOND],
    ["1.5s", 1_500_000],
    ["5m", 300_000_000],
    ["2h", 2 * HOUR],
    ["1d", 86_400_000_000],
    [" 3s ", 3 * SECOND],
    ["0s", 0],
    ["0.0000014s", 1],
    ["0.0000015s", 2],
  ])("read %j as whole microseconds", (text, microseconds) => {
    expect(parseDuration(text)).toBe(microseconds);
  });

  it.each([
    "",
    "5",
    "s",
    "-1s",
    "+1s",
    "1e3s",
    "1 s",
    ".5s",
    "1.s",
    "1w",
    "1S",
    "1s1s",
    "Infinitys",
    "36526d",
    "99999999999999999999us",
  ])("refuse %j and say what is expected", (text) => {
    expect(() => parseDuration(text)).toThrow(ParseError);
    expect(() => parseDuration(text)).toThrow(`got "${text}"`);
  });

  it("read every number of every unit exactly", () => {
    const units = fc.constantFrom(
      ["us", 1] as const,
      ["ms", MILLISECOND] as const,
      ["s", SECOND] as const,
      ["m", MINUTE] as const,
      ["h", HOUR] as const,
      ["d", DAY] as const,
    );
    fc.assert(
      fc.property(fc.nat({ max: 36_525 }), units, (number, [unit, scale]) => {
        expect(parseDuration(`${number}${unit}`)).toBe(number * scale);
      }),
    );
  });

  it("never reach NEVER", () => {
    expect(NEVER).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
  });
});
