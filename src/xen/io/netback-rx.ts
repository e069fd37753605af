/**
 * The back end's way to a guest: packets are copied into the pages that the guest posted on the rx
 * ring, or wait for such (netback's `netif_be_start_xmit`, xen-netback's `xenvif_rx_action`).
 * @module
 */
import { Jiffies } from "../../base/jiffies.ts";
import { type Instant, NEVER } from "../../base/time.ts";
import type { Packet, Reason } from "../../wire/packet.ts";
import { FRAME_OCTETS, FRAME_SHIFT } from "../hypervisor/domain-memory.ts";
import type { GrantTable } from "../hypervisor/grant-table.ts";
import type { Companions } from "./companions.ts";
import { copyOctets as ImportedcopyOctets } from "./copy-octets.ts";
import type { NetbackBehaviour } from "./netif-behaviour.ts";
import { ExtraType, GSO_TCPV4, halves, NetifStatus, RxFlag } from "./netif.ts";
import { PacketQueue } from "./packet-queue.ts";
import type { BackRing } from "./shared-ring.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const copyOctets = ImportedcopyOctets;
const DOM0 = 0;
/** Slots that a frame of any size may need: `MAX_SKB_FRAGS` + 2. */
const MOST_SLOTS = 20;

/** What the way to a guest works with. */
export interface NetbackRxParts {
  readonly ring: BackRing;
  /** The guest's. */
  readonly table: GrantTable;
  readonly behaviour: NetbackBehaviour;
  readonly companions: Companions | null;
  /** The front end takes frames of several slots. */
  readonly takesSlots: boolean;
  /** It tells when it has posted buffers (`feature-rx-notify`). */
  readonly tellsBuffers: boolean;
  readonly notify: (now: Instant) => void;
  /** The vif's carrier came or went. */
  readonly onCarrier: (isOn: boolean, now: Instant) => void;
}

/** Hands packets to a guest while its vif is connected. */
export class NetbackRx {
  /** Frames that were copied. */
  frames = 0;
  /** False while the guest takes nothing: whoever has a frame for it is to drop it. */
  hasCarrier = true;
  /** How often the guest lost its carrier. */
  stalls = 0;
  /** When the queue is emptied, or its first frame's time is over; `NEVER` if nothing waits. */
  deadline: Instant = NEVER;
  readonly #parts: NetbackRxParts;
  readonly #ring: BackRing;
  readonly #words: Int32Array;
  readonly #jiffies: Jiffies;
  readonly #queue = new PacketQueue();
  readonly #countsOctets: boolean;
  /** Ticks that a frame waits, and after which a guest that takes none has no carrier. */
  readonly #patience: number;
  readonly #stallTicks: number;
  /** When the guest last took a frame, or got its carrier. */
  #lastTaken: Instant;
  /** Of the current frame. */
  readonly #ids = new Int32Array(MOST_SLOTS);
  readonly #statuses = new Int32Array(MOST_SLOTS);
  /** Frames wait in the device's queue; Linux: the queue is stopped. */
  #isStopped = false;

  /** @param now when the front end connects. */
  constructor(parts: NetbackRxParts, now: Instant) {
    const { behaviour, tellsBuffers } = parts;
    this.#parts = parts;
    this.#ring = parts.ring;
    this.#words = parts.table.memory.words;
    this.#jiffies = new Jiffies(behaviour.jiffies);
    const { counts, drainTime, pollTime, stallTime } = behaviour.queue;
    const { tick } = this.#jiffies;
    this.#countsOctets = counts === "octets";
    this.#patience = Math.ceil((tellsBuffers ? drainTime : pollTime) / tick);
    this.#stallTicks = tellsBuffers ? Math.ceil((stallTime ?? NEVER) / tick) : NEVER;
    this.#lastTaken = now;
  }

  /** A packet for the guest. Takes ownership. */
  receive(packet: Packet, now: Instant): void {
    if (this.#countsOctets) this.#queueOctets(packet, now);
    else if (this.#isStopped) this.#queueFrame(packet, now);
    else this.#start(packet, now);
  }

  /** The guest may have posted buffers. */
  resume(now: Instant): void {
    if (this.#countsOctets) {
      if (this.#queue.size > 0) this.#serveOctets(now);
    } else if (this.#isStopped && !this.#isFull()) this.#wake(now);
  }

  /** Time is over for what waits. */
  expire(now: Instant): void {
    if (this.deadline > now) return;
    if (this.#countsOctets) this.#serveOctets(now);
    else this.#wake(now);
  }

  /** The vif is gone: nothing waits any more. */
  stop(reason: Reason, now: Instant): void {
    while (this.#queue.size > 0) this.#end(this.#queue.shift(), reason, now);
    this.deadline = NEVER;
    this.#isStopped = false;
  }

  /** Packets that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  // A queue of frames: 2.6.18.

  /** `netif_be_start_xmit`. */
  #start(packet: Packet, now: Instant): void {
    if (this.#isFull()) {
      this.#end(packet, "netback/no-buffers", now);
      return;
    }
    this.#deliver(packet, this.#slotsOf(packet), now);
    const { tellsBuffers, behaviour } = this.#parts;
    if (!tellsBuffers || !this.#isFull()) return;
    this.#ring.askAt((this.#ring.requestConsumer + this.#needed()) | 0);
    if (!this.#isFull()) return;
    this.#isStopped = true;
    this.deadline = this.#jiffies.firing(now, behaviour.queue.drainTime);
  }

  #queueFrame(packet: Packet, now: Instant): void {
    if (this.#queue.size < this.#parts.behaviour.queue.limit) this.#queue.push(packet, now);
    else this.#end(packet, "netback/queue-full", now);
  }

  /** `netif_wake_queue`: the device's queue is emptied, into the ring or nowhere. */
  #wake(now: Instant): void {
    this.#isStopped = false;
    this.deadline = NEVER;
    while (!this.#isStopped && this.#queue.size > 0) {
      const packet = this.#queue.shift();
      if (packet !== null) this.#start(packet, now);
    }
  }

  /** `netbk_queue_full`: any frame might need all slots that the front end can take. */
  #isFull(): boolean {
    return this.#ring.unconsumed < this.#needed();
  }

  #needed(): number {
    return this.#parts.takesSlots ? MOST_SLOTS : 1;
  }

  // A queue of octets: a current kernel.

  #queueOctets(packet: Packet, now: Instant): void {
    const slots = this.#slotsOf(packet);
    if (this.#queue.size === 0 && this.#hasSlots(slots)) {
      this.#lastTaken = now;
      this.#deliver(packet, slots, now);
    } else if (this.#queue.octets >= this.#parts.behaviour.queue.limit) {
      this.#end(packet, "netback/queue-full", now);
    } else {
      this.#queue.push(packet, this.#jiffies.ticks(now) + this.#patience);
      this.#serveOctets(now);
    }
  }

  /**
   * `xenvif_kthread_guest_rx`, woken: the guest gets what it has buffers for, its carrier goes or
   * comes, and what waited too long is dropped. A guest for whom nothing waits is ready whatever it
   * posted, so one that takes nothing has its carrier again once its queue is empty.
   */
  #serveOctets(now: Instant): void {
    const { hasCarrier } = this;
    const ticks = this.#jiffies.ticks(now);
    do {
      this.#drainOctets(now);
      if (this.#queue.size === 0) {
        if (!this.hasCarrier) this.#lastTaken = now;
        this.hasCarrier = true;
      } else if (
        this.hasCarrier &&
        ticks > this.#jiffies.ticks(this.#lastTaken) + this.#stallTicks
      ) {
        this.hasCarrier = false;
        this.stalls += 1;
      }
    } while (this.#dropExpired(ticks, now));
    const wait = this.#queue.firstTime - ticks;
    this.deadline =
      this.#queue.size === 0 ? NEVER : this.#jiffies.firing(now, wait * this.#jiffies.tick);
    if (this.hasCarrier !== hasCarrier) this.#parts.onCarrier(this.hasCarrier, now);
  }

  #drainOctets(now: Instant): void {
    for (let { first } = this.#queue; first !== null; { first } = this.#queue) {
      const slots = this.#slotsOf(first);
      if (!this.#hasSlots(slots)) return;
      this.#queue.shift();
      this.#lastTaken = now;
      this.#deliver(first, slots, now);
    }
  }

  /** @returns false if nothing's time was over. */
  #dropExpired(ticks: number, now: Instant): boolean {
    let isDropped = false;
    while (this.#queue.firstTime <= ticks) {
      this.#end(this.#queue.shift(), "netback/expired", now);
      isDropped = true;
    }
    return isDropped;
  }

  /** `xenvif_rx_ring_slots_available`; asks for an event if not. */
  #hasSlots(slots: number): boolean {
    if (this.#ring.unconsumed >= slots) return true;
    this.#ring.askAt((this.#ring.claimed + 1) | 0);
    return this.#ring.unconsumed >= slots;
  }

  // Both.

  #slotsOf({ end, frame, segmentSize }: Packet): number {
    return ((end - frame + FRAME_OCTETS - 1) >>> FRAME_SHIFT) + (segmentSize > 0 ? 1 : 0);
  }

  /** Copy `packet` into the next `slots` buffers, of which there are enough. */
  #deliver(packet: Packet, slots: number, now: Instant): void {
    const { companions, takesSlots, notify } = this.#parts;
    if (slots > MOST_SLOTS || (slots > 1 && !takesSlots)) {
      this.#end(packet, "netback/too-large", now);
      return;
    }
    const ring = this.#ring;
    const index = ring.responseProducer;
    const isSound = slots === 1 ? this.#copyOne(packet) : this.#copySeveral(packet, slots);
    this.frames += 1;
    if (companions === null) {
      const fate = isSound ? "delivered" : "discarded";
      const reason = isSound ? "netback/delivered" : "netback/bad-grant";
      packet.pool.end(packet, fate, reason, now);
    } else companions.put(index, packet, now);
    if (ring.push()) notify(now);
  }

  #copyOne(packet: Packet): boolean {
    const ring = this.#ring;
    const words = this.#words;
    const { table } = this.#parts;
    const at = ring.take() >> 2;
    const id = words[at] ?? 0;
    const gfn = table.frameFor((words[at + 1] ?? 0) >>> 0, DOM0, true);
    const { pool, frame, end } = packet;
    const length = end - frame;
    if (gfn >= 0) {
      const { memory } = table;
      const to = gfn << FRAME_SHIFT;
      copyOctets(pool.words, pool.bytes, frame, memory.words, memory.bytes, to, length);
    }
    const to = ring.reserve() >> 2;
    words[to] = halves(id, 0);
    words[to + 1] = halves(flagsOf(packet), gfn >= 0 ? length : this.#statusOf(gfn));
    return gfn >= 0;
  }

  #copySeveral(packet: Packet, slots: number): boolean {
    const ring = this.#ring;
    const words = this.#words;
    const { table, behaviour } = this.#parts;
    const { pool, end, segmentSize } = packet;
    let from = packet.frame;
    let failure = 0;
    const isExtra = (slot: number): boolean => slot === 1 && segmentSize > 0;
    for (let slot = 0; slot < slots; slot += 1) {
      const at = ring.take() >> 2;
      this.#ids[slot] = words[at] ?? 0;
      if (isExtra(slot)) continue;
      const gfn = table.frameFor((words[at + 1] ?? 0) >>> 0, DOM0, true);
      const length = Math.min(end - from, FRAME_OCTETS);
      if (gfn >= 0) {
        const { memory } = table;
        const to = gfn << FRAME_SHIFT;
        copyOctets(pool.words, pool.bytes, from, memory.words, memory.bytes, to, length);
      } else failure = this.#statusOf(gfn);
      this.#statuses[slot] = gfn >= 0 ? length : this.#statusOf(gfn);
      from += length;
    }
    for (let slot = 0; slot < slots; slot += 1) {
      const to = ring.reserve() >> 2;
      if (isExtra(slot)) {
        words[to] = ExtraType.Gso | (segmentSize << 16);
        words[to + 1] = GSO_TCPV4;
        continue;
      }
      const isFailed = failure < 0 && !behaviour.tellsGrantStatus;
      const isLast = slot === slots - 1 || (slot === slots - 2 && isExtra(slots - 1));
      const extra = slot === 0 && segmentSize > 0 ? RxFlag.ExtraInfo : 0;
      const flags = (slot === 0 ? flagsOf(packet) | extra : 0) | (isLast ? 0 : RxFlag.MoreData);
      words[to] = halves(this.#ids[slot] ?? 0, 0);
      words[to + 1] = halves(flags, isFailed ? failure : (this.#statuses[slot] ?? 0));
    }
    return failure === 0;
  }

  #statusOf(status: number): number {
    return this.#parts.behaviour.tellsGrantStatus ? status : NetifStatus.Error;
  }

  #end(packet: Packet | null, reason: Reason, now: Instant): void {
    packet?.pool.end(packet, "dropped", reason, now);
  }
}

/** What the first slot says of the frame's checksums. */
function flagsOf({ hasBlankChecksum, hasSoundChecksums }: Packet): number {
  if (hasBlankChecksum) return RxFlag.CsumBlank | RxFlag.DataValidated;
  return hasSoundChecksums ? RxFlag.DataValidated : 0;
}
