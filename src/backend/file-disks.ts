/** A zone's disks in sparse files, one folder a host: they outlive the program. @module */
import { dirname, join, relative } from "node:path";
import { EmulatorError, OptionError } from "../base/errors.ts";
import { type DiskPlace, type DiskSource, refuseOpen } from "../storage/disk-source.ts";
import { makeFolder } from "./make-folder.ts";
import { SparseFileDisk } from "./sparse-file-disk.ts";
import { systemCode, systemFault } from "./system-error.ts";

/** Keeps each disk at its own path below its host's folder. */
export class FileDisks implements DiskSource {
  readonly #folder: string;
  /** By the paths of their files. */
  readonly #open = new Map<string, SparseFileDisk>();

  /** @param folder is made with the first disk. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @throws {OptionError} if the place is not in the folder, or its disk is open; {EmulatorError}
   *   with the path if the system has no such file for us.
   */
  open(place: DiskPlace): SparseFileDisk {
    const path = this.#pathOf(place);
    if (this.#open.has(path)) refuseOpen(place);
    try {
      makeFolder(dirname(path));
      const disk = new SparseFileDisk({ path, sectors: place.sectors });
      this.#open.set(path, disk);
      return disk;
    } catch (error) {
      const code = systemCode(error);
      if (error instanceof EmulatorError || code === "") throw error;
      const fault = systemFault(error) ?? code;
      throw new EmulatorError("disk-file", path, `${path}: cannot be a disk's file: ${fault}`);
    }
  }

  close(place: DiskPlace): void {
    this.#take(place)?.close();
  }

  discard(place: DiskPlace): void {
    this.#take(place)?.remove();
  }

  /** Let go of all files, which stay. */
  closeAll(): void {
    for (const disk of this.#open.values()) disk.close();
    this.#open.clear();
  }

  #take(place: DiskPlace): SparseFileDisk | null {
    const path = this.#pathOf(place);
    const disk = this.#open.get(path) ?? null;
    this.#open.delete(path);
    return disk;
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
