/** Pages of a guest's memory that its drivers use again and again. @module */
import type { DomainMemory } from "../hypervisor/domain-memory.ts";

/** Takes frames of the memory when it has none, and keeps what comes back: last in, first out. */
export class PagePool {
  readonly memory: DomainMemory;
  readonly #free: number[] = [];
  readonly #limit: number;
  #taken = 0;

  /** @param limit pages that may be out or kept at once. */
  constructor(memory: DomainMemory, limit: number) {
    this.memory = memory;
    this.#limit = limit;
  }

  /** A page with undefined contents. @returns its frame; -1 at the bound. */
  take(): number {
    const kept = this.#free.pop();
    if (kept !== undefined) return kept;
    if (this.#taken === this.#limit) return -1;
    const gfn = this.memory.allocate();
    if (gfn >= 0) this.#taken += 1;
    return gfn;
  }

  /** Give a page back to the pool. */
  give(gfn: number): void {
    this.#free.push(gfn);
  }

  /** Give all pages that are in back to the memory. */
  clear(): void {
    this.#taken -= this.#free.length;
    for (const gfn of this.#free.splice(0)) this.memory.free(gfn);
  }
}
