/**
 * Grants that a block back end keeps mapped, for its front end uses the same ones again and again
 * (Linux: xen-blkback's tree of persistent grants, since 3.8).
 * @module
 */
import { type Duration, type Instant, MILLISECOND, NEVER, SECOND } from "../../base/time.ts";

/** A grant that nobody used so long is let go. */
const UNUSED_TIME = 60 * SECOND;
/** After a grant found no place, the back end looks for some to let go. */
const PURGE_DELAY: Duration = 100 * MILLISECOND;
/** Percent of the bound that are let go then. */
const CLEAN_PERCENT = 5;

interface Kept {
  readonly handle: number;
  lastUsed: Instant;
  /** A request works with it. */
  isActive: boolean;
}

/** The grants of one ring, by reference. */
export class PersistentGrants {
  /** When some may have to go; `NEVER` while there are none. */
  deadline: Instant = NEVER;
  readonly #limit: number;
  readonly #unmap: (handle: number) => void;
  readonly #kept = new Map<number, Kept>();
  #isOverflown = false;

  /** @param limit grants that are kept at most. @param unmap lets go of a mapping. */
  constructor(limit: number, unmap: (handle: number) => void) {
    this.#limit = limit;
    this.#unmap = unmap;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Use a grant that is kept and free. @returns its handle; -1 if there is none such. */
  take(ref: number): number {
    const kept = this.#kept.get(ref);
    if (kept === undefined || kept.isActive) return -1;
    kept.isActive = true;
    return kept.handle;
  }

  /** Keep a new mapping, in use. @returns false if it has no place: it is the caller's alone. */
  keep(ref: number, handle: number, now: Instant): boolean {
    if (this.#kept.has(ref)) return false;
    if (this.#kept.size >= this.#limit) {
      this.#isOverflown = true;
      this.deadline = Math.min(this.deadline, now + PURGE_DELAY);
      return false;
    }
    this.#kept.set(ref, { handle, lastUsed: now, isActive: true });
    return true;
  }

  /** A request is done with a grant that {@link take} or {@link keep} gave it. */
  release(ref: number, now: Instant): void {
    const kept = this.#kept.get(ref);
    if (kept === undefined) return;
    kept.isActive = false;
    kept.lastUsed = now;
    this.deadline = Math.min(this.deadline, now + UNUSED_TIME);
  }

  /**
   * Let go of what was not used for a minute, and, if a grant found no place since, of at least a
   * twentieth of the bound, the lowest references first (`purge_persistent_gnt`).
   */
  purge(now: Instant): void {
    if (this.deadline > now) return;
    const isFull = this.#kept.size >= this.#limit && this.#isOverflown;
    const wanted = isFull ? Math.floor(this.#limit / 100) * CLEAN_PERCENT : 0;
    const free = [...this.#kept]
      .filter(([, { isActive }]) => !isActive)
      .sort(([left], [right]) => left - right);
    const old = free.filter(([, { lastUsed }]) => now - lastUsed >= UNUSED_TIME);
    const recent = free.filter(([, { lastUsed }]) => now - lastUsed < UNUSED_TIME);
    const more = recent.slice(0, Math.max(wanted - old.length, 0));
    for (const [ref, { handle }] of [...old, ...more]) {
      this.#kept.delete(ref);
      this.#unmap(handle);
    }
    if (old.length + more.length > 0) this.#isOverflown = false;
    this.deadline = this.#isOverflown ? now + PURGE_DELAY : NEVER;
    for (const { lastUsed } of this.#kept.values()) {
      this.deadline = Math.min(this.deadline, Math.max(lastUsed + UNUSED_TIME, now + PURGE_DELAY));
    }
  }

  /** The ring goes: let go of all. */
  clear(): void {
    for (const { handle } of this.#kept.values()) this.#unmap(handle);
    this.#kept.clear();
    this.deadline = NEVER;
    this.#isOverflown = false;
  }
}
