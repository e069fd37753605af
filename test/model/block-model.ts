/**
 * What blkback does with one request, naively: the disk and the guest's pages are arrays, numbers
 * are whole (Linux: xen-blkback/blkback.c of 6.1; 2.6.18-xen's).
 */

/** A request as a guest writes it, sound or not. */
export interface RawRequest {
  readonly operation: number;
  /** Of an indirect one. */
  readonly inner: number;
  /** What it says of its segments, or a discard's flag. */
  readonly count: number;
  readonly segments: readonly RawSegment[];
  /** True: an indirect one names a page that is granted. */
  readonly hasTable: boolean;
  readonly handle: number;
  /** Of 64 bits, as the next. */
  readonly sector: bigint;
  /** Of a discard. */
  readonly sectors: bigint;
}

/** A segment of a page: two that Dom0 may write to, one to read, one that is not granted. */
export interface RawSegment {
  readonly page: 0 | 1 | 2 | 3;
  readonly first: number;
  readonly last: number;
}

/** What the two ends are. */
export interface BlockModelOptions {
  readonly era: "2.6.18" | "6.1";
  readonly isReadonly: boolean;
  readonly canDiscard: boolean;
  readonly isPersistent: boolean;
}

const OKAY = 0;
const ERROR = -1;
const NOT_SUPPORTED = -2;
const READONLY_PAGE = 2;
const NO_PAGE = 3;

/** Disk, pages, and what becomes of them. */
export class BlockModel {
  readonly disk: Uint8Array;
  readonly pages: readonly Uint8Array[] = Array.from({ length: 3 }, () => new Uint8Array(4096));
  readonly #options: BlockModelOptions;

  constructor(sectors: number, options: BlockModelOptions) {
    this.disk = new Uint8Array(sectors * 512);
    this.#options = options;
  }

  /** @returns operation and status of the answer. */
  serve(request: RawRequest): readonly [number, number] {
    const { operation, inner } = request;
    const { era } = this.#options;
    if (era === "2.6.18") return [operation, operation < 2 ? this.#transfer(request, 11) : ERROR];
    if (operation === 6) {
      const isFound = inner < 2 && request.hasTable;
      return [inner, isFound ? this.#transfer({ ...request, operation: inner }, 256) : ERROR];
    }
    if (operation === 5) return [5, this.#discard(request)];
    return [operation, operation < 4 ? this.#transfer(request, 11) : NOT_SUPPORTED];
  }

  /** `xen_vbd_translate`: nothing lies everywhere. */
  #isAllowed(isWrite: boolean, sector: bigint, count: bigint): boolean {
    if (isWrite && this.#options.isReadonly) return false;
    return count === 0n || (sector + count) * 512n <= BigInt(this.disk.length);
  }

  #discard({ sector, sectors }: RawRequest): number {
    if (!this.#isAllowed(true, sector, sectors)) return ERROR;
    if (!this.#options.canDiscard) return NOT_SUPPORTED;
    if (sectors === 0n) return ERROR;
    this.disk.fill(0, Number(sector) * 512, Number(sector + sectors) * 512);
    return OKAY;
  }

  #transfer({ operation, count, segments, sector }: RawRequest, most: number): number {
    const isWrite = operation !== 0;
    if ((count === 0 && operation < 2) || count > most) return ERROR;
    const used = segments.slice(0, count);
    if (used.some(({ first, last }) => last > 7 || last < first)) return ERROR;
    const total = used.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    if (!this.#isAllowed(isWrite, sector, BigInt(total))) return ERROR;
    // What stays mapped must be writable, whatever is asked.
    const mustWrite = !isWrite || this.#options.isPersistent;
    if (used.some(({ page }) => page === NO_PAGE)) return ERROR;
    if (mustWrite && used.some(({ page }) => page === READONLY_PAGE)) return ERROR;
    let at = Number(sector) * 512;
    for (const { page, first, last } of used) {
      const part = this.pages[page]?.subarray(first * 512, (last + 1) * 512) ?? new Uint8Array();
      if (isWrite) this.disk.set(part, at);
      else part.set(this.disk.subarray(at, at + part.length));
      at += part.length;
    }
    return OKAY;
  }
}
