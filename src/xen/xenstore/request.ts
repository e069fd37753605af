/** A request that has come in whole, and the strings in it. @module */
import { pathTextOf, textOf } from "./octets.ts";

/** Reused for every request of a connection: valid while that one is being answered. */
export class Request {
  type = 0;
  requestId = 0;
  transactionId = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  /** Look at the payload in `bytes` from `at` up to `end`. */
  place(bytes: Uint8Array, at: number, end: number): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** The payload if it is one string that ends where the payload does, else `null`. */
  get only(): string | null {
    const nul = this.#bytes.indexOf(0, this.#at);
    return nul >= 0 && nul === this.#end - 1 ? pathTextOf(this.#bytes, this.#at, nul) : null;
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
    const nul = this.#bytes.indexOf(0, this.#at);
    return nul < 0 || nul >= this.#end ? null : pathTextOf(this.#bytes, this.#at, nul);
  }

  /** The octets after the first string, of the caller's own. */
  get rest(): Uint8Array {
    return this.#bytes.slice(this.#bytes.indexOf(0, this.#at) + 1, this.#end);
  }
}
