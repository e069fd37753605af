/** Words of rules that stand for values, and how they are put together. */
import fc from "fast-check";
import { formatIpv4, ipv4Of } from "../../src/wire/addr.ts";

export type Text = fc.Arbitrary<string>;

export const words = (...parts: readonly (string | Text)[]): Text =>
  fc
    .tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part)))
    .map((all) => all.filter((part) => part !== "").join(" "));
export const one = (...texts: readonly string[]): Text => fc.constantFrom(...texts);
export const any = (...texts: readonly Text[]): Text => fc.oneof(...texts);
export const maybe = (text: Text): Text => fc.oneof(fc.constant(""), text);
export const not = one("", "!");

/** A number in one of the forms that are read. */
export const number = (min: number, max: number): Text =>
  fc
    .tuple(fc.integer({ min, max }), fc.constantFrom(10, 10, 10, 16, 8))
    .map(
      ([value, base]) =>
        ({ 10: `${value}`, 16: `0x${value.toString(16)}`, 8: `0${value.toString(8)}` })[base] ?? "",
    );

export const u32 = number(0, 0xffff_ffff);
export const address = fc.nat(0xffff_ffff).map((value) => formatIpv4(ipv4Of(value)));
export const decimal = fc.integer({ min: 0, max: 65_535 }).map(String);

export const rising = (min: number, max: number, separator: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.integer({ min, max: max - 1 }), fc.integer({ min: 1, max: 1000 }))
    .map(([from, more]) => `${from}${separator}${Math.min(from + more, max)}`);

/** Some ports, but not all, which nothing is outside of. */
export const ports = any(decimal, rising(1, 65_535, ":"), one(":80", "1024:"));

export const state = fc
  .subarray(["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "new", "est"], {
    minLength: 1,
  })
  .map((names) => names.join(","));
