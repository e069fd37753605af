/**
 * What Dom0 has to give to domains: block devices under /dev with their numbers, image files, and
 * the loop devices that files are reached by.
 * @module
 */
import { OptionError } from "../../base/errors.ts";

/** A block device of Dom0. */
export interface HostBlockDevice<Disk> {
  /** "/dev/loop13"; where a link leads if the name given was one. */
  readonly node: string;
  readonly major: number;
  readonly minor: number;
  readonly disk: Disk;
}

/** Linux's number for loop devices. */
const LOOP_MAJOR = 7;

/** How many loop devices there are, and who has them already. */
export interface LoopOptions {
  /** `max_loop`; 256, the most of Linux 2.6.18. */
  readonly limit?: number;
  /** The lowest so many are in use by others; 0. */
  readonly busy?: number;
}

/** Dom0's /dev, and the files in its file systems. */
export class HostBlockDevices<Disk> {
  readonly #devices = new Map<string, HostBlockDevice<Disk>>();
  readonly #files = new Map<string, Disk>();
  readonly #loops = new Map<number, string>();
  readonly #limit: number;
  readonly #busy: number;

  constructor({ limit = 256, busy = 0 }: LoopOptions = {}) {
    if (busy > limit) throw new OptionError("busy", busy, `at most ${limit}`);
    this.#limit = limit;
    this.#busy = busy;
  }

  /** Loop devices that were taken here. */
  get loops(): number {
    return this.#loops.size;
  }

  /** Add a block device. @param path its name: `device.node`, or that of a link there. */
  add(path: string, device: HostBlockDevice<Disk>): void {
    if (this.#devices.has(path)) throw new OptionError("path", path, "a path that is free");
    this.#devices.set(path, device);
  }

  /** Add a file that holds a disk. */
  addFile(path: string, disk: Disk): void {
    if (this.#files.has(path)) throw new OptionError("path", path, "a path that is free");
    this.#files.set(path, disk);
  }

  /** Remove a device or file; nothing if there is none. */
  remove(path: string): void {
    this.#devices.delete(path);
    this.#files.delete(path);
  }

  /** @returns the block device, or `null`. */
  find(path: string): HostBlockDevice<Disk> | null {
    return this.#devices.get(path) ?? null;
  }

  /** @returns the device with these numbers, or `null`. */
  findByNumber(major: number, minor: number): HostBlockDevice<Disk> | null {
    for (const device of this.#devices.values()) {
      if (device.major === major && device.minor === minor) return device;
    }
    return major === LOOP_MAJOR ? this.#loopDevice(minor) : null;
  }

  hasFile(path: string): boolean {
    return this.#files.has(path);
  }

  /** `losetup`: reach a file by the lowest free loop device. @returns `null` if none is free. */
  attachLoop(path: string): HostBlockDevice<Disk> | null {
    for (let minor = this.#busy; minor < this.#limit; minor += 1) {
      if (this.#loops.has(minor)) continue;
      this.#loops.set(minor, path);
      return this.#loopDevice(minor);
    }
    return null;
  }

  /** `losetup -d`: nothing if it reaches no file. */
  detachLoop(node: string): void {
    const [, minor] = /^\/dev\/loop(\d+)$/.exec(node) ?? [];
    if (minor !== undefined) this.#loops.delete(Number(minor));
  }

  /** The loop devices that reach a file. */
  loopsOf(path: string): HostBlockDevice<Disk>[] {
    return [...this.#loops.keys()].flatMap((minor) => {
      const device = this.#loops.get(minor) === path ? this.#loopDevice(minor) : null;
      return device === null ? [] : [device];
    });
  }

  #loopDevice(minor: number): HostBlockDevice<Disk> | null {
    const disk = this.#files.get(this.#loops.get(minor) ?? "");
    return disk === undefined
      ? null
      : { node: `/dev/loop${minor}`, major: LOOP_MAJOR, minor, disk };
  }
}

/** "7:d": major and minor as `stat -c %t:%T` prints them. */
export const numbersText = (device: { readonly major: number; readonly minor: number }): string =>
  `${device.major.toString(16)}:${device.minor.toString(16)}`;
