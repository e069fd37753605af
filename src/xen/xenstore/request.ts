/** A request that has come in whole, and the strings in it. @module */
import { placeOctets, textOf } from "./octets.ts";
import type { RecentTexts } from "./recent-texts.ts";

/** Reused for every request of a connection: valid while that one is being answered. */
export class Request {
  type = 0;
  requestId = 0;
  transactionId = 0;
  readonly #texts: RecentTexts;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  constructor(texts: RecentTexts) {
    this.#texts = texts;
  }

  /** Look at the payload in `bytes` from `at` up to `end`. */
  place(bytes: Uint8Array, at: number, end: number): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** The payload if it is one string that ends where the payload does, else `null`. */
  get only(): string | null {
    const nul = this.#findNul();
    return nul >= 0 && nul === this.#end - 1 ? this.#texts.get(this.#bytes, this.#at, nul) : null;
  }

  /** All strings with a NUL at their end; octets after the last one are left out. */
  get strings(): string[] {
    const strings: string[] = [];
    for (let at = this.#at; at < this.#end;) {
      const nul = this.#bytes.indexOf(0, at);
      if (nul < 0 || nul >= this.#end) break;
      strings.push(textOf(this.#bytes, at, nul));
      at = nul + 1;
    }
    return strings;
  }

  /** The first string, or `null` if none ends. */
  get first(): string | null {
    const nul = this.#findNul();
    return nul < 0 ? null : this.#texts.get(this.#bytes, this.#at, nul);
  }

  /** The octets after the first string, of the caller's own. */
  get rest(): Uint8Array {
    const start = this.#findNul() + 1;
    const octets = new Uint8Array(this.#end - start);
    placeOctets(this.#bytes, start, this.#end, octets, 0);
    return octets;
  }

  /** Where the first string ends; -1 if none does. */
  #findNul(): number {
    const bytes = this.#bytes;
    for (let at = this.#at; at < this.#end; at++) if (bytes[at] === 0) return at;
    return -1;
  }
}
