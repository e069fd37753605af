/** A client of the store that acts on its watches when its owner drains it. @module */
import type { Instant } from "../../base/time.ts";
import { StoreClient } from "../xenstore/client.ts";
import { StoreError } from "../xenstore/errno.ts";
import type { StoreSession } from "../xenstore/session.ts";

/** What is done about a change at or below a watched path. */
export type WatchHandler = (path: string, now: Instant) => void;

/** A watch that is set. */
export interface Watching {
  readonly path: string;
  readonly token: string;
}

/**
 * Events wait in their order, equal ones once: whoever acts on one reads what is there by then. So
 * no more wait than there are nodes below watched paths, whatever a guest does.
 */
export class WatchQueue {
  readonly client: StoreClient;
  readonly #session: StoreSession;
  readonly #onPending: () => void;
  readonly #handlers = new Map<string, WatchHandler>();
  #waiting = new Map<string, { readonly path: string; readonly token: string }>();
  #nextToken = 0;
  #isMuted = false;
  #isHeld = false;

  /** @param onPending told that events wait, after the operation that they came of. */
  constructor(session: StoreSession, onPending: () => void) {
    this.client = new StoreClient(session);
    this.#session = session;
    this.#onPending = onPending;
    session.deliverTo({
      event: (path, token) => this.#take(path, token),
      settled: () => this.#tell(),
      room: () => undefined,
      restarted: () => this.#waiting.clear(),
    });
  }

  /** Events that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Call `handler` for each change, and once at first. @throws {StoreError} if refused. */
  watch(path: string, handler: WatchHandler, token = String(this.#nextToken)): Watching {
    this.#nextToken += 1;
    this.#handlers.set(token, handler);
    try {
      this.client.watch(path, token);
    } catch (error) {
      this.#handlers.delete(token);
      throw error;
    }
    return { path, token };
  }

  /** Hear no more of a watch, not even what waits. */
  unwatch({ path, token }: Watching): void {
    this.#handlers.delete(token);
    if (!this.#session.isClosed) this.client.unwatch(path, token);
  }

  /**
   * Handle what waits now; what comes meanwhile waits for the next call. A request that the store
   * refuses, for a node names what is no path, ends what is done about that one event.
   * @returns how many.
   */
  drain(now: Instant): number {
    const waiting = this.#waiting;
    if (waiting.size === 0 || this.#isHeld) return 0;
    this.#waiting = new Map();
    for (const { path, token } of waiting.values()) {
      try {
        this.#handlers.get(token)?.(path, now);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
      }
    }
    return waiting.size;
  }

  /** Let events wait, or act on those that waited. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#tell();
  }

  /** Act on nothing any more: whoever it was for has stopped. */
  mute(): void {
    this.#isMuted = true;
    this.#handlers.clear();
    this.#waiting.clear();
  }

  #take(path: string, token: string): void {
    const key = `${token} ${path}`;
    if (this.#isMuted || this.#waiting.has(key)) return;
    this.#waiting.set(key, { path, token });
  }

  #tell(): void {
    if (this.#waiting.size > 0 && !this.#isHeld) this.#onPending();
  }
}
