/** Deadlines as a list that is searched from end to end. @module */
import { type Instant, NEVER } from "../../src/base/time.ts";

/** The naive reference of `DeadlineHeap`. */
export class DeadlineList<K> {
  /** In the order in which the deadlines were set. */
  #entries: { readonly key: K; readonly at: Instant }[] = [];

  get size(): number {
    return this.#entries.length;
  }

  get soonest(): Instant {
    return Math.min(NEVER, ...this.#entries.map(({ at }) => at));
  }

  get(key: K): Instant {
    return this.#entries.find((entry) => entry.key === key)?.at ?? NEVER;
  }

  set(key: K, at: Instant): void {
    if (this.get(key) === at) return;
    this.delete(key);
    if (at !== NEVER) this.#entries.push({ key, at });
  }

  delete(key: K): void {
    this.#entries = this.#entries.filter((entry) => entry.key !== key);
  }

  pop(now: Instant): K | null {
    const { soonest } = this;
    const due = soonest > now ? undefined : this.#entries.find(({ at }) => at === soonest);
    if (due === undefined) return null;
    this.delete(due.key);
    return due.key;
  }
}
