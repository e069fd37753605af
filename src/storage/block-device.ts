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
} as const;
export type DiskStatus = (typeof DiskStatus)[keyof typeof DiskStatus];

/** A disk. What it does is done when the call returns. */
export interface BlockDevice {
  readonly sectors: number;
  readonly isReadonly: boolean;
  /** Fill `into`, whole sectors, from `sector` on. `into` is borrowed until return. */
  read(sector: number, into: Uint8Array): DiskStatus;
  /** Write `from`, whole sectors, from `sector` on. `from` is borrowed until return. */
  write(sector: number, from: Uint8Array): DiskStatus;
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
  if (!Number.isInteger(count) || !(sector >= 0 && sector + count <= disk.sectors)) {
    return DiskStatus.beyondEnd;
  }
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

/** A disk of zeros that keeps what is written to it. */
export class MemoryDisk implements BlockDevice {
  readonly sectors: number;
  readonly isReadonly: boolean;
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

  flush(): DiskStatus {
    return DiskStatus.okay;
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
