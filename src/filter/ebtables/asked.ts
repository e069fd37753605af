/** Values that options of a rule ask for, or ask not to be. @module */
import type { Options } from "../options.ts";
import { printValue } from "./frame-match.ts";

/** One value. */
export interface Asked<T> {
  readonly value: T;
  readonly isInverted: boolean;
}

/** What option `name` asks; `null` if it is not given. @throws {ParseError} as `parse` does. */
export function ask<T>(given: Options, name: string, parse: (word: string) => T): Asked<T> | null {
  const found = given.find(name);
  return found === null ? null : { value: parse(found.word), isInverted: found.isInverted };
}

/** True if nothing is asked, or `value` is what is asked. */
export const hasNumber = (asked: Asked<number> | null, value: number): boolean =>
  asked === null || (asked.value === value) !== asked.isInverted;

/** How `ebtables-save` prints what is asked: nothing, or the option and a space. */
export const print = <T>(
  name: string,
  asked: Asked<T> | null,
  format: (value: T) => string,
): string => (asked === null ? "" : printValue(name, format(asked.value), asked.isInverted));
