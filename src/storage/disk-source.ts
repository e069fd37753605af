/**
 * Where a host's disks lie: in memory, or where the program that runs the zone keeps them.
 * @module
 */
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

/** Makes disks and takes them back. */
export interface DiskSource {
  /** The disk at `place`: what was kept of it, or zeros. */
  open(place: DiskPlace): BlockDevice;
  /** Nobody uses `disk` any more, and what it held is gone. */
  discard(place: DiskPlace, disk: BlockDevice): void;
}

/** Disks of zeros that end with the zone. */
export const MEMORY_DISKS: DiskSource = {
  open: ({ sectors }) => new MemoryDisk({ sectors }),
  discard: () => {},
};
