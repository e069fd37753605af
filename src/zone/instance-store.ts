/**
 * The disks that a host keeps for its domains, as the seed document found them: an image in a file,
 * an ephemeral and a swap volume of LVM, and block devices of the network. Each stands on a plain
 * disk of the size that consoles of the time show.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { BlockDevice } from "../storage/block-device.ts";
import type { DiskSource } from "../storage/disk-source.ts";
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

/** The place that a domain has on its host, and its disks. */
export interface InstanceDisks {
  readonly slot: number;
  readonly disks: readonly DiskConfig[];
}

/** Places of a host, each with an image, an ephemeral and a swap volume. */
export class InstanceStore {
  readonly devices = new HostBlockDevices<BlockDevice>({ limit: LOOP_LIMIT, busy: BUSY_LOOPS });
  readonly #host: string;
  readonly #source: DiskSource;
  readonly #taken = new Map<number, InstanceDisks>();
  readonly #opened = new Map<string, { readonly sectors: number; readonly disk: BlockDevice }>();

  /** @param host its name. */
  constructor(host: string, source: DiskSource) {
    this.#host = host;
    this.#source = source;
  }

  /** The lowest free place, with its disks. */
  take(): InstanceDisks {
    let slot = FIRST_SLOT;
    while (this.#taken.has(slot)) slot += 1;
    const image = `/mnt/instance_image_store_${slot}/${FIRST_IMAGE + slot - FIRST_SLOT}`;
    const ephemeral = `/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_${slot}`;
    const swap = `/dev/VolGroupDomU/instance_swap_store_${slot}`;
    this.devices.addFile(image, this.#open(image, ROOT_SECTORS));
    this.#add(ephemeral, DM_MAJOR, VOLUME_MINOR + 2 * slot, EPHEMERAL_SECTORS);
    this.#add(swap, DM_MAJOR, VOLUME_MINOR + 2 * slot + 1, SWAP_SECTORS);
    const disks: InstanceDisks = {
      slot,
      disks: [
        { dev: "sda1", type: "file", params: image, mode: "w" },
        { dev: "sda2", type: "phy", params: ephemeral, mode: "w" },
        { dev: "sda3", type: "phy", params: swap, mode: "w" },
      ],
    };
    this.#taken.set(slot, disks);
    return disks;
  }

  /** The place is free; what its disks held is gone. */
  release({ slot, disks }: InstanceDisks): void {
    if (!this.#taken.delete(slot)) return;
    for (const { params: path } of disks) {
      this.devices.remove(path);
      const opened = this.#opened.get(path);
      if (opened === undefined) continue;
      this.#opened.delete(path);
      this.#source.discard({ host: this.#host, path, sectors: opened.sectors }, opened.disk);
    }
  }

  /**
   * A network block device that Dom0 has imported, such as "/dev/gnbd89".
   * @throws {OptionError} if the name is another, or taken.
   */
  importVolume(path: string, sectors: number): void {
    const [, minor] = /^\/dev\/gnbd(\d{1,5})$/.exec(path) ?? [];
    if (minor === undefined) throw new OptionError("params", path, "a name such as /dev/gnbd89");
    this.#add(path, GNBD_MAJOR, Number(minor), sectors);
  }

  /** Dom0 has the block device no longer; what it holds stays where the disks are kept. */
  dropVolume(path: string): void {
    this.devices.remove(path);
    this.#opened.delete(path);
  }

  #add(path: string, major: number, minor: number, sectors: number): void {
    this.devices.add(path, { node: path, major, minor, disk: this.#open(path, sectors) });
  }

  #open(path: string, sectors: number): BlockDevice {
    const disk = this.#source.open({ host: this.#host, path, sectors });
    this.#opened.set(path, { sectors, disk });
    return disk;
  }
}
