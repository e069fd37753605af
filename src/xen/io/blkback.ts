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
}

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
  readonly counts = { reads: 0, writes: 0, barriers: 0, flushes: 0, errors: 0 };
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
  /** The segments of the request in hand. */
  readonly #grefs = new Uint32Array(MAX_SEGMENTS);
  readonly #firsts = new Uint8Array(MAX_SEGMENTS);
  readonly #counts = new Uint8Array(MAX_SEGMENTS);
  readonly #handles = new Int32Array(MAX_SEGMENTS);

  constructor(options: BlkbackOptions) {
    const { disk, isReadonly = false, frontend, grants, events, behaviour } = options;
    this.disk = disk;
    this.isReadonly = isReadonly || disk.isReadonly;
    this.frontend = frontend;
    this.behaviour = behaviour;
    this.#grants = grants;
    this.#events = events;
  }

  get isConnected(): boolean {
    return this.#ring !== null;
  }

  /**
   * Map the front end's ring and bind to its port. What waits on the ring is served at once.
   * @returns `null`; what is wrong, in words, and nothing is mapped or bound.
   */
  connect({ ringRef, port, abi }: BlockRing, now: Instant): string | null {
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
    this.#events.setHandler(domid, local, this, now);
    return null;
  }

  /** Unmap the ring and close the port. What waits on the ring is not answered. */
  disconnect(): void {
    if (this.#ring === null) return;
    this.#ring = null;
    this.#again = NEVER;
    this.#notifier = null;
    this.#events.close(this.#grants.memory.domid, this.#port);
    this.#grants.unmap(this.#ringHandle);
  }

  nextDeadline(): Instant {
    return this.#again;
  }

  expire(now: Instant): void {
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
    const { request } = this.#abi;
    const at = ring.take();
    const operation = request.operation.get(view, at);
    const idLow = request.idLow.get(view, at);
    const idHigh = request.idHigh.get(view, at);
    const status = this.#dispatch(ring, operation, at);
    if (status !== BlockStatus.okay) this.counts.errors += 1;
    const answer = ring.reserve();
    BLOCK_RESPONSE.idLow.set(view, answer, idLow);
    BLOCK_RESPONSE.idHigh.set(view, answer, idHigh);
    BLOCK_RESPONSE.operation.set(view, answer, operation);
    BLOCK_RESPONSE.status.set(view, answer, status & 0xffff);
    if (ring.push()) this.#notifier?.notify(now);
  }

  #dispatch(ring: BackRing, operation: number, at: number): number {
    const { counts, behaviour } = this;
    switch (operation) {
      case BlockOp.read:
        counts.reads += 1;
        return this.#transfer(ring, at, false, false);
      case BlockOp.write:
        counts.writes += 1;
        return this.#transfer(ring, at, true, false);
      case BlockOp.writeBarrier:
        if (!behaviour.hasBarrier) break;
        counts.barriers += 1;
        return this.#transfer(ring, at, true, true);
      case BlockOp.flush:
        if (!behaviour.hasFlush) break;
        counts.flushes += 1;
        return this.#transfer(ring, at, true, true);
    }
    return behaviour.unknownStatus;
  }

  /** `isOrdered`: what was written before is on the medium first, and so is this. */
  #transfer(ring: BackRing, at: number, isWrite: boolean, isOrdered: boolean): number {
    const { request, segments } = this.#abi;
    const { view } = ring.memory;
    const { disk } = this;
    const count = request.segmentCount.get(view, at);
    if ((count === 0 && !isOrdered) || count > MAX_SEGMENTS) return BlockStatus.error;
    const sector = request.sectorHigh.get(view, at) * 2 ** 32 + request.sectorLow.get(view, at);
    const sectors = this.#readSegments(view, at + segments, count);
    if (sectors < 0 || sector + sectors > disk.sectors) return BlockStatus.error;
    if (isWrite && this.isReadonly) return BlockStatus.error;
    let isSound = !isOrdered || disk.flush() === DiskStatus.okay;
    if (this.#mapSegments(count, isWrite)) isSound &&= this.#move(sector, count, isWrite);
    else isSound = false;
    for (let index = 0; index < count; index += 1) {
      const handle = this.#handles[index] ?? -1;
      if (handle >= 0) this.#grants.unmap(handle);
    }
    if (isOrdered && count > 0) isSound &&= disk.flush() === DiskStatus.okay;
    return isSound ? BlockStatus.okay : BlockStatus.error;
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
  #mapSegments(count: number, isWrite: boolean): boolean {
    const flags = isWrite ? GrantMap.host | GrantMap.readonly : GrantMap.host;
    let isMapped = true;
    for (let index = 0; index < count; index += 1) {
      const handle = this.#grants.map(this.frontend, this.#grefs[index] ?? 0, flags);
      this.#handles[index] = handle;
      isMapped &&= handle >= 0;
    }
    return isMapped;
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
