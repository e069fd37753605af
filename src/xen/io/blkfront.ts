/**
 * The block front end: a domU's end of a virtual disk (Linux: `drivers/xen/blkfront`).
 *
 * It needs the domain's own memory and a way to ring the back end, nothing else of the host, so it
 * runs wherever the domain runs. A request grants its frames, and takes them back when answered.
 * @module
 */
import { OptionError } from "../../base/errors.ts";
import type { Instant } from "../../base/time.ts";
import { type DiscardUnit, SECTOR_OCTETS } from "../../storage/block-device.ts";
import { type DomainMemory, FRAME_OCTETS, FRAME_SHIFT } from "../hypervisor/domain-memory.ts";
import type { Notifier, UpcallHandler } from "../hypervisor/event-port.ts";
import type { GuestGrants } from "../hypervisor/guest-grants.ts";
import {
  BLOCK_ABI_64,
  BLOCK_RESPONSE,
  BLOCK_SEGMENT,
  type BlockAbi,
  BlockDiscardFlag,
  BlockOp,
  BlockStatus,
  MAX_SEGMENTS,
  SEGMENT_OCTETS,
} from "./blkif.ts";
import { type BlockBehaviour, BLOCKS_6 } from "./block-behaviour.ts";
import { GrantedFrames } from "./granted-frames.ts";
import { FrontRing, initializeRing } from "./shared-ring.ts";

/** Hears the end of a request. */
export interface BlockCompletion {
  /**
   * @param status of {@link BlockStatus}. Octets that were asked for are in place if it is okay.
   * May be called before `submit` returns.
   */
  completed(status: number, now: Instant): void;
}

/** A request. */
export interface BlockRequest {
  /** Of {@link BlockOp}. */
  readonly operation: number;
  readonly sector: number;
  /**
   * What is written, or filled by a read; whole sectors, at most {@link Blkfront.mostOctets}, none
   * for a flush or a discard. Borrowed until the request ends.
   */
  readonly octets: Uint8Array;
  /** Sectors of a discard, from 1; nothing for others. */
  readonly sectors?: number;
  /** A discard may leave no copy; false. */
  readonly isSecure?: boolean;
  readonly completion: BlockCompletion;
}

/** What a {@link Blkfront} is made from. */
export interface BlkfrontOptions {
  readonly memory: DomainMemory;
  readonly grants: GuestGrants;
  /** The back end's domid; 0. */
  readonly backend?: number;
  /** The virtual device's number, as in `device/vbd/<number>`. */
  readonly handle: number;
  /** The domain's shape; 64-bit. */
  readonly abi?: BlockAbi;
  /** Rings the back end. */
  readonly notifier: Notifier;
  /** Requests that may wait for a place on the ring; 128. */
  readonly queueLimit?: number;
  /** Of its kernel; a current one's. */
  readonly behaviour?: BlockBehaviour;
}

/** What a back end says of discard: `discard-granularity`, `-alignment` and `-secure`. */
export interface DiscardFeature extends DiscardUnit {
  readonly isSecure: boolean;
}

/** What a back end says that it can, in its nodes. */
export interface BackFeatures {
  /** `feature-persistent`: it keeps grants mapped. */
  readonly isPersistent: boolean;
  /** `feature-max-indirect-segments`; 0 for none. */
  readonly indirectSegments: number;
  /** `feature-discard`; `null` without. */
  readonly discard: DiscardFeature | null;
}

/** What a front end was asked and has no answer for: what its memory keeps of it. */
export interface UnansweredRequests {
  /** Those on the ring, in the order of their ids. */
  readonly placed: readonly BlockRequest[];
  /** Those that waited for a place, in their order. */
  readonly queued: readonly BlockRequest[];
}

/** What is remembered of a request on the ring, by its id. */
interface Shadow {
  request: BlockRequest | null;
  readonly refs: number[];
  readonly frames: number[];
  next: number;
}

/** One virtual disk's front end. */
export class Blkfront implements UpcallHandler {
  readonly abi: BlockAbi;
  /** Reference of the ring, for the node `ring-ref`. */
  readonly ringRef: number;
  /** True once an answer came that fits no request: nothing is asked any more. */
  isBroken = false;
  readonly #memory: DomainMemory;
  readonly #pages: GrantedFrames;
  readonly #handle: number;
  readonly #notifier: Notifier;
  readonly #queueLimit: number;
  readonly #behaviour: BlockBehaviour;
  readonly #ring: FrontRing;
  readonly #shadows: Shadow[];
  #freeShadow = 0;
  #isStopped = false;
  #isClosed = false;
  readonly #queue: BlockRequest[] = [];
  #mostSegments = MAX_SEGMENTS;
  #discard: DiscardFeature | null = null;

  /** @throws {OptionError} if the domain has no frame or reference left for the ring. */
  constructor(options: BlkfrontOptions) {
    const { memory, grants, backend = 0, handle, abi = BLOCK_ABI_64 } = options;
    const gfn = memory.allocate();
    if (gfn < 0) throw new OptionError("memory", memory.pages, "a free frame");
    initializeRing(memory, gfn);
    this.#ring = new FrontRing({ memory, gfn, entryOctets: abi.entryOctets });
    this.ringRef = grants.grant(backend, gfn, false);
    if (this.ringRef < 0) throw new OptionError("grants", grants.available, "a free reference");
    this.abi = abi;
    this.#memory = memory;
    this.#pages = new GrantedFrames({ memory, grants, backend });
    this.#handle = handle;
    this.#notifier = options.notifier;
    this.#queueLimit = options.queueLimit ?? 128;
    this.#behaviour = options.behaviour ?? BLOCKS_6;
    this.#shadows = Array.from({ length: this.#ring.entries }, (_, id) => ({
      request: null,
      refs: [],
      frames: [],
      next: id + 1,
    }));
  }

  /** Requests that wait for their answer. */
  get outstanding(): number {
    return this.#ring.entries - this.#ring.free;
  }

  /** Requests that wait for a place on the ring. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Frames that the back end did not let go when it answered: they are never used again. */
  get lostFrames(): number {
    return this.#pages.lost;
  }

  /** What a discard lets go of; `null` where there is none, or the back end refused one. */
  get discard(): DiscardFeature | null {
    return this.#discard;
  }

  /** Octets that one request moves at most. */
  get mostOctets(): number {
    return this.#mostSegments * FRAME_OCTETS;
  }

  /** The back end is connected, and can so much; nothing beyond blkif's first shape before. */
  negotiate({ isPersistent, indirectSegments, discard }: BackFeatures): void {
    const { indirectSegments: own, persistentGrants, hasDiscard } = this.#behaviour;
    this.#pages.isPersistent = isPersistent && persistentGrants > 0;
    this.#discard = hasDiscard ? discard : null;
    this.#mostSegments = Math.max(MAX_SEGMENTS, Math.min(indirectSegments, own.front));
  }

  /**
   * Put a request on the ring, or in the queue while that is full, and ring the back end if it
   * sleeps. A discard that it does not offer ends at once with `notSupported`.
   * @returns false, with nothing done, if the queue is full, too, or it was stopped.
   * @throws {OptionError} if the octets are no whole sectors or too many, or a discard of none.
   */
  submit(request: BlockRequest, now: Instant): boolean {
    const isDiscard = request.operation === BlockOp.discard;
    this.#check(request, isDiscard);
    if (this.isBroken || this.#isStopped) return false;
    if (isDiscard && (this.#discard === null || (request.isSecure && !this.#discard.isSecure))) {
      request.completion.completed(BlockStatus.notSupported, now);
      return true;
    }
    if (this.#queue.length > 0 || !this.#place(request)) {
      if (this.#queue.length >= this.#queueLimit || this.outstanding === 0) return false;
      this.#queue.push(request);
    }
    this.#kick(now);
    return true;
  }

  /** Answers are there. */
  upcall(now: Instant): void {
    do {
      while (this.#ring.unconsumed !== 0 && !this.isBroken) {
        const { view } = this.#memory;
        const at = this.#ring.take();
        const id = BLOCK_RESPONSE.idLow.get(view, at);
        const status = (BLOCK_RESPONSE.status.get(view, at) << 16) >> 16;
        const shadow = BLOCK_RESPONSE.idHigh.get(view, at) === 0 ? this.#shadows[id] : undefined;
        const request = shadow?.request ?? null;
        if (shadow === undefined || request === null) this.isBroken = true;
        else this.#complete(id, shadow, request, status, now);
      }
    } while (!this.isBroken && this.#ring.finalCheck());
    this.#drain(now);
  }

  /** The back end closes: nothing more is asked. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * The back end is gone: whatever is on the ring or waits ends with an error, the ring's grant is
   * taken back. @returns false if the back end still maps something; its frames are lost.
   */
  close(now: Instant): boolean {
    const { placed, queued } = this.suspend();
    for (const { completion } of [...placed, ...queued]) {
      completion.completed(BlockStatus.error, now);
    }
    return this.lostFrames === 0;
  }

  /**
   * The domain suspends: the ring is of no use any more, and what was asked has to be asked again
   * by the front end that {@link recover}s it. @returns the requests, the caller's now.
   */
  suspend(): UnansweredRequests {
    this.isBroken = true;
    const placed: BlockRequest[] = [];
    this.#shadows.forEach((shadow, id) => {
      if (shadow.request === null) return;
      placed.push(shadow.request);
      this.#release(id, shadow);
    });
    const queued = this.#queue.splice(0);
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#pages.free(this.ringRef, this.#ring.gfn);
    }
    this.#pages.freeAll();
    return { placed, queued };
  }

  /**
   * Connected anew after a restore: ask again for what another front end left unanswered
   * (`blkif_recover`). Whether it was done already, nobody can tell: it is done again.
   */
  recover({ placed, queued }: UnansweredRequests, now: Instant): void {
    const holdsData = ({ operation }: BlockRequest): boolean =>
      operation === BlockOp.read || operation === BlockOp.write;
    const requests =
      this.#behaviour.recovery === "shadow"
        ? [...placed, ...queued]
        : [
            ...placed.filter((request) => holdsData(request)),
            ...queued,
            ...placed.filter((request) => !holdsData(request)).toReversed(),
          ];
    for (const request of requests) {
      if (this.#queue.length > 0 || !this.#place(request)) this.#queue.push(request);
    }
    this.#kick(now);
  }

  /** Publish what stands on the ring. */
  #kick(now: Instant): void {
    if (this.#ring.push()) this.#notifier.notify(now);
  }

  #check({ operation, octets: { length }, sectors = 0 }: BlockRequest, isDiscard: boolean): void {
    if (isDiscard && !(Number.isSafeInteger(sectors) && sectors >= 1)) {
      throw new OptionError("sectors", sectors, "sectors from 1");
    }
    const { mostOctets } = this;
    const least = isDiscard || operation === BlockOp.flush ? 0 : SECTOR_OCTETS;
    const most = isDiscard ? 0 : mostOctets;
    if (length % SECTOR_OCTETS !== 0 || length > most || length < least) {
      throw new OptionError("octets", length, `whole sectors, up to ${most} octets`);
    }
  }

  /** What waited goes on the ring as far as there is room. */
  #drain(now: Instant): void {
    if (this.#queue.length === 0 || this.isBroken) return;
    let placed = 0;
    for (const request of this.#queue) {
      if (!this.#place(request)) break;
      placed += 1;
    }
    this.#queue.splice(0, placed);
    if (placed > 0) this.#kick(now);
  }

  /** @returns false if the ring is full, or frames or references are lacking. */
  #place(request: BlockRequest): boolean {
    const { operation, sector, octets } = request;
    const id = this.#freeShadow;
    const shadow = this.#shadows[id];
    if (shadow === undefined || this.#ring.free === 0) return false;
    const count = Math.ceil(octets.length / FRAME_OCTETS);
    const isIndirect = count > MAX_SEGMENTS;
    const isReadonly = operation !== BlockOp.read && this.#behaviour.grantsReadonly;
    // The page of indirect segments is the last one.
    const pages = isIndirect ? count + 1 : count;
    if (!this.#pages.take(shadow.refs, shadow.frames, pages, isReadonly)) return false;
    this.#freeShadow = shadow.next;
    shadow.request = request;
    const { view } = this.#memory;
    const at = this.#ring.reserve();
    const { request: fields, indirect, segments } = this.abi;
    fields.operation.set(view, at, isIndirect ? BlockOp.indirect : operation);
    const shape = isIndirect ? indirect : fields;
    if (operation === BlockOp.discard) this.#writeDiscard(at, request);
    else shape.segmentCount.set(view, at, count);
    shape.handle.set(view, at, this.#handle);
    fields.idLow.set(view, at, id);
    fields.idHigh.set(view, at, 0);
    fields.sectorLow.set(view, at, sector >>> 0);
    fields.sectorHigh.set(view, at, Math.floor(sector / 2 ** 32));
    if (isIndirect) {
      indirect.operation.set(view, at, operation);
      indirect.gref.set(view, at, shadow.refs[count] ?? 0);
    }
    const first = isIndirect ? (shadow.frames[count] ?? 0) << FRAME_SHIFT : at + segments;
    this.#writeSegments(first, shadow, octets, operation !== BlockOp.read);
    return true;
  }

  #writeDiscard(at: number, { sectors = 0, isSecure = false }: BlockRequest): void {
    const { view } = this.#memory;
    const { flag, sectorsLow, sectorsHigh } = this.abi.discard;
    flag.set(view, at, isSecure ? BlockDiscardFlag.secure : 0);
    sectorsLow.set(view, at, sectors >>> 0);
    sectorsHigh.set(view, at, Math.floor(sectors / 2 ** 32));
  }

  /** Name the pages of a request from `first` on, and put there what is written. */
  #writeSegments(
    first: number,
    { refs, frames }: Shadow,
    octets: Uint8Array,
    isWrite: boolean,
  ): void {
    const { bytes, view } = this.#memory;
    for (let index = 0; index * FRAME_OCTETS < octets.length; index += 1) {
      const from = index * FRAME_OCTETS;
      const until = Math.min(octets.length, from + FRAME_OCTETS);
      const segment = first + index * SEGMENT_OCTETS;
      BLOCK_SEGMENT.gref.set(view, segment, refs[index] ?? 0);
      BLOCK_SEGMENT.firstSector.set(view, segment, 0);
      BLOCK_SEGMENT.lastSector.set(view, segment, (until - from) / SECTOR_OCTETS - 1);
      if (isWrite) bytes.set(octets.subarray(from, until), (frames[index] ?? 0) << FRAME_SHIFT);
    }
  }

  #complete(id: number, shadow: Shadow, request: BlockRequest, status: number, now: Instant): void {
    const { operation, octets } = request;
    if (operation === BlockOp.read && status === BlockStatus.okay) {
      const { bytes } = this.#memory;
      for (let from = 0; from < octets.length; from += FRAME_OCTETS) {
        const first = (shadow.frames[from >> FRAME_SHIFT] ?? 0) << FRAME_SHIFT;
        const count = Math.min(octets.length - from, FRAME_OCTETS);
        octets.set(bytes.subarray(first, first + count), from);
      }
    }
    // A back end may refuse at any time what it offered: it is not asked again.
    const isRefused = operation === BlockOp.discard && status === BlockStatus.notSupported;
    if (isRefused) this.#discard = null;
    this.#release(id, shadow);
    request.completion.completed(status, now);
  }

  /** Take the frames and grants of a request back, and its id. */
  #release(id: number, shadow: Shadow): void {
    this.#pages.giveBack(shadow.refs, shadow.frames);
    shadow.request = null;
    shadow.next = this.#freeShadow;
    this.#freeShadow = id;
  }
}
