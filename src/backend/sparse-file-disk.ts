/** A disk in a sparse file: it takes as much of the medium as was written to it. @module */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { OptionError } from "../base/errors.ts";
import {
  type BlockDevice,
  checkAccess,
  DiskStatus,
  MAX_SECTORS,
  SECTOR_OCTETS,
} from "../storage/block-device.ts";

/** What a {@link SparseFileDisk} is made from. */
export interface SparseFileDiskOptions {
  /**
   * Made, for its owner alone, if it is not there. A shorter file gets the disk's length; of a
   * longer one the disk is the beginning, and the rest stays as it is.
   */
  readonly path: string;
  /** 1 to 2^41. */
  readonly sectors: number;
  readonly isReadonly?: boolean;
}

/** A link is not followed: two names of one file would be two disks. Nor does a FIFO hold us up. */
const OPEN_FLAGS =
  constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Calls of the file system return when they are done, as a {@link BlockDevice} must.
 *
 * It does not offer discard: Node.js has no call that makes a hole in a file, and zeros in the
 * place of one would fill the medium that a discard is to relieve.
 */
export class SparseFileDisk implements BlockDevice {
  readonly path: string;
  readonly sectors: number;
  readonly isReadonly: boolean;
  readonly discardUnit = null;
  /** -1 once it is closed. */
  #file: number;

  /**
   * @throws {OptionError} if the path is no plain file, or the number of sectors is out of range;
   * and what the system says.
   */
  constructor({ path, sectors, isReadonly = false }: SparseFileDiskOptions) {
    if (!Number.isInteger(sectors) || sectors < 1 || sectors > MAX_SECTORS) {
      throw new OptionError("sectors", sectors, "1 to 2^41");
    }
    this.path = path;
    this.sectors = sectors;
    this.isReadonly = isReadonly;
    this.#file = openSync(path, OPEN_FLAGS, 0o600);
    try {
      const found = fstatSync(this.#file);
      if (!found.isFile()) throw new OptionError("path", path, "a plain file");
      const octets = sectors * SECTOR_OCTETS;
      if (found.size < octets) ftruncateSync(this.#file, octets);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Octets that the file takes of the medium. */
  get resident(): number {
    return fstatSync(this.#file).blocks * SECTOR_OCTETS;
  }

  read(sector: number, into: Uint8Array): DiskStatus {
    const status = checkAccess(this, sector, into.length, false);
    if (status !== DiskStatus.okay) return status;
    return transfer(into.length, (done) =>
      readSync(this.#file, into, done, into.length - done, sector * SECTOR_OCTETS + done),
    );
  }

  write(sector: number, from: Uint8Array): DiskStatus {
    const status = checkAccess(this, sector, from.length, true);
    if (status !== DiskStatus.okay) return status;
    return transfer(from.length, (done) =>
      writeSync(this.#file, from, done, from.length - done, sector * SECTOR_OCTETS + done),
    );
  }

  discard(): DiskStatus {
    return DiskStatus.notSupported;
  }

  flush(): DiskStatus {
    try {
      fsyncSync(this.#file);
      return DiskStatus.okay;
    } catch {
      return DiskStatus.ioError;
    }
  }

  /** Let go of the file, which stays; what is asked of the disk then is an I/O error. */
  close(): void {
    if (this.#file < 0) return;
    closeSync(this.#file);
    this.#file = -1;
  }

  /** As {@link close}, and the file goes; if it may not, what it held goes. */
  remove(): void {
    if (this.#file < 0) return;
    try {
      const own = fstatSync(this.#file);
      const found = lstatSync(this.path);
      // Somebody else's file in its place stays.
      if (found.ino === own.ino && found.dev === own.dev) unlinkSync(this.path);
    } catch {
      this.#empty();
    } finally {
      this.close();
    }
  }

  #empty(): void {
    try {
      ftruncateSync(this.#file, 0);
    } catch {
      // A medium that can neither forget nor be written to keeps it.
    }
  }
}

/** Move `length` octets, however few each `step` moves. */
function transfer(length: number, step: (done: number) => number): DiskStatus {
  try {
    for (let done = 0; done < length;) {
      const moved = step(done);
      // Somebody made the file shorter behind our back, or nothing more fits.
      if (moved === 0) return DiskStatus.ioError;
      done += moved;
    }
    return DiskStatus.okay;
  } catch {
    return DiskStatus.ioError;
  }
}
