import { describe, expect, it } from "vitest";
import { EmulatorError, OptionError, RangeFault } from "../../src/base/errors.ts";
import type { Machine } from "../../src/base/machine.ts";
import { NEVER, SECOND } from "../../src/base/time.ts";
import { Scheduler, SpinError } from "../../src/sim/scheduler.ts";

/** Due every `period`, for ever; counts how often its deadline was asked for. */
class Ticker implements Machine {
  readonly ticks: number[] = [];
  asked = 0;
  deadline: number;
  readonly period: number;

  constructor(period: number) {
    this.period = period;
    this.deadline = period;
  }

  nextDeadline(): number {
    this.asked += 1;
    return this.deadline;
  }

  expire(now: number): void {
    this.ticks.push(now);
    this.deadline = now + this.period;
  }
}

class Stuck extends Ticker {
  constructor() {
    super(0);
  }
}

describe("Scheduler", () => {
  it("lets time pass to the given instant, even if nothing is due", () => {
    const scheduler = new Scheduler();
    scheduler.runUntil(5 * SECOND);
    expect(scheduler.now).toBe(5 * SECOND);
    expect(scheduler.nextDeadline()).toBe(NEVER);
    expect(scheduler.step()).toBe(false);
  });

  it("runs what is due at the last instant itself, and nothing after it", () => {
    const scheduler = new Scheduler();
    const ticker = new Ticker(10);
    scheduler.add(ticker);
    scheduler.runUntil(30);
    expect(ticker.ticks).toEqual([10, 20, 30]);
    expect(scheduler.nextDeadline()).toBe(40);
  });

  it("asks a machine for its deadline once an event", () => {
    const scheduler = new Scheduler();
    const ticker = new Ticker(1);
    scheduler.add(ticker);
    ticker.asked = 0;
    scheduler.runUntil(100);
    expect(ticker.asked).toBe(100);
  });

  it("asks the machine that runs only when it is done, whatever is handed to it meanwhile", () => {
    const scheduler = new Scheduler();
    const ticker = new Ticker(10);
    const expire = ticker.expire.bind(ticker);
    ticker.expire = (now) => {
      const { asked } = ticker;
      scheduler.reschedule(ticker);
      expect(ticker.asked).toBe(asked);
      expire(now);
    };
    scheduler.add(ticker);
    scheduler.runUntil(30);
    expect(ticker.ticks).toEqual([10, 20, 30]);
  });

  it("takes a deadline that is past for one that is due now, after what is due already", () => {
    const scheduler = new Scheduler();
    scheduler.runUntil(100);
    const order: string[] = [];
    scheduler.at(100, () => order.push("call"));
    const late: Machine = {
      nextDeadline: () => (order.includes("late") ? NEVER : 7),
      expire: (now) => order.push(now === 100 ? "late" : "early"),
    };
    scheduler.add(late);
    scheduler.runUntil(100);
    expect(order).toEqual(["call", "late"]);
  });

  it("drives a machine no more once it is removed, whatever is handed to it", () => {
    const scheduler = new Scheduler();
    const ticker = new Ticker(10);
    scheduler.add(ticker);
    scheduler.remove(ticker);
    scheduler.reschedule(ticker);
    scheduler.runUntil(100);
    expect(ticker.ticks).toEqual([]);
  });

  it("lets a machine remove itself while it runs", () => {
    const scheduler = new Scheduler();
    let runs = 0;
    const once: Machine = {
      nextDeadline: () => 1,
      expire: () => {
        runs += 1;
        scheduler.remove(once);
      },
    };
    scheduler.add(once);
    scheduler.runUntil(10);
    expect(runs).toBe(1);
  });

  it("cancels a call by removing what stands for it", () => {
    const scheduler = new Scheduler();
    let calls = 0;
    const call = scheduler.at(5, () => (calls += 1));
    scheduler.remove(call);
    scheduler.runUntil(10);
    expect(calls).toBe(0);
  });

  it("names the machine that never lets its instant end, and drives it on", () => {
    const scheduler = new Scheduler({ eventsPerInstant: 50 });
    const stuck = new Stuck();
    scheduler.at(3, () => scheduler.add(stuck));
    const run = (): void => scheduler.runUntil(10);
    expect(run).toThrow(SpinError);
    expect(run).toThrow("Stuck: still due after 50 events at 3 us");
    expect(scheduler.nextDeadline()).toBe(3);
  });

  it("counts the bound for each instant anew", () => {
    const scheduler = new Scheduler({ eventsPerInstant: 1 });
    const ticker = new Ticker(1);
    scheduler.add(ticker);
    scheduler.runUntil(1000);
    expect(ticker.ticks).toHaveLength(1000);
  });

  it("goes on after a machine threw", () => {
    const scheduler = new Scheduler();
    const ticker = new Ticker(10);
    scheduler.add(ticker);
    scheduler.at(10, () => {
      throw new TypeError("expectation failed");
    });
    expect(() => scheduler.runUntil(20)).toThrow("expectation failed");
    scheduler.runUntil(20);
    expect(ticker.ticks).toEqual([10, 20]);
  });

  it("refuses to run time from inside a machine", () => {
    const scheduler = new Scheduler();
    scheduler.at(1, () => scheduler.runUntil(5));
    expect(() => scheduler.runUntil(10)).toThrow(EmulatorError);
    scheduler.at(2, () => scheduler.step());
    expect(() => scheduler.runUntil(10)).toThrow("a call at 2 us: runs time while it runs itself");
  });

  it("refuses to go back, or to where nothing ends", () => {
    const scheduler = new Scheduler();
    scheduler.runUntil(10);
    expect(() => scheduler.runUntil(9)).toThrow(RangeFault);
    expect(() => scheduler.runUntil(NEVER)).toThrow(RangeFault);
    expect(() => scheduler.at(9, () => {})).toThrow("expected an instant from 10 us on, got 9");
    expect(() => scheduler.at(Number.NaN, () => {})).toThrow(RangeFault);
    expect(() => new Scheduler({ eventsPerInstant: 0 })).toThrow(OptionError);
  });

  it("catches up with an outside clock, each event at its own instant", () => {
    const scheduler = new Scheduler();
    const ticker = new Ticker(10);
    scheduler.add(ticker);
    scheduler.advanceTo(35);
    expect(ticker.ticks).toEqual([10, 20, 30]);
    scheduler.advanceTo(20);
    expect(scheduler.now).toBe(35);
    expect(() => scheduler.advanceTo(NEVER)).toThrow(RangeFault);
  });
});
