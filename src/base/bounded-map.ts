/** A map that never grows beyond its bound. @module */
import { OptionError } from "./errors.ts";

/** At the bound, setting a new key forgets the key that was set longest ago. */
export class BoundedMap<K, V> {
  readonly limit: number;
  readonly #map = new Map<K, V>();

  constructor(limit: number) {
    if (!Number.isInteger(limit) || limit < 1) {
      throw new OptionError("limit", limit, "a whole number from 1");
    }
    this.limit = limit;
  }

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  /** @returns what was forgotten to make room, or `null`. */
  set(key: K, value: V): [K, V] | null {
    this.#map.delete(key);
    let forgotten: [K, V] | null = null;
    if (this.#map.size >= this.limit) {
      const [oldest] = this.#map;
      if (oldest !== undefined) {
        this.#map.delete(oldest[0]);
        forgotten = oldest;
      }
    }
    this.#map.set(key, value);
    return forgotten;
  }

  delete(key: K): boolean {
    return this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
  }

  /** In the order of their last `set`. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#map[Symbol.iterator]();
  }
}
