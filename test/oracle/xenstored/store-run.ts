/** Plays random scripts to the real xenstored and to ours, and makes differences small. @module */
import { without } from "../reduce.ts";
import {
  describeStep,
  linesOf,
  messagesOf,
  MESSAGE_NAMES,
  nameOf,
  type Player,
  type Received,
  type Step,
  typeOf,
} from "./script.ts";
import { writeScript } from "./script-writer.ts";

const WATCH_EVENT = typeOf("WATCH_EVENT");

/** What to play, to whom. */
export interface StoreRunOptions {
  readonly real: Player;
  readonly ours: Player;
  /** Scripts in all; the n-th has the seed `seed` + n. */
  readonly cases: number;
  readonly seed: number;
  /** Steps of a script. */
  readonly length: number;
  /** Differences after which to stop. */
  readonly limit: number;
  /** Told now and then. */
  readonly onProgress?: (report: StoreReport) => void;
  /** Told of each difference as it was found and made small. */
  readonly onDifference?: (difference: StoreDifference) => void;
}

/** A script that the two answer differently, made small. */
export interface StoreDifference {
  readonly seed: number;
  readonly steps: readonly Step[];
  /** What the real one sent in each step. */
  readonly received: readonly Received[];
  readonly text: string;
}

/** What came of a run. */
export interface StoreReport {
  readonly played: number;
  readonly steps: number;
  /** Scripts of which the real xenstored died; they were compared up to there. */
  readonly deaths: number;
  readonly differences: readonly StoreDifference[];
  /** How often each message was answered, and with what, lines for people. */
  readonly census: readonly string[];
}

/** Play scripts until there are enough of them, or of differences. */
export async function runStoreOracle(options: StoreRunOptions): Promise<StoreReport> {
  const { real, ours, cases, seed, length, limit, onProgress, onDifference } = options;
  const answers = new Map<string, number>();
  const report = { played: 0, steps: 0, deaths: 0, differences: [] as StoreDifference[] };
  const whole = (): StoreReport => ({ ...report, census: linesOfCensus(answers) });
  for (let one = seed; one < seed + cases && report.differences.length < limit; one += 1) {
    const steps = writeScript(one, length);
    const received = await real.play(steps);
    report.played += 1;
    report.steps += received.length;
    if (received.length < steps.length) report.deaths += 1;
    count(answers, steps, received);
    if (differenceOf(steps, received, await ours.play(steps)) !== null) {
      const difference = await reduced(options, one, steps);
      report.differences.push(difference);
      onDifference?.(difference);
    }
    if (report.played % 250 === 0) onProgress?.(whole());
  }
  return whole();
}

/**
 * The first step whose answers differ, in words; `null` if there is none.
 *
 * xenstored does not send an event that the same client has still to be sent. Which those are
 * hangs on its main loop if requests come faster than they are answered: in a step of several, or
 * that lets a guest take what waited, an event may come once or more.
 */
export function differenceOf(
  steps: readonly Step[],
  real: readonly Received[],
  ours: readonly Received[],
): string | null {
  for (const [index, expected] of real.entries()) {
    const found = ours[index] ?? new Map<number, string>();
    for (const who of new Set([...expected.keys(), ...found.keys()])) {
      const [theirs = "", own = ""] = [expected.get(who), found.get(who)];
      if (theirs === own) continue;
      const step = steps[index];
      const isAhead = step?.do === "ask" && step.requests.length > 1;
      const isPipeline = isAhead || step?.do === "thaw";
      if (isPipeline && withoutRepeats(theirs) === withoutRepeats(own)) continue;
      const lines = (octets: string): string =>
        linesOf(octets)
          .map((line) => `    ${line}`)
          .join("\n");
      const title = `in step ${index}, ${nameOf(who)} receives`;
      return `${title}\n  from xenstored\n${lines(theirs)}\n  here\n${lines(own)}`;
    }
  }
  return null;
}

/** `octets` with each event only where it comes first. */
function withoutRepeats(octets: string): string {
  const messages = messagesOf(octets);
  const isFirst = (one: string, at: number): boolean =>
    one.codePointAt(0) !== WATCH_EVENT || messages.indexOf(one) === at;
  return messages.filter(isFirst).join("");
}

async function reduced(
  { real, ours }: StoreRunOptions,
  seed: number,
  steps: readonly Step[],
): Promise<StoreDifference> {
  let text = "";
  let left = steps;
  let received: readonly Received[] = [];
  const shows = async (fewer: readonly Step[]): Promise<boolean> => {
    const theirs = await real.play(fewer);
    const found = differenceOf(fewer, theirs, await ours.play(fewer));
    if (found === null) return false;
    [text, left, received] = [found, fewer, theirs];
    return true;
  };
  await shows(steps);
  await without(left, shows);
  for (let at = 0; at < left.length; at += 1) {
    const step = left[at];
    if (step?.do !== "ask" || step.requests.length < 2) continue;
    const others = left;
    await without(step.requests, (requests) => {
      const fewer = requests.length === 0 ? [] : [{ ...step, requests }];
      return shows([...others.slice(0, at), ...fewer, ...others.slice(at + 1)]);
    });
  }
  await without(left, shows);
  const script = left.map((step, index) => `${index}: ${describeStep(step)}`).join("\n");
  return { seed, steps: left, received, text: `${script}\n${text}\n` };
}

function count(
  answers: Map<string, number>,
  steps: readonly Step[],
  received: readonly Received[],
) {
  for (const [index, one] of received.entries()) {
    const step = steps[index];
    if (step?.do !== "ask" || step.requests.length !== 1) continue;
    const name = MESSAGE_NAMES[step.requests[0]?.type ?? -1] ?? "unknown";
    const reply = linesOf(one.get(step.who) ?? "").find((line) => !line.startsWith("WATCH_EVENT"));
    const [, error] = /^ERROR.*"(\w+)/.exec(reply ?? "") ?? [];
    const key = `${name} ${error ?? (reply === undefined ? "unanswered" : "answered")}`;
    answers.set(key, (answers.get(key) ?? 0) + 1);
  }
}

/** A line for each message: how often it was answered, and each error. */
function linesOfCensus(answers: ReadonlyMap<string, number>): string[] {
  const lines = new Map<string, string[]>();
  for (const [key, times] of [...answers].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [name = "", outcome = ""] = key.split(" ");
    lines.set(name, [...(lines.get(name) ?? []), `${times} ${outcome}`]);
  }
  return [...lines].map(([name, parts]) => `${name}: ${parts.join(", ")}`);
}
