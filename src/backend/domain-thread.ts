/**
 * A domain in a thread of its own: the host's thread passes its events on, the domain's sleeps
 * until one comes. Works for Node's worker threads and a browser's workers alike.
 * @module
 */
/// <reference lib="es2024.sharedmemory" />
import type { Instant } from "../base/time.ts";
import type { Doorbell } from "../xen/hypervisor/doorbell.ts";
import type { EventChannels } from "../xen/hypervisor/event-channels.ts";

/** What a {@link DomainThread} is made from. */
export interface DomainThreadOptions {
  readonly events: EventChannels;
  readonly domid: number;
  readonly doorbell: Doorbell;
  /** The host's time. */
  readonly clock: () => Instant;
}

/** Rounds before other work of the thread has its turn. */
const ROUNDS = 100;

/** The host's end: sends what the domain rings, and wakes it. */
export class DomainThread {
  readonly #events: EventChannels;
  readonly #domid: number;
  readonly #doorbell: Doorbell;
  readonly #clock: () => Instant;
  #isRunning = false;

  constructor({ events, domid, doorbell, clock }: DomainThreadOptions) {
    this.#events = events;
    this.#domid = domid;
    this.#doorbell = doorbell;
    this.#clock = clock;
  }

  /** Pass events on until {@link stop}. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#events.setSignal(this.#domid, this.#doorbell);
    this.#pass();
  }

  /** The domain is not heard any more, and its events wait in its page. */
  stop(): void {
    this.#isRunning = false;
    const { words, toHost } = this.#doorbell;
    Atomics.add(words, toHost, 1);
    Atomics.notify(words, toHost);
  }

  /** Each round sends at most once by each port; a domain that rings on and on gives way, too. */
  #pass(): void {
    const { words, toHost } = this.#doorbell;
    for (let round = 0; this.#isRunning; round += 1) {
      const seen = Atomics.load(words, toHost);
      this.#sendAll();
      const waiting = Atomics.waitAsync(words, toHost, seen);
      if (waiting.async) {
        void waiting.value.then(() => this.#pass());
        return;
      }
      if (round === ROUNDS) {
        setTimeout(() => this.#pass(), 0);
        return;
      }
    }
  }

  #sendAll(): void {
    const now = this.#clock();
    const doorbell = this.#doorbell;
    for (let port = doorbell.take(0); port >= 0; port = doorbell.take(port + 1)) {
      this.#events.send(this.#domid, port, now);
    }
    for (let port = doorbell.takeUnmask(0); port >= 0; port = doorbell.takeUnmask(port + 1)) {
      this.#events.unmask(this.#domid, port, now);
    }
  }
}

/**
 * In the domain's thread: sleep until the host has events, no longer than `milliseconds`. `seen` is
 * the doorbell's word `toGuest` as it was before the domain last looked at its shared page.
 * @returns false if the time is over.
 */
export function sleepUntilEvent(doorbell: Doorbell, seen: number, milliseconds: number): boolean {
  return Atomics.wait(doorbell.words, doorbell.toGuest, seen, milliseconds) !== "timed-out";
}
