/**
 * Deadlines of many keys, soonest first; equal deadlines in the order in which they were set.
 * @module
 */
import { assert } from "./assert.ts";
import { type Instant, NEVER } from "./time.ts";

interface Entry<K> {
  key: K;
  at: Instant;
  order: number;
  /** Place in the heap; -1 when not in it. */
  place: number;
}

/** A binary heap with one deadline a key. `set`, `delete` and `pop` cost O(log n). */
export class DeadlineHeap<K> {
  readonly #heap: Entry<K>[] = [];
  readonly #entries = new Map<K, Entry<K>>();
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The soonest deadline; `NEVER` if there is none. */
  get soonest(): Instant {
    return this.#heap[0]?.at ?? NEVER;
  }

  /** The deadline of `key`; `NEVER` if it has none. */
  get(key: K): Instant {
    return this.#entries.get(key)?.at ?? NEVER;
  }

  /** Set the deadline of `key`; `NEVER` removes it. An unchanged deadline keeps its turn. */
  set(key: K, at: Instant): void {
    const entry = this.#entries.get(key);
    if (at === NEVER) {
      this.delete(key);
    } else if (entry === undefined) {
      const added: Entry<K> = { key, at, order: this.#order++, place: this.#heap.length };
      this.#entries.set(key, added);
      this.#heap.push(added);
      this.#up(added);
    } else if (entry.at !== at) {
      entry.at = at;
      entry.order = this.#order++;
      this.#up(entry);
      this.#down(entry);
    }
  }

  delete(key: K): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#remove(entry);
  }

  /** Take the soonest key if it is due at `now`. @returns the key, or `null` if none is due. */
  pop(now: Instant): K | null {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return null;
    this.#remove(first);
    return first.key;
  }

  #remove(entry: Entry<K>): void {
    this.#entries.delete(entry.key);
    const last = this.#heap.pop();
    assert(last !== undefined, "an entry of the heap is in the heap");
    if (last === entry) return;
    last.place = entry.place;
    this.#heap[last.place] = last;
    this.#up(last);
    this.#down(last);
  }

  #up(entry: Entry<K>): void {
    while (entry.place > 0) {
      const parent = this.#at((entry.place - 1) >> 1);
      if (!isBefore(entry, parent)) return;
      this.#swap(entry, parent);
    }
  }

  #down(entry: Entry<K>): void {
    for (;;) {
      const left = this.#heap[2 * entry.place + 1];
      const right = this.#heap[2 * entry.place + 2];
      const child =
        right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, entry)) return;
      this.#swap(child, entry);
    }
  }

  #swap(left: Entry<K>, right: Entry<K>): void {
    const place = left.place;
    left.place = right.place;
    right.place = place;
    this.#heap[left.place] = left;
    this.#heap[right.place] = right;
  }

  #at(place: number): Entry<K> {
    const entry = this.#heap[place];
    assert(entry !== undefined, "a parent is in the heap");
    return entry;
  }
}

function isBefore<K>(left: Entry<K>, right: Entry<K>): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}
