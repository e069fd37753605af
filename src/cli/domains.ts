/**
 * How many VMs a region launched, from a few of its domains' numbers: they come from one counter
 * (Bleikertz 2010; Rosen and RightScale, 2009 and 2010: docs/sources.md).
 * @module
 */
import { ParseError } from "../base/errors.ts";
import { serialOfDomain, serialOfInstance } from "../zone/naming.ts";

/** One domain that was seen. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** How exactly the time is known: 1, 1,000, 60,000 or 86,400,000 milliseconds. */
  readonly resolution: number;
  readonly serial: number;
}

/** What happened between two samples. */
export interface Interval {
  readonly from: Sample;
  readonly to: Sample;
  /** Numbers that were given in between. */
  readonly serials: number;
  readonly perDay: number;
}

/** A stretch in which the numbers of one region only rose. */
export interface Series {
  readonly region: string;
  /** The first number of the region, about. */
  readonly offset: number;
  /** In the order of their times, each domain once. */
  readonly samples: readonly Sample[];
  readonly intervals: readonly Interval[];
  /** Numbers given in 24 hours; `null` without two times. */
  readonly perDay: number | null;
  /**
   * By how much that may be off: the standard error of the intervals' rates, weighted by their
   * lengths, and what the times leave open; `null` as `perDay`.
   */
  readonly error: number | null;
  readonly even: number;
  readonly odd: number;
  /** The greatest number that divides all differences; 1 if there is none. */
  readonly stride: number;
  /** How likely so great a stride is if every number were used. */
  readonly strideChance: number;
  /** VMs a day: if the stride is no accident, only such numbers are used. `null` as `perDay`. */
  readonly launchesPerDay: number | null;
  /** VMs that the region can have launched until the last sample: all its numbers. */
  readonly mostLaunches: number;
}

const DAY_MS = 86_400_000;
/** Below this chance, a common stride is no accident. */
const ACCIDENT = 0.05;
/** Rosen 2010: where the regions' numbers began, about; the highest first. */
const REGIONS = [
  { region: "us-west-1", offset: 752_000_000 },
  { region: "eu-west-1", offset: 500_000_000 },
  { region: "us-east-1", offset: 0 },
] as const;

/**
 * Read one line: a time in ISO 8601 (UTC unless it says otherwise), blanks, and "dom_32504936", or
 * an instance id "i-00b6bc68", which is the same number.
 * @returns `null` for an empty line or a comment, which begins with "#".
 * @throws {ParseError} if it is no such line.
 */
export function parseSample(line: string): Sample | null {
  const text = line.replace(/#.*/, "").trim();
  if (text === "") return null;
  const [time = "", name = "", ...rest] = text.split(/\s+/);
  if (name === "" || rest.length > 0) {
    const example = "2010-02-01T09:30:00Z dom_32504936";
    throw new ParseError(
      "sample",
      text,
      `expected a time and a name such as "${example}", got "${text}"`,
    );
  }
  const serial = name.startsWith("i-") ? serialOfInstance(name) : serialOfDomain(name);
  return { ...parseTime(time), serial };
}

/** Put samples, in any order, into series. */
export function analyze(samples: readonly Sample[]): Series[] {
  return REGIONS.toReversed().flatMap(({ region, offset }, index, all) => {
    const end = all[index + 1]?.offset ?? Infinity;
    const own = samples.filter(({ serial }) => serial >= offset && serial < end);
    return risingRuns(own).map((run) => seriesOf(region, offset, run));
  });
}

/** A domain that was seen twice counts where it was seen first; a number that falls begins anew. */
function risingRuns(samples: readonly Sample[]): Sample[][] {
  const seen = new Set<number>();
  const runs: Sample[][] = [];
  const ordered = samples.toSorted(
    (left, right) => left.at - right.at || left.serial - right.serial,
  );
  for (const sample of ordered) {
    if (seen.has(sample.serial)) continue;
    seen.add(sample.serial);
    const run = runs.at(-1) ?? [];
    const isRising = (run.at(-1)?.serial ?? Infinity) < sample.serial;
    if (isRising) run.push(sample);
    else runs.push([sample]);
  }
  return runs;
}

function seriesOf(region: string, offset: number, samples: readonly Sample[]): Series {
  const intervals = intervalsOf(samples);
  const estimate = rateOf(intervals);
  const odd = samples.filter(({ serial }) => serial % 2 === 1).length;
  const differences = samples
    .slice(1)
    .map(({ serial }, index) => serial - (samples[index]?.serial ?? serial));
  const stride = differences.reduce(gcd, 0) || 1;
  const strideChance = chanceOfStride(stride, differences.length);
  const used = strideChance < ACCIDENT ? stride : 1;
  return {
    region,
    offset,
    samples,
    intervals,
    perDay: estimate?.perDay ?? null,
    error: estimate?.error ?? null,
    even: samples.length - odd,
    odd,
    stride,
    strideChance,
    launchesPerDay: estimate === null ? null : estimate.perDay / used,
    mostLaunches: (samples.at(-1)?.serial ?? offset) - offset,
  };
}

/** Between samples of different times; those of one time are one burst, which its last ends. */
function intervalsOf(samples: readonly Sample[]): Interval[] {
  const intervals: Interval[] = [];
  let [from] = samples;
  for (const [index, to] of samples.entries()) {
    const isLastOfTime = samples[index + 1]?.at !== to.at;
    if (from === undefined || to.at === from.at || !isLastOfTime) continue;
    const serials = to.serial - from.serial;
    intervals.push({ from, to, serials, perDay: (serials / (to.at - from.at)) * DAY_MS });
    from = to;
  }
  return intervals;
}

function rateOf(intervals: readonly Interval[]): { perDay: number; error: number } | null {
  const first = intervals[0]?.from;
  const last = intervals.at(-1)?.to;
  if (first === undefined || last === undefined) return null;
  const length = last.at - first.at;
  const serials = last.serial - first.serial;
  const perDay = (serials / length) * DAY_MS;
  const count = intervals.length;
  const squares = intervals.map(({ from, to, perDay: own }) => {
    const weight = (to.at - from.at) / length;
    return (weight * (own - perDay)) ** 2;
  });
  const variance =
    count < 2 ? 0 : (count / (count - 1)) * squares.reduce((sum, square) => sum + square, 0);
  // A time stands for all that it may have been cut from.
  const loose = Math.max(first.resolution, last.resolution);
  return { perDay, error: Math.hypot(Math.sqrt(variance), (perDay * loose) / length) };
}

/**
 * That `count` random differences have a common divisor of `stride` or more: the divisor is d with
 * the probability d^-count / zeta(count).
 */
function chanceOfStride(stride: number, count: number): number {
  if (count < 2 || stride < 2) return 1;
  let below = 0;
  const end = Math.min(stride, ZETA_TERMS);
  for (let divisor = 1; divisor < end; divisor += 1) below += divisor ** -count;
  return Math.max(0, 1 - below / zeta(count));
}

const ZETA_TERMS = 10_000;

/** Riemann's zeta of a whole number from 2: a sum, and the integral of its rest. */
function zeta(power: number): number {
  let sum = ZETA_TERMS ** (1 - power) / (power - 1);
  for (let term = 1; term < ZETA_TERMS; term += 1) sum += term ** -power;
  return sum;
}

function gcd(left: number, right: number): number {
  return right === 0 ? left : gcd(right, left % right);
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(:\d\d)?(\.\d{1,3})?(Z|[+-]\d\d:\d\d)?)?$/;

function parseTime(text: string): { at: number; resolution: number } {
  const match = TIME.exec(text);
  const [, date = "", minutes, seconds, fraction, zone = "Z"] = match ?? [];
  const clock = `${minutes ?? "00:00"}${seconds ?? ":00"}${fraction ?? ""}`;
  const at = Date.parse(`${date}T${clock}${zone}`);
  const isDay = new Date(`${date}T00:00:00Z`).getTime() % DAY_MS === 0;
  const isReal = isDay && new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
  if (
    match === null ||
    Number.isNaN(at) ||
    !isReal ||
    (fraction !== undefined && seconds === undefined)
  ) {
    const message = `expected a time such as 2010-02-01T09:30:00Z, got "${text}"`;
    throw new ParseError("time", text, message);
  }
  if (minutes === undefined) return { at, resolution: DAY_MS };
  if (seconds === undefined) return { at, resolution: 60_000 };
  return { at, resolution: fraction === undefined ? 1000 : 1 };
}
