/** Where a capture goes: a file, or standard output. Written between slices of a run. @module */
import { type FileHandle, open } from "node:fs/promises";
import { viewOf } from "../wire/field.ts";
import { systemCode, systemFault } from "../backend/system-error.ts";
import { faultAt, InputError } from "./failure.ts";
import type { CaptureTarget } from "./scenario/play.ts";

/** pcapng's block types that are counted here. */
const INTERFACE_BLOCK = 1;
const FRAME_BLOCK = 6;

/** Writes octets to where they go. @throws what the system says. */
type Writer = (octets: Uint8Array) => Promise<void>;

/** One capture under way. */
export class CaptureFile implements CaptureTarget {
  /** As the user named it; "-" is standard output. */
  readonly path: string;
  frames = 0;
  interfaces = 0;
  octets = 0;
  readonly #write: Writer;
  readonly #handle: FileHandle | null;
  #pending: Uint8Array[] = [];
  /** True once whoever read standard output has gone. */
  #isGone = false;

  private constructor(path: string, handle: FileHandle | null, write: Writer) {
    this.path = path;
    this.#handle = handle;
    this.#write = write;
  }

  /**
   * Open `path` for writing, "-" for standard output.
   * @throws {InputError} if the file cannot be written.
   */
  static async open(path: string): Promise<CaptureFile> {
    if (path === "-") return new CaptureFile(path, null, writeOut);
    const handle = await explained(path, () => open(path, "w"));
    return new CaptureFile(path, handle, async (octets) => {
      await handle.write(octets);
    });
  }

  /** Take a chunk that ends between blocks. */
  readonly sink = (chunk: Uint8Array): void => {
    this.#count(chunk);
    if (!this.#isGone) this.#pending.push(chunk.slice());
  };

  /** @throws {InputError} if the file cannot be written to. */
  async flush(): Promise<void> {
    const octets = Buffer.concat(this.#pending);
    this.#pending = [];
    if (octets.length > 0) await explained(this.path, () => this.#writeOctets(octets));
  }

  /** Write the rest. @throws as {@link flush}. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#handle?.close();
    }
  }

  async #writeOctets(octets: Uint8Array): Promise<void> {
    try {
      await this.#write(octets);
    } catch (error) {
      if (systemCode(error) !== "EPIPE") throw error;
      this.#isGone = true;
    }
  }

  #count(chunk: Uint8Array): void {
    const view = viewOf(chunk);
    this.octets += chunk.length;
    for (let at = 0; at < chunk.length; at += view.getUint32(at + 4, true)) {
      const type = view.getUint32(at, true);
      if (type === FRAME_BLOCK) this.frames += 1;
      if (type === INTERFACE_BLOCK) this.interfaces += 1;
    }
  }
}

/** Resolves when the system has taken the octets. */
async function writeOut(octets: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(octets, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

/** Do `work` on a file; what the user can mend becomes one sentence. */
export async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fault = systemFault(error);
    if (fault === null) throw error;
    throw new InputError([faultAt({ file: path, line: 0 }, "", fault)]);
  }
}
