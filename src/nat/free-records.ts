/**
 * The records that no entry uses, in a queue: what was given back last is taken last, so that
 * a stale handle stays known for long.
 * @module
 */

/** Words from the first line of a record to its second. */
const NEXT_LINE = 16;

/** A queue of flows beside their records: to give one back touches no other. */
export class FreeRecords {
  #flows: Int32Array;
  #first = 0;
  #count = 0;

  /** @param records the most that there are. */
  constructor(records: number) {
    this.#flows = new Int32Array(2 ** Math.ceil(Math.log2(records)));
  }

  /** Make room for `records` in all. */
  grow(records: number): void {
    const flows = new Int32Array(2 ** Math.ceil(Math.log2(records)));
    for (let index = 0; index < this.#count; index += 1) flows[index] = this.#at(index);
    this.#flows = flows;
    this.#first = 0;
  }

  /** The flow that waits longest is free no more; 0 for none. */
  take(): number {
    if (this.#count === 0) return 0;
    const flow = this.#at(0);
    this.#first = (this.#first + 1) & (this.#flows.length - 1);
    this.#count -= 1;
    return flow;
  }

  /** `flow` is free from now on. */
  give(flow: number): void {
    this.#flows[(this.#first + this.#count) & (this.#flows.length - 1)] = flow;
    this.#count += 1;
  }

  /** Read the records that are taken next, in `words`. @returns nothing of meaning. */
  touch(words: Int32Array, count: number): number {
    let read = 0;
    for (let index = Math.min(count, this.#count) - 1; index >= 0; index -= 1) {
      const at = this.#at(index) >> 2;
      read ^= (words[at] ?? 0) ^ (words[at + NEXT_LINE] ?? 0);
    }
    return read;
  }

  #at(index: number): number {
    return this.#flows[(this.#first + index) & (this.#flows.length - 1)] ?? 0;
  }
}
