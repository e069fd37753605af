/**
 * The thread of a current netback that hands frames to a guest (`xenvif_kthread_guest_rx`), tick by
 * tick: it sleeps on a timer wheel, is woken, and looks at everything.
 * @module
 */
import { TimerWheel } from "./timer-wheel.ts";

const PAGE = 4096;
const PATIENCE = 2500;
const POLL = 8;
const STALL = 15_000;
const QUEUE_LIMIT = 524_288;

interface Waiting {
  readonly frame: number;
  readonly size: number;
  readonly expires: number;
}

/** The naive reference of `NetbackRx`, with a tick of 4 ms. */
export class GuestRxThread {
  readonly delivered: number[] = [];
  readonly ends = { expired: 0, full: 0, unheard: 0 };
  hasCarrier = true;
  stalls = 0;
  /** The tick at which the timer fires; `null` if none is set. */
  timer: number | null = null;
  #tick = 0;
  #buffers = 0;
  #lastRx = 0;
  #queue: readonly Waiting[] = [];
  readonly #isTold: boolean;
  readonly #wheel = new TimerWheel(250);

  /** @param isTold the guest tells when it posts buffers. */
  constructor(isTold: boolean) {
    this.#isTold = isTold;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** The device's `start_xmit`. */
  send(frame: number, size: number): void {
    const octets = this.#queue.reduce((sum, one) => sum + one.size, 0);
    if (!this.hasCarrier) this.ends.unheard += 1;
    else if (octets >= QUEUE_LIMIT) this.ends.full += 1;
    else {
      const expires = this.#tick + (this.#isTold ? PATIENCE : POLL);
      this.#queue = [...this.#queue, { frame, size, expires }];
      this.#wake();
    }
  }

  /** The guest posts buffers and sends an event. */
  post(count: number): void {
    this.#buffers += count;
    this.#wake();
  }

  advance(tick: number): void {
    while (this.#tick < tick) {
      this.#tick += 1;
      if (this.timer === this.#tick) this.#wake();
    }
  }

  get #needed(): number {
    const [first] = this.#queue;
    return first === undefined ? 0 : Math.ceil(first.size / PAGE);
  }

  #wake(): void {
    while (this.#hasWork()) this.#body();
    const [first] = this.#queue;
    this.timer =
      first === undefined ? null : this.#wheel.firing(this.#tick, first.expires - this.#tick);
  }

  #hasWork(): boolean {
    const isServable = this.#queue.length > 0 && this.#buffers >= this.#needed;
    const isOver = (this.#queue[0]?.expires ?? Infinity) <= this.#tick;
    return isServable || isOver || this.#isStalled || this.#isReady;
  }

  get #isStalled(): boolean {
    const isLong = this.#tick > this.#lastRx + STALL;
    return this.#isTold && this.hasCarrier && this.#buffers < this.#needed && isLong;
  }

  get #isReady(): boolean {
    return this.#isTold && !this.hasCarrier && this.#buffers >= this.#needed;
  }

  #body(): void {
    while (this.#queue.length > 0 && this.#buffers >= this.#needed) {
      this.#buffers -= this.#needed;
      this.delivered.push(this.#queue[0]?.frame ?? -1);
      this.#queue = this.#queue.slice(1);
      this.#lastRx = this.#tick;
    }
    if (this.#isStalled) {
      this.hasCarrier = false;
      this.stalls += 1;
    } else if (this.#isReady) {
      this.hasCarrier = true;
      this.#lastRx = this.#tick;
    }
    while ((this.#queue[0]?.expires ?? Infinity) <= this.#tick) {
      this.#queue = this.#queue.slice(1);
      this.ends.expired += 1;
    }
  }
}
