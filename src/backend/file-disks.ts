/** A zone's disks in sparse files, one folder a host: they outlive the program. @module */
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { EmulatorError, OptionError } from "../base/errors.ts";
import type { BlockDevice } from "../storage/block-device.ts";
import type { DiskPlace, DiskSource } from "../storage/disk-source.ts";
import { systemCode } from "./socket-error.ts";
import { SparseFileDisk } from "./sparse-file-disk.ts";

/** Keeps each disk at its own path below its host's folder. */
export class FileDisks implements DiskSource {
  readonly #folder: string;
  readonly #open = new Set<SparseFileDisk>();

  /** @param folder is made with the first disk. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @throws {OptionError} if the place is not in the folder, {EmulatorError} with the path if the
   *   system has no such file for us.
   */
  open(place: DiskPlace): SparseFileDisk {
    const path = this.#pathOf(place);
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const disk = new SparseFileDisk({ path, sectors: place.sectors });
      this.#open.add(disk);
      return disk;
    } catch (error) {
      const code = systemCode(error);
      if (code === "") throw error;
      throw new EmulatorError("disk-file", path, `${path}: cannot be a disk's file (${code})`);
    }
  }

  discard(place: DiskPlace, disk: BlockDevice): void {
    for (const one of this.#open) {
      if (one !== disk) continue;
      this.#open.delete(one);
      one.close();
      rmSync(this.#pathOf(place), { force: true });
    }
  }

  /** Let go of all files, which stay. */
  close(): void {
    for (const disk of this.#open) disk.close();
    this.#open.clear();
  }

  #pathOf({ host, path }: DiskPlace): string {
    const whole = join(this.#folder, host, path);
    const parts = relative(this.#folder, whole).split("/");
    if (parts.length < 2 || parts.includes("..") || parts[0] !== host) {
      throw new OptionError("path", `${host}:${path}`, "a place in the host's own folder");
    }
    return whole;
  }
}
