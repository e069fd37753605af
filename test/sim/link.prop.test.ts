import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WayOptions } from "../../src/sim/link.ts";
import { Wires } from "./wires.ts";

/** Frames and the pauses between them. */
const traffic = fc.array(
  fc.record({
    link: fc.nat(2),
    isLeft: fc.boolean(),
    length: fc.integer({ min: 14, max: 1514 }),
    pause: fc.nat(40),
  }),
  { maxLength: 60, size: "max" },
);
const probability = fc.constantFrom(0, 0.1, 0.5, 1);
const faults = fc.record({
  loss: probability,
  corruption: fc.constantFrom(0, 1e-3),
  duplication: probability,
  reordering: probability,
  holdBack: fc.integer({ min: 1, max: 50 }),
});
const way = fc.record({
  delay: fc.nat(50),
  rateBps: fc.option(fc.integer({ min: 1_000_000, max: 10_000_000_000 })),
  framingOctets: fc.constantFrom(0, 24),
  queueLimit: fc.nat(8),
  faults: fc.option(faults),
});

type Traffic = ReturnType<typeof traffic.generate>["value"];

function play(options: readonly WayOptions[], frames: Traffic, seed = 0) {
  const wires = new Wires();
  const links = options.map((one, index) => wires.link(`w${index}`, one, { seed }));
  const sent: { number: number; from: string; length: number; at: number }[] = [];
  for (const { link, isLeft, length, pause } of frames) {
    const { left, right } = links[link] ?? { left: null, right: null };
    const from = isLeft ? left : right;
    if (from === null) continue;
    const at = wires.scheduler.now;
    sent.push({ number: wires.send(from, length), from: from.name, length, at });
    wires.scheduler.runUntil(at + pause);
  }
  return { wires, links, sent };
}

const three = fc.tuple(way, way, way);

describe("Link", () => {
  it("ends or holds every frame that was handed to it: none is lost from the books", () => {
    fc.assert(
      fc.property(three, traffic, fc.nat(), (options, frames, seed) => {
        const { wires, links, sent } = play(options, frames, seed);
        const ways = links.flatMap(({ link }) => [link.toRight, link.toLeft]);
        const sum = (count: (one: (typeof ways)[number]) => number): number =>
          ways.reduce((total, one) => total + count(one), 0);
        const account = (): number =>
          wires.arrivals.length +
          sum((one) => one.overflowed + one.inFlight + (one.faults?.lost ?? 0)) +
          sum((one) => (one.faults?.held ?? 0) - (one.faults?.duplicated ?? 0));
        expect(account()).toBe(sent.length);
        expect(wires.pool.live).toBe(sum((one) => one.inFlight + (one.faults?.held ?? 0)));
        wires.scheduler.runUntil(100_000_000);
        expect(account()).toBe(sent.length);
        expect(wires.pool.live).toBe(0);
      }),
    );
  });

  it("does the same again for the same seed", () => {
    fc.assert(
      fc.property(three, traffic, fc.nat(), (options, frames, seed) => {
        const runs = [0, 1].map(() => {
          const { wires } = play(options, frames, seed);
          wires.scheduler.runUntil(100_000_000);
          return wires.arrivals.map(({ device, id, octets, at }) =>
            [device, id, at, Buffer.from(octets).toString("hex")].join(" "),
          );
        });
        expect(runs[0]).toEqual(runs[1]);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps the order of sending in each direction that does not reorder", () => {
    fc.assert(
      fc.property(three, traffic, (options, frames) => {
        const plain = options.map((one) => ({ ...one, faults: null }));
        const { wires } = play(plain, frames);
        wires.scheduler.runUntil(100_000_000);
        for (const name of new Set(wires.arrivals.map(({ device }) => device))) {
          const numbers = wires.arrivals.flatMap((a) => (a.device === name ? [a.number] : []));
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  it("keeps the order of sending over all links of one delay", () => {
    fc.assert(
      fc.property(fc.nat(50), traffic, (delay, frames) => {
        const { wires, sent } = play([{ delay }, { delay }, { delay }], frames);
        wires.scheduler.runUntil(100_000_000);
        expect(wires.numbers).toEqual(sent.map(({ number }) => number));
        expect(wires.arrivals.map(({ at }) => at)).toEqual(sent.map(({ at }) => at + delay));
      }),
    );
  });

  it("never exceeds its rate, and idles for no longer than a microsecond while it has work", () => {
    const rated = fc.record({ rateBps: fc.integer({ min: 1e5, max: 1e11 }), delay: fc.nat(20) });
    fc.assert(
      fc.property(rated, traffic, (options, frames) => {
        const one = frames.map((frame) => ({ ...frame, link: 0, isLeft: true }));
        const { wires, sent } = play([options], one);
        wires.scheduler.runUntil(1e12);
        // Exact model in units of 1/rate of a microsecond: a frame starts when the last has left.
        const rate = BigInt(options.rateBps);
        let free = 0n;
        const expected = sent.map(({ length, at }) => {
          const start = BigInt(at) * rate > free ? BigInt(at) * rate : free;
          free = start + BigInt(length) * 8_000_000n;
          return Number((free + rate - 1n) / rate) + options.delay;
        });
        expect(wires.arrivals.map(({ at }) => at)).toEqual(expected);
      }),
    );
  });
});
