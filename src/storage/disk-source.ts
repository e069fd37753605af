/**
 * Where a host's disks lie: in memory, or where the program that runs the zone keeps them.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type BlockDevice, MemoryDisk } from "./block-device.ts";

/** Which disk is meant. */
export interface DiskPlace {
  /** The host's name. */
  readonly host: string;
  /** The disk's name in Dom0: "/mnt/instance_image_store_3/262768". */
  readonly path: string;
  /** Of 512 octets. */
  readonly sectors: number;
}

/** Makes disks and takes them back. A place's disk is open once at most. */
export interface DiskSource {
  /**
   * The disk at `place`: what was kept of it, then zeros.
   * @throws {OptionError} if it is open; {EmulatorError} if it cannot be had.
   */
  open(place: DiskPlace): BlockDevice;
  /** Nobody uses the disk for now; what it holds stays. Nothing if it is not open. */
  close(place: DiskPlace): void;
  /** Nobody uses the disk any more, and what it held is gone. Nothing if it is not open. */
  discard(place: DiskPlace): void;
}

/** @throws {OptionError} always: the disk at `place` is open. */
export function refuseOpen({ host, path }: DiskPlace): never {
  throw new OptionError("path", `${host}:${path}`, "a disk that is not open");
}

/** Disks in memory, of zeros at first; they end with their owner. */
export class MemoryDisks implements DiskSource {
  readonly #disks = new Map<string, MemoryDisk>();
  readonly #open = new Set<string>();

  open(place: DiskPlace): MemoryDisk {
    const key = keyOf(place);
    if (this.#open.has(key)) refuseOpen(place);
    const shared = this.#disks.get(key) ?? null;
    const disk = new MemoryDisk({ sectors: place.sectors, shared });
    this.#disks.set(key, disk);
    this.#open.add(key);
    return disk;
  }

  close(place: DiskPlace): void {
    this.#open.delete(keyOf(place));
  }

  discard(place: DiskPlace): void {
    if (this.#open.delete(keyOf(place))) this.#disks.delete(keyOf(place));
  }
}

/** No name has a NUL in it. */
const keyOf = ({ host, path }: DiskPlace): string => `${host}\0${path}`;
