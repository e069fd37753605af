/**
 * Virtual time: runs machines in the order in which their work falls due.
 *
 * Work of one instant runs in the order in which it became due, so equal runs are equal octet for
 * octet. An outside clock may drive the same machines: it sleeps until
 * {@link Scheduler.nextDeadline} and then calls {@link Scheduler.advanceTo}.
 * @module
 */
import { assert } from "../base/assert.ts";
import { DeadlineHeap } from "../base/deadline-heap.ts";
import { EmulatorError, OptionError, RangeFault } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import { type Instant, NEVER } from "../base/time.ts";

/** Bounds of a {@link Scheduler}. */
export interface SchedulerOptions {
  /** Events that one instant may hold, from 1; 1,000,000. More is taken for a loop. */
  readonly eventsPerInstant?: number;
}

/** An instant did not end: the machine named last keeps having work that is due. */
export class SpinError extends EmulatorError {
  /** The machine whose turn it was at the bound. */
  readonly machine: Machine;
  /** When it happened. */
  readonly instant: Instant;

  constructor(machine: Machine, instant: Instant, eventsPerInstant: number) {
    const name = nameOf(machine);
    const what = `still due after ${eventsPerInstant} events at ${instant} us`;
    super("scheduler-spin", name, `${name}: ${what}`);
    this.machine = machine;
    this.instant = instant;
  }
}

/** Drives machines through virtual time. */
export class Scheduler {
  /** As {@link SchedulerOptions.eventsPerInstant}. */
  readonly eventsPerInstant: number;
  readonly #machines = new Set<Machine>();
  readonly #deadlines = new DeadlineHeap<Machine>();
  #now: Instant = 0;
  /** Events of the current instant so far. */
  #events = 0;
  #running: Machine | null = null;

  constructor({ eventsPerInstant = 1_000_000 }: SchedulerOptions = {}) {
    if (!Number.isInteger(eventsPerInstant) || eventsPerInstant < 1) {
      throw new OptionError("eventsPerInstant", eventsPerInstant, "a whole number from 1");
    }
    this.eventsPerInstant = eventsPerInstant;
  }

  /** The current instant; never goes back. */
  get now(): Instant {
    return this.#now;
  }

  /** Drive `machine` from now on; once is enough. */
  add(machine: Machine): void {
    this.#machines.add(machine);
    this.reschedule(machine);
  }

  /** Drive `machine` no more; it may remove itself while it runs. */
  remove(machine: Machine): void {
    this.#machines.delete(machine);
    this.#deadlines.delete(machine);
  }

  /**
   * Ask `machine` for its deadline again, because something was handed to it. Does nothing for a
   * machine that is not driven, and for the one that is running: that one is asked when it is done.
   */
  reschedule(machine: Machine): void {
    if (machine === this.#running || !this.#machines.has(machine)) return;
    const deadline = machine.nextDeadline();
    assert(!Number.isNaN(deadline), "a deadline is an instant");
    this.#deadlines.set(machine, Math.max(deadline, this.#now));
  }

  /**
   * Call `callback` once, at `instant`.
   * @returns a machine that stands for the call: {@link remove} it to cancel.
   * @throws {RangeFault} if `instant` is past, or never comes.
   */
  at(instant: Instant, callback: (now: Instant) => void): Machine {
    this.#requireAhead(instant);
    const appointment = new Appointment(this, instant, callback);
    this.add(appointment);
    return appointment;
  }

  /** When something is due next; `NEVER` if nothing is. */
  nextDeadline(): Instant {
    return this.#deadlines.soonest;
  }

  /**
   * Run the next event, whenever it is due, and let time pass until then.
   * @returns whether there was one.
   * @throws {SpinError} if the instant does not end, and whatever the machine throws.
   */
  step(): boolean {
    this.#requireIdle();
    const at = this.#deadlines.soonest;
    const machine = at === NEVER ? null : this.#deadlines.pop(at);
    if (machine === null) return false;
    this.#passTo(at);
    this.#run(machine);
    return true;
  }

  /**
   * Run everything that is due up to and including `instant`; it is then {@link now}.
   * @throws {RangeFault} if `instant` is past, or never comes; and as {@link step}.
   */
  runUntil(instant: Instant): void {
    this.#requireIdle();
    this.#requireAhead(instant);
    while (this.#deadlines.soonest <= instant) this.step();
    this.#passTo(instant);
  }

  /**
   * Catch up with an outside clock that shows `clock`. Events run at their own instants, however
   * late the clock calls, and a clock that went back is ignored.
   * @throws {RangeFault} if `clock` never comes; and as {@link step}.
   */
  advanceTo(clock: Instant): void {
    this.runUntil(Math.max(clock, this.#now));
  }

  #run(machine: Machine): void {
    this.#running = machine;
    try {
      this.#events += 1;
      if (this.#events > this.eventsPerInstant) {
        throw new SpinError(machine, this.#now, this.eventsPerInstant);
      }
      machine.expire(this.#now);
    } finally {
      this.#running = null;
      this.reschedule(machine);
    }
  }

  #passTo(instant: Instant): void {
    if (instant > this.#now) this.#events = 0;
    this.#now = instant;
  }

  #requireAhead(instant: Instant): void {
    if (!(instant >= this.#now && instant < NEVER)) {
      throw new RangeFault("instant", instant, `an instant from ${this.#now} us on`);
    }
  }

  #requireIdle(): void {
    if (this.#running !== null) {
      const name = nameOf(this.#running);
      throw new EmulatorError("scheduler-busy", name, `${name}: runs time while it runs itself`);
    }
  }
}

/** One call at one instant. */
class Appointment implements Machine {
  readonly #scheduler: Scheduler;
  readonly #instant: Instant;
  readonly #callback: (now: Instant) => void;

  constructor(scheduler: Scheduler, instant: Instant, callback: (now: Instant) => void) {
    this.#scheduler = scheduler;
    this.#instant = instant;
    this.#callback = callback;
  }

  nextDeadline(): Instant {
    return this.#instant;
  }

  expire(now: Instant): void {
    this.#scheduler.remove(this);
    this.#callback(now);
  }

  toString(): string {
    return `a call at ${this.#instant} us`;
  }
}

/** What the machine calls itself, or else its class. */
function nameOf(machine: { toString(): string }): string {
  const name = machine.toString();
  return name === "[object Object]" ? machine.constructor.name : name;
}
