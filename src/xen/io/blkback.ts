/**
 * The block back end: Dom0's end of a virtual disk (Linux: `drivers/xen/blkback`, one thread a
 * disk). It maps each segment's frame, reads or writes the disk there, unmaps, and answers, one
 * request after the other in the order of the ring.
 *
 * A front end may write anything on its page at any time: each field is read once, judged, and then
 * never read again.
 * @module
 */
import type { Machine } from "../../base/machine.ts";
import { type Instant, MILLISECOND, NEVER } from "../../base/time.ts";
import { type BlockDevice, DiskStatus, SECTOR_OCTETS } from "../../storage/block-device.ts";
import type { Field } from "../../wire/field.ts";
import { FRAME_SHIFT } from "../hypervisor/domain-memory.ts";
import type { EventChannels } from "../hypervisor/event-channels.ts";
import type { EventPort, UpcallHandler } from "../hypervisor/event-port.ts";
import { GrantMap } from "../hypervisor/grant-operations.ts";
import type { GrantTable } from "../hypervisor/grant-table.ts";
import {
  BLOCK_ABI_64,
  BLOCK_RESPONSE,
  BLOCK_SEGMENT,
  type BlockAbi,
  BlockOp,
  BlockStatus,
  MAX_SEGMENTS,
  SECTORS_OF_FRAME,
  SEGMENT_OCTETS,
} from "./blkif.ts";
import type { BlockBehaviour } from "./block-behaviour.ts";
import { PersistentGrants } from "./persistent-grants.ts";
import { BackRing, responseProducerOf } from "./shared-ring.ts";

/** What a {@link Blkback} is made from. */
export interface BlkbackOptions {
  readonly disk: BlockDevice;
  /** True: the domain may only read, whatever the disk allows (`mode` without a w). */
  readonly isReadonly?: boolean;
  /** The front end's domain. */
  readonly frontend: number;
  /** The grant table of the back end's own domain, which maps. */
  readonly grants: GrantTable;
  readonly events: EventChannels;
  readonly behaviour: BlockBehaviour;
}

/** Where a front end waits: what its nodes `ring-ref`, `event-channel` and `protocol` say. */
export interface BlockRing {
  readonly ringRef: number;
  readonly port: number;
  readonly abi: BlockAbi;
  /** `feature-persistent`: the front end uses the same grants again; false. */
  readonly isPersistent?: boolean;
}

/** What a transfer is. */
interface TransferKind {
  readonly isWrite: boolean;
  /** What was written before is on the medium first, and so is this. */
  readonly isOrdered: boolean;
  /** Its segments lie in a page of their own. */
  readonly isIndirect: boolean;
}

const ORDERED: TransferKind = { isWrite: true, isOrdered: true, isIndirect: false };

/** Requests that are served in one go; then the thread gives way for a turn. */
const REQUESTS_OF_TURN = 1024;
const TURN = MILLISECOND;

/** One virtual disk's back end. */
export class Blkback implements Machine, UpcallHandler {
  readonly disk: BlockDevice;
  readonly isReadonly: boolean;
  readonly frontend: number;
  readonly behaviour: BlockBehaviour;
  /** Requests of each kind, and those that were refused or failed. */
  readonly counts = { reads: 0, writes: 0, barriers: 0, flushes: 0, discards: 0, errors: 0 };
  /** True once the front end claimed what cannot be, where that ends the service. */
  isHalted = false;
  readonly #grants: GrantTable;
  readonly #events: EventChannels;
  #ring: BackRing | null = null;
  #abi: BlockAbi = BLOCK_ABI_64;
  #ringHandle = -1;
  #port = -1;
  #notifier: EventPort | null = null;
  #again: Instant = NEVER;
  #persistent: PersistentGrants | null = null;
  /** The segments of the request in hand. */
  readonly #grefs: Uint32Array;
  readonly #firsts: Uint8Array;
  readonly #counts: Uint8Array;
  readonly #handles: Int32Array;
  /** 1: the mapping stays. */
  readonly #isKept: Uint8Array;

  constructor(options: BlkbackOptions) {
    const { disk, isReadonly = false, frontend, grants, events, behaviour } = options;
    this.disk = disk;
    this.isReadonly = isReadonly || disk.isReadonly;
    this.frontend = frontend;
    this.behaviour = behaviour;
    this.#grants = grants;
    this.#events = events;
    const most = Math.max(MAX_SEGMENTS, behaviour.indirectSegments.back);
    this.#grefs = new Uint32Array(most);
    this.#firsts = new Uint8Array(most);
    this.#counts = new Uint8Array(most);
    this.#handles = new Int32Array(most);
    this.#isKept = new Uint8Array(most);
  }

  /** Grants that are kept mapped. */
  get persistentGrants(): number {
    return this.#persistent?.size ?? 0;
  }

  get isConnected(): boolean {
    return this.#ring !== null;
  }

  /**
   * Map the front end's ring and bind to its port. What waits on the ring is served at once.
   * @returns `null`; what is wrong, in words, and nothing is mapped or bound.
   */
  connect({ ringRef, port, abi, isPersistent }: BlockRing, now: Instant): string | null {
    if (this.#ring !== null) return "connected already";
    const { domid } = this.#grants.memory;
    const handle = this.#grants.map(this.frontend, ringRef, GrantMap.host);
    const memory = this.#grants.memoryOf(handle);
    if (memory === null) return `mapping ring-ref ${ringRef}: status ${handle}`;
    const gfn = this.#grants.frameOf(handle);
    const start = this.behaviour.resumesRing ? responseProducerOf(memory, gfn) : 0;
    const ring = new BackRing({ memory, gfn, entryOctets: abi.entryOctets, start });
    const local =
      this.behaviour.resumesRing && ring.isOverrun
        ? null
        : this.#events.bindInterdomain(domid, this.frontend, port);
    if (local === null || local < 0) {
      this.#grants.unmap(handle);
      return local === null ? "the ring holds more than it can" : `binding port ${port}: ${local}`;
    }
    this.#ring = ring;
    this.#abi = abi;
    this.#ringHandle = handle;
    this.#port = local;
    this.#notifier = this.#events.portOf(domid, local);
    this.isHalted = false;
    const { persistentGrants } = this.behaviour;
    if (isPersistent === true && persistentGrants > 0) {
      const unmap = (mapping: number): void => void this.#grants.unmap(mapping);
      this.#persistent = new PersistentGrants(persistentGrants, unmap);
    }
    this.#events.setHandler(domid, local, this, now);
    return null;
  }

  /** Unmap the ring and close the port. What waits on the ring is not answered. */
  disconnect(): void {
    if (this.#ring === null) return;
    this.#ring = null;
    this.#again = NEVER;
    this.#notifier = null;
    this.#persistent?.clear();
    this.#persistent = null;
    this.#events.close(this.#grants.memory.domid, this.#port);
    this.#grants.unmap(this.#ringHandle);
  }

  nextDeadline(): Instant {
    return Math.min(this.#again, this.#persistent?.deadline ?? NEVER);
  }

  expire(now: Instant): void {
    this.#persistent?.purge(now);
    if (this.#again <= now) this.upcall(now);
  }

  /** Serve what is on the ring, and what comes meanwhile, for one turn. */
  upcall(now: Instant): void {
    this.#again = NEVER;
    const ring = this.#ring;
    if (ring === null || this.isHalted) return;
    for (let left = REQUESTS_OF_TURN; ; left -= 1) {
      if (this.behaviour.haltsOnOverrun && ring.isOverrun) {
        this.isHalted = true;
        return;
      }
      if (ring.unconsumed === 0 && !ring.finalCheck()) return;
      if (left === 0) {
        this.#again = now + TURN;
        return;
      }
      this.#serve(ring, now);
      if (this.#ring !== ring) return;
    }
  }

  #serve(ring: BackRing, now: Instant): void {
    const { view } = ring.memory;
    const { request, indirect } = this.#abi;
    const at = ring.take();
    const outer = request.operation.get(view, at);
    const isIndirect = outer === BlockOp.indirect && this.behaviour.indirectSegments.back > 0;
    const operation = isIndirect ? indirect.operation.get(view, at) : outer;
    const idLow = request.idLow.get(view, at);
    const idHigh = request.idHigh.get(view, at);
    const status = this.#dispatch(ring, operation, isIndirect, at, now);
    if (status !== BlockStatus.okay) this.counts.errors += 1;
    const answer = ring.reserve();
    BLOCK_RESPONSE.idLow.set(view, answer, idLow);
    BLOCK_RESPONSE.idHigh.set(view, answer, idHigh);
    BLOCK_RESPONSE.operation.set(view, answer, operation);
    BLOCK_RESPONSE.status.set(view, answer, status & 0xffff);
    if (ring.push()) this.#notifier?.notify(now);
  }

  #dispatch(
    ring: BackRing,
    operation: number,
    isIndirect: boolean,
    at: number,
    now: Instant,
  ): number {
    const { counts, behaviour } = this;
    switch (operation) {
      case BlockOp.read:
        counts.reads += 1;
        return this.#transfer(ring, at, { isWrite: false, isOrdered: false, isIndirect }, now);
      case BlockOp.write:
        counts.writes += 1;
        return this.#transfer(ring, at, { isWrite: true, isOrdered: false, isIndirect }, now);
      case BlockOp.writeBarrier:
        if (!behaviour.hasBarrier || isIndirect) break;
        counts.barriers += 1;
        return this.#transfer(ring, at, ORDERED, now);
      case BlockOp.flush:
        if (!behaviour.hasFlush || isIndirect) break;
        counts.flushes += 1;
        return this.#transfer(ring, at, ORDERED, now);
      case BlockOp.discard:
        if (!behaviour.hasDiscard || isIndirect) break;
        return this.#discard(ring, at);
    }
    return isIndirect ? BlockStatus.error : behaviour.unknownStatus;
  }

  /**
   * `dispatch_discard_io`, which asks neither for `discard-enable` nor for whole units. Nothing
   * here erases securely, so the flag means nothing, as where `discard-secure` is 0.
   */
  #discard({ memory: { view } }: BackRing, at: number): number {
    const { request, discard } = this.#abi;
    const sector = numberAt(view, at, request.sectorLow, request.sectorHigh);
    const count = numberAt(view, at, discard.sectorsLow, discard.sectorsHigh);
    if (this.isReadonly || !this.#isOnDisk(sector, count)) return BlockStatus.error;
    this.counts.discards += 1;
    // The block layer asks no disk that can to discard nothing.
    if (count === 0 && this.disk.discardUnit !== null) return BlockStatus.error;
    const status = this.disk.discard(sector, count);
    if (status === DiskStatus.notSupported) return BlockStatus.notSupported;
    return status === DiskStatus.okay ? BlockStatus.okay : BlockStatus.error;
  }

  /** Nothing lies anywhere: Linux's own empty flushes name the last sector of 64 bits. */
  #isOnDisk(sector: number, count: number): boolean {
    return count === 0 || sector + count <= this.disk.sectors;
  }

  #transfer(ring: BackRing, at: number, kind: TransferKind, now: Instant): number {
    const { request, indirect, segments } = this.#abi;
    const { view } = ring.memory;
    const { disk } = this;
    const { isWrite, isOrdered, isIndirect } = kind;
    const count = (isIndirect ? indirect : request).segmentCount.get(view, at);
    const most = isIndirect ? this.behaviour.indirectSegments.back : MAX_SEGMENTS;
    if ((count === 0 && !isOrdered) || count > most) return BlockStatus.error;
    const sector = numberAt(view, at, request.sectorLow, request.sectorHigh);
    const sectors = isIndirect
      ? this.#readIndirect(indirect.gref.get(view, at), count, now)
      : this.#readSegments(view, at + segments, count);
    if (sectors < 0 || !this.#isOnDisk(sector, sectors)) return BlockStatus.error;
    if (isWrite && this.isReadonly) return BlockStatus.error;
    let isSound = !isOrdered || disk.flush() === DiskStatus.okay;
    if (this.#mapSegments(count, isWrite, now)) isSound &&= this.#move(sector, count, isWrite);
    else isSound = false;
    for (let index = 0; index < count; index += 1) this.#unmapSegment(index, now);
    if (isOrdered && count > 0) isSound &&= disk.flush() === DiskStatus.okay;
    return isSound ? BlockStatus.okay : BlockStatus.error;
  }

  /** Copy the segments out of a page of their own. @returns as {@link #readSegments}. */
  #readIndirect(gref: number, count: number, now: Instant): number {
    this.#grefs[0] = gref;
    let sectors = -1;
    if (this.#mapSegments(1, true, now)) {
      const handle = this.#handles[0] ?? -1;
      const memory = this.#grants.memoryOf(handle);
      const first = this.#grants.frameOf(handle) << FRAME_SHIFT;
      const isKept = this.#isKept[0] ?? 0;
      if (memory !== null) sectors = this.#readSegments(memory.view, first, count);
      this.#release(handle, gref, isKept, now);
    }
    return sectors;
  }

  /** Copy the segments out of the ring. @returns their sectors; -1 if one is none. */
  #readSegments(view: DataView, first: number, count: number): number {
    let sectors = 0;
    for (let index = 0; index < count; index += 1) {
      const at = first + index * SEGMENT_OCTETS;
      const from = BLOCK_SEGMENT.firstSector.get(view, at);
      const last = BLOCK_SEGMENT.lastSector.get(view, at);
      if (last >= SECTORS_OF_FRAME || last < from) return -1;
      this.#grefs[index] = BLOCK_SEGMENT.gref.get(view, at);
      this.#firsts[index] = from;
      this.#counts[index] = last - from + 1;
      sectors += last - from + 1;
    }
    return sectors;
  }

  /** @returns false if one of the frames is not granted so. */
  #mapSegments(count: number, isWrite: boolean, now: Instant): boolean {
    const kept = this.#persistent;
    // What stays mapped may be read into next time.
    const flags = isWrite && kept === null ? GrantMap.host | GrantMap.readonly : GrantMap.host;
    let isMapped = true;
    for (let index = 0; index < count; index += 1) {
      const gref = this.#grefs[index] ?? 0;
      let handle = kept === null ? -1 : kept.take(gref);
      this.#isKept[index] = handle >= 0 ? 1 : 0;
      if (handle < 0) {
        handle = this.#grants.map(this.frontend, gref, flags);
        if (handle >= 0 && kept?.keep(gref, handle, now) === true) this.#isKept[index] = 1;
      }
      this.#handles[index] = handle;
      isMapped &&= handle >= 0;
    }
    return isMapped;
  }

  #unmapSegment(index: number, now: Instant): void {
    const gref = this.#grefs[index] ?? 0;
    this.#release(this.#handles[index] ?? -1, gref, this.#isKept[index] ?? 0, now);
  }

  #release(handle: number, gref: number, isKept: number, now: Instant): void {
    if (isKept === 1) this.#persistent?.release(gref, now);
    else if (handle >= 0) this.#grants.unmap(handle);
  }

  /** Each segment is tried, whatever became of the one before. @returns true if all is done. */
  #move(sector: number, count: number, isWrite: boolean): boolean {
    let isDone = true;
    let at = sector;
    for (let index = 0; index < count; index += 1) {
      const handle = this.#handles[index] ?? -1;
      const memory = this.#grants.memoryOf(handle);
      const sectors = this.#counts[index] ?? 0;
      if (memory === null) return false;
      const first =
        (this.#grants.frameOf(handle) << FRAME_SHIFT) + (this.#firsts[index] ?? 0) * SECTOR_OCTETS;
      const window = memory.bytes.subarray(first, first + sectors * SECTOR_OCTETS);
      const status = isWrite ? this.disk.write(at, window) : this.disk.read(at, window);
      isDone &&= status === DiskStatus.okay;
      at += sectors;
    }
    return isDone;
  }
}

/** A number of 64 bits; one that is not exact is far beyond every disk. */
const numberAt = (view: DataView, at: number, low: Field, high: Field): number =>
  high.get(view, at) * 2 ** 32 + low.get(view, at);
