/**
 * The front end's way from Dom0: it posts pages on the rx ring and takes frames out of them
 * (netfront's `network_alloc_rx_buffers` and `netif_poll`). What the back end says is not believed
 * further than the guest's own memory.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import type { Device } from "../../wire/device.ts";
import type { Packet, PacketPool } from "../../wire/packet.ts";
import { FRAME_OCTETS, FRAME_SHIFT } from "../hypervisor/domain-memory.ts";
import type { GuestGrants } from "../hypervisor/guest-grants.ts";
import type { Companions } from "./companions.ts";
import { copyOctets as ImportedcopyOctets } from "./copy-octets.ts";
import type { NetfrontBehaviour } from "./netif-behaviour.ts";
import {
  EXTRA_MORE,
  ExtraType,
  highHalf,
  lowHalf,
  NETIF_SLOTS,
  RxFlag,
  statusOf,
} from "./netif.ts";
import type { PagePool } from "./page-pool.ts";
import type { FrontRing } from "./shared-ring.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const copyOctets = ImportedcopyOctets;
const MASK = NETIF_SLOTS - 1;
const BELIEVED = RxFlag.CsumBlank | RxFlag.DataValidated;
const DOM0 = 0;

/** What the way to the guest works with. */
export interface NetfrontRxParts {
  readonly ring: FrontRing;
  readonly grants: GuestGrants;
  readonly pages: PagePool;
  readonly pool: PacketPool;
  /** Takes the frames. */
  readonly device: Device;
  readonly behaviour: NetfrontBehaviour;
  readonly companions: Companions | null;
  readonly notify: (now: Instant) => void;
}

/** Takes frames while its vif is connected. */
export class NetfrontRx {
  /** Frames that came whole. */
  frames = 0;
  /** Frames that did not. */
  errors = 0;
  readonly #parts: NetfrontRxParts;
  readonly #ring: FrontRing;
  readonly #words: Int32Array;
  /** By slot: the page that is posted there, -1 for none, and the reference that grants it. */
  readonly #pages = new Int32Array(NETIF_SLOTS).fill(-1);
  readonly #refs = new Int32Array(NETIF_SLOTS).fill(-1);
  /** By part of the current frame: where it lies, and its octets. */
  readonly #addresses = new Int32Array(NETIF_SLOTS);
  readonly #lengths = new Int32Array(NETIF_SLOTS);
  #target: number;
  #isStopped = false;

  constructor(parts: NetfrontRxParts) {
    this.#parts = parts;
    this.#ring = parts.ring;
    this.#words = parts.grants.memory.words;
    this.#target = parts.behaviour.rxTarget?.least ?? NETIF_SLOTS;
  }

  /** Take what came, and post new buffers. */
  run(now: Instant): void {
    const ring = this.#ring;
    do {
      // A back end that lies about its index is heard no more.
      if (ring.isOverrun) return;
      for (let left = ring.unconsumed; left > 0 && !this.#isStopped;) {
        left -= this.#take(left, now);
      }
      if (this.#isStopped) return;
      this.#adjust();
      this.fill(now);
    } while (ring.finalCheck());
  }

  /** Post as many buffers as are wanted. */
  fill(now: Instant): void {
    const ring = this.#ring;
    const { rxTarget } = this.#parts.behaviour;
    const posted = (ring.requestProducer - ring.responseConsumer) | 0;
    const wanted = this.#target - posted;
    if (wanted <= 0 || wanted < (rxTarget === null ? 1 : this.#target >> 1)) return;
    if (rxTarget !== null && posted < this.#target >> 2) {
      this.#target = Math.min(2 * this.#target, rxTarget.most);
    }
    for (let count = 0; count < wanted && ring.free > 0; count += 1) if (!this.#post()) break;
    if (ring.push()) this.#parts.notify(now);
  }

  /** The rings are gone: nothing is taken any more, all pages come back. */
  stop(): void {
    this.#isStopped = true;
    const { grants, pages } = this.#parts;
    for (let slot = 0; slot < NETIF_SLOTS; slot += 1) {
      const ref = this.#refs[slot] ?? -1;
      if (ref >= 0) grants.revoke(ref);
      const page = this.#pages[slot] ?? -1;
      if (page >= 0) pages.give(page);
      this.#refs[slot] = -1;
      this.#pages[slot] = -1;
    }
  }

  /** @returns false if no page or reference is left. */
  #post(): boolean {
    const ring = this.#ring;
    const { grants, pages } = this.#parts;
    const slot = ring.requestProducer & MASK;
    const page = pages.take();
    if (page < 0) return false;
    let ref = this.#refs[slot] ?? -1;
    if (ref < 0) {
      ref = grants.grant(DOM0, page, false);
      if (ref < 0) {
        pages.give(page);
        return false;
      }
      this.#refs[slot] = ref;
    } else grants.grantAt(ref, DOM0, page, false);
    this.#pages[slot] = page;
    const at = ring.reserve() >> 2;
    this.#words[at] = slot;
    this.#words[at + 1] = ref;
    return true;
  }

  /** The next frame, whatever it is. @returns the slots that it had. */
  #take(left: number, now: Instant): number {
    const ring = this.#ring;
    const words = this.#words;
    const index = ring.responseConsumer;
    const at = ring.take() >> 2;
    const place = words[at] ?? 0;
    const result = words[at + 1] ?? 0;
    const flags = lowHalf(result);
    let taken = 1;
    let segmentSize = 0;
    let isSound = this.#part(0, index, place, result);
    for (let more = (flags & RxFlag.ExtraInfo) !== 0; more; taken += 1) {
      if (taken === left) return this.#refuse(index, taken, now);
      const extra = ring.take() >> 2;
      const head = words[extra] ?? 0;
      const type = head & 0xff;
      if (type === ExtraType.Gso) segmentSize = highHalf(head);
      if (type === 0 || (type === ExtraType.Gso && segmentSize === 0)) isSound = false;
      this.#giveBack(index + taken);
      more = ((head >>> 8) & EXTRA_MORE) !== 0;
    }
    let parts = 1;
    for (let more = (flags & RxFlag.MoreData) !== 0; more; parts += 1) {
      if (taken === left) return this.#refuse(index, taken, now);
      const next = ring.take() >> 2;
      const nextResult = words[next + 1] ?? 0;
      const isPart = this.#part(parts, index + taken, words[next] ?? 0, nextResult);
      isSound &&= isPart;
      taken += 1;
      more = (nextResult & RxFlag.MoreData) !== 0;
    }
    if (!isSound) return this.#refuse(index, taken, now);
    this.#hand(index, parts, flags, segmentSize, now);
    return taken;
  }

  /** Part `part` of a frame lies in the page of slot `index`. @returns false if it does not. */
  #part(part: number, index: number, place: number, result: number): boolean {
    const offset = highHalf(place);
    const status = statusOf(result);
    const page = this.#giveBack(index);
    this.#addresses[part] = (page << FRAME_SHIFT) + offset;
    this.#lengths[part] = status;
    return page >= 0 && status >= 0 && offset + status <= FRAME_OCTETS;
  }

  /**
   * The page of slot `index` is the guest's own again.
   * @returns the page; -1 if none was posted, or the back end holds it still.
   */
  #giveBack(index: number): number {
    const slot = index & MASK;
    const page = this.#pages[slot] ?? -1;
    if (page < 0) return -1;
    this.#pages[slot] = -1;
    if (!this.#parts.grants.revokeAt(this.#refs[slot] ?? -1)) {
      // A page that stays granted must not be used again, nor its reference.
      this.#refs[slot] = -1;
      return -1;
    }
    this.#parts.pages.give(page);
    return page;
  }

  /** Copy `parts` out of their pages, which nobody takes meanwhile, and hand the frame up. */
  #hand(index: number, parts: number, flags: number, segmentSize: number, now: Instant): void {
    const { pool, device, grants, companions } = this.#parts;
    const { memory } = grants;
    let size = this.#lengths[0] ?? 0;
    for (let part = 1; part < parts; part += 1) size += this.#lengths[part] ?? 0;
    const packet = this.#packetFor(companions?.take(index) ?? null, size, now);
    if (packet === null) {
      this.errors += 1;
      return;
    }
    let to = packet.frame;
    for (let part = 0; part < parts; part += 1) {
      const from = this.#addresses[part] ?? 0;
      const length = this.#lengths[part] ?? 0;
      copyOctets(memory.words, memory.bytes, from, pool.words, pool.bytes, to, length);
      to += length;
    }
    packet.hasBlankChecksum = (flags & RxFlag.CsumBlank) !== 0;
    packet.hasSoundChecksums = (flags & BELIEVED) !== 0;
    packet.segmentSize = segmentSize;
    this.frames += 1;
    device.receive(packet, now);
  }

  #packetFor(companion: Packet | null, size: number, now: Instant): Packet | null {
    const { pool } = this.#parts;
    if (companion === null) return pool.allocate(size);
    if (companion.end - companion.frame === size && companion.pool === pool) return companion;
    companion.pool.end(companion, "discarded", "netfront/changed", now);
    return pool.allocate(size);
  }

  #refuse(index: number, taken: number, now: Instant): number {
    this.errors += 1;
    const packet = this.#parts.companions?.take(index) ?? null;
    packet?.pool.end(packet, "discarded", "netfront/error", now);
    return taken;
  }

  /** Few responses at a time need few buffers: down by one, up by half the ring. */
  #adjust(): void {
    const { rxTarget } = this.#parts.behaviour;
    if (rxTarget === null) return;
    const posted = (this.#ring.requestProducer - this.#ring.responseConsumer) | 0;
    if (posted > (3 * this.#target) / 4) this.#target = Math.max(this.#target - 1, rxTarget.least);
  }
}
