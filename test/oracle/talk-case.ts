/**
 * Cases of the whole oracle: a world with rules, and talk over it, played by the kernel and then by
 * the emulated router.
 * @module
 */
import fc from "fast-check";
import { type Instant, MILLISECOND, SECOND } from "../../src/base/time.ts";
import type { World } from "../../src/zone/world/world.ts";
import { near, plainLine } from "../nat/flow-compare.ts";
import { withoutComments } from "./helper-process.ts";
import type { Kernel, NewFlow } from "./kernel.ts";
import { anyRuleSet } from "./rule-sets.ts";
import type { Words } from "./rule-words.ts";
import { type Site, site } from "./world-arbitrary.ts";
import { type Comparable, comparePairs } from "./world-compare.ts";
import { frameSpec, type PlacedFrame } from "./world-frames.ts";
import { commandSpec } from "./world-commands.ts";
import { type Clock, type Ticks, WorldRouter } from "./world-router.ts";
import { type StepSpec, talkSpec } from "./world-talk.ts";
import type { InputFrame, TimedFrame } from "./world.ts";

/** A case before it is played. */
export interface TalkCase {
  readonly site: Site;
  readonly world: World;
  readonly steps: readonly (StepSpec | null)[];
}

/** The state in which a case ends, as the tools of the kernel show it. */
export interface EndState {
  /** `iptables-save -c`, without comments; empty for a world without rules. */
  readonly rules: string;
  /** `conntrack -L`. */
  readonly connections: readonly string[];
  /** `ip neigh`, in alphabetical order. */
  readonly neighbors: readonly string[];
}

/** What the kernel did with a case, and when: enough to play it again without a kernel. */
export interface TalkRecording {
  readonly world: World;
  readonly frames: readonly InputFrame[];
  readonly clock: Clock;
  /** When each frame was received, in microseconds after the start. */
  readonly times: readonly Instant[];
  /** The connections that each frame began. */
  readonly flows: readonly (readonly NewFlow[])[];
  /** What the kernel sent. */
  readonly sent: readonly TimedFrame[];
  /** When the end state was read, in microseconds after the start. */
  readonly ended: Instant;
  readonly end: EndState;
}

/** A step that shrinks to none at all. */
const step: fc.Arbitrary<StepSpec | null> = fc
  .tuple(
    fc.noBias(fc.nat({ max: 0xff_ffff })),
    fc.oneof(
      { arbitrary: talkSpec, weight: 30 },
      { arbitrary: frameSpec, weight: 10 },
      { arbitrary: commandSpec, weight: 4 },
    ),
  )
  .map(([kept, spec]) => (kept === 0 ? null : spec));

/** A rule that nothing leads to: tracking goes on whatever others go. docs/deviations.md. */
const ANCHOR = ":anchor - [0:0]\n-A anchor -m state --state NEW\nCOMMIT\n";

/** Words of rules that make the router track connections. */
const TRACKS = /^\*nat$| -m (conn|state)| -j CONNMARK/m;

/** Any world, with rules two times of three, and as many steps of talk. */
export const talkCase = (steps: number): fc.Arbitrary<TalkCase> =>
  fc
    .tuple(
      site,
      fc.oneof(
        { arbitrary: fc.constant<Words>(() => ""), weight: 1 },
        { arbitrary: anyRuleSet, weight: 4 },
      ),
      fc.array(step, { minLength: steps, maxLength: steps }),
    )
    .map(([where, rules, specs]) => {
      const iptables = rules(where);
      return {
        site: {
          ...where,
          hasSctp: !TRACKS.test(iptables),
          rules: iptables,
        },
        world: {
          ...where.world,
          iptables: TRACKS.test(iptables) ? iptables.replace("COMMIT\n", ANCHOR) : iptables,
        },
        steps: specs,
      };
    });

const SHOW = [
  ["conntrack", "-L"],
  ["ip", "neigh"],
  ["iptables-legacy-save", "-c"],
];
/** A run is void if a frame's processing may have met a change of the millisecond, or a tick. */
const ATTEMPTS = 5;

/** True if the processing of a frame that began and ended so met neither. */
function metNeither([before, after]: readonly [number, number], { began, hz }: Ticks): boolean {
  const tick = SECOND / hz;
  const isOneTick = Math.floor((before - began) / tick) === Math.floor((after - began) / tick);
  return isOneTick && Math.floor(before / MILLISECOND) === Math.floor(after / MILLISECOND);
}

/** A recording; it is exact if the kernel's clocks are known for each frame. */
export interface Recorded {
  readonly recording: TalkRecording;
  readonly isExact: boolean;
}

/** Play a case to the kernel. @throws {Error} if it refuses the world or its rules. */
export async function recordTalk(kernel: Kernel, one: TalkCase): Promise<Recorded> {
  for (let attempt = 1; ; attempt += 1) {
    const recorded = await playOnce(kernel, one);
    if (recorded.isExact || attempt === ATTEMPTS) return recorded;
  }
}

async function playOnce(
  kernel: Kernel,
  { site: where, world, steps }: TalkCase,
): Promise<Recorded> {
  const start = await kernel.build(world);
  const frames: InputFrame[] = [];
  const times: Instant[] = [];
  const flows: (readonly NewFlow[])[] = [];
  const sent: TimedFrame[] = [];
  const memory = { seen: [] as PlacedFrame[], said: [] as PlacedFrame[] };
  let isExact = true;
  const keep = (received: readonly TimedFrame[]): void => {
    for (const frame of received) {
      sent.push({ ...frame, at: frame.at - start });
      memory.seen.push({ ...frame, octets: Buffer.from(frame.octets, "hex") });
    }
  };
  for (const spec of steps) {
    const next = spec === null ? [] : spec(where, memory);
    if (next.length === 0) continue;
    const inputs = next.map(({ octets, ...frame }) => ({
      ...frame,
      at: 0,
      octets: Buffer.from(octets).toString("hex"),
    }));
    for (const [index, done] of (await kernel.send(inputs)).entries()) {
      const frame = inputs[index];
      if (frame === undefined) throw new Error("the kernel tells of a frame that was not sent");
      const isCommand = frame.command !== undefined;
      const at = done.sent[isCommand ? 1 : 0] - start;
      frames.push({ ...frame, at, ...(isCommand ? { isRefused: done.isRefused } : {}) });
      times.push(at);
      flows.push(done.flows);
      isExact &&= isCommand || metNeither(done.sent, kernel.jiffies);
      keep(done.received);
    }
    memory.said.push(...next.filter(({ command }) => command === undefined));
  }
  const { received, shown } = await kernel.finish(0, SHOW);
  keep(received);
  const [connections, neighbors, rules] = shown;
  const end = {
    rules: withoutComments(rules?.[1] ?? ""),
    connections: linesOf(connections?.[1] ?? ""),
    neighbors: linesOf(neighbors?.[1] ?? "").toSorted(),
  };
  const ended = (connections?.[0] ?? start) - start;
  const clock = { start, jiffies: kernel.jiffies };
  return { recording: { world, frames, clock, times, flows, sent, ended, end }, isExact };
}

const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "");

/** What of a router's doings is compared. */
export interface Outcome {
  readonly frames: Comparable;
  /** Each command, and whether it was refused. */
  readonly commands: readonly string[];
  readonly rules: readonly string[];
  readonly connections: readonly string[];
  readonly neighbors: readonly string[];
}

/** What the kernel did, and what the emulated router does with the same frames at their times. */
function outcomesOf(recording: TalkRecording): { kernel: Outcome; emulated: Outcome } {
  const { world, clock, frames, times, flows, sent, ended, end } = recording;
  const twin = new WorldRouter(world, clock);
  const commands: string[] = [];
  for (const [index, frame] of frames.entries()) {
    const at = times[index] ?? frame.at;
    if (frame.command === undefined) twin.receive(frame, at, flows[index]);
    else commands.push(`${frame.command}: ${twin.command(frame.command, at) ? "done" : "refused"}`);
  }
  twin.expire(ended);
  const compared = comparePairs(world, sent, twin.sent);
  // `iptables-legacy` 1.8.9 sets all counters of a table that it changes to zero.
  const hasCounters = !frames.some(({ command }) => command?.startsWith("iptables") === true);
  const theirs = end.connections.map(plainLine).toSorted();
  return {
    kernel: {
      frames: compared.kernel,
      commands: frames.flatMap(({ command, isRefused }) =>
        command === undefined ? [] : [`${command}: ${isRefused === true ? "refused" : "done"}`],
      ),
      rules: tablesOf(end.rules, hasCounters),
      connections: theirs,
      neighbors: end.neighbors,
    },
    emulated: {
      frames: compared.emulated,
      commands,
      rules: tablesOf(twin.world.rules(), hasCounters),
      connections: near(linesOf(twin.world.connections()).map(plainLine), theirs).toSorted(),
      neighbors: linesOf(twin.world.neighbors()).toSorted(),
    },
  };
}

/** The tables of a text, in alphabetical order: each system makes them in an order of its own. */
const tablesOf = (text: string, hasCounters: boolean): string[] =>
  (hasCounters ? text : text.replaceAll(/\[\d+:\d+\]/g, "[]"))
    .split(/^COMMIT\n/m)
    .filter((table) => table !== "")
    .toSorted();

/** What differs, for people: lines of the kernel with "-", of the emulated router with "+". */
export function differencesOf(recording: TalkRecording): string[] {
  const { kernel, emulated } = outcomesOf(recording);
  const parts: [string, readonly string[], readonly string[]][] = [
    ...Object.keys(recording.world.interfaces).map(
      (name): [string, readonly string[], readonly string[]] => [
        `frames of ${name}`,
        kernel.frames[name] ?? [],
        emulated.frames[name] ?? [],
      ],
    ),
    ["commands", kernel.commands, emulated.commands],
    ["rules", linesOf(kernel.rules.join("")), linesOf(emulated.rules.join(""))],
    ["connections", kernel.connections, emulated.connections],
    ["neighbors", kernel.neighbors, emulated.neighbors],
  ];
  return parts.flatMap(([what, theirs, ours]) => {
    const lines = Array.from({ length: Math.max(theirs.length, ours.length) }, (_, at) =>
      theirs[at] === ours[at]
        ? []
        : [`${what} ${at}`, `  - ${theirs[at] ?? "nothing"}`, `  + ${ours[at] ?? "nothing"}`],
    );
    return lines.flat();
  });
}
