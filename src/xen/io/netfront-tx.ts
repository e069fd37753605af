/**
 * The front end's way to Dom0: frames are put into pages of the guest's memory, granted, and named
 * on the tx ring (netfront's `network_start_xmit`).
 * @module
 */
import { NO_BYTES, NO_WORDS } from "../../base/first-values.ts";
import type { Instant } from "../../base/time.ts";
import type { Packet, Reason } from "../../wire/packet.ts";
import { FRAME_OCTETS, FRAME_SHIFT } from "../hypervisor/domain-memory.ts";
import { GrantFlag, type GuestGrants } from "../hypervisor/guest-grants.ts";
import type { Companions } from "./companions.ts";
import { copyOctets as ImportedcopyOctets } from "./copy-octets.ts";
import type { NetfrontBehaviour } from "./netif-behaviour.ts";
import {
  ExtraType,
  GSO_TCPV4,
  halves,
  lowHalf,
  NETIF_SLOTS,
  NetifStatus,
  statusOf,
  TxFlag,
} from "./netif.ts";
import { PacketQueue } from "./packet-queue.ts";
import type { PagePool } from "./page-pool.ts";
import type { FrontRing } from "./shared-ring.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const copyOctets = ImportedcopyOctets;
const DOM0 = 0;
/** Where a frame begins in its page: the IP header then lies on a multiple of four. */
const FIRST_OFFSET = 2;
const NONE = -1;
/** The entry of a page that Dom0 may read. */
const READABLE = (DOM0 << 16) | GrantFlag.permitAccess | GrantFlag.readonly;
/** Set while Dom0 maps it. */
const USED = GrantFlag.reading | GrantFlag.writing;
/** Data slots of the largest frame that is tried: `MAX_SKB_FRAGS` + 1. */
const MOST_SLOTS = 19;

/** What the way from the guest works with. */
export interface NetfrontTxParts {
  readonly ring: FrontRing;
  readonly grants: GuestGrants;
  readonly pages: PagePool;
  readonly behaviour: NetfrontBehaviour;
  readonly companions: Companions | null;
  /** Frames that wait while the ring is full: the device's `txqueuelen`. */
  readonly queueLimit: number;
  readonly notify: (now: Instant) => void;
}

/** Sends frames while its vif is connected. */
export class NetfrontTx {
  /** Frames that were put on the ring. */
  frames = 0;
  /** Answers that were errors. */
  errors = 0;
  readonly #parts: NetfrontTxParts;
  readonly #ring: FrontRing;
  readonly #words: Int32Array = NO_WORDS;
  readonly #queue = new PacketQueue();
  /** By id: the reference, and the page that is the driver's own; {@link NONE} for neither. */
  readonly #refs: Int32Array = NO_WORDS;
  readonly #pages: Int32Array = NO_WORDS;
  /** By id: the word of the memory where the grant's entry begins. */
  readonly #entries: Int32Array = NO_WORDS;
  /** By id: 1 while Dom0 may read. */
  readonly #isOut: Uint8Array = NO_BYTES;
  readonly #isShared: boolean = false;
  readonly #room: number = 0;
  /** By id: the next free one; the first is {@link #free}. */
  readonly #next: Int32Array = NO_WORDS;
  #free: number = 0;
  readonly #last: number = 0;

  constructor(parts: NetfrontTxParts) {
    this.#parts = parts;
    this.#ring = parts.ring;
    this.#words = parts.grants.memory.words;
    const { firstTxId } = parts.behaviour;
    const ids = firstTxId + NETIF_SLOTS;
    this.#refs = new Int32Array(ids).fill(NONE);
    this.#pages = new Int32Array(ids).fill(NONE);
    this.#entries = new Int32Array(ids);
    this.#isOut = new Uint8Array(ids);
    this.#isShared = parts.grants.memory.isShared;
    this.#room = NETIF_SLOTS - parts.behaviour.txReserve;
    this.#next = Int32Array.from({ length: ids }, (_, id) => id + 1);
    this.#free = firstTxId;
    this.#last = ids;
  }

  /** Frames that wait for room. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Send `packet`, now or when there is room. Takes ownership. */
  send(packet: Packet, now: Instant): void {
    if (this.#queue.size > 0 || !this.#hasRoom()) {
      if (this.#queue.size < this.#parts.queueLimit) this.#queue.push(packet, now);
      else this.#drop(packet, "netfront/queue-full", now);
      return;
    }
    if (this.#put(packet, now)) this.kick(now);
  }

  /**
   * Name `size` octets at `offset` of the guest's own frame `gfn` as a frame, which must not change
   * until it is answered; {@link kick} tells Dom0 of all such.
   * @returns false if the ring has no room.
   */
  post(gfn: number, offset: number, size: number, flags: number): boolean {
    if (!this.#hasRoom()) return false;
    const id = this.#claim(gfn);
    if (id < 0) return false;
    this.#write(id, offset, size, flags);
    this.frames += 1;
    return true;
  }

  /** Tell Dom0 of what was put on the ring, if it wants to know, and take its answers. */
  kick(now: Instant): void {
    if (this.#ring.push()) this.#parts.notify(now);
    this.run(now);
  }

  /** Take answers; what waits goes on the ring. */
  run(now: Instant): void {
    this.#collect();
    let isPut = false;
    while (this.#queue.size > 0 && this.#hasRoom()) {
      const packet = this.#queue.shift();
      if (packet !== null && this.#put(packet, now)) isPut = true;
    }
    if (!isPut) return;
    if (this.#ring.push()) this.#parts.notify(now);
    this.#collect();
  }

  /** The rings are gone: what waits is dropped, all pages come back. */
  stop(reason: Reason, now: Instant): void {
    while (this.#queue.size > 0) this.#drop(this.#queue.shift(), reason, now);
    const { grants, pages } = this.#parts;
    for (let id = 0; id < this.#last; id += 1) {
      const ref = this.#refs[id] ?? NONE;
      if (ref >= 0) grants.revoke(ref);
      const page = this.#pages[id] ?? NONE;
      if (page >= 0) pages.give(page);
      this.#refs[id] = NONE;
      this.#pages[id] = NONE;
      this.#isOut[id] = 0;
    }
  }

  /** `netfront_tx_slot_available`: room for a frame of any size. */
  #hasRoom(): boolean {
    const used = (this.#ring.requestProducer - this.#ring.responseConsumer) | 0;
    return used < this.#room;
  }

  /** Copy `packet` into pages and name them. @returns false if it was dropped. */
  #put(packet: Packet, now: Instant): boolean {
    const { pool, frame, end, segmentSize } = packet;
    const { grants, companions } = this.#parts;
    const { memory } = grants;
    const size = end - frame;
    const slots = Math.ceil((FIRST_OFFSET + size) / FRAME_OCTETS);
    if (slots > MOST_SLOTS || !this.#reserve(slots)) {
      this.#drop(packet, "netfront/no-memory", now);
      return false;
    }
    const index = this.#ring.requestProducer;
    let from = frame;
    let offset = FIRST_OFFSET;
    for (let slot = 0; slot < slots; slot += 1) {
      const id = this.#free;
      const page = this.#pages[id] ?? NONE;
      const length = Math.min(end - from, FRAME_OCTETS - offset);
      const to = (page << FRAME_SHIFT) + offset;
      copyOctets(pool.words, pool.bytes, from, memory.words, memory.bytes, to, length);
      this.#grant(id, page);
      const more = slot === slots - 1 ? 0 : TxFlag.MoreData;
      const first = slot === 0 ? flagsOf(packet) : 0;
      this.#write(id, offset, slot === 0 ? size : length, first | more);
      if (slot === 0 && segmentSize > 0) this.#writeExtra(segmentSize);
      from += length;
      offset = 0;
    }
    this.frames += 1;
    if (companions === null) pool.end(packet, "delivered", "netfront/sent", now);
    else companions.put(index, packet, now);
    return true;
  }

  /** See to it that the next `count` free ids have pages and references. */
  #reserve(count: number): boolean {
    const { pages, grants } = this.#parts;
    let id = this.#free;
    for (let left = count; left > 0; left -= 1) {
      if (id >= this.#last) return false;
      if ((this.#pages[id] ?? NONE) < 0) {
        const page = pages.take();
        if (page < 0) return false;
        this.#pages[id] = page;
      }
      if ((this.#refs[id] ?? NONE) < 0 && !this.#claimRef(id, grants)) return false;
      id = this.#next[id] ?? this.#last;
    }
    return true;
  }

  #claimRef(id: number, grants: GuestGrants): boolean {
    const ref = grants.grant(DOM0, this.#pages[id] ?? 0, true);
    if (ref < 0) return false;
    grants.revokeAt(ref);
    this.#refs[id] = ref;
    this.#entries[id] = grants.wordOf(ref);
    return true;
  }

  /** Take a free id for a page of the caller's. @returns -1 if no reference is left. */
  #claim(gfn: number): number {
    const id = this.#free;
    if (id >= this.#last) return NONE;
    if ((this.#refs[id] ?? NONE) < 0 && !this.#claimRef(id, this.#parts.grants)) return NONE;
    this.#grant(id, gfn);
    return id;
  }

  #grant(id: number, gfn: number): void {
    if (this.#isShared) this.#parts.grants.grantAt(this.#refs[id] ?? 0, DOM0, gfn, true);
    else {
      const entry = this.#entries[id] ?? 0;
      this.#words[entry + 1] = gfn;
      this.#words[entry] = READABLE;
    }
    this.#isOut[id] = 1;
    this.#free = this.#next[id] ?? this.#last;
  }

  #write(id: number, offset: number, size: number, flags: number): void {
    const at = this.#ring.reserve() >> 2;
    const words = this.#words;
    words[at] = this.#refs[id] ?? 0;
    words[at + 1] = halves(offset, flags);
    words[at + 2] = halves(id, size);
  }

  #writeExtra(segmentSize: number): void {
    const last = (this.#ring.entryAt(this.#ring.requestProducer - 1) >> 2) + 1;
    this.#words[last] = (this.#words[last] ?? 0) | (TxFlag.ExtraInfo << 16);
    const at = this.#ring.reserve() >> 2;
    this.#words[at] = halves(ExtraType.Gso, segmentSize);
    this.#words[at + 1] = GSO_TCPV4;
  }

  /** `network_tx_buf_gc`: take the answers, and ask to be told when half of the rest is done. */
  #collect(): void {
    const ring = this.#ring;
    const words = this.#words;
    do {
      // A back end that lies about its index is heard no more.
      if (ring.isOverrun) return;
      for (let left = ring.unconsumed; left > 0; left -= 1) {
        const answer = words[ring.take() >> 2] ?? 0;
        const status = statusOf(answer);
        if (status === NetifStatus.Null) continue;
        if (status < 0) this.errors += 1;
        this.#release(lowHalf(answer));
      }
      const inFlight = (ring.requestProducer - ring.responseConsumer) | 0;
      ring.askAt((ring.responseConsumer + (inFlight >> 1) + 1) | 0);
    } while (ring.unconsumed > 0);
  }

  /** Dom0 is done with `id`, if it had it. */
  #release(id: number): void {
    if (id >= this.#last || this.#isOut[id] !== 1) return;
    if (!this.#revoke(id)) {
      // Still mapped: page and reference must not be used again.
      this.#refs[id] = NONE;
      this.#pages[id] = NONE;
    }
    this.#isOut[id] = 0;
    this.#next[id] = this.#free;
    this.#free = id;
  }

  #revoke(id: number): boolean {
    if (this.#isShared) return this.#parts.grants.revokeAt(this.#refs[id] ?? 0);
    const entry = this.#entries[id] ?? 0;
    if (((this.#words[entry] ?? 0) & USED) !== 0) return false;
    this.#words[entry] = 0;
    return true;
  }

  #drop(packet: Packet | null, reason: Reason, now: Instant): void {
    packet?.pool.end(packet, "dropped", reason, now);
  }
}

/** What the first slot says of the frame's checksums. */
function flagsOf({ hasBlankChecksum, hasSoundChecksums }: Packet): number {
  if (hasBlankChecksum) return TxFlag.CsumBlank | TxFlag.DataValidated;
  return hasSoundChecksums ? TxFlag.DataValidated : 0;
}
