/** Cases of the oracle: worlds and frames, played by both routers. @module */
import fc from "fast-check";
import { type Duration, type Instant, MILLISECOND, SECOND } from "../../src/base/time.ts";
import { type Site, site } from "./world-arbitrary.ts";
import { type FrameSpec, frameSpec, neighborFrameSpec } from "./world-frames.ts";
import { type Clock, WorldRouter } from "./world-router.ts";
import type { Kernel } from "./kernel.ts";
import type { World } from "../../src/zone/world/world.ts";
import type { InputFrame, TimedFrame } from "./world.ts";

export interface Case {
  readonly world: World;
  readonly frames: readonly InputFrame[];
}

/** Any world and up to `most` frames that come one right after the other. */
export const anyCase = (most: number): fc.Arbitrary<Case> =>
  fc
    .tuple(site, fc.array(frameSpec, { minLength: 1, maxLength: most, size: "max" }))
    .map(([where, specs]) => ({
      world: where.world,
      frames: specs.flatMap((spec) => framesOf(where, spec, 0)),
    }));

const gap = fc.constantFrom(0, 0, 7, 60, 350, 1010, 1300, 2500).map((ms) => ms * MILLISECOND);

/** Any world and frames that come over some seconds: neighbors, limits and timers at work. */
export const anySlowCase = (most: number): fc.Arbitrary<Case> =>
  fc
    .tuple(
      fc.oneof(site, site.map(withoutNeighbors)),
      fc.array(fc.tuple(gap, neighborFrameSpec), {
        minLength: 1,
        maxLength: most,
        size: "max",
      }),
    )
    .map(([where, specs]) => {
      let at = 0;
      const frames = specs.flatMap(([wait, spec]) => {
        at += wait;
        return framesOf(where, spec, at);
      });
      return { world: where.world, frames };
    });

/** The same site, but the router has to ask for every neighbor. */
function withoutNeighbors(where: Site): Site {
  const interfaces = Object.fromEntries(
    Object.entries(where.world.interfaces).map(([name, one]) => [name, { ...one, neighbors: {} }]),
  );
  return { ...where, world: { ...where.world, interfaces } };
}

function framesOf(where: Site, spec: FrameSpec, at: Duration): InputFrame[] {
  return spec(where).map(({ interface: name, octets }) => ({
    at,
    interface: name,
    octets: Buffer.from(octets).toString("hex"),
  }));
}

/** What the kernel did with a case, and when: enough to play it again without a kernel. */
export interface Recording extends Case {
  readonly clock: Clock;
  /** When each frame was received, in microseconds after the start. */
  readonly times: readonly Instant[];
  /** What the kernel sent. */
  readonly sent: readonly TimedFrame[];
  /** What the commands wrote that were run in the end. */
  readonly shown: readonly string[];
}

/** A run is void if a frame's processing may have met a change of the millisecond. */
const ATTEMPTS = 5;
/** It is void, too, if somebody kept the helper from listening so long that timers were heard. */
const PROMPT = SECOND / 2;

/** Play a case to the kernel, listen until `until` microseconds after its start, and `show`. */
export async function record(
  kernel: Kernel,
  { world, frames }: Case,
  until: Duration = 0,
  show: readonly (readonly string[])[] = [],
): Promise<Recording> {
  for (let attempt = 1; ; attempt += 1) {
    const { start, sent, received, shown } = await kernel.play(world, frames, until, show);
    const end = Math.max(start + until, ...sent.map(([, after]) => after));
    const isExact =
      received.every(({ at }) => at <= end + PROMPT) &&
      sent.every(
        ([before, after]) => Math.floor(before / MILLISECOND) === Math.floor(after / MILLISECOND),
      );
    if (!isExact && attempt < ATTEMPTS) continue;
    return {
      world,
      frames,
      clock: { start, jiffies: kernel.jiffies },
      times: sent.map(([before]) => before - start),
      sent: received.map((frame) => ({ ...frame, at: frame.at - start })),
      shown,
    };
  }
}

/** The emulated router after it got the frames of a case at the times of its recording. */
export function runEmulated(
  { world, frames, clock, times }: Omit<Recording, "sent" | "shown">,
  until: Duration = 0,
): WorldRouter {
  const twin = new WorldRouter(world, clock);
  for (const [index, frame] of frames.entries()) twin.receive(frame, times[index] ?? frame.at);
  twin.expire(until);
  return twin;
}

/** What the emulated router sends when it gets the frames of `recording` at the same times. */
export const emulate = (
  recording: Omit<Recording, "shown">,
  until: Duration = 0,
): readonly TimedFrame[] => runEmulated(recording, until).sent;
