/** A table by path, for paths that come and go. @module */

/** Removed paths that a table keeps beside as many as are there. */
const SPARE = 1024;

/**
 * A `Map` that keeps the keys of what was removed. V8's own `delete` leaves its entry in the chain
 * of its bucket until the whole table is made anew: a path that is made and removed again and
 * again in a table of 8,192 then costs 100 microseconds a look-up.
 */
export class PathMap<V extends object> {
  #map = new Map<string, V | null>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(path: string): V | undefined {
    return this.#map.get(path) ?? undefined;
  }

  set(path: string, value: V): void {
    if ((this.#map.get(path) ?? null) === null) this.#size++;
    this.#map.set(path, value);
  }

  /** @returns false if there was none. */
  delete(path: string): boolean {
    if ((this.#map.get(path) ?? null) === null) return false;
    this.#map.set(path, null);
    this.#size--;
    if (this.#map.size > 2 * this.#size + SPARE) this.#sweep();
    return true;
  }

  #sweep(): void {
    const kept = new Map<string, V | null>();
    for (const [path, value] of this.#map) if (value !== null) kept.set(path, value);
    this.#map = kept;
  }
}
