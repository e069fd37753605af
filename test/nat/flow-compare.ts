/** One case, as the kernel played it and as we play it, in comparable words. @module */
import type { Clock } from "../oracle/world-router.ts";
import { FlowTwin, ReplayedChance, type Translation } from "./flow-world.ts";
import type { FlowPacket, FlowRelease, FlowStep } from "./kernel-flows.ts";
import { tell } from "./packets.ts";

/** What one packet did. */
export interface SeenStep {
  readonly packet: string;
  /** What left, in hexadecimal. */
  readonly sent: readonly string[];
  /** The entries afterwards, in alphabetical order. */
  readonly entries: readonly string[];
}

export interface Comparison {
  readonly ours: readonly SeenStep[];
  readonly kernels: readonly SeenStep[];
  /** Our lines of `conntrack -L` in the end. */
  readonly lines: readonly string[];
}

const octetsOf = (hex: string): Uint8Array => Buffer.from(hex, "hex");

/** Play `packets` to our router, each at the time at which the kernel got it. */
export function compare(
  translation: Translation,
  packets: readonly (FlowPacket | FlowRelease)[],
  steps: readonly FlowStep[],
  clock: Clock,
): Comparison {
  const chance = new ReplayedChance(translation);
  const twin = new FlowTwin(translation, clock, chance);
  const ours: SeenStep[] = [];
  const kernels: SeenStep[] = [];
  for (const [index, one] of packets.entries()) {
    const step = steps[index];
    if (step === undefined) throw new Error("the kernel left a packet out");
    const at = step.sent - clock.start;
    const isRelease = "release" in one;
    chance.watch(step.received, isRelease ? null : octetsOf(one.octets));
    const packet = isRelease ? "release" : `${one.interface} ${tell(octetsOf(one.octets))}`;
    const left = isRelease
      ? twin.release(one.release, at)
      : twin.receive(one.interface, octetsOf(one.octets), at);
    const sent = left.map(([to, octets]) => `${to} ${Buffer.from(octets).toString("hex")}`);
    const theirs = step.entries.map(plainLine).toSorted();
    const entries = twin.entries(step.listed - clock.start);
    ours.push({ packet, sent, entries: near(entries.map(plainLine), theirs, step.took) });
    kernels.push({
      packet,
      sent: step.received.map(([to, octets]) => `${to} ${octets}`),
      entries: theirs,
    });
  }
  return { ours, kernels, lines: twin.entries((steps.at(-1)?.listed ?? 0) - clock.start) };
}

/**
 * Our lines, each with the life of the same line of theirs if the two differ by no more than
 * a second and the time that the reading took: the kernel's tick may have come between.
 */
export function near(ours: readonly string[], theirs: readonly string[], took = 0): string[] {
  const lives = new Map(theirs.map((line) => [withLife(line, "-"), lifeOf(line)]));
  const lines = ours.map((line) => {
    const life = lives.get(withLife(line, "-")) ?? Number.NaN;
    return Math.abs(life - lifeOf(line)) <= 1 + Math.ceil(took / 1_000_000)
      ? withLife(line, String(life))
      : line;
  });
  return lines.toSorted();
}

/** A line without what only the kernel's own file shows: zones, references, lives of GRE. */
export const plainLine = (line: string): string =>
  line
    .replaceAll(/ +/g, " ")
    .replace(/ timeout=\d+, stream_timeout=\d+/, "")
    .replace(" zone=0", "")
    .replace(/use=\d+/, "use=1");

/** Protocol by name and number, and the seconds to live. */
const LIFE = /^(\S+ +\d+ )(\d+)/;
const lifeOf = (line: string): number => Number(LIFE.exec(line)?.[2]);
const withLife = (line: string, life: string): string => line.replace(LIFE, `$1${life}`);
