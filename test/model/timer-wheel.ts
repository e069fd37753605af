/**
 * The timer wheel of Linux since 4.8, turned tick by tick: a timer lies in one bucket of one level
 * and fires when the wheel comes to that bucket. Nothing is computed ahead.
 * @module
 */

const BUCKETS = 64;

/** The naive reference of `Jiffies`. */
export class TimerWheel {
  readonly #levels: number;

  /** @param hz ticks a second: kernels above 100 have nine levels, others eight. */
  constructor(hz: number) {
    this.#levels = hz > 100 ? 9 : 8;
  }

  /** The tick at which a timer fires that is set at the tick `clock` for `ticks` later. */
  firing(clock: number, ticks: number): number {
    const [level, bucket] = this.#place(BigInt(clock), BigInt(ticks));
    for (let tick = clock + 1; ; tick += 1) {
      if (this.#visits(tick, level, bucket)) return tick;
    }
  }

  #place(clock: bigint, ticks: bigint): [level: number, bucket: number] {
    const top = this.#levels - 1;
    const capacity = this.#start(this.#levels);
    let expires = clock + ticks;
    if (ticks >= capacity) expires = clock + capacity - (1n << BigInt(3 * top));
    let level = 0;
    while (level < top && ticks >= this.#start(level + 1)) level += 1;
    const bucket = (expires >> BigInt(3 * level)) + 1n;
    return [level, Number(bucket & 63n)];
  }

  /** The least distance, in ticks, that goes to `level`. */
  #start(level: number): bigint {
    return BigInt(BUCKETS - 1) << BigInt(3 * (level - 1));
  }

  /** A level turns by one bucket whenever the one below has turned by eight. */
  #visits(tick: number, level: number, bucket: number): boolean {
    let clock = tick;
    for (let one = 0; one < level; one += 1) {
      if (clock % 8 !== 0) return false;
      clock /= 8;
    }
    return clock % BUCKETS === bucket;
  }
}
