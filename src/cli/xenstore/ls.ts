/**
 * `xenstore-ls` 4.17 line for line: a tree by indentation, or whole paths; values cut to the width.
 * @module
 */
import { StoreError } from "../../xen/xenstore/errno.ts";
import type { XenstoreClient } from "../../backend/xenstore-client.ts";
import { StoreFailure, strerror } from "./failure.ts";
import { escapeValue } from "./value-text.ts";

/** How a tree is shown. */
export interface ListingOptions {
  readonly client: XenstoreClient;
  /** Whole paths, no indentation. */
  readonly isFlat: boolean;
  readonly hasPermissions: boolean;
  /** Columns, beyond which values are cut; `Infinity` for none. */
  readonly width: number;
  /** Takes text of octets. */
  readonly write: (text: string) => void;
  /** Takes a complaint that does not end the listing. */
  readonly warn: (text: string) => void;
}

/** What a line has around a value that is cut: ` = "..."`. */
const TAG_LENGTH = 8;
/** Where permissions stand, if the terminal is not narrower. */
const PERMISSIONS_AT = 60;

/** Prints one tree after another. */
export class Listing {
  readonly #options: ListingOptions;
  readonly #permissionsAt: number;

  constructor(options: ListingOptions) {
    this.#options = options;
    this.#permissionsAt = options.isFlat ? 0 : Math.min(PERMISSIONS_AT, options.width);
  }

  /**
   * Print what is below `path`.
   * @throws {StoreFailure} at the first directory that cannot be read; what was printed stays.
   */
  async print(path: string, depth = 0): Promise<void> {
    const { client } = this.#options;
    let names: string[];
    try {
      names = await client.list(path, 0);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // It vanished since its parent was read.
      if (depth > 0 && error.errno === "ENOENT") return;
      throw new StoreFailure(`xs_directory (${path}): ${strerror(error.errno)}`);
    }
    for (const name of names) {
      const child = path.endsWith("/") ? `${path}${name}` : `${path}/${name}`;
      await this.#line(name, child, depth);
      await this.print(child, depth + 1);
    }
  }

  async #line(name: string, path: string, depth: number): Promise<void> {
    const { client, isFlat, hasPermissions, write } = this.#options;
    const before = isFlat ? path : `${" ".repeat(depth)}${cut(name, this.#room(depth))}`;
    // A whole path does not count for the width.
    const used = isFlat ? 0 : before.length;
    const value = await orNull(client.read(path, 0));
    if (value === null) write(`${before}:\n`);
    else write(`${before}${this.#value(value, used)}`);
    if (hasPermissions) await this.#permissions(name, path);
    write("\n");
  }

  #value(value: string, used: number): string {
    const text = escapeValue(value);
    if (used + value.length + TAG_LENGTH > this.#options.width) {
      return ` = "${cut(text, this.#room(used))}\\..."`;
    }
    const shown = ` = "${text}"`;
    return this.#options.hasPermissions ? shown + this.#dots(used + shown.length) : shown;
  }

  /** A blank, then dots and blanks by turns up to where permissions stand. */
  #dots(from: number): string {
    let dots = " ";
    for (let at = from + 1; at < this.#permissionsAt; at += 1) dots += at % 2 === 1 ? "." : " ";
    return dots;
  }

  async #permissions(name: string, path: string): Promise<void> {
    const { client, write, warn } = this.#options;
    try {
      write(`  (${(await client.permissions(path, 0)).join(",")})`);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      warn(`\ncould not access permissions for ${name}: ${strerror(error.errno)}`);
    }
  }

  /** Columns that are left for a text; as a precision of printf, where less than none is all. */
  #room(used: number): number {
    return this.#options.width - TAG_LENGTH - used;
  }
}

const cut = (text: string, room: number): string => (room < 0 ? text : text.slice(0, room));

async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return null;
  }
}
