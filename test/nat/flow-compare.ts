/** One case, as the kernel played it and as we play it, in comparable words. @module */
import type { Instant } from "../../src/base/time.ts";
import { FlowTwin, ReplayedChance, type Translation } from "./flow-world.ts";
import type { FlowPacket, FlowStep } from "./kernel-flows.ts";
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
}

const octetsOf = (hex: string): Uint8Array => Buffer.from(hex, "hex");

/**
 * Play `packets` to our router, each at the time at which the kernel got it.
 * @param clock our time for one of the kernel's.
 */
export function compare(
  translation: Translation,
  packets: readonly FlowPacket[],
  steps: readonly FlowStep[],
  clock: (real: number) => Instant,
): Comparison {
  const chance = new ReplayedChance();
  const twin = new FlowTwin(translation, chance);
  const ours: SeenStep[] = [];
  const kernels: SeenStep[] = [];
  for (const [index, { interface: from, octets }] of packets.entries()) {
    const step = steps[index];
    if (step === undefined) throw new Error("the kernel left a packet out");
    const packet = `${from} ${tell(octetsOf(octets))}`;
    chance.watch(step.received);
    const left = twin.receive(from, octetsOf(octets), clock(step.sent));
    const sent = left === null ? [] : [`${left[0]} ${Buffer.from(left[1]).toString("hex")}`];
    const theirs = step.entries.map(plainLine).toSorted();
    ours.push({ packet, sent, entries: near(twin.entries(clock(step.listed)), theirs) });
    kernels.push({
      packet,
      sent: step.received.map(([to, one]) => `${to} ${one}`),
      entries: theirs,
    });
  }
  return { ours, kernels };
}

/**
 * Our lines, each with the life of the same line of theirs if the two differ by no more than
 * a second: the kernel's tick may have come between.
 */
export function near(ours: readonly string[], theirs: readonly string[]): string[] {
  const lives = new Map(theirs.map((line) => [lifeless(line), lifeOf(line)]));
  const lines = ours.map((line) => {
    const life = lives.get(lifeless(line)) ?? Number.NaN;
    return Math.abs(life - lifeOf(line)) <= 1 ? withLife(line, life) : line;
  });
  return lines.toSorted();
}

/** A line without what only the kernel knows, zones and references, and without filling. */
export const plainLine = (line: string): string =>
  line
    .replaceAll(/ +/g, " ")
    .replace(" zone=0", "")
    .replace(/use=\d+/, "use=1");

const lifeOf = (line: string): number => Number(line.split(" ")[2]);
const withLife = (line: string, life: number | string): string =>
  line.split(" ").with(2, String(life)).join(" ");
const lifeless = (line: string): string => withLife(line, "-");
