import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StayAwake } from "../../src/backend/stay-awake.ts";

const PATIENCE = 50;
/** What a look at the event loop takes. */
const TURN = 2;

/** A server whose clients ask at intervals, with a clock and an event loop of its own. */
class Served {
  looks = 0;
  awake: StayAwake;
  #time = 1000;
  readonly #queue: (() => void)[] = [];

  constructor(patience = PATIENCE) {
    this.awake = new StayAwake({
      patience,
      now: () => this.#time,
      soon: (callback) => this.#queue.push(callback),
    });
  }

  /** Let time pass. @returns how long it looked. */
  pass(duration: number): number {
    const before = this.looks;
    const end = this.#time + duration;
    while (this.#queue.length > 0 && this.#time + TURN <= end) {
      this.#time += TURN;
      this.looks += 1;
      for (const callback of this.#queue.splice(0, 1)) callback();
    }
    this.#time = end;
    return (this.looks - before) * TURN;
  }

  /** `count` requests that follow each other so soon. @returns for how many it was awake. */
  ask(count: number, asleep: number, awake = asleep): number {
    let times = 0;
    for (let i = 0; i < count; i += 1) {
      if (this.awake.isAwake) times += 1;
      this.pass(this.awake.isAwake ? awake : asleep);
      this.awake.heard();
      this.awake.answered();
    }
    return times;
  }
}

describe("a server of clients that ask one by one", () => {
  it("stays awake where requests then follow sooner", () => {
    const served = new Served();
    expect(served.ask(5000, 20, 14)).toBeGreaterThan(4700);
    expect(served.awake.isAwake).toBe(true);
  });

  it.each([20, 26])("sleeps where they follow no sooner: 20 us asleep, %i awake", (awake) => {
    expect(new Served().ask(10_000, 20, awake)).toBeLessThanOrEqual(10 * 32);
  });

  it("changes its mind", () => {
    const served = new Served();
    for (let round = 0; round < 3; round += 1) {
      served.ask(1200, 20, 14);
      expect(served.awake.isAwake).toBe(true);
      served.ask(1200, 20, 26);
      expect(served.awake.isAwake).toBe(false);
    }
  });

  it("looks for nobody who asks now and then", () => {
    const served = new Served();
    served.ask(5000, 1000);
    expect(served.looks).toBe(0);
  });

  it("soon sleeps when a client that asked one by one asks seldom", () => {
    const served = new Served();
    served.ask(500, 20, 14);
    const before = served.looks;
    served.ask(500, 1000);
    expect(served.looks - before).toBeLessThan((6 * PATIENCE) / TURN);
  });

  it("never looks longer than its patience after an answer, and then not at all", () => {
    const intervals = fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 300 });
    fc.assert(
      fc.property(intervals, fc.integer({ min: 1, max: 1000 }), (all, patience) => {
        const served = new Served(patience);
        served.ask(200, 20, 14);
        for (const interval of all) served.ask(1, interval);
        expect(served.pass(10_000)).toBeLessThanOrEqual(patience + TURN);
        expect(served.pass(10_000)).toBe(0);
      }),
    );
  });

  it("never looks without patience", () => {
    const served = new Served(0);
    served.ask(3000, 20, 14);
    expect(served.looks).toBe(0);
  });

  it("leaves the event loop of Node alone when nobody asks", async () => {
    let looks = 0;
    const awake = new StayAwake({
      patience: 1000,
      soon: (callback) => {
        looks += 1;
        setImmediate(callback);
      },
    });
    // The second way is tried after 32 requests; whatever comes of it.
    for (let i = 0; i < 40; i += 1) {
      awake.heard();
      awake.answered();
    }
    expect(looks).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const then = looks;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(looks).toBe(then);
  });

  it.each([-1, 1001, Number.NaN])("refuses a patience of %d", (patience) => {
    expect(() => new StayAwake({ patience })).toThrow("0 to 1,000 us");
  });
});
