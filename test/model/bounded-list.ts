/** A map with a bound, as a list of pairs in the order of their last `set`. @module */

/** The naive reference of `BoundedMap`. */
export class BoundedList<K, V> {
  readonly #limit: number;
  #pairs: [K, V][] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#pairs.length;
  }

  set(key: K, value: V): [K, V] | null {
    const others = this.#pairs.filter(([one]) => one !== key);
    const forgotten = others.length === this.#limit ? (others.shift() ?? null) : null;
    this.#pairs = [...others, [key, value]];
    return forgotten;
  }

  get(key: K): V | undefined {
    return this.#pairs.find(([one]) => one === key)?.[1];
  }

  delete(key: K): boolean {
    const before = this.#pairs.length;
    this.#pairs = this.#pairs.filter(([one]) => one !== key);
    return this.#pairs.length < before;
  }

  clear(): void {
    this.#pairs = [];
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#pairs[Symbol.iterator]();
  }
}
