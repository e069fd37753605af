/** Where a session's events go. @module */

/** Something changed at `path`, for the watch with `token`. */
export interface StoreEvent {
  /** As the watch named it: relative if that was. */
  readonly path: string;
  readonly token: string;
}

/** Takes a session's events. */
export interface Delivery {
  /** In the midst of an operation: to be kept, and nothing else to be done. */
  event(path: string, token: string): void;
  /** The operation is over: what was kept can be sent on. */
  settled(): void;
  /** The session may ask again, after it had too many untaken answers. */
  room(): void;
  /** INTRODUCE anew: what waits either way is forgotten. */
  restarted(): void;
}

/** How a queue comes to be. */
export interface EventQueueOptions {
  /** Most events that wait. */
  readonly limit: number;
  /** True: an event that waits already is not queued again, except of special names. */
  readonly dropsDuplicates: boolean;
  /** The queue is full: the owner did not take its events. */
  readonly overflow: () => void;
}

/** Keeps events until their owner takes them. */
export class EventQueue implements Delivery {
  readonly #limit: number;
  readonly #dropsDuplicates: boolean;
  readonly #overflow: () => void;
  #events: StoreEvent[] = [];
  /** The events that wait, as `path NUL token`. */
  readonly #waiting = new Set<string>();
  #listener: () => void = () => {};

  constructor({ limit, dropsDuplicates, overflow }: EventQueueOptions) {
    this.#limit = limit;
    this.#dropsDuplicates = dropsDuplicates;
    this.#overflow = overflow;
  }

  /** Call `listener` after each operation that left events here. */
  listen(listener: () => void): void {
    this.#listener = listener;
  }

  event(path: string, token: string): void {
    if (this.#dropsDuplicates && !path.startsWith("@")) {
      const key = `${path}\0${token}`;
      if (this.#waiting.has(key)) return;
      this.#waiting.add(key);
    }
    if (this.#events.length >= this.#limit) this.#overflow();
    else this.#events.push({ path, token });
  }

  settled(): void {
    if (this.#events.length > 0) this.#listener();
  }

  room(): void {}

  restarted(): void {
    this.take();
  }

  /** All events since the last call, in their order. */
  take(): readonly StoreEvent[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    this.#waiting.clear();
    return events;
  }
}
