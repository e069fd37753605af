/**
 * Classes of service by name: RFC 2474 section 4.2.2, RFC 2597 section 6, RFC 3246 section 2.
 * @module
 */
import { option, type Options, type OptionSpec } from "./options.ts";
import { refuse } from "./errors.ts";
import { parseNumber } from "./values.ts";

const EXPEDITED = 0x2e;

/** The options that name a code point: as a number, and as a class. */
export const dscpOptions = (name: string, isInvertible: boolean): readonly OptionSpec[] => [
  option(name, { isInvertible }),
  option(`${name}-class`, { isInvertible }),
];

/** The code point that the options `name` or `name`-class give, and whether it is inverted. */
export function readDscp(given: Options, name: string): { dscp: number; isInverted: boolean } {
  const [form, { word, isInverted }] = given.only([name, `${name}-class`]);
  const dscp = form === name ? parseNumber(word, 0, 63, "a code point") : parseClass(word);
  return { dscp, isInverted };
}

function parseClass(word: string): number {
  const name = word.toUpperCase();
  if (name === "BE") return 0;
  if (name === "EF") return EXPEDITED;
  const [, selector] = /^CS([0-7])$/.exec(name) ?? [];
  if (selector !== undefined) return Number(selector) * 8;
  const [, group, precedence] = /^AF([1-4])([1-3])$/.exec(name) ?? [];
  return group === undefined
    ? refuse(word, `a class is BE, EF, CS0 to CS7 or AF11 to AF43, not "${word}"`)
    : Number(group) * 8 + Number(precedence) * 2;
}
