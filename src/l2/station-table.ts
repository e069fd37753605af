/**
 * Which station is behind which port of a bridge (IEEE 802.1D section 7.9, Linux
 * `net/bridge/br_fdb.c`). Addresses are compared as two integers, so that nothing is allocated.
 * @module
 */
import { type Duration, type Instant, SECOND } from "../base/time.ts";
import type { Device } from "../wire/device.ts";

/** How long a station that is silent is remembered: Linux's `ageing_time`. */
const AGEING: Duration = 300 * SECOND;
/** Slots a station, so that searches stay short. */
const SPARE = 2;

/** Stations by address: open addressing with linear probing. */
export class StationTable {
  readonly #limit: number;
  readonly #mask: number;
  readonly #ports: (Device | null)[];
  readonly #high: Uint16Array;
  readonly #low: Int32Array;
  readonly #seen: Float64Array;
  #count = 0;

  /** @param limit stations that are remembered; at this bound no new one is. */
  constructor(limit: number) {
    const slots = 2 ** Math.ceil(Math.log2(limit * SPARE));
    this.#limit = limit;
    this.#mask = slots - 1;
    this.#ports = Array.from({ length: slots }, () => null);
    this.#high = new Uint16Array(slots);
    this.#low = new Int32Array(slots);
    this.#seen = new Float64Array(slots);
  }

  /**
   * The station with an address of `high` (16 bits) and `low` (32, signed) sent by `port`.
   * A full table forgets who has been silent too long.
   */
  learn(high: number, low: number, port: Device, now: Instant): void {
    let slot = this.#slotOf(high, low);
    if (this.#ports[slot] === null) {
      if (this.#count >= this.#limit) {
        this.#keep((_, seen) => now - seen < AGEING);
        if (this.#count >= this.#limit) return;
        slot = this.#slotOf(high, low);
      }
      this.#count += 1;
      this.#high[slot] = high;
      this.#low[slot] = low;
    }
    this.#ports[slot] = port;
    this.#seen[slot] = now;
  }

  /** The port that leads to a station; `null` if it is not known, or has been silent too long. */
  find(high: number, low: number, now: Instant): Device | null {
    const slot = this.#slotOf(high, low);
    const isFresh = now - (this.#seen[slot] ?? 0) < AGEING;
    return isFresh ? (this.#ports[slot] ?? null) : null;
  }

  /** Forget all stations behind `port`. */
  removePort(port: Device): void {
    this.#keep((one) => one !== port);
  }

  /** The slot of an address, or the free one where it would be. */
  #slotOf(high: number, low: number): number {
    let slot = (Math.imul(low ^ high, 0x9e3779b1) >>> 15) & this.#mask;
    while (this.#ports[slot] !== null && (this.#low[slot] !== low || this.#high[slot] !== high)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  /** Rebuild the table out of the stations that `isKept` says. */
  #keep(isKept: (port: Device, seen: Instant) => boolean): void {
    const kept = this.#ports.flatMap((port, slot) => {
      const seen = this.#seen[slot] ?? 0;
      if (port === null || !isKept(port, seen)) return [];
      return [{ port, seen, high: this.#high[slot] ?? 0, low: this.#low[slot] ?? 0 }];
    });
    this.#ports.fill(null);
    this.#count = 0;
    for (const { port, seen, high, low } of kept) this.learn(high, low, port, seen);
  }
}
