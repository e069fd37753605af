/** A clock that a test moves. */
import type { Clock } from "../../src/backend/real-time.ts";
import type { Duration } from "../../src/base/time.ts";

interface Wake {
  readonly at: number;
  readonly callback: () => void;
}

/** Wakes people when it is moved, as late as the test likes. */
export class FakeClock implements Clock {
  /** Microseconds; any origin will do. */
  time = 1_234_567.25;
  readonly #wakes = new Set<Wake>();

  now(): number {
    return this.time;
  }

  wake(delay: Duration, callback: () => void): () => void {
    const wake = { at: this.time + delay, callback };
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  /** When somebody wants to be woken next; `Infinity` for never. */
  get soonest(): number {
    return Math.min(...[...this.#wakes].map(({ at }) => at));
  }

  /** People who want to be woken. */
  get waiting(): number {
    return this.#wakes.size;
  }

  /** Move to `time` and wake whoever is due. */
  moveTo(time: number): void {
    this.time = Math.max(time, this.time);
    for (const wake of this.#wakes) {
      if (wake.at > this.time || !this.#wakes.delete(wake)) continue;
      wake.callback();
      return;
    }
  }
}
