/**
 * How fast a guest may send: so many octets in so many microseconds, as the node `rate` of its vif
 * says (netback's `tx_add_credit`).
 * @module
 */
import { Jiffies, type JiffiesOptions } from "../../base/jiffies.ts";
import { type Instant, MILLISECOND, NEVER } from "../../base/time.ts";

/** Octets that come in each period. */
export interface TxRate {
  readonly octets: number;
  /** Microseconds; whole milliseconds of it count. */
  readonly period: number;
}

/**
 * Read the node `rate`, "bytes,usec".
 * @returns `null`, which is no limit, for what netback cannot read.
 */
export function parseRate(text: string): TxRate | null {
  const [, octets = "", period = ""] = /^(\d+),(\d+)$/.exec(text) ?? [];
  return octets === "" ? null : { octets: Number(octets), period: Number(period) };
}

/** No packet gets more credit by its mere size. */
const LARGEST_BURST = 131_072;
/** No limit, where credit counts (`~0UL`). */
const UNLIMITED: TxRate = { octets: Number.POSITIVE_INFINITY, period: 0 };

/** One vif's credit. */
export class TxCredit {
  /** False: all may be sent, and {@link remaining} does not count. */
  isLimited = false;
  /** Octets that may be sent now. */
  remaining = Number.POSITIVE_INFINITY;
  /** When more comes; `NEVER` unless somebody waits for it. */
  deadline: Instant = NEVER;
  readonly #jiffies: Jiffies;
  readonly #leastBurst: number | null;
  #rate = UNLIMITED;
  /** Ticks at which the period began. */
  #start = 0;

  /** @param leastBurst as {@link NetbackBehaviour.leastBurst}. */
  constructor(jiffies: JiffiesOptions, leastBurst: number | null, now: Instant) {
    this.#jiffies = new Jiffies(jiffies);
    this.#leastBurst = leastBurst;
    this.#start = this.#jiffies.ticks(now);
  }

  /** A front end connects: `rate`, `null` for none, is all there at once. */
  setRate(rate: TxRate | null): void {
    this.#rate = rate ?? UNLIMITED;
    this.isLimited = rate !== null;
    this.remaining = this.#rate.octets;
    this.deadline = NEVER;
  }

  /** Periods are counted from `now`. */
  restart(now: Instant): void {
    this.#start = this.#jiffies.ticks(now);
  }

  /**
   * The rate is another, `null` for none, while the vif runs: what waits gets more credit with the
   * next tick, else no more remains than the new rate gives (`xen_net_rate_changed`).
   */
  changeRate(rate: TxRate | null, now: Instant): void {
    this.#rate = rate ?? UNLIMITED;
    if (this.deadline === NEVER) this.remaining = Math.min(this.remaining, this.#rate.octets);
    else this.deadline = this.#jiffies.firing(now, 0);
    this.isLimited = this.remaining !== Number.POSITIVE_INFINITY;
  }

  /**
   * Take `size` octets from what remains.
   * @returns false if they must wait until {@link deadline}.
   */
  take(size: number, now: Instant): boolean {
    if (size > this.remaining && !this.#allows(size, now)) return false;
    this.remaining -= size;
    return true;
  }

  /** The time is come: more credit, for a frame of `size` octets that waits. */
  refill(size: number): void {
    this.deadline = NEVER;
    this.#add(size);
  }

  /** It is more than remains: maybe the period is over. */
  #allows(size: number, now: Instant): boolean {
    if (this.deadline !== NEVER) return false;
    const { tick } = this.#jiffies;
    const current = this.#jiffies.ticks(now);
    const milliseconds = Math.floor(this.#rate.period / 1000);
    const next = this.#start + Math.ceil((milliseconds * MILLISECOND) / tick);
    if (current >= next) {
      this.#start = current;
      this.#add(size);
      if (size <= this.remaining) return true;
    }
    this.deadline = this.#jiffies.firing(now, (next - current) * tick);
    this.#start = next;
    return false;
  }

  #add(size: number): void {
    const { octets } = this.#rate;
    const least = this.#leastBurst ?? Math.min(size, LARGEST_BURST);
    this.remaining = Math.min(this.remaining + octets, Math.max(least, octets));
    this.isLimited = this.remaining !== Number.POSITIVE_INFINITY;
  }
}
