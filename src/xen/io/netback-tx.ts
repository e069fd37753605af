/**
 * The back end's way from a guest: requests of the tx ring become frames (netback's
 * `net_tx_action`, xen-netback's `xenvif_tx_action`). The guest's octets are copied out of the
 * pages that it granted; each word of the ring is read once.
 * @module
 */
import { NO_WORDS } from "../../base/first-values.ts";
import { assert } from "../../base/assert.ts";
import { type Instant, NEVER } from "../../base/time.ts";
import type { Device } from "../../wire/device.ts";
import type { Packet, PacketPool, Reason } from "../../wire/packet.ts";
import { ETHERNET_LENGTH as ImportedETHERNET_LENGTH } from "../../l2/ethernet.ts";
import {
  FRAME_OCTETS as ImportedFRAME_OCTETS,
  FRAME_SHIFT as ImportedFRAME_SHIFT,
} from "../hypervisor/domain-memory.ts";
import type { GrantTable } from "../hypervisor/grant-table.ts";
import type { Companions } from "./companions.ts";
import { copyIntoSlot as ImportedcopyIntoSlot, copyOctets } from "./copy-octets.ts";
import type { NetbackBehaviour } from "./netif-behaviour.ts";
import { ExtraType, halves, highHalf, lowHalf, NetifStatus, TxFlag } from "./netif.ts";
import { acceptBlank } from "./offload.ts";
import type { BackRing } from "./shared-ring.ts";
import type { TxCredit } from "./tx-credit.ts";
import { BURST as ImportedBURST, TxBatch } from "./tx-batch.ts";
import { TxRequest } from "./tx-request.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const FRAME_OCTETS = ImportedFRAME_OCTETS;
const FRAME_SHIFT = ImportedFRAME_SHIFT;
const copyIntoSlot = ImportedcopyIntoSlot;
const SEVERAL = TxFlag.MoreData | TxFlag.ExtraInfo;
const BELIEVED = TxFlag.CsumBlank | TxFlag.DataValidated;
const BLANK = TxFlag.CsumBlank;
const DOM0 = 0;
/** Frames that leave together, at most: a poll's worth of NAPI (`NAPI_POLL_WEIGHT`). */
const BURST = ImportedBURST;
/** Requests from which on it pays to take them together. */
const WORTHWHILE = 4;
/** Requests of one turn: a guest in another thread may fill its ring for ever. */
const TURN = 1024;

/** One for all vifs, so that it stays in a near cache. */
const BATCH = new TxBatch();

/** What the way from a guest works with. */
export interface NetbackTxParts {
  readonly ring: BackRing;
  /** The guest's. */
  readonly table: GrantTable;
  readonly pool: PacketPool;
  /** Where the frames go out. */
  readonly device: Device;
  readonly credit: TxCredit;
  readonly behaviour: NetbackBehaviour;
  readonly companions: Companions | null;
  /** The guest is to be told. */
  readonly notify: (now: Instant) => void;
  /** It sent what no sound driver sends. */
  readonly onFatal: (now: Instant) => void;
}

/** Takes requests while its vif is connected. */
export class NetbackTx {
  /** Frames that became packets. */
  frames = 0;
  /** Frames that were answered with an error. */
  errors = 0;
  /** When a turn that was cut short goes on; `NEVER` unless one was. */
  deadline: Instant = NEVER;
  readonly #parts: NetbackTxParts;
  readonly #ring: BackRing;
  readonly #words: Int32Array = NO_WORDS;
  readonly #table: GrantTable;
  readonly #pool: PacketPool;
  readonly #device: Device;
  readonly #companions: Companions | null;
  readonly #request = new TxRequest();
  /** Frames that were taken and have not left: the first {@link #held} of them. */
  readonly #burst: Packet[] = [];
  #held = 0;
  #heldOctets = 0;
  #isDead = false;

  constructor(parts: NetbackTxParts) {
    this.#parts = parts;
    this.#ring = parts.ring;
    this.#words = parts.table.memory.words;
    this.#table = parts.table;
    this.#pool = parts.pool;
    this.#device = parts.device;
    this.#companions = parts.companions;
  }

  /** Take what waits, as far as credit goes, and answer it. */
  run(now: Instant): void {
    this.deadline = NEVER;
    const { credit } = this.#parts;
    const ring = this.#ring;
    const words = this.#words;
    let turn = TURN;
    // No sound driver claims more than a ring holds; 2.6.18 takes what it holds.
    const isOverrun = ring.isOverrun;
    if (isOverrun && this.#parts.behaviour.disablesMalformed) {
      this.#isDead = true;
      this.#parts.onFatal(now);
      return;
    }
    do {
      for (let left = ring.unconsumed; left > 0 && !this.#isDead;) {
        const together = credit.isLimited ? 0 : this.#takeTogether(Math.min(left, turn), now);
        left -= together;
        turn -= together;
        if (together > 0) continue;
        const at = ring.entryAt(ring.requestConsumer) >> 2;
        const reference = words[at] ?? 0;
        const place = words[at + 1] ?? 0;
        const ends = words[at + 2] ?? 0;
        if (turn <= 0 || (credit.isLimited && !credit.take(ends >>> 16, now))) {
          if (turn <= 0) this.deadline = now + 1;
          this.#push(now);
          return;
        }
        const taken = isPlain(place, ends)
          ? this.#takeOne(reference, place, ends, now)
          : this.#takeSeveral(reference, place, ends, left, now);
        left -= taken;
        turn -= taken;
      }
    } while (!this.#isDead && !isOverrun && ring.finalCheck());
    this.#push(now);
  }

  /** The vif is gone, or forbidden: nothing is taken any more. */
  stop(): void {
    this.#isDead = true;
    this.deadline = NEVER;
  }

  /** Take plain requests, at most `most`. @returns how many. */
  #takeTogether(most: number, now: Instant): number {
    const held = this.#held;
    const limit = Math.min(most, BURST - held, this.#pool.free);
    const count = limit < WORTHWHILE ? 0 : BATCH.read(this.#ring, this.#table, limit);
    if (count === 0) return 0;
    const { sizes } = BATCH;
    if (this.#companions?.isEmpty ?? true) this.#pool.allocateAll(sizes, count, this.#burst, held);
    else this.#takePackets(count, now);
    BATCH.take(this.#ring, this.#table.memory, this.#burst, held, count);
    this.frames += count;
    this.#held = held + count;
    this.#heldOctets += BATCH.octets;
    if (this.#held === BURST) this.#release(now);
    return count;
  }

  /** Find a packet for each request of the batch; some have companions. */
  #takePackets(count: number, now: Instant): void {
    const first = this.#ring.requestConsumer;
    const { sizes } = BATCH;
    for (let index = 0; index < count; index += 1) {
      const packet = this.#packetFor(first + index, sizes[index] ?? 0, now);
      assert(packet !== null, "a pool with free slots has room");
      this.#burst[this.#held + index] = packet;
    }
  }

  /** A frame of one slot: nearly all are. @returns 1. */
  #takeOne(reference: number, place: number, ends: number, now: Instant): number {
    const ring = this.#ring;
    const pool = this.#pool;
    const words = this.#words;
    const index = ring.requestConsumer;
    ring.requestConsumer = (index + 1) | 0;
    const size = ends >>> 16;
    const gfn = this.#table.frameFor(reference >>> 0, DOM0, false);
    const packet = gfn < 0 ? null : this.#packetFor(index, size, now);
    if (packet === null) {
      this.#refuse(index, gfn < 0 ? "netback/bad-grant" : "netback/no-room", now);
      this.#answer(ends & 0xffff, NetifStatus.Error);
      return 1;
    }
    const at = (gfn << FRAME_SHIFT) + (place & 0xffff);
    copyIntoSlot(this.#table.memory, at, pool, packet.frame, size);
    words[ring.reserve() >> 2] = ends & 0xffff;
    this.frames += 1;
    if (place >>> 16 === 0) this.#hold(packet, now);
    else this.#send(packet, place >>> 16, 0, now);
    return 1;
  }

  /** A frame of several slots, or one that is wrong. @returns the slots that were taken. */
  #takeSeveral(reference: number, place: number, ends: number, left: number, now: Instant): number {
    const { behaviour, onFatal } = this.#parts;
    const ring = this.#ring;
    const index = ring.requestConsumer;
    const request = this.#request;
    const reason = request.read(ring, this.#words, reference, place, ends, left, behaviour);
    if (reason === null) this.#takeWhole(index, now);
    else {
      this.#refuse(index, reason, now);
      if (request.isFatal) {
        this.#isDead = true;
        onFatal(now);
        return left;
      }
      this.#answerAll(NetifStatus.Error);
    }
    return request.taken;
  }

  /** Copy a frame whose requests are in order. */
  #takeWhole(index: number, now: Instant): void {
    const { table, pool } = this.#parts;
    const request = this.#request;
    if (request.extraType === ExtraType.McastAdd || request.extraType === ExtraType.McastDelete) {
      // Taken and answered; no multicast is kept from a guest here.
      this.#answerAll(NetifStatus.Okay);
      return;
    }
    request.locate(table, DOM0);
    const { size } = request;
    const isGranted = request.failures === 0;
    const packet = isGranted ? this.#packetFor(index, size, now) : null;
    if (packet === null) {
      this.#refuse(index, isGranted ? "netback/no-room" : "netback/bad-grant", now);
      if (isGranted) this.#answerAll(NetifStatus.Error);
      else this.#answerEach();
      return;
    }
    const { memory } = table;
    let to = packet.frame;
    for (let slot = 0; slot < request.slots; slot += 1) {
      const from = request.addressOf(slot);
      const length = request.lengthOf(slot);
      copyOctets(memory.words, memory.bytes, from, pool.words, pool.bytes, to, length);
      to += length;
    }
    this.#answerAll(NetifStatus.Okay);
    this.frames += 1;
    this.#send(packet, request.flags, request.segmentSize, now);
  }

  #send(packet: Packet, flags: number, segmentSize: number, now: Instant): void {
    const { behaviour } = this.#parts;
    packet.hasBlankChecksum = (flags & BLANK) !== 0;
    packet.hasSoundChecksums = (flags & BELIEVED) !== 0;
    packet.segmentSize = segmentSize;
    if ((packet.hasBlankChecksum || segmentSize > 0) && !acceptBlank(packet, behaviour)) {
      packet.pool.end(packet, "discarded", "netback/checksum", now);
    } else this.#hold(packet, now);
  }

  /** Frames leave together: whoever takes them may look for what they need at once. */
  #hold(packet: Packet, now: Instant): void {
    this.#burst[this.#held] = packet;
    this.#held += 1;
    this.#heldOctets += packet.length;
    if (this.#held === BURST) this.#release(now);
  }

  #release(now: Instant): void {
    const count = this.#held;
    const octets = this.#heldOctets;
    this.#held = 0;
    this.#heldOctets = 0;
    this.#device.transmitAll(this.#burst, count, octets, now);
  }

  /**
   * A packet of `size` octets of which nothing is believed yet: the frame's companion, or a new
   * one; `null` if the pool is full.
   */
  #packetFor(index: number, size: number, now: Instant): Packet | null {
    const pool = this.#pool;
    const packet = this.#companions === null ? null : this.#companions.take(index);
    if (packet !== null) {
      if (packet.end - packet.frame === size && packet.pool === pool) {
        packet.hasBlankChecksum = false;
        packet.hasSoundChecksums = false;
        packet.segmentSize = 0;
        return packet;
      }
      packet.pool.end(packet, "discarded", "netback/changed", now);
    }
    const fresh = pool.allocate(size);
    if (fresh !== null || this.#held === 0) return fresh;
    this.#release(now);
    return pool.allocate(size);
  }

  /** The frame that began at `index` is answered with an error. */
  #refuse(index: number, reason: Reason, now: Instant): void {
    this.errors += 1;
    const packet = this.#companions?.take(index) ?? null;
    packet?.pool.end(packet, "discarded", reason, now);
  }

  #answer(id: number, status: number): void {
    this.#words[this.#ring.reserve() >> 2] = halves(id, status);
  }

  /** All slots of the request have one status, but extra information has none. */
  #answerAll(status: number): void {
    const request = this.#request;
    this.#answer(request.idOf(0), status);
    this.#answerExtras();
    for (let slot = 1; slot < request.answers; slot += 1) this.#answer(request.idOf(slot), status);
  }

  /** Some grants failed: their slots first, then the others, which were given back unused. */
  #answerEach(): void {
    const request = this.#request;
    for (const isFailure of [true, false]) {
      for (let slot = 0; slot < request.slots; slot += 1) {
        if (request.hasFailed(slot) !== isFailure) continue;
        this.#answer(request.idOf(slot), isFailure ? NetifStatus.Error : NetifStatus.Okay);
        if (slot === 0) this.#answerExtras();
      }
    }
  }

  #answerExtras(): void {
    for (let extra = 0; extra < this.#request.extras; extra += 1) {
      const at = this.#ring.reserve() >> 2;
      this.#words[at] = halves(lowHalf(this.#words[at] ?? 0), NetifStatus.Null);
    }
  }

  #push(now: Instant): void {
    this.#release(now);
    if (this.#ring.push()) this.#parts.notify(now);
  }
}

/** True for a frame of one slot that has nothing wrong but, maybe, its grant. */
function isPlain(place: number, ends: number): boolean {
  const size = ends >>> 16;
  return (
    ((place >>> 16) & SEVERAL) === 0 &&
    size >= ETHERNET_LENGTH &&
    (place & 0xffff) + size <= FRAME_OCTETS
  );
}

/** The frame's octets that the first request names: for credit. */
export const sizeOf = (words: Int32Array, ring: BackRing): number =>
  highHalf(words[(ring.entryAt(ring.requestConsumer) >> 2) + 2] ?? 0);
