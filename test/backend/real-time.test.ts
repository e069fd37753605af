import { describe, expect, it } from "vitest";
import { RealTime, SYSTEM_CLOCK } from "../../src/backend/real-time.ts";
import type { Machine } from "../../src/base/machine.ts";
import { HOUR, type Instant, MILLISECOND, NEVER, SECOND } from "../../src/base/time.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { FakeClock } from "./fake-clock.ts";

/** Notes when it ran. */
class Ticker implements Machine {
  readonly ran: Instant[] = [];
  readonly #period: number;
  readonly #onTick: () => void;
  #next: Instant;

  constructor(period: number, onTick: () => void = () => {}) {
    this.#period = period;
    this.#next = period;
    this.#onTick = onTick;
  }

  nextDeadline(): Instant {
    return this.#next;
  }

  expire(now: Instant): void {
    this.ran.push(now);
    this.#next = now + this.#period;
    this.#onTick();
  }
}

function newRealTime(bounds: { turn?: number; mostLag?: number } = {}) {
  const clock = new FakeClock();
  const scheduler = new Scheduler();
  const errors: unknown[] = [];
  const gaps: number[] = [];
  const realTime = new RealTime({
    scheduler,
    clock,
    ...bounds,
    onError: (error) => errors.push(error),
    onStandstill: (gap) => gaps.push(gap),
  });
  return { clock, scheduler, realTime, errors, gaps, start: clock.time };
}

describe("real time", () => {
  it("runs events at their own instants, however late the clock calls", () => {
    const { clock, scheduler, realTime, start } = newRealTime();
    const ticker = new Ticker(10 * MILLISECOND);
    scheduler.add(ticker);
    realTime.start();
    expect(clock.soonest).toBe(start + 10 * MILLISECOND);
    clock.moveTo(start + 34_500);
    expect(ticker.ran).toEqual([10_000, 20_000, 30_000]);
    expect(scheduler.now).toBe(34_500);
    expect(clock.soonest).toBe(start + 40_000);
    expect(realTime.lateness).toEqual({ turns: 1, worst: 24_500, mean: 24_500 });
  });

  it("gives what comes in the clock's instant, after all that was due before", () => {
    const { clock, scheduler, realTime, start } = newRealTime();
    const seen: string[] = [];
    scheduler.at(5000, () => seen.push("due"));
    realTime.start();
    clock.time = start + 7000.75;
    realTime.enter((now) => {
      seen.push(`in at ${now}`);
      realTime.enter((same) => seen.push(`within at ${same}`));
      scheduler.at(now + 20, () => seen.push("later"));
    });
    expect(seen).toEqual(["due", "in at 7000", "within at 7000"]);
    expect(clock.waiting).toBe(1);
    clock.moveTo(clock.soonest);
    expect(seen.at(-1)).toBe("later");
  });

  it("lets others have their turn when there is too much to do", () => {
    const { clock, scheduler, realTime, start } = newRealTime({ turn: MILLISECOND });
    const ticker = new Ticker(10, () => (clock.time += 100));
    scheduler.add(ticker);
    realTime.start();
    clock.moveTo(start + 4000);
    expect(ticker.ran.length).toBe(32);
    expect(scheduler.now).toBe(320);
    clock.moveTo(clock.soonest);
    expect(ticker.ran.length).toBe(64);
  });

  it("stands still while the process did, instead of running all that time at once", () => {
    const { clock, scheduler, realTime, start, gaps } = newRealTime({ mostLag: SECOND });
    const ticker = new Ticker(10 * MILLISECOND);
    scheduler.add(ticker);
    realTime.start();
    clock.moveTo(start + HOUR);
    expect(ticker.ran).toEqual([10_000]);
    expect(gaps).toEqual([HOUR - 10_000]);
    expect(clock.soonest - clock.time).toBe(10_000);
  });

  it("does not take an idle hour for a standstill", () => {
    const { clock, scheduler, realTime, start, gaps } = newRealTime({ mostLag: SECOND });
    realTime.start();
    expect(clock.waiting).toBe(0);
    clock.time = start + HOUR;
    realTime.enter((now) => expect(now).toBe(HOUR));
    expect(scheduler.now).toBe(HOUR);
    expect(gaps).toEqual([]);
  });

  it("stops at what a machine throws, and tells", () => {
    const { clock, scheduler, realTime, start, errors } = newRealTime();
    const broken = new Error("broken");
    scheduler.at(1000, () => {
      throw broken;
    });
    scheduler.at(2000, () => {});
    realTime.start();
    clock.moveTo(start + 1000);
    expect(errors).toEqual([broken]);
    expect(clock.waiting).toBe(0);
    realTime.enter(() => expect.unreachable());
  });

  it("takes nothing in once it has stopped, and wakes for nothing", () => {
    const { clock, scheduler, realTime } = newRealTime();
    scheduler.at(1000, () => expect.unreachable());
    realTime.enter(() => expect.unreachable());
    realTime.start();
    realTime.stop();
    expect(clock.waiting).toBe(0);
    realTime.enter(() => expect.unreachable());
  });

  it("refuses bounds without sense", () => {
    expect(() => newRealTime({ turn: 99 })).toThrow("turn: expected 100 us or more, got 99");
    expect(() => newRealTime({ turn: 1000, mostLag: 999 })).toThrow("mostLag");
    expect(() => newRealTime({ turn: NEVER })).toThrow("turn");
  });
});

describe("the system's clock", () => {
  it("goes forward, and wakes after microseconds and after milliseconds", async () => {
    for (const delay of [0, 300, 5 * MILLISECOND]) {
      const before = SYSTEM_CLOCK.now();
      await new Promise<void>((resolve) => SYSTEM_CLOCK.wake(delay, resolve));
      const took = SYSTEM_CLOCK.now() - before;
      expect(took).toBeGreaterThanOrEqual(delay < MILLISECOND ? 0 : delay - MILLISECOND);
      expect(took).toBeLessThan(SECOND);
    }
  });

  it("can be told not to wake", async () => {
    const cancels = [0, 2 * MILLISECOND].map((delay) =>
      SYSTEM_CLOCK.wake(delay, () => expect.unreachable()),
    );
    for (const cancel of cancels) cancel();
    await new Promise((resolve) => setTimeout(resolve, 10));
  });

  it("runs a scheduler about when it is due", async () => {
    const scheduler = new Scheduler();
    const realTime = new RealTime({ scheduler, onError: () => expect.unreachable() });
    const ticker = new Ticker(2500);
    scheduler.add(ticker);
    realTime.start();
    await new Promise((resolve) => setTimeout(resolve, 60));
    realTime.stop();
    expect(ticker.ran.length).toBeGreaterThan(5);
    expect(ticker.ran.every((at, index) => at === 2500 * (index + 1))).toBe(true);
  });
});
