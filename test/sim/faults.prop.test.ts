import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FaultOptions } from "../../src/sim/faults.ts";
import { type Arrival, Wires, arrivalsWith } from "./wires.ts";

const COUNT = 200;
const seed = fc.integer({ min: 0, max: 2 ** 53 - 1 });
const some = fc.double({ min: 0.05, max: 0.95, noNaN: true });
/** Any mixture of the three faults that leave the octets alone. */
const others = fc.record({
  duplication: fc.constantFrom(0, 0.3),
  reordering: fc.constantFrom(0, 0.3),
});

const numbersOf = (arrivals: readonly Arrival[]): Set<number> =>
  new Set(arrivals.map(({ number }) => number));
const duplicatesOf = (arrivals: readonly Arrival[]): number[] =>
  arrivals
    .map(({ number }) => number)
    .filter((number, index, all) => all.indexOf(number) !== index)
    .toSorted((a, b) => a - b);

describe("Faults", () => {
  it("lose the same frames whatever else goes wrong", () => {
    fc.assert(
      fc.property(seed, some, others, (key, loss, more) => {
        const alone = numbersOf(arrivalsWith({ loss }, key, COUNT));
        const together = numbersOf(arrivalsWith({ loss, ...more }, key, COUNT));
        expect(together).toEqual(alone);
      }),
      { numRuns: 30 },
    );
  });

  it("duplicate the same frames whether or not others are lost, apart from the lost ones", () => {
    fc.assert(
      fc.property(seed, some, some, (key, loss, duplication) => {
        const alone = duplicatesOf(arrivalsWith({ duplication }, key, COUNT));
        const lossy = arrivalsWith({ loss, duplication }, key, COUNT);
        const survivors = numbersOf(lossy);
        expect(duplicatesOf(lossy)).toEqual(alone.filter((number) => survivors.has(number)));
      }),
      { numRuns: 30 },
    );
  });

  it("flip the same bits whether or not frames are lost", () => {
    const octetsOf = (arrivals: readonly Arrival[]): Map<number, Uint8Array> =>
      new Map(arrivals.map(({ id, octets }) => [id, octets]));
    fc.assert(
      fc.property(seed, fc.constantFrom(1e-4, 1e-2), some, (key, corruption, loss) => {
        const whole = octetsOf(arrivalsWith({ corruption }, key, COUNT));
        const lossy = octetsOf(arrivalsWith({ corruption, loss }, key, COUNT));
        for (const [id, octets] of lossy) expect(octets).toEqual(whole.get(id));
      }),
      { numRuns: 30 },
    );
  });

  it("flip bits of the stream of octets, however it is cut into frames", () => {
    const streamOf = (key: number, lengths: readonly number[]): string => {
      const wires = new Wires();
      const { left } = wires.link("w", { faults: { corruption: 0.005 } }, { seed: key });
      for (const length of lengths) {
        const packet = wires.pool.copyIn(new Uint8Array(length));
        if (packet !== null) left.transmit(packet, 0);
      }
      wires.scheduler.runUntil(0);
      return wires.arrivals.map(({ octets }) => String(octets)).join();
    };
    fc.assert(
      fc.property(
        seed,
        fc.array(fc.integer({ min: 14, max: 100 }), { maxLength: 20, size: "max" }),
        (key, cut) => {
          const total = cut.reduce((sum, length) => sum + length, 0);
          expect(streamOf(key, cut)).toBe(streamOf(key, total === 0 ? [] : [total]));
        },
      ),
    );
  });

  it("are no less likely on a frame that another one hit", () => {
    const count = 4000;
    const wires = new Wires(2 * count);
    const faults = { loss: 0.5, duplication: 0.5, reordering: 0.5 };
    const { link, left } = wires.link("w", { faults }, { seed: 5 });
    for (let index = 0; index < count; index += 1) wires.send(left);
    wires.scheduler.runUntil(1e6);
    const { lost = 0, duplicated = 0, heldBack = 0 } = link.toRight.faults ?? {};
    const survived = count - lost;
    for (const hits of [duplicated, heldBack]) {
      expect(Math.abs(hits - survived / 2)).toBeLessThan(5 * Math.sqrt(survived / 4));
    }
    // Both at once: half of the duplicated ones are held back, and only their copies are not.
    const times = new Map<number, Set<number>>();
    for (const { number, at } of wires.arrivals) {
      times.set(number, (times.get(number) ?? new Set()).add(at));
    }
    const both = [...times.values()].filter(({ size }) => size === 2).length;
    expect(Math.abs(both - survived / 4)).toBeLessThan(5 * Math.sqrt((survived * 3) / 16));
  });

  it("give other streams to other directions, links and seeds", () => {
    const survivorsOf = (name: string, key: number, isLeft: boolean): number[] => {
      const wires = new Wires();
      const { left, right } = wires.link(name, { faults: { loss: 0.5 } }, { seed: key });
      for (let index = 0; index < COUNT; index += 1) wires.send(isLeft ? left : right);
      wires.scheduler.runUntil(0);
      return wires.numbers;
    };
    fc.assert(
      fc.property(seed, (key) => {
        const runs = [
          survivorsOf("a", key, true),
          survivorsOf("a", key, false),
          survivorsOf("b", key, true),
          survivorsOf("a", key === 0 ? 1 : key - 1, true),
        ];
        expect(new Set(runs.map(String)).size).toBe(runs.length);
      }),
      { numRuns: 20 },
    );
  });

  it("hit as often as their probability says, within five standard deviations", () => {
    const count = 4000;
    const near = (hits: number, trials: number, p: number): boolean =>
      Math.abs(hits - trials * p) <= 5 * Math.sqrt(trials * p * (1 - p));
    const countsOf = (faults: FaultOptions, key: number) => {
      const wires = new Wires(2 * count);
      const { link, left } = wires.link("w", { faults }, { seed: key });
      for (let index = 0; index < count; index += 1) wires.send(left);
      wires.scheduler.runUntil(1e6);
      const { lost = 0, duplicated = 0, heldBack = 0, flippedBits = 0 } = link.toRight.faults ?? {};
      return { lost, duplicated, heldBack, flippedBits };
    };
    fc.assert(
      fc.property(seed, some, (key, p) => {
        expect(near(countsOf({ loss: p }, key).lost, count, p)).toBe(true);
        expect(near(countsOf({ duplication: p }, key).duplicated, count, p)).toBe(true);
        expect(near(countsOf({ reordering: p }, key).heldBack, count, p)).toBe(true);
        const bits = count * 64 * 8;
        expect(near(countsOf({ corruption: p / 100 }, key).flippedBits, bits, p / 100)).toBe(true);
      }),
      { numRuns: 5 },
    );
  });
});
