/**
 * A difference between the kernel and the emulated router as files: a world for `dom0 router`, a
 * capture of the frames that went in, and one of the frames that the kernel sent.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { FrameDirection } from "../../src/pcap/record.ts";
import { PcapngWriter } from "../../src/pcap/pcapng-writer.ts";
import type { World } from "../../src/zone/world/world.ts";
import type { TalkRecording } from "./talk-case.ts";
import { comparableWorld, type TimedFrame } from "./world.ts";

/**
 * Write world.json, A.pcapng (in), B.pcapng (the kernel's out), recording.json (a line for
 * test/regressions/talk.jsonl) and difference.txt into `folder`, which is made.
 */
export function writeCounterexample(
  folder: string,
  recording: TalkRecording,
  difference: string,
): void {
  mkdirSync(folder, { recursive: true });
  const { world, frames, sent, clock } = recording;
  const write = (name: string, octets: string | Uint8Array): void => {
    writeFileSync(join(folder, name), octets);
  };
  write("world.json", `${JSON.stringify(comparableWorld(world), null, 2)}\n`);
  write("A.pcapng", captureOf(world, frames, FrameDirection.Inbound, clock.start));
  write("B.pcapng", captureOf(world, sent, FrameDirection.Outbound, clock.start));
  write("recording.json", `${JSON.stringify(recording)}\n`);
  write("difference.txt", difference);
}

/** @param start the real time of instant 0 in microseconds. */
function captureOf(
  world: World,
  frames: readonly TimedFrame[],
  direction: number,
  start: number,
): Uint8Array {
  const chunks: Uint8Array[] = [];
  const sink = (chunk: Uint8Array): void => {
    chunks.push(chunk.slice());
  };
  const writer = new PcapngWriter({ sink, epochNs: BigInt(start) * 1000n });
  const ids = new Map(
    Object.entries(world.interfaces).map(([name, { mac }]) => [
      name,
      writer.addInterface({ name, mac: parseMac(mac) }),
    ]),
  );
  for (const [index, { interface: name, octets, at }] of frames.entries()) {
    // A command: recording.json alone tells of it.
    if (octets === "") continue;
    const bytes = Buffer.from(octets, "hex");
    writer.writeFrame(ids.get(name) ?? 0, at, viewOf(bytes), 0, bytes.length, direction, index);
  }
  writer.close();
  return Buffer.concat(chunks);
}
