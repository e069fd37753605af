/**
 * A simulated host in the place of a recorded one: it gets the frames that the recorded one got
 * and runs the same commands at the same instants; what it sends is compared. @module
 */
import { readFileSync } from "node:fs";
import { type Chance, Prng } from "../../src/base/prng.ts";
import type { Instant } from "../../src/base/time.ts";
import { Guest, type GuestOptions } from "../../src/guest/guest.ts";
import type { Host } from "../../src/guest/host.ts";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { type Ipv4Addr, type Mac, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { HOST_6 } from "../support/behaviour.ts";
import { hexOf } from "./net.ts";

/** A recorded frame. */
export interface Recorded {
  readonly at: Instant;
  readonly octets: Uint8Array;
}

/** A recorded file: frames by their number, from 1. */
export class Recording {
  /** When its first frame was seen, in microseconds since 1970. */
  readonly epoch: number;
  readonly #frames: readonly Recorded[];

  constructor(file: string) {
    const { records } = readCapture(new Uint8Array(readFileSync(`captures/${file}`)));
    const times = records.map(({ ticks, interface: { ticksPerSecond } }) =>
      Number(((ticks ?? 0n) * 1_000_000n) / ticksPerSecond),
    );
    this.epoch = times[0] ?? 0;
    this.#frames = records.map(({ octets }, index) => ({
      at: (times[index] ?? 0) - this.epoch,
      octets: octets.slice(),
    }));
  }

  frame(number: number): Recorded {
    const found = this.#frames[number - 1];
    if (found === undefined) throw new RangeError(`no frame ${number}`);
    return found;
  }

  /** When `ping` wrote the time into the data of this echo request. */
  pinged(number: number): Instant {
    const view = viewOf(this.frame(number).octets);
    const data = ETHERNET_LENGTH + 28;
    return view.getUint32(data, true) * 1_000_000 + view.getUint32(data + 8, true) - this.epoch;
  }
}

/** Draws that are known, by their bound, before those of a seed. */
class KnownChance implements Chance {
  readonly #known = new Map<number, number[]>();
  readonly #rest = new Prng(1);

  /** Let the next draws below `bound` be these. */
  know(bound: number, draws: readonly number[]): void {
    this.#known.set(bound, [...draws]);
  }

  below(bound: number): number {
    return this.#known.get(bound)?.shift() ?? this.#rest.below(bound);
  }
}

/** What a twin is made from. */
export interface TwinOptions {
  readonly recording: Recording;
  readonly mac: string;
  /** `null` leaves it without an address. */
  readonly address: string | null;
  readonly gateway: string;
  /** What else it is made from. */
  readonly options?: Partial<GuestOptions>;
}

/** One simulated domU alone, its link open to the test. */
export class Twin {
  readonly guest: Guest;
  readonly host: Host;
  readonly chance = new KnownChance();
  /** What it sent. */
  readonly sent: string[] = [];
  readonly #pool = new PacketPool({ slots: 128, largeSlots: 4 });
  readonly #recording: Recording;

  constructor({ recording, mac, address, gateway, options }: TwinOptions) {
    const pool = this.#pool;
    this.#recording = recording;
    this.guest = new Guest({
      name: "twin",
      mac: parseMac(mac),
      pool,
      behaviour: HOST_6,
      chance: this.chance,
      epoch: recording.epoch,
      ...options,
    });
    this.host = this.guest.host;
    if (address !== null) {
      const own = { address: parseIpv4(address), length: 23, gateway: parseIpv4(gateway) };
      this.host.configure(own, 0);
    }
    this.host.device.attachCarrier({
      carry: (_from, packet, now) => {
        this.sent.push(hexOf(packet.octets()));
        pool.end(packet, "delivered", "test/recorded", now);
      },
    });
  }

  /** Packets that are alive. */
  get live(): number {
    return this.#pool.live;
  }

  /** Let recorded frames come in, each at its own time or all at `at`. */
  receive(numbers: readonly number[], at: Instant | null = null): void {
    for (const number of numbers) {
      const frame = this.#recording.frame(number);
      const packet = this.#pool.copyIn(frame.octets);
      if (packet === null) throw new RangeError("the pool is exhausted");
      this.host.device.receive(packet, at ?? frame.at);
    }
  }

  /** Know a neighbor from before the recording. */
  knows(address: string, mac: Mac): void {
    this.host.router.neighbors.addPermanent(this.host.device, parseIpv4(address), mac, 0);
  }

  /** What it sent since the last call. */
  take(): string[] {
    return this.sent.splice(0);
  }
}

/** A frame without the identification that its kernel drew. */
export function withoutId(hex: string, own: Ipv4Addr): string {
  const octets = new Uint8Array(Buffer.from(hex, "hex"));
  const view = viewOf(octets);
  const isOwn = view.getUint16(12) === 0x0800 && IPV4.src.get(view, ETHERNET_LENGTH) === own;
  if (!isOwn || IPV4.id.get(view, ETHERNET_LENGTH) === 0) return hex;
  IPV4.id.set(view, ETHERNET_LENGTH, 0xffff);
  IPV4.checksum.set(view, ETHERNET_LENGTH, 0);
  return hexOf(octets);
}
