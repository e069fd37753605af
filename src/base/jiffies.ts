/**
 * When a Linux kernel timer really fires: on a tick, and, since 4.8, later the farther away it is.
 *
 * The wheel of `kernel/time/timer.c` has levels of 64 buckets; level n holds timers up to
 * 63 * 8^n ticks away in buckets of 8^n ticks, and a timer fires when its bucket is over. What
 * lies beyond the last level is brought forward to where the wheel ends.
 * Observed: the probes and proxy replies of the recorded hosts lie on multiples of 32 and 256 ms.
 * @module
 */
import { OptionError } from "./errors.ts";
import { type Duration, type Instant, SECOND } from "./time.ts";

/** What {@link Jiffies} are made from. */
export interface JiffiesOptions {
  /** Ticks a second; 250, as Debian and RHEL 5's Xen kernels have it. */
  readonly hz?: number;
  /** True since Linux 4.8: distant timers fire late, by up to an eighth. */
  readonly hasCoarseLevels?: boolean;
  /** When the tick 0 was, in microseconds before the run's start. */
  readonly age?: Duration;
}

/** A kernel's tick counter. */
export class Jiffies {
  readonly hz: number;
  /** Microseconds a tick. */
  readonly tick: Duration;
  /** Levels of the wheel; 0 if it fires on the very tick. */
  readonly #levels: number;
  readonly #age: Duration;

  constructor({ hz = 250, hasCoarseLevels = true, age = 0 }: JiffiesOptions = {}) {
    if (![100, 250, 300, 1000].includes(hz)) {
      throw new OptionError("hz", hz, "100, 250, 300 or 1000");
    }
    this.hz = hz;
    this.tick = SECOND / hz;
    this.#levels = hasCoarseLevels ? (hz > 100 ? 9 : 8) : 0;
    this.#age = age;
  }

  /** Time since the tick 0. */
  uptime(now: Instant): Duration {
    return now + this.#age;
  }

  /** Whole ticks since the tick 0. */
  ticks(now: Instant): number {
    return Math.floor((now + this.#age) / this.tick);
  }

  /** When the tick that `now` lies in began. */
  floor(now: Instant): Instant {
    const current = Math.floor((now + this.#age) / this.tick);
    return Math.ceil(current * this.tick) - this.#age;
  }

  /** The instant at which a timer that is set at `now` for `delay` later fires. */
  firing(now: Instant, delay: Duration): Instant {
    const current = Math.floor((now + this.#age) / this.tick);
    const ticks = Math.ceil(delay / this.tick);
    const expiry =
      this.#levels === 0 ? current + Math.max(ticks, 1) : this.#bucketEnd(current, ticks);
    return Math.ceil(expiry * this.tick) - this.#age;
  }

  /** The tick after the last one of the bucket for a timer that is set `ticks` ahead. */
  #bucketEnd(current: number, ticks: number): number {
    const last = this.#levels - 1;
    const cutoff = 63 * 8 ** last;
    const ahead = ticks < cutoff ? ticks : cutoff - 8 ** last;
    let level = 0;
    while (level < last && ahead >= 63 * 8 ** level) level += 1;
    const bucket = 8 ** level;
    return (Math.floor((current + ahead) / bucket) + 1) * bucket;
  }
}
