/**
 * Whether to stay awake after an answer: to look for the next request between turns of the event
 * loop, for a moment, instead of going to sleep at once (docs/decisions/0020-direct-sockets.md).
 *
 * A client that asks one by one is then answered without a sleep and a wake, where there is a
 * processor for each side. Where there is none, the server holds the one that its client needs. So
 * both ways are tried, again and again, and the one is kept in which requests follow sooner.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type Duration, MILLISECOND } from "../base/time.ts";

/** How to stay awake. */
export interface StayAwakeOptions {
  /** How long after an answer, in microseconds, to 1,000; 0 for never. */
  readonly patience: Duration;
  /** The system's monotonic clock, in microseconds. */
  readonly now?: () => number;
  /** Calls back after one look at what came. */
  readonly soon?: (callback: () => void) => void;
}

/** Requests that each way is tried for; of the first few, whose code is cold, none counts. */
const TRIAL = 32;
const COLD = 8;
/** Requests until both ways are tried again. */
const SETTLED = 1024;
/** What follows later has nothing to do with how it was waited for. */
const LONGEST_INTERVAL: Duration = 200;
/** Staying awake has to save so much of the time between two requests. */
const WORTH = 0.95;
/** Requests that must have come in time for each that did not. */
const HITS_A_MISS = 16;

type Phase = "trial-asleep" | "trial-awake" | "settled";

/** One event loop's. */
export class StayAwake {
  readonly #patience: Duration;
  readonly #now: () => number;
  readonly #soon: (callback: () => void) => void;
  readonly #turn = (): void => this.#look();
  #phase: Phase = "trial-asleep";
  #isAwake = false;
  #isLooking = false;
  #requests = 0;
  /** Of a trial: the time between its requests, and how many times that is. */
  #spent = 0;
  #counted = 0;
  #costAsleep = 0;
  #heardAt = 0;
  #answeredAt = 0;
  #credit = HITS_A_MISS;

  /** @throws {OptionError} if the time is out of range. */
  constructor({
    patience,
    now = () => performance.now() * MILLISECOND,
    soon = (callback) => void setImmediate(callback),
  }: StayAwakeOptions) {
    if (!(patience >= 0 && patience <= MILLISECOND)) {
      throw new OptionError("patience", patience, "0 to 1,000 us");
    }
    this.#patience = patience;
    this.#now = now;
    this.#soon = soon;
  }

  /** Looks for the next request after each answer at present. */
  get isAwake(): boolean {
    return this.#isAwake;
  }

  /** A request came. */
  heard(): void {
    if (this.#patience === 0) return;
    this.#requests += 1;
    if (this.#phase === "settled") {
      if (this.#isLooking) this.#credit = Math.min(this.#credit + 1, 4 * HITS_A_MISS);
      if (this.#requests >= SETTLED) this.#begin("trial-asleep");
      return;
    }
    const now = this.#now();
    const interval = now - this.#heardAt;
    this.#heardAt = now;
    if (this.#requests > COLD && interval <= LONGEST_INTERVAL) {
      this.#spent += interval;
      this.#counted += 1;
    }
    if (this.#requests >= TRIAL) this.#judge();
  }

  /** It was answered. */
  answered(): void {
    if (!this.#isAwake) return;
    this.#answeredAt = this.#now();
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#soon(this.#turn);
  }

  #begin(phase: Phase): void {
    this.#phase = phase;
    this.#isAwake = phase === "trial-awake";
    this.#requests = 0;
    this.#spent = 0;
    this.#counted = 0;
    this.#credit = HITS_A_MISS;
  }

  #judge(): void {
    const cost = this.#counted === 0 ? Infinity : this.#spent / this.#counted;
    if (this.#phase === "trial-asleep") {
      this.#costAsleep = cost;
      // Whoever asks now and then is not waited for.
      this.#begin(cost > this.#patience ? "settled" : "trial-awake");
      return;
    }
    this.#begin("settled");
    this.#isAwake = cost < WORTH * this.#costAsleep;
  }

  #look(): void {
    if (this.#isAwake && this.#now() - this.#answeredAt < this.#patience) {
      this.#soon(this.#turn);
      return;
    }
    this.#isLooking = false;
    if (!this.#isAwake) return;
    this.#credit -= HITS_A_MISS;
    if (this.#credit < 0) this.#begin("settled");
  }
}
