/**
 * Time as integer microseconds. The library never reads a clock: `now` is handed in.
 * @module
 */
import { ParseError } from "./errors.ts";

/** Microseconds since the start of the run; `Infinity` is "never". */
export type Instant = number;
/** Microseconds, never negative. */
export type Duration = number;

/** 1,000 microseconds. */
export const MILLISECOND: Duration = 1_000;
/** 1,000,000 microseconds. */
export const SECOND: Duration = 1_000_000;
/** 60 seconds. */
export const MINUTE: Duration = 60 * SECOND;
/** 60 minutes. */
export const HOUR: Duration = 60 * MINUTE;
/** 24 hours, without leap seconds. */
export const DAY: Duration = 24 * HOUR;
/** The longest duration that a text may say: 100 years, so that sums of a few stay exact. */
const LONGEST: Duration = 36_525 * DAY;
/** The instant that never comes. */
export const NEVER: Instant = Number.POSITIVE_INFINITY;

const UNIT = new Map<string, Duration>([
  ["us", 1],
  ["ms", MILLISECOND],
  ["s", SECOND],
  ["m", MINUTE],
  ["h", HOUR],
  ["d", DAY],
]);

/**
 * Read "250ms", "1.5s", "2h" as a duration, rounded to a whole microsecond.
 * @throws {ParseError} if the text is not a number with a unit of us, ms, s, m, h or d, or says
 *   more than 100 years.
 */
export function parseDuration(text: string): Duration {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)(us|ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  const scale = UNIT.get(unit);
  if (scale === undefined) {
    throw new ParseError(
      "duration",
      text,
      `expected a duration such as "250ms" or "5s", got "${text}"`,
    );
  }
  const duration = Math.round(Number(number) * scale);
  if (duration <= LONGEST) return duration;
  throw new ParseError("duration", text, `expected at most 36525d, got "${text}"`);
}
