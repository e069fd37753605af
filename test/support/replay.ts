/** Plays recorded frames into a Dom0 and compares what comes out with what the real one sent. */
import { readFileSync } from "node:fs";
import { Jiffies } from "../../src/base/jiffies.ts";
import { type Chance, Prng } from "../../src/base/prng.ts";
import type { Machine } from "../../src/base/machine.ts";
import type { Duration, Instant } from "../../src/base/time.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { instantOf } from "../../src/pcap/record.ts";
import { ARP } from "../../src/l2/arp.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { ICMP, ICMP_LENGTH, IcmpType } from "../../src/l3/icmp.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../../src/l3/ipv4.ts";
import { formatMac, type Ipv4Addr, type Mac, MAC_BROADCAST } from "../../src/wire/addr.ts";
import { onesSum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import type { Carrier, Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import type { Packet, PacketPool } from "../../src/wire/packet.ts";

/** A frame and when it was seen, in microseconds since the replay's start. */
export interface TimedFrame {
  readonly at: Instant;
  readonly octets: Uint8Array;
}

/** The frames of a recorded file, `base` being the replay's start in microseconds since 1970. */
export function framesOf(file: string, base: number): TimedFrame[] {
  return readCapture(new Uint8Array(readFileSync(file))).records.map((record) => ({
    at: instantOf(record, BigInt(base) * 1000n) ?? 0,
    octets: record.octets.slice(),
  }));
}

/** The recorded traffic of one device: what others sent, and what Dom0 sent. */
export interface Line {
  readonly into: TimedFrame[];
  readonly out: TimedFrame[];
}

/** Tell apart the frames of Dom0, whose device has the address `mac`, and those of others. */
export function split(frames: readonly TimedFrame[], mac: Mac): Line {
  const isOwn = ({ octets }: TimedFrame): boolean => ETHERNET.src.get(viewOf(octets), 0) === mac;
  return { into: frames.filter((frame) => !isOwn(frame)), out: frames.filter(isOwn) };
}

/** Takes what devices send and keeps it. */
export class Recorder implements Carrier {
  readonly frames = new Map<Device, TimedFrame[]>();
  /** Told each frame. */
  onFrame: (device: Device, octets: Uint8Array, now: Instant) => void = () => {};

  /** Stand below `device`. */
  attach(device: Device): void {
    this.frames.set(device, []);
    device.attachCarrier(this);
  }

  carry(from: Device, packet: Packet, now: Instant): void {
    const octets = packet.octets().slice();
    this.frames.get(from)?.push({ at: now, octets });
    packet.pool.end(packet, "delivered", "test/recorded", now);
    this.onFrame(from, octets, now);
  }
}

/**
 * Draws that the recorded kernel made: for each bound a list, in the order of the draws; what is
 * not listed comes from a seed.
 */
export class RecordedChance implements Chance {
  readonly #draws: ReadonlyMap<number, number[]>;
  readonly #rest = new Prng(1);

  constructor(draws: ReadonlyMap<number, number[]>) {
    this.#draws = draws;
  }

  below(bound: number): number {
    return this.#draws.get(bound)?.shift() ?? this.#rest.below(bound);
  }
}

/**
 * The random waits before proxied answers, in ticks, in the order in which they were drawn.
 * @param own addresses that are answered at once; @param age the recorded kernel's, for its ticks.
 */
export function proxyDraws(
  all: readonly Line[],
  own: ReadonlySet<Ipv4Addr>,
  age: Duration,
): number[] {
  const jiffies = new Jiffies({ hz: 250, age });
  const draws: { at: Instant; ticks: number }[] = [];
  for (const { into, out } of all) {
    for (const asked of into.filter(isBroadcastArp)) {
      const target = ARP.tpa.get(viewOf(asked.octets), ETHERNET_LENGTH);
      const answer = own.has(target) ? undefined : out.find((frame) => isAnswer(frame, asked));
      if (answer === undefined) continue;
      draws.push({ at: asked.at, ticks: ticksUntil(jiffies, asked.at, answer.at) });
    }
  }
  return draws.toSorted((left, right) => left.at - right.at).map(({ ticks }) => ticks);
}

const isArp = ({ octets }: TimedFrame): boolean =>
  ETHERNET.type.get(viewOf(octets), 0) === EtherType.Arp;
const isBroadcastArp = (frame: TimedFrame): boolean =>
  isArp(frame) && ETHERNET.dst.get(viewOf(frame.octets), 0) === MAC_BROADCAST;

function isAnswer(frame: TimedFrame, asked: TimedFrame): boolean {
  const wait = frame.at - asked.at;
  if (wait <= 0 || wait > 1_000_000 || !isArp(frame)) return false;
  const target = ARP.tpa.get(viewOf(asked.octets), ETHERNET_LENGTH);
  return ARP.spa.get(viewOf(frame.octets), ETHERNET_LENGTH) === target;
}

/** The draw whose timer fires last before the answer was seen. */
function ticksUntil(jiffies: Jiffies, asked: Instant, answered: Instant): number {
  let ticks = 0;
  while (ticks < 199 && jiffies.firing(asked, (ticks + 1) * jiffies.tick) <= answered) ticks += 1;
  return ticks;
}

/** A step for each frame. */
export const stepsFor = (device: Device, frames: readonly TimedFrame[]): Step[] =>
  frames.map(({ at, octets }) => ({ at, device, octets }));

/** One step of a replay: a frame for a device, or something that Dom0's operator did. */
export type Step =
  | { readonly at: Instant; readonly device: Device; readonly octets: Uint8Array }
  | { readonly at: Instant; readonly act: (now: Instant) => void };

/** Answers what a device sent, some time later, as a station would that no capture shows. */
export interface Answerer {
  readonly device: Device;
  /** @returns the frame that comes back, or `null`. */
  readonly answer: (sent: Uint8Array, now: Instant) => Uint8Array | null;
}

/** How long a made-up answer takes. */
const ANSWER_DELAY = 1000;

/** Play `steps` in the order of their times, and let `machine` work in between. */
export function play(
  pool: PacketPool,
  machine: Machine,
  steps: readonly Step[],
  recorder: Recorder,
  answerer: Answerer | null = null,
): void {
  const queue = steps.toSorted((left, right) => left.at - right.at);
  const end = (queue.at(-1)?.at ?? 0) + 4_000_000;
  const answers: Step[] = [];
  recorder.onFrame = (device, octets, now) => {
    const answer = device === answerer?.device ? answerer.answer(octets, now) : null;
    if (answer !== null) answers.push({ at: now + ANSWER_DELAY, device, octets: answer });
  };
  for (;;) {
    const isAnswerNext = (answers[0]?.at ?? Infinity) < (queue[0]?.at ?? Infinity);
    const source = isAnswerNext ? answers : queue;
    const at = Math.min(source[0]?.at ?? Infinity, machine.nextDeadline());
    if (at > end) return;
    if (machine.nextDeadline() <= at) machine.expire(at);
    else run(pool, source.shift());
  }
}

function run(pool: PacketPool, step: Step | undefined): void {
  if (step === undefined) return;
  if ("act" in step) {
    step.act(step.at);
    return;
  }
  const packet = pool.copyIn(step.octets);
  if (packet === null) return;
  packet.hasBlankChecksum = isBlank(step.octets);
  step.device.receive(packet, step.at);
}

/**
 * A PV guest leaves the transport checksum to Dom0 and says so in its ring's flags, which a capture
 * does not show: such a frame has the pseudo-header's sum alone in its checksum field.
 */
function isBlank(octets: Uint8Array): boolean {
  const view = viewOf(octets);
  const at = ETHERNET_LENGTH;
  if (octets.length < at + IPV4_MIN_LENGTH) return false;
  if (ETHERNET.type.get(view, 0) !== EtherType.Ipv4) return false;
  const protocol = IPV4.protocol.get(view, at);
  const field = protocol === Protocol.Udp ? 6 : 16;
  const transport = at + headerLengthOf(view, at);
  const end = at + IPV4.totalLength.get(view, at);
  const isTransport = protocol === Protocol.Udp || protocol === Protocol.Tcp;
  if (!isTransport || end > octets.length || transport + field + 2 > end) return false;
  const src = IPV4.src.get(view, at);
  const dst = IPV4.dst.get(view, at);
  const sum = pseudoHeaderSum(src, dst, protocol, end - transport);
  return view.getUint16(transport + field) === onesSum(view, 0, 0, sum);
}

/**
 * The frame with zeros where the kernel's own draws and clocks stand: identification of packets
 * from
 * `own` addresses, and times in ICMP timestamps and in timestamp options.
 */
function masked(octets: Uint8Array, own: ReadonlySet<Ipv4Addr>): string {
  const copy = octets.slice();
  const view = viewOf(copy);
  const at = ETHERNET_LENGTH;
  if (ETHERNET.type.get(view, 0) === EtherType.Ipv4 && copy.length >= at + IPV4_MIN_LENGTH) {
    if (own.has(IPV4.src.get(view, at)) && IPV4.id.get(view, at) !== 0) maskId(view, at);
    maskOptionTimes(view, at);
    maskTimestamps(view, at, copy.length);
  }
  return [...copy].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

function maskId(view: DataView, at: number): void {
  IPV4.id.set(view, at, 0);
  IPV4.checksum.set(view, at, 0);
}

function maskOptionTimes(view: DataView, at: number): void {
  const end = at + headerLengthOf(view, at);
  for (let here = at + IPV4_MIN_LENGTH; here + 4 < end; here += 1) {
    if (view.getUint8(here) !== 0x44 || view.getUint8(here + 3) % 16 !== 1) continue;
    for (let time = here + 8; time + 4 <= here + view.getUint8(here + 1); time += 8) {
      view.setUint32(time, 0);
    }
    IPV4.checksum.set(view, at, 0);
    return;
  }
}

function maskTimestamps(view: DataView, at: number, end: number): void {
  const message = at + headerLengthOf(view, at);
  if (IPV4.protocol.get(view, at) !== Protocol.Icmp || message + ICMP_LENGTH > end) return;
  if (ICMP.type.get(view, message) !== IcmpType.TimestampReply) return;
  ICMP.checksum.set(view, message, 0);
  for (let octet = message + 12; octet < end; octet += 1) view.setUint8(octet, 0);
}

/** The frames of one device as lines for a comparison: an ARP or IP headline and masked octets. */
export function lines(frames: readonly TimedFrame[], own: ReadonlySet<Ipv4Addr>): string[] {
  return frames.map(({ octets }) => {
    const view = viewOf(octets);
    const dst = formatMac(ETHERNET.dst.get(view, 0));
    return `${dst} ${ETHERNET.type.get(view, 0).toString(16)} ${masked(octets, own)}`;
  });
}
