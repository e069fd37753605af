/** Makes a recorded difference as small as the kernel still shows it. @module */
import type { World } from "../../src/zone/world/world.ts";
import type { Kernel } from "./kernel.ts";
import { differencesOf, type Recorded, recordTalk, type TalkRecording } from "./talk-case.ts";
import type { InputFrame } from "./world.ts";

/** True if what is left still shows the difference. */
type Shows<T> = (left: readonly T[]) => Promise<boolean>;

/** Leave out of `items` what can be left out: halves first, then ever smaller parts. */
export async function without<T>(items: readonly T[], shows: Shows<T>): Promise<readonly T[]> {
  let left = items;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
    for (let at = 0; at < left.length;) {
      const fewer = [...left.slice(0, at), ...left.slice(at + size)];
      if (await shows(fewer)) left = fewer;
      else at += size;
    }
  }
  return left;
}

/**
 * Fewer frames, rules, routes: the same frames as recorded, whoever said them.
 * @returns the smallest recording that still differs.
 */
export async function reduce(kernel: Kernel, recording: TalkRecording): Promise<TalkRecording> {
  let smallest = recording;
  const shows = async (world: World, frames: readonly InputFrame[]): Promise<boolean> => {
    const played = await replay(kernel, world, frames).catch(() => null);
    // A kernel that refuses what is left, such as a gateway without its link, shows nothing.
    if (played === null || !played.isExact) return false;
    if (differencesOf(played.recording).length === 0) return false;
    smallest = played.recording;
    return true;
  };
  await without(smallest.frames, (frames) => shows(smallest.world, frames));
  const lines = (smallest.world.iptables ?? "").split("\n");
  await without(
    lines.flatMap((line, at) => (line.startsWith("-A") ? [at] : [])),
    (kept) => shows({ ...smallest.world, iptables: rulesWith(lines, kept) }, smallest.frames),
  );
  await without(smallest.world.routes ?? [], (routes) =>
    shows({ ...smallest.world, routes }, smallest.frames),
  );
  await without(smallest.frames, (frames) => shows(smallest.world, frames));
  return smallest;
}

/** Play the frames of a recording once more. @throws {Error} if the kernel refuses the world. */
function replay(kernel: Kernel, world: World, frames: readonly InputFrame[]): Promise<Recorded> {
  const steps = frames.map(({ octets, ...frame }) => () => [
    { ...frame, octets: Buffer.from(octets, "hex") },
  ]);
  const site = { world: { routes: [], sysctl: {}, ...world }, own: [], onLink: [], routed: [] };
  return recordTalk(kernel, {
    site: { ...site, blockEnds: [], hasSctp: true, rules: "" },
    world,
    steps,
  });
}

/** `lines` with only those rules that stand at `kept`. */
const rulesWith = (lines: readonly string[], kept: readonly number[]): string =>
  lines.filter((line, at) => !line.startsWith("-A") || kept.includes(at)).join("\n");
