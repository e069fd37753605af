/**
 * Packet buffers: slots of one arena, so that a frame costs no allocation on its way.
 *
 * A {@link Packet} is what Linux calls a socket buffer. Whoever holds it owns it; handing it on
 * hands over the ownership, and every packet ends exactly once, by {@link PacketPool.end}.
 * @module
 */
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import { Tally } from "../base/tally.ts";
import type { Instant } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr } from "./addr.ts";
import type { Device } from "./device.ts";
import { viewOf } from "./field.ts";
import type { PathNotes } from "./path-notes.ts";

/** How a frame was addressed on its link, seen from the device that received it. */
export const Cast = { Host: 0, Broadcast: 1, Multicast: 2, OtherHost: 3 } as const;
export type Cast = (typeof Cast)[keyof typeof Cast];

/**
 * The one end of each frame: its payload reached a user, a stack took it, a rule forbade it, or it
 * was unusable.
 */
export type Fate = "delivered" | "consumed" | "dropped" | "discarded";
/** Why a packet ended, as `<layer>/<cause>`. */
export type Reason = `${string}/${string}`;

/** Sees every frame at every device, and every end. Must not change or keep the packet. */
export interface Observer {
  received(device: Device, packet: Packet, now: Instant): void;
  transmitted(device: Device, packet: Packet, now: Instant): void;
  ended(packet: Packet, fate: Fate, reason: Reason, now: Instant): void;
  /** One step of the way, in words; only called while {@link PacketPool.isTracing}. */
  step(packet: Packet, place: string, what: string, now: Instant): void;
}

/** Octets before the frame in a slot: the IP header then starts on a multiple of 16. */
const HEADROOM = 66;
const SMALL_SLOT = 2048;
/** Octets of the largest frame that a small slot holds. */
export const SMALL_LENGTH: number = SMALL_SLOT - HEADROOM;
/** From slot to slot: a line more, as else all headers would share few places in a cache. */
const SMALL_STRIDE = SMALL_SLOT + 64;
/** A whole IPv4 packet of 65,535 octets with its Ethernet header and the headroom. */
const LARGE_SLOT = 65_664;

/** One frame in the arena. All positions are offsets into the arena's view. */
export class Packet {
  declare readonly pool: PacketPool;
  /** First octet of the slot. */
  declare readonly slot: number;
  /** Octets of the slot. */
  declare readonly capacity: number;
  /** Stays the same on every device that the packet crosses; fragments share it. */
  id = 0;
  /** First octet of the Ethernet header. */
  frame = 0;
  /** First octet of the network header, once parsed. */
  network = 0;
  /** First octet of the transport header, once parsed. */
  transport = 0;
  /** One past the last octet. */
  end = 0;
  cast: Cast = Cast.Host;
  /** Where it came in; `null` if this host made it. */
  input: Device | null = null;
  /** Where it will go out, once routed. */
  output: Device | null = null;
  /** Whose link-layer address it needs, once routed. */
  nextHop: Ipv4Addr = IPV4_ANY;
  /** What the route is, as a number that the routing layer defines. */
  routeKind = 0;
  /** Largest packet that the route takes, in octets. */
  pathMtu = 0;
  /** Size of the largest fragment it was put together from; 0 if it came whole. */
  largestFragment = 0;
  /** Payload octets of the fragments it was put together from; `null` if it came whole. */
  pieces: number[] | null = null;
  /** The transport checksum holds the pseudo-header's sum alone (Xen's `csum_blank`). */
  hasBlankChecksum = false;
  /**
   * Payload octets of each segment that it is to be cut into before a wire; 0 for a packet that is
   * one (Linux `gso_size`).
   */
  segmentSize = 0;
  /** The checksums of its IP and transport headers were found to hold, and mended since. */
  hasSoundChecksums = false;
  /** Free for rules (`MARK`). */
  mark = 0;
  /** Index of the connection-tracking entry; -1 for none. */
  flow = -1;
  /** State and direction within `flow`, as a number that connection tracking defines. */
  flowState = 0;
  /** Hears what becomes of it; `null` for nobody. */
  path: PathNotes | null = null;
  /** True once a rule wants to know of every rule that it meets (`TRACE`). */
  isTraced = false;
  /**
   * False while no stack has noted anything on it but where it came in: it is as it was allocated
   * with others, or went known ways alone.
   */
  isNoted = false;
  /** True between {@link PacketPool.allocate} and {@link PacketPool.end}. */
  isLive = false;

  constructor(pool: PacketPool, slot: number, capacity: number) {
    this.pool = pool;
    this.slot = slot;
    this.capacity = capacity;
  }

  /** It comes in by `device`, and what another stack noted on it is forgotten. */
  arriveAt(device: Device): void {
    this.forgetStack();
    this.input = device;
    this.isNoted = true;
  }

  /** Clear what a stack notes while the packet is on its way through it. */
  forgetStack(): void {
    this.isNoted = false;
    this.output = null;
    this.nextHop = IPV4_ANY;
    this.routeKind = 0;
    this.pathMtu = 0;
    this.largestFragment = 0;
    this.pieces = null;
    this.mark = 0;
    this.flow = -1;
    this.flowState = 0;
    this.path = null;
    this.isTraced = false;
  }

  /** Octets of the frame. */
  get length(): number {
    return this.end - this.frame;
  }

  /**
   * The frame's octets: a window on the arena, valid while the packet is held. Allocates the
   * window.
   */
  octets(): Uint8Array {
    return this.pool.bytes.subarray(this.frame, this.end);
  }
}

/** What a {@link PacketPool} is made from. */
export interface PacketPoolOptions {
  /** Frames of up to 1,982 octets that may be alive at once; 4,096. */
  readonly slots?: number;
  /** Packets of up to 65,535 octets that may be alive at once; 32. */
  readonly largeSlots?: number;
}

/**
 * The arena and its free slots. At its bound, `allocate` answers `null`, and the frame is not made.
 */
export class PacketPool {
  declare readonly bytes: Uint8Array;
  declare readonly view: DataView;
  /** The same octets as words of four, in this computer's order: for copies, and for hot paths. */
  declare readonly words: Int32Array;
  /** The same octets as words of eight, for copies. */
  declare readonly longs: BigInt64Array;
  /** Ends by reason, of all packets. */
  readonly ends = new Tally();
  /** Packets that were allocated. */
  allocated = 0;
  /** Packets that ended. */
  ended = 0;
  /** Requests that found no free slot. */
  exhausted = 0;
  /** True while {@link Observer.step} wants to hear. */
  isTracing = false;
  #observer: Observer | null = null;
  #nextId = 1;
  /** All that there are; the first {@link #smallFree} of them are free. */
  readonly #small: Packet[] = [];
  #smallFree: number = 0;
  readonly #large: Packet[] = [];

  constructor({ slots = 4096, largeSlots = 32 }: PacketPoolOptions = {}) {
    if (!Number.isInteger(slots) || slots < 1) {
      throw new OptionError("slots", slots, "a whole number from 1");
    }
    if (!Number.isInteger(largeSlots) || largeSlots < 0) {
      throw new OptionError("largeSlots", largeSlots, "a whole number from 0");
    }
    this.bytes = new Uint8Array(slots * SMALL_STRIDE + largeSlots * LARGE_SLOT);
    this.view = viewOf(this.bytes);
    this.words = new Int32Array(this.bytes.buffer);
    this.longs = new BigInt64Array(this.bytes.buffer);
    for (let index = slots - 1; index >= 0; index -= 1) {
      this.#small.push(new Packet(this, index * SMALL_STRIDE, SMALL_SLOT));
    }
    this.#smallFree = slots;
    for (let index = largeSlots - 1; index >= 0; index -= 1) {
      this.#large.push(new Packet(this, slots * SMALL_STRIDE + index * LARGE_SLOT, LARGE_SLOT));
    }
  }

  /** Packets of up to {@link SMALL_LENGTH} octets that may still be allocated. */
  get free(): number {
    return this.#smallFree;
  }

  /** Packets that are alive. */
  get live(): number {
    return this.allocated - this.ended;
  }

  /** Let `observer` see everything from now on; `null` for nobody. */
  observe(observer: Observer | null, isTracing = false): void {
    this.#observer = observer;
    this.isTracing = isTracing && observer !== null;
  }

  get observer(): Observer | null {
    return this.#observer;
  }

  /**
   * A packet of `length` octets whose contents are undefined, with an id of its own.
   * @returns the packet, owned by the caller; `null` if no slot is free or large enough.
   */
  allocate(length: number): Packet | null {
    const packet = this.#take(length);
    if (packet === null) return null;
    packet.id = this.#nextId;
    this.#nextId += 1;
    return packet;
  }

  /**
   * As {@link allocate} for `count` packets of `lengths`, each at most {@link SMALL_LENGTH}, which
   * go into `packets` from index `to` on; {@link free} must be as many.
   */
  allocateAll(lengths: Int32Array, count: number, packets: Packet[], to: number): void {
    assert(count <= this.#smallFree, "a pool gives what is free");
    for (let index = 0; index < count; index += 1) {
      this.#smallFree -= 1;
      const packet = this.#small[this.#smallFree];
      if (packet === undefined) break;
      this.#clear(packet, lengths[index] ?? 0);
      packet.id = this.#nextId + index;
      packets[to + index] = packet;
    }
    this.#nextId += count;
    this.allocated += count;
  }

  /** A packet with a copy of `octets`. @returns as {@link allocate}. */
  copyIn(octets: Uint8Array): Packet | null {
    const packet = this.allocate(octets.length);
    if (packet !== null) this.bytes.set(octets, packet.frame);
    return packet;
  }

  /**
   * A packet of `length` octets with undefined contents that goes on under the id of `original`,
   * with its devices, route, mark and flow: a fragment or a copy.
   * @returns as {@link allocate}.
   */
  derive(original: Packet, length: number): Packet | null {
    const packet = this.#take(length);
    if (packet === null) return null;
    packet.id = original.id;
    packet.cast = original.cast;
    packet.input = original.input;
    packet.output = original.output;
    packet.nextHop = original.nextHop;
    packet.routeKind = original.routeKind;
    packet.pathMtu = original.pathMtu;
    packet.mark = original.mark;
    packet.flow = original.flow;
    packet.flowState = original.flowState;
    packet.isTraced = original.isTraced;
    return packet;
  }

  /** End `packet`, a live one of this pool: it is counted, observed, and its slot is free again. */
  end(packet: Packet, fate: Fate, reason: Reason, now: Instant): void {
    assert(packet.isLive && packet.pool === this, "a packet ends once, in its own pool");
    this.ends.count(reason);
    packet.input?.ends.count(reason);
    this.#observer?.ended(packet, fate, reason, now);
    this.#free(packet);
  }

  /** As {@link end} for each of the first `count` of `packets`, in their order. */
  endAll(
    packets: readonly Packet[],
    count: number,
    fate: Fate,
    reason: Reason,
    now: Instant,
  ): void {
    if (count === 0) return;
    let input: Device | null = null;
    let together = 0;
    for (let index = 0; index < count; index += 1) {
      const packet = packets[index];
      assert(
        packet?.isLive === true && packet.pool === this,
        "a packet ends once, in its own pool",
      );
      this.#observer?.ended(packet, fate, reason, now);
      if (packet.input !== input) {
        input?.ends.count(reason, together);
        ({ input } = packet);
        together = 0;
      }
      together += 1;
      this.#free(packet);
    }
    input?.ends.count(reason, together);
    this.ends.count(reason, count);
  }

  #free(packet: Packet): void {
    packet.isLive = false;
    packet.input = null;
    packet.output = null;
    this.ended += 1;
    if (packet.capacity === SMALL_SLOT) {
      this.#small[this.#smallFree] = packet;
      this.#smallFree += 1;
    } else this.#large.push(packet);
  }

  #take(length: number): Packet | null {
    const packet = this.#takeSmall(length) ?? this.#takeLarge(length);
    if (packet === null) {
      this.exhausted += 1;
      return null;
    }
    this.#clear(packet, length);
    packet.isNoted = true;
    this.allocated += 1;
    return packet;
  }

  #clear(packet: Packet, length: number): void {
    packet.frame = packet.slot + HEADROOM;
    packet.network = packet.frame;
    packet.transport = packet.frame;
    packet.end = packet.frame + length;
    packet.cast = Cast.Host;
    packet.hasBlankChecksum = false;
    packet.hasSoundChecksums = false;
    packet.segmentSize = 0;
    if (packet.isNoted) packet.forgetStack();
    packet.isLive = true;
  }

  #takeSmall(length: number): Packet | null {
    if (length > SMALL_LENGTH || this.#smallFree === 0) return null;
    this.#smallFree -= 1;
    return this.#small[this.#smallFree] ?? null;
  }

  #takeLarge(length: number): Packet | null {
    return length <= LARGE_SLOT - HEADROOM ? (this.#large.pop() ?? null) : null;
  }
}
