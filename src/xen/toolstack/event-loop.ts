/** Hands the store's events round among those who watch it, in one virtual time. @module */
import { type Instant, MILLISECOND, NEVER } from "../../base/time.ts";
import type { StoreSession } from "../xenstore/session.ts";
import { DomainError } from "../hypervisor/domain-error.ts";
import { WatchQueue } from "./watch-queue.ts";

/** Rounds in one go; beyond, the rest waits a millisecond. */
const ROUND_LIMIT = 1000;

/** Nobody acts inside another's call: events wait until {@link settle}. */
export class EventLoop {
  readonly #onPending: () => void;
  readonly #work: (now: Instant) => boolean;
  /** Connections with events that wait, in the order of their coming. */
  readonly #ready = new Set<WatchQueue>();
  #isSettling = false;
  /** When events that were too many for one go are handed on. */
  #again: Instant = NEVER;
  #now: Instant = 0;

  /**
   * @param work what else there is to do in a round; true if it did something.
   * @param onPending told that something waits, outside {@link settle}.
   */
  constructor(work: (now: Instant) => boolean, onPending: () => void) {
    this.#work = work;
    this.#onPending = onPending;
  }

  /** The instant of the last {@link settle}. */
  get now(): Instant {
    return this.#now;
  }

  /** A connection whose events are handed round. @throws {DomainError} if there is none. */
  queueOf(session: StoreSession | null, user: string): WatchQueue {
    if (session === null) throw new DomainError("no-device", user, "a connection to the store");
    const queue: WatchQueue = new WatchQueue(session, () => {
      this.#ready.add(queue);
      if (!this.#isSettling) this.#onPending();
    });
    return queue;
  }

  nextDeadline(): Instant {
    return this.#ready.size > 0 && !this.#isSettling
      ? Math.min(this.#now, this.#again)
      : this.#again;
  }

  /** Go round until nobody has anything to do. Called again meanwhile, it does nothing. */
  settle(now: Instant): void {
    if (this.#isSettling) return;
    this.#isSettling = true;
    this.#now = now;
    this.#again = NEVER;
    try {
      for (let rounds = 0; this.#round(now); rounds += 1) {
        if (rounds < ROUND_LIMIT) continue;
        this.#again = now + MILLISECOND;
        break;
      }
    } finally {
      this.#isSettling = false;
    }
  }

  #round(now: Instant): boolean {
    const ready = [...this.#ready];
    this.#ready.clear();
    for (const queue of ready) queue.drain(now);
    return this.#work(now) || ready.length > 0;
  }
}
