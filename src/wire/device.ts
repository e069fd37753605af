/**
 * Network devices: where a stack and a link meet. A vif, an uplink, a domU's eth0.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import { Tally } from "../base/tally.ts";
import type { Instant } from "../base/time.ts";
import { formatMac, type Mac } from "./addr.ts";
import type { Packet } from "./packet.ts";

/** What stands above a device: takes ownership of each packet that comes in. */
export interface Stack {
  receive(device: Device, packet: Packet, now: Instant): void;
  /**
   * As {@link receive} for each of `packets` from `from` to before `to`, in their order; what is to
   * be looked up for them may be fetched from memory together. They are as they left the other
   * end: `Packet.arriveAt` must be called of each before anything is noted on it. The array may be
   * written over after the return.
   */
  receiveAll?(
    device: Device,
    packets: readonly Packet[],
    from: number,
    to: number,
    now: Instant,
  ): void;
}

/** What stands below a device: takes ownership of each packet that goes out. */
export interface Carrier {
  carry(from: Device, packet: Packet, now: Instant): void;
  /**
   * As {@link carry} for each of the first `count` of `packets`, in their order; their frames are
   * of `octets` together.
   */
  carryAll?(
    from: Device,
    packets: readonly Packet[],
    count: number,
    octets: number,
    now: Instant,
  ): void;
}

/**
 * A packet socket: sees each frame that comes in, before every filter.
 * Borrows the packet until it returns and must not change it.
 */
export interface Tap {
  tap(device: Device, packet: Packet, now: Instant): void;
  /**
   * The socket's filter: the first packet from `from` to before `to` for which {@link tap} would do
   * anything, `to` for none. Without it, the socket has all.
   */
  findWanted?(packets: readonly Packet[], from: number, to: number): number;
}

/** What a {@link Device} is made from. */
export interface DeviceOptions {
  /** As `ip link` shows it, 1 to 15 characters without spaces or slashes. */
  readonly name: string;
  readonly mac: Mac;
  /** Largest IP packet in octets, 68 to 65,535; 1,500. */
  readonly mtu?: number;
  /** For people: the interface description in captures. */
  readonly description?: string;
}

/** Frames from which on it pays to handle them together. */
const WORTHWHILE = 4;

/** A thing that sends and receives frames. */
export class Device {
  declare readonly name: string;
  /** Not declared: a number of 48 bits in a field for such is boxed anew at each use. */
  readonly mac: Mac;
  declare readonly mtu: number;
  declare readonly description: string;
  rxFrames = 0;
  rxOctets = 0;
  txFrames = 0;
  txOctets = 0;
  /** True: what stands below passes blank checksums on, or completes them (`ethtool -k`: tx). */
  takesBlankChecksums = false;
  /** True: what stands below takes large segments whole (`ethtool -k`: tso). */
  takesLargeSegments = false;
  /** Ends of the packets that came in here, by reason. */
  readonly ends = new Tally();
  /**
   * Whose deadlines a frame that comes in may change: a scheduler asks it anew; `null` for
   * nobody's.
   */
  machine: Machine | null = null;
  #stack: Stack | null = null;
  #carrier: Carrier | null = null;
  /** Replaced, never changed: a tap may remove itself while a frame goes round. */
  #taps: readonly Tap[] = [];

  constructor({ name, mac, mtu = 1500, description = "" }: DeviceOptions) {
    if (!/^[^\s/]{1,15}$/.test(name)) {
      throw new OptionError("name", name, "1 to 15 characters, no space or slash");
    }
    if (!Number.isInteger(mtu) || mtu < 68 || mtu > 65_535) {
      throw new OptionError("mtu", mtu, "68 to 65535");
    }
    this.name = name;
    this.mac = mac;
    this.mtu = mtu;
    this.description = description;
  }

  /** Set what stands above; `null` unplugs it, and frames that come in are discarded. */
  attachStack(stack: Stack | null): void {
    this.#stack = stack;
  }

  /** Set what stands below; `null` unplugs it, and frames that go out are discarded. */
  attachCarrier(carrier: Carrier | null): void {
    this.#carrier = carrier;
  }

  get stack(): Stack | null {
    return this.#stack;
  }

  get carrier(): Carrier | null {
    return this.#carrier;
  }

  get hasTaps(): boolean {
    return this.#taps.length > 0;
  }

  addTap(tap: Tap): void {
    this.#taps = [...this.#taps, tap];
  }

  removeTap(tap: Tap): void {
    const index = this.#taps.indexOf(tap);
    if (index >= 0) this.#taps = this.#taps.toSpliced(index, 1);
  }

  /**
   * A frame comes in from the link; what another stack noted on it is forgotten. Takes ownership.
   */
  receive(packet: Packet, now: Instant): void {
    packet.forgetStack();
    this.pass(packet, now);
  }

  /**
   * As {@link receive} for each of the first `count` of `packets`, in their order: a ring's worth
   * of frames, of `octets` together. The array may be written over after the return.
   */
  receiveAll(packets: readonly Packet[], count: number, octets: number, now: Instant): void {
    for (let next = 0; next < count;) {
      const packet = packets[next];
      if (packet === undefined) return;
      const to = packet.pool.observer === null ? this.#firstWanted(packets, next, count) : next;
      if (to - next < WORTHWHILE || this.#stack?.receiveAll === undefined) {
        this.receive(packet, now);
        next += 1;
      } else {
        this.rxFrames += to - next;
        this.rxOctets += to - next === count ? octets : octetsOf(packets, next, to);
        this.#stack.receiveAll(this, packets, next, to, now);
        next = to;
      }
    }
  }

  /** The first packet from `from` to before `to` that a tap wants; `to` for none. */
  #firstWanted(packets: readonly Packet[], from: number, to: number): number {
    let first = to;
    for (const tap of this.#taps) first = tap.findWanted?.(packets, from, first) ?? from;
    return first;
  }

  /**
   * A frame of this stack comes in by another way than the link: a bridge hands it up, with what
   * was noted on it. Takes ownership.
   */
  pass(packet: Packet, now: Instant): void {
    packet.input = this;
    packet.isNoted = true;
    this.rxFrames += 1;
    this.rxOctets += packet.end - packet.frame;
    packet.pool.observer?.received(this, packet, now);
    if (this.#taps.length > 0) for (const tap of this.#taps) tap.tap(this, packet, now);
    if (this.#stack === null) packet.pool.end(packet, "discarded", "device/no-stack", now);
    else this.#stack.receive(this, packet, now);
  }

  /** A frame goes out to the link. Takes ownership. */
  transmit(packet: Packet, now: Instant): void {
    packet.output = this;
    packet.isNoted = true;
    this.txFrames += 1;
    this.txOctets += packet.end - packet.frame;
    packet.pool.observer?.transmitted(this, packet, now);
    if (this.#carrier === null) packet.pool.end(packet, "discarded", "device/no-carrier", now);
    else this.#carrier.carry(this, packet, now);
  }

  /**
   * As {@link transmit} for each of the first `count` of `packets`, in their order; their frames
   * are of `octets` together.
   */
  transmitAll(packets: readonly Packet[], count: number, octets: number, now: Instant): void {
    const carrier = this.#carrier;
    const isTogether = count >= WORTHWHILE && packets[0]?.pool.observer === null;
    if (isTogether && carrier?.carryAll !== undefined) {
      this.txFrames += count;
      this.txOctets += octets;
      carrier.carryAll(this, packets, count, octets, now);
      return;
    }
    for (let index = 0; index < count; index += 1) {
      const packet = packets[index];
      if (packet !== undefined) this.transmit(packet, now);
    }
  }

  toString(): string {
    return `${this.name} (${formatMac(this.mac)})`;
  }
}

/** Joins two devices without delay: what one transmits, the other receives in the same instant. */
export class PatchCable implements Carrier {
  readonly #left: Device;
  readonly #right: Device;

  constructor(left: Device, right: Device) {
    this.#left = left;
    this.#right = right;
    left.attachCarrier(this);
    right.attachCarrier(this);
  }

  /** The other end than `device`. */
  peerOf(device: Device): Device {
    return device === this.#left ? this.#right : this.#left;
  }

  carry(from: Device, packet: Packet, now: Instant): void {
    this.peerOf(from).receive(packet, now);
  }

  carryAll(
    from: Device,
    packets: readonly Packet[],
    count: number,
    octets: number,
    now: Instant,
  ): void {
    this.peerOf(from).receiveAll(packets, count, octets, now);
  }
}

function octetsOf(packets: readonly Packet[], from: number, to: number): number {
  let octets = 0;
  for (let index = from; index < to; index += 1) octets += packets[index]?.length ?? 0;
  return octets;
}
