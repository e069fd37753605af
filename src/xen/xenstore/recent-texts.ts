/** The paths that were asked for lately, so that the same octets are the same string. @module */
import { pathTextOf } from "./octets.ts";

/** Texts that are kept, at most; a power of two. */
const SLOTS = 512;
/** Octets of a text that is kept, at most. */
const LONGEST = 128;

/**
 * A path as a string costs more than the answer to a READ: to decode it, and to hash it for the
 * table of nodes. Clients ask for the same ones again and again, so the latest are kept. A text
 * that falls into the place of another takes it.
 */
export class RecentTexts {
  readonly #texts: string[] = Array.from({ length: SLOTS }, () => "");

  /** The octets from `start` up to `end` as {@link pathTextOf} has them. */
  get(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > LONGEST) return pathTextOf(bytes, start, end);
    let hash = length;
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const known = this.#texts[slot] ?? "";
    if (isText(known, bytes, start, end)) return known;
    const text = pathTextOf(bytes, start, end);
    this.#texts[slot] = text;
    return text;
  }
}

function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = text;
  if (length !== end - start) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
