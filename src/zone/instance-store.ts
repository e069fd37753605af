/**
 * The disks that a host keeps for its domains, as the seed document found them: an image in a file,
 * an ephemeral and a swap volume of LVM, and block devices of the network. Each stands on a plain
 * disk of the size that consoles of the time show.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { BlockDevice } from "../storage/block-device.ts";
import type { DiskPlace, DiskSource } from "../storage/disk-source.ts";
import { HostBlockDevices } from "../xen/toolstack/host-block-devices.ts";
import type { DiskConfig } from "../xen/toolstack/toolstack.ts";

/** EC2 2010, m1.small: 10 GiB, 149.1 GiB in extents of 4 MiB, 896 MiB; in sectors. */
const ROOT_SECTORS = 20_971_520;
const EPHEMERAL_SECTORS = 312_705_024;
const SWAP_SECTORS = 1_835_008;
/** The seed document's domain has the fourth place of its host, image 262768 and loop13. */
const FIRST_SLOT = 3;
const FIRST_IMAGE = 262_768;
const BUSY_LOOPS = 13;
/** Deviation: Linux 2.6.18 has 256 at most; a test may have a thousand domains on one host. */
const LOOP_LIMIT = 2 ** 20;
/** device-mapper of the time; the network block devices' number is Linux's for local use. */
const DM_MAJOR = 253;
const GNBD_MAJOR = 251;
/** Numbers of two volumes for each place. */
const VOLUME_MINOR = 3;
/** A network block device's name has its number: one name for each. */
const VOLUME = /^\/dev\/gnbd(0|[1-9]\d{0,4})$/;

/** The place that a domain has on its host, and its disks. */
export interface InstanceDisks {
  readonly slot: number;
  readonly disks: readonly DiskConfig[];
}

/** What one of Dom0's files or block devices stands on. */
interface Backing {
  readonly path: string;
  readonly sectors: number;
  /** `null` for a file. */
  readonly numbers: { readonly major: number; readonly minor: number } | null;
}

/** Places of a host, each with an image, an ephemeral and a swap volume. */
export class InstanceStore {
  readonly devices = new HostBlockDevices<BlockDevice>({ limit: LOOP_LIMIT, busy: BUSY_LOOPS });
  readonly #host: string;
  readonly #source: DiskSource;
  readonly #taken = new Map<number, InstanceDisks>();
  /** Disks that are open, by their paths. */
  readonly #open = new Map<string, DiskPlace>();

  /** @param host its name. */
  constructor(host: string, source: DiskSource) {
    this.#host = host;
    this.#source = source;
  }

  /**
   * The lowest free place, with its disks.
   * @throws {EmulatorError} if one of them cannot be had: nothing is taken then.
   */
  take(): InstanceDisks {
    let slot = FIRST_SLOT;
    while (this.#taken.has(slot)) slot += 1;
    const backings = backingsOf(slot);
    const [image, ephemeral, swap] = backings;
    const added: Backing[] = [];
    try {
      for (const backing of backings) {
        this.#add(backing);
        added.push(backing);
      }
    } catch (error) {
      for (const { path } of added) this.#remove(path, "close");
      throw error;
    }
    const instance: InstanceDisks = {
      slot,
      disks: [
        { dev: "sda1", type: "file", params: image.path, mode: "w" },
        { dev: "sda2", type: "phy", params: ephemeral.path, mode: "w" },
        { dev: "sda3", type: "phy", params: swap.path, mode: "w" },
      ],
    };
    this.#taken.set(slot, instance);
    return instance;
  }

  /** The place is free; what its disks held is gone. */
  release(instance: InstanceDisks): void {
    this.#free(instance, "discard");
  }

  /** The place is free, for its domain never ran; what its disks held from before stays. */
  giveBack(instance: InstanceDisks): void {
    this.#free(instance, "close");
  }

  /**
   * A network block device that Dom0 has imported, such as "/dev/gnbd89".
   * @throws {OptionError} if the name is another, or taken; as its {@link DiskSource}.
   */
  importVolume(path: string, sectors: number): void {
    const [, minor] = VOLUME.exec(path) ?? [];
    if (minor === undefined) throw new OptionError("params", path, "a name such as /dev/gnbd89");
    this.#add({ path, sectors, numbers: { major: GNBD_MAJOR, minor: Number(minor) } });
  }

  /** Dom0 has the block device no longer; what it holds stays where the disks are kept. */
  dropVolume(path: string): void {
    if (VOLUME.test(path)) this.#remove(path, "close");
  }

  #free(instance: InstanceDisks, how: "close" | "discard"): void {
    const { slot } = instance;
    // Whoever frees it twice must not free what others took since.
    if (this.#taken.get(slot) !== instance) return;
    this.#taken.delete(slot);
    for (const { path } of backingsOf(slot)) this.#remove(path, how);
  }

  #add({ path, sectors, numbers }: Backing): void {
    const { devices } = this;
    if (this.#open.has(path) || devices.hasFile(path) || devices.find(path) !== null) {
      throw new OptionError("path", path, "a path that is free");
    }
    const place = { host: this.#host, path, sectors };
    const disk = this.#source.open(place);
    this.#open.set(path, place);
    if (numbers === null) devices.addFile(path, disk);
    else devices.add(path, { node: path, ...numbers, disk });
  }

  #remove(path: string, how: "close" | "discard"): void {
    const place = this.#open.get(path);
    if (place === undefined) return;
    this.#open.delete(path);
    this.devices.remove(path);
    this.#source[how](place);
  }
}

/** The image, the ephemeral and the swap volume of a place. */
function backingsOf(slot: number): readonly [Backing, Backing, Backing] {
  const minor = VOLUME_MINOR + 2 * slot;
  return [
    {
      path: `/mnt/instance_image_store_${slot}/${FIRST_IMAGE + slot - FIRST_SLOT}`,
      sectors: ROOT_SECTORS,
      numbers: null,
    },
    {
      path: `/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_${slot}`,
      sectors: EPHEMERAL_SECTORS,
      numbers: { major: DM_MAJOR, minor },
    },
    {
      path: `/dev/VolGroupDomU/instance_swap_store_${slot}`,
      sectors: SWAP_SECTORS,
      numbers: { major: DM_MAJOR, minor: minor + 1 },
    },
  ];
}
