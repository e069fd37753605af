/**
 * Real time: runs a scheduler's machines when a monotonic clock says so.
 *
 * Events run at their own instants, however late the clock calls; only what comes in from outside
 * takes its instant from the clock. So equal inputs at equal instants give what virtual time gives.
 * @module
 */
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import { type Duration, HOUR, type Instant, MILLISECOND, NEVER, SECOND } from "../base/time.ts";
import type { Scheduler } from "../sim/scheduler.ts";

/** A clock that only goes forward, and wakes people. */
export interface Clock {
  /** Microseconds since some moment; may have fractions. */
  now(): number;
  /**
   * Call `callback` once, after about `delay` and after other work of the process had its turn.
   * @returns how to cancel it.
   */
  wake(delay: Duration, callback: () => void): () => void;
}

/** How {@link RealTime} runs. */
export interface RealTimeOptions {
  readonly scheduler: Scheduler;
  /** The system's monotonic clock. */
  readonly clock?: Clock;
  /** Real time that one turn may take, from 100 us, so that sockets are heard; 10 ms. */
  readonly turn?: Duration;
  /**
   * How late events may be before time is taken to have stood still, from a turn; 5 s. A process
   * that was stopped for an hour goes on where it was, instead of running that hour at once.
   */
  readonly mostLag?: Duration;
  /** Told what a machine threw; time stands still then. */
  readonly onError: (error: unknown) => void;
  /** Told that time stood still, and for how long. */
  readonly onStandstill?: (gap: Duration) => void;
}

/** How late events ran. */
export interface Lateness {
  /** Turns that had something to do. */
  readonly turns: number;
  /** Of the first event of a turn, in microseconds. */
  readonly worst: Duration;
  readonly mean: Duration;
}

/** Events between two looks at the clock. */
const EVENTS_A_LOOK = 32;

/** Drives one scheduler. */
export class RealTime {
  readonly #scheduler: Scheduler;
  readonly #clock: Clock;
  readonly #turn: Duration;
  readonly #mostLag: Duration;
  readonly #options: RealTimeOptions;
  /** What the clock showed at the scheduler's instant 0. */
  #origin = 0;
  #cancel: (() => void) | null = null;
  #isRunning = false;
  #isBusy = false;
  #turns = 0;
  #worst = 0;
  #total = 0;

  /** @throws {OptionError} if a bound is out of range. */
  constructor(options: RealTimeOptions) {
    const { scheduler, clock = SYSTEM_CLOCK, turn = 10 * MILLISECOND } = options;
    const { mostLag = 5 * SECOND } = options;
    if (!(turn >= 100 && turn < NEVER)) throw new OptionError("turn", turn, "100 us or more");
    if (!(mostLag >= turn)) throw new OptionError("mostLag", mostLag, "a turn or more");
    this.#options = options;
    this.#scheduler = scheduler;
    this.#clock = clock;
    this.#turn = turn;
    this.#mostLag = mostLag;
  }

  /** How late events ran so far. */
  get lateness(): Lateness {
    const mean = this.#turns === 0 ? 0 : this.#total / this.#turns;
    return { turns: this.#turns, worst: this.#worst, mean };
  }

  /** Let time pass from now on: the scheduler's present instant is the clock's. */
  start(): void {
    assert(!this.#isRunning, "real time starts once");
    this.#origin = this.#clock.now() - this.#scheduler.now;
    this.#isRunning = true;
    this.#arm();
  }

  /** Let time stand still. */
  stop(): void {
    this.#isRunning = false;
    this.#disarm();
  }

  /**
   * Something comes in from outside, at the instant that the clock shows: `work` hands it to the
   * machines. Within `work`, another call is part of it. Nothing comes in once time stands still.
   */
  enter(work: (now: Instant) => void): void {
    if (this.#isBusy) {
      work(this.#scheduler.now);
      return;
    }
    if (!this.#isRunning) return;
    this.#take(() => {
      this.#catchUp();
      work(this.#scheduler.now);
    });
  }

  #take(work: () => void): void {
    this.#disarm();
    this.#isBusy = true;
    try {
      work();
    } catch (error) {
      this.stop();
      this.#options.onError(error);
    } finally {
      this.#isBusy = false;
    }
    this.#arm();
  }

  /** Run what is due, for a turn at most. */
  #catchUp(): void {
    const scheduler = this.#scheduler;
    const began = this.#clock.now();
    const late = began - this.#origin - scheduler.nextDeadline();
    if (late > this.#mostLag) {
      // The clock's gap is no time of ours: whatever is due is due now.
      this.#origin += late;
      this.#options.onStandstill?.(Math.round(late));
    }
    const target = Math.max(scheduler.now, Math.floor(began - this.#origin));
    if (scheduler.nextDeadline() <= target) this.#note(target - scheduler.nextDeadline());
    for (let events = 1; scheduler.nextDeadline() <= target; events += 1) {
      scheduler.step();
      if (!this.#isRunning) return;
      if (events % EVENTS_A_LOOK === 0 && this.#clock.now() - began > this.#turn) return;
    }
    scheduler.advanceTo(target);
  }

  #note(late: Duration): void {
    this.#turns += 1;
    this.#total += late;
    this.#worst = Math.max(this.#worst, late);
  }

  #arm(): void {
    if (!this.#isRunning) return;
    const due = this.#scheduler.nextDeadline();
    if (due === NEVER) return;
    const wait = Math.max(0, due - (this.#clock.now() - this.#origin));
    this.#cancel = this.#clock.wake(wait, () => {
      this.#cancel = null;
      this.#take(() => this.#catchUp());
    });
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}

/** Node's timers know milliseconds: the last one is waited out between turns of its event loop. */
const TIMER_TICK = MILLISECOND;
/** Node's timers know no longer delays than 2^31 ms. */
const LONGEST_WAIT = HOUR;

/** The system's monotonic clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now() * MILLISECOND,
  wake: (delay, callback) => {
    if (delay < TIMER_TICK) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, Math.floor(Math.min(delay, LONGEST_WAIT) / MILLISECOND));
    return () => clearTimeout(timer);
  },
};
