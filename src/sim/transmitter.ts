/**
 * Sending at a bounded rate: how long a frame takes to leave, and how many may wait for that.
 *
 * Computed exactly: the part of a microsecond in which a frame ends is carried over to the next,
 * so no rounding ever adds up, and no window of time holds more bits than the rate allows.
 * @module
 */
import { type Instant, NEVER, SECOND } from "../base/time.ts";

/** Serves one frame after the other. */
export class Transmitter {
  readonly #rateBps: number;
  /** Departures of the frame being sent and of those that wait: a ring. */
  readonly #departures: Float64Array;
  #head = 0;
  #size = 0;
  /** When the last frame leaves: whole microseconds, and a rest in units of 1/rate of one. */
  #whole: Instant = 0;
  #rest = 0;

  /** @param rateBps bits a second, 1 to 10^12. @param queueLimit frames that may wait, from 0. */
  constructor(rateBps: number, queueLimit: number) {
    this.#rateBps = rateBps;
    this.#departures = new Float64Array(queueLimit + 1);
  }

  /**
   * Queue a frame that fills `octets` on the wire, at most 2^20.
   * @returns the first whole microsecond when its last bit is out; `NEVER` if the queue is full.
   */
  send(octets: number, now: Instant): Instant {
    this.#forgetDeparted(now);
    if (this.#size === this.#departures.length) return NEVER;
    if (this.#size === 0) {
      this.#whole = now;
      this.#rest = 0;
    }
    const rest = this.#rest + octets * 8 * SECOND;
    this.#rest = rest % this.#rateBps;
    this.#whole += (rest - this.#rest) / this.#rateBps;
    const departure = this.#rest > 0 ? this.#whole + 1 : this.#whole;
    this.#departures[(this.#head + this.#size) % this.#departures.length] = departure;
    this.#size += 1;
    return departure;
  }

  /** Frames that wait at `now`, without the one that is being sent. */
  waiting(now: Instant): number {
    this.#forgetDeparted(now);
    return Math.max(this.#size - 1, 0);
  }

  #forgetDeparted(now: Instant): void {
    while (this.#size > 0 && (this.#departures[this.#head] ?? NEVER) <= now) {
      this.#head = (this.#head + 1) % this.#departures.length;
      this.#size -= 1;
    }
  }
}
