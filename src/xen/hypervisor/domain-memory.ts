/**
 * One domain's memory that input and output touch: frames of 4,096 octets, as Xen counts them.
 *
 * Each domain has a buffer of its own, so no offset leads from one into another; what crosses does
 * so by the grant table. A buffer may be shared with the thread in which the domain runs.
 * @module
 */
import { NO_BYTES } from "../../base/first-values.ts";
import { RangeFault, OptionError } from "../../base/errors.ts";
import { viewOf } from "../../wire/field.ts";

/** Octets of a frame. */
export const FRAME_OCTETS = 4096;
/** `gfn << FRAME_SHIFT` is the first octet of a frame. */
export const FRAME_SHIFT = 12;
/** Shift from a frame number to its first word in {@link DomainMemory.words}. */
export const FRAME_WORD_SHIFT = 10;
/** The first domid that names no domain: `DOMID_FIRST_RESERVED`. */
export const DOMID_FIRST_RESERVED = 0x7ff0;
/** The caller's own domid, whatever it is: `DOMID_SELF`. */
export const DOMID_SELF = 0x7ff0;
/** 16 MiB: two vifs and ten vbds with every ring full. */
const DEFAULT_PAGES = 4096;

/** What a {@link DomainMemory} is made from. */
export interface DomainMemoryOptions {
  /** 0 to 32,751. */
  readonly domid: number;
  /** Frames, 1 to 262,144; 4,096 unless `buffer` says it. What nobody wrote to costs no memory. */
  readonly pages?: number;
  /** True: the buffer is a new `SharedArrayBuffer`. */
  readonly isShared?: boolean;
  /** The memory of a domain that runs in several threads: each makes its object from it. */
  readonly buffer?: SharedArrayBuffer | null;
  /** Frames from 0 on that another thread allocated before it left the rest to this one; 0. */
  readonly taken?: number;
}

/** Frames 0 to `pages` - 1 and the allocator of the domain's kernel, which is its own affair. */
export class DomainMemory {
  declare readonly domid: number;
  /** Frames. */
  declare readonly pages: number;
  /** True if another thread may read and write at the same time. */
  declare readonly isShared: boolean;
  /** All frames one after the other. */
  declare readonly bytes: Uint8Array;
  /** The same octets as little-endian words: indices of rings, bits of event channels. */
  declare readonly words: Int32Array;
  /** The same octets as words of eight, for copies. */
  declare readonly longs: BigInt64Array;
  /** The same octets. */
  declare readonly view: DataView;
  #fresh = 0;
  readonly #freed: number[] = [];
  readonly #isTaken: Uint8Array = NO_BYTES;

  constructor(options: DomainMemoryOptions) {
    const { domid, pages, isShared = false, buffer = null, taken = 0 } = options;
    if (!Number.isInteger(domid) || domid < 0 || domid >= DOMID_FIRST_RESERVED) {
      throw new OptionError("domid", domid, `0 to ${DOMID_FIRST_RESERVED - 1}`);
    }
    const size = pages ?? (buffer === null ? DEFAULT_PAGES : buffer.byteLength / FRAME_OCTETS);
    if (!Number.isInteger(size) || size < 1 || size > 2 ** 18) {
      throw new OptionError("pages", size, "1 to 262144");
    }
    if (buffer !== null && buffer.byteLength !== size * FRAME_OCTETS) {
      throw new OptionError("buffer", buffer.byteLength, `${size} frames of ${FRAME_OCTETS}`);
    }
    if (!Number.isInteger(taken) || taken < 0 || taken > size) {
      throw new OptionError("taken", taken, `0 to ${size}`);
    }
    this.domid = domid;
    this.pages = size;
    this.isShared = isShared || buffer !== null;
    const octets = size * FRAME_OCTETS;
    const whole = buffer ?? (isShared ? new SharedArrayBuffer(octets) : new ArrayBuffer(octets));
    this.bytes = new Uint8Array(whole);
    this.words = new Int32Array(whole);
    this.longs = new BigInt64Array(whole);
    this.view = viewOf(this.bytes);
    this.#isTaken = new Uint8Array(size).fill(1, 0, taken);
    this.#fresh = taken;
  }

  /** Frames that are allocated. */
  get allocated(): number {
    return this.#fresh - this.#freed.length;
  }

  /** A frame of zeros. @returns its number; -1 if all are taken. */
  allocate(): number {
    let gfn = this.#freed.pop() ?? -1;
    if (gfn >= 0) {
      this.bytes.fill(0, gfn << FRAME_SHIFT, (gfn + 1) << FRAME_SHIFT);
    } else if (this.#fresh < this.pages) {
      gfn = this.#fresh;
      this.#fresh += 1;
    } else {
      return -1;
    }
    this.#isTaken[gfn] = 1;
    return gfn;
  }

  /** Give a frame back. @throws {RangeFault} if it is not allocated. */
  free(gfn: number): void {
    if (this.#isTaken[gfn] !== 1) throw new RangeFault("frame", gfn, "an allocated frame");
    this.#isTaken[gfn] = 0;
    this.#freed.push(gfn);
  }
}
