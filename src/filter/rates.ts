/** Rates such as 3/min, in words (`parse_rate` and `print_rate` of libxt_limit.c). @module */
import { refuse } from "./errors.ts";
import { MAX_UINT, parseNumber } from "./values.ts";

/** The slowest first: their order decides how a rate is printed. */
const UNITS: readonly (readonly [name: string, printed: string, seconds: number])[] = [
  ["day", "day", 86_400],
  ["hour", "hour", 3600],
  ["minute", "min", 60],
  ["second", "sec", 1],
];

/** How far packets are apart on average, and the unit in which that was said. */
export interface Rate {
  /** Seconds between two, times a scale; from 1. */
  readonly period: number;
  /** Seconds of the unit: 1, 60, 3,600 or 86,400. */
  readonly unit: number;
}

/**
 * Read "5", "5/s", "3/minute".
 * @param scale what one second counts in the period.
 * @throws {ParseError} if the word is no rate, or the period would be 0.
 */
export function parseRate(word: string, scale: number): Rate {
  const [, count = "", unitText = "second"] = /^(\d+)(?:\/([a-z]+))?$/i.exec(word) ?? [];
  const lower = unitText.toLowerCase();
  const unit = UNITS.find(([name]) => name.startsWith(lower))?.[2];
  if (count === "" || unit === undefined) refuse(word, `no rate such as 3/min: "${word}"`);
  const number = parseNumber(count.replace(/^0+(?=\d)/, ""), 1, MAX_UINT, "a rate");
  const period = Math.floor((scale * unit) / number);
  return period === 0 ? refuse(word, `the rate ${word} is too fast`) : { period, unit };
}

/** In the fastest unit that tells the period apart well enough. @returns that unit, too. */
export function formatRate(period: number, scale: number): { text: string; unit: number } {
  let chosen = UNITS[0];
  for (const unit of UNITS.slice(1)) {
    const size = unit[2] * scale;
    if (period > size || Math.floor(size / period) < size % period) break;
    chosen = unit;
  }
  const [, printed = "", unit = 1] = chosen ?? [];
  return { text: `${Math.floor((unit * scale) / period)}/${printed}`, unit };
}
