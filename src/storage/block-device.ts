/**
 * Block devices: sectors of 512 octets that can be read and written, and one in memory.
 * @module
 */
import { OptionError } from "../base/errors.ts";

/** Octets of a sector, which is how Xen counts whatever a disk's own sectors are. */
export const SECTOR_OCTETS = 512;
/** One petabyte: what a disk may have at most. */
export const MAX_SECTORS = 2 ** 41;

/** What a disk answers, as Linux numbers errors. */
export const DiskStatus = {
  okay: 0,
  /** The medium failed, or is full. */
  ioError: -5,
  /** Not all of it lies on the disk; nothing was done. */
  beyondEnd: -22,
  /** A write to a disk that may only be read; nothing was done. */
  isReadonly: -30,
  /** The disk has no such ability; nothing was done. */
  notSupported: -95,
} as const;
export type DiskStatus = (typeof DiskStatus)[keyof typeof DiskStatus];

/** What a disk lets go of at once when it is told to discard. */
export interface DiscardUnit {
  /** Octets; whole sectors. What is not a whole unit frees nothing by itself. */
  readonly granularity: number;
  /** Octets from the disk's beginning to its first whole unit. */
  readonly alignment: number;
}

/** A disk. What it does is done when the call returns. */
export interface BlockDevice {
  readonly sectors: number;
  readonly isReadonly: boolean;
  /** `null`: it cannot discard, and answers `notSupported`. */
  readonly discardUnit: DiscardUnit | null;
  /** Fill `into`, whole sectors, from `sector` on. `into` is borrowed until return. */
  read(sector: number, into: Uint8Array): DiskStatus;
  /** Write `from`, whole sectors, from `sector` on. `from` is borrowed until return. */
  write(sector: number, from: Uint8Array): DiskStatus;
  /**
   * Nobody needs `count` sectors from `sector` on any more: zeros are read there until they are
   * written again, and no other sector changes, whatever the unit is.
   */
  discard(sector: number, count: number): DiskStatus;
  /** All that was written before is on the medium. */
  flush(): DiskStatus;
}

/** What is wrong with an access of `octets` at `sector`, for every disk alike; okay if nothing. */
export function checkAccess(
  disk: BlockDevice,
  sector: number,
  octets: number,
  isWrite: boolean,
): DiskStatus {
  const count = octets / SECTOR_OCTETS;
  const isOnDisk = count >= 0 && sector >= 0 && sector + count <= disk.sectors;
  if (!Number.isInteger(count) || !isOnDisk) return DiskStatus.beyondEnd;
  return isWrite && disk.isReadonly ? DiskStatus.isReadonly : DiskStatus.okay;
}

/** What a {@link MemoryDisk} is made from. */
export interface MemoryDiskOptions {
  /** 1 to 2^41. */
  readonly sectors: number;
  readonly isReadonly?: boolean;
  /** Octets that may be kept; a write that needs more is an I/O error. 1 GiB. */
  readonly limit?: number;
  /** Its octets are those of this disk, as far as it goes; the two share them from now on. */
  readonly shared?: MemoryDisk | null;
}

/** 64 KiB: what a first write to a place makes resident. */
const CHUNK_OCTETS = 65_536;
const CHUNK_SECTORS = CHUNK_OCTETS / SECTOR_OCTETS;
/** As a loop device on a file system of 4 KiB blocks has it: a chunk of zeros alone goes. */
const DISCARD_UNIT: DiscardUnit = { granularity: 4096, alignment: 0 };

/** A disk of zeros that keeps what is written to it. */
export class MemoryDisk implements BlockDevice {
  readonly sectors: number;
  readonly isReadonly: boolean;
  readonly discardUnit = DISCARD_UNIT;
  readonly limit: number;
  readonly #chunks: Map<number, Uint8Array>;

  constructor(options: MemoryDiskOptions) {
    const { sectors, isReadonly = false, limit = 2 ** 30, shared = null } = options;
    if (!Number.isInteger(sectors) || sectors < 1 || sectors > MAX_SECTORS) {
      throw new OptionError("sectors", sectors, "1 to 2^41");
    }
    if (!(limit >= 0)) throw new OptionError("limit", limit, "octets from 0");
    this.sectors = sectors;
    this.isReadonly = isReadonly;
    this.limit = limit;
    this.#chunks = shared === null ? new Map<number, Uint8Array>() : shared.#chunks;
  }

  /** Octets that are kept in memory. */
  get resident(): number {
    return this.#chunks.size * CHUNK_OCTETS;
  }

  read(sector: number, into: Uint8Array): DiskStatus {
    const status = checkAccess(this, sector, into.length, false);
    if (status !== DiskStatus.okay) return status;
    for (let done = 0, at = sector; done < into.length;) {
      const first = (at % CHUNK_SECTORS) * SECTOR_OCTETS;
      const count = Math.min(into.length - done, CHUNK_OCTETS - first);
      const chunk = this.#chunks.get(Math.floor(at / CHUNK_SECTORS));
      if (chunk === undefined) into.fill(0, done, done + count);
      else into.set(chunk.subarray(first, first + count), done);
      done += count;
      at += count / SECTOR_OCTETS;
    }
    return DiskStatus.okay;
  }

  write(sector: number, from: Uint8Array): DiskStatus {
    const status = checkAccess(this, sector, from.length, true);
    if (status !== DiskStatus.okay) return status;
    for (let done = 0, at = sector; done < from.length;) {
      const first = (at % CHUNK_SECTORS) * SECTOR_OCTETS;
      const count = Math.min(from.length - done, CHUNK_OCTETS - first);
      const chunk = this.#chunkAt(Math.floor(at / CHUNK_SECTORS));
      if (chunk === null) return DiskStatus.ioError;
      chunk.set(count === from.length ? from : from.subarray(done, done + count), first);
      done += count;
      at += count / SECTOR_OCTETS;
    }
    return DiskStatus.okay;
  }

  discard(sector: number, count: number): DiskStatus {
    const status = checkAccess(this, sector, count * SECTOR_OCTETS, true);
    if (status !== DiskStatus.okay || count === 0) return status;
    const end = sector + count;
    const first = Math.floor(sector / CHUNK_SECTORS);
    const last = Math.floor((end - 1) / CHUNK_SECTORS);
    if (last - first < this.#chunks.size) {
      for (let index = first; index <= last; index += 1) this.#clear(index, sector, end);
    } else {
      for (const index of this.#chunks.keys()) {
        if (index >= first && index <= last) this.#clear(index, sector, end);
      }
    }
    return DiskStatus.okay;
  }

  flush(): DiskStatus {
    return DiskStatus.okay;
  }

  /** A chunk's sectors from `sector` up to `end` become zeros; it goes if it holds nothing else. */
  #clear(index: number, sector: number, end: number): void {
    const chunk = this.#chunks.get(index);
    if (chunk === undefined) return;
    const from = Math.max(sector - index * CHUNK_SECTORS, 0);
    const until = Math.min(end - index * CHUNK_SECTORS, CHUNK_SECTORS);
    chunk.fill(0, from * SECTOR_OCTETS, until * SECTOR_OCTETS);
    if (until - from === CHUNK_SECTORS || isZeros(chunk)) this.#chunks.delete(index);
  }

  #chunkAt(index: number): Uint8Array | null {
    const found = this.#chunks.get(index);
    if (found !== undefined) return found;
    if (this.resident + CHUNK_OCTETS > this.limit) return null;
    const chunk = new Uint8Array(CHUNK_OCTETS);
    this.#chunks.set(index, chunk);
    return chunk;
  }
}

/** True if a chunk holds nothing. */
function isZeros(chunk: Uint8Array): boolean {
  const words = new Uint32Array(chunk.buffer);
  for (let index = 0; index < words.length; index += 1) {
    if (words[index] !== 0) return false;
  }
  return true;
}
