import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NEVER } from "../../../src/base/time.ts";
import { parseRate } from "../../../src/xen/io/tx-credit.ts";
import { RawGuest } from "./raw-guest.ts";
import { frameOf, VifPair } from "./vif-pair.ts";

describe("the node `rate`", () => {
  it.each([
    ["10240,50000", { octets: 10_240, period: 50_000 }],
    ["0,0", { octets: 0, period: 0 }],
    ["", null],
    ["10240", null],
    ["10240,", null],
    [",50000", null],
    ["10240,50000x", null],
    [" 10240,50000", null],
    ["-1,50000", null],
    ["0x10,50000", null],
  ])("%j says %j", (text, rate) => {
    expect(parseRate(text)).toEqual(rate);
  });
});

describe.each(["2618", "6"] as const)("a vif with a rate, era %s", (era) => {
  it("lets its credit go at once, the rest as credit comes, in order", () => {
    const pair = new VifPair({ era, rate: { octets: 10_000, period: 50_000 } });
    for (let number = 0; number < 40; number += 1) pair.fromGuest(frameOf(number, 1000));
    expect(pair.atVif.frames).toHaveLength(10);
    pair.advance(1_000_000);
    const { frames } = pair.atVif;
    expect(frames).toHaveLength(40);
    frames.forEach(({ octets }, number) =>
      expect(Buffer.compare(octets, frameOf(number, 1000))).toBe(0),
    );
    // 50 ms are 13 ticks of 4 ms; the wheel of a current kernel fires a tick late.
    const late = era === "6" ? 4000 : 0;
    const times = [...new Set(frames.map(({ at }) => at))];
    expect(times).toEqual([0, 52_000 + late, 104_000 + late, 156_000 + late]);
    expect(pair.pool.live).toBe(0);
  });

  it("sends no more than the rate and one burst in any time, and all of it in the end", () => {
    const lengths = fc.array(fc.integer({ min: 60, max: 1514 }), { minLength: 1, maxLength: 60 });
    const rate = fc.record({
      octets: fc.integer({ min: 200, max: 20_000 }),
      period: fc.integer({ min: 1, max: 100 }).map((milliseconds) => milliseconds * 1000),
    });
    fc.assert(
      fc.property(
        lengths,
        rate,
        fc.array(fc.nat(30_000), { maxLength: 60 }),
        (sizes, drawn, gaps) => {
          const pair = new VifPair({ era, rate: drawn });
          sizes.forEach((length, number) => {
            pair.advance(pair.now + (gaps[number] ?? 0));
            pair.fromGuest(frameOf(number, length));
          });
          pair.advance(pair.now + 600_000_000);
          const { frames } = pair.atVif;
          expect(frames.map(({ octets }) => octets.length)).toEqual(sizes);
          // Credit that came until an instant bounds what was sent until then.
          const ticks = Math.ceil(drawn.period / 4000);
          const least = era === "6" ? 131_072 : 1514;
          let sent = 0;
          for (const { at, octets } of frames) {
            sent += octets.length;
            const periods = Math.floor(at / (ticks * 4000)) + 1;
            expect(sent).toBeLessThanOrEqual(
              Math.max(drawn.octets, least) + periods * drawn.octets,
            );
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("lets what waits go by a new rate from the next tick, as much as both rates give", () => {
    const pair = new VifPair({ era, rate: { octets: 2000, period: 10_000_000 } });
    for (let number = 0; number < 12; number += 1) pair.fromGuest(frameOf(number, 1000));
    expect(pair.atVif.frames).toHaveLength(2);
    pair.advance(1_001_000);
    expect(pair.atVif.frames).toHaveLength(2);
    pair.netback.changeRate({ octets: 5000, period: 50_000 }, pair.now);
    expect(pair.atVif.frames).toHaveLength(2);
    pair.advance(1_003_999);
    expect(pair.atVif.frames).toHaveLength(2);
    pair.advance(1_004_000);
    expect(pair.atVif.frames).toHaveLength(7);
    pair.netback.changeRate(null, pair.now);
    pair.advance(1_008_000);
    expect(pair.atVif.frames).toHaveLength(12);
    for (let number = 0; number < 200; number += 1) pair.fromGuest(frameOf(number, 1500));
    expect(pair.atVif.frames).toHaveLength(212);
    expect(pair.netback.nextDeadline()).toBe(NEVER);
  });

  it("leaves no more credit than a smaller rate gives, and none to a vif without limit", () => {
    const pair = new VifPair({ era, rate: { octets: 50_000, period: 1_000_000 } });
    pair.fromGuest(frameOf(1, 1000));
    pair.netback.changeRate({ octets: 3000, period: 1_000_000 }, pair.now);
    for (let number = 2; number < 7; number += 1) pair.fromGuest(frameOf(number, 1000));
    expect(pair.atVif.frames).toHaveLength(4);
    const free = new VifPair({ era });
    for (let number = 0; number < 100; number += 1) free.fromGuest(frameOf(number, 1000));
    expect(free.atVif.frames).toHaveLength(100);
    free.netback.changeRate({ octets: 3000, period: 1_000_000 }, free.now);
    for (let number = 0; number < 5; number += 1) free.fromGuest(frameOf(number, 1000));
    expect(free.atVif.frames).toHaveLength(103);
    free.netback.disconnect(free.now);
    free.netback.changeRate({ octets: 1, period: 1 }, free.now);
    expect(free.netback.nextDeadline()).toBe(NEVER);
  });

  it("counts periods from when the front end connects, or the vif came", () => {
    const pair = new VifPair({ era, rate: { octets: 1000, period: 100_000 }, isJoined: false });
    pair.advance(1_000_000);
    pair.join();
    for (let number = 0; number < 2; number += 1) pair.fromGuest(frameOf(number, 1000));
    // 2.6.18 counts from the allocation of the vif: a period is over.
    expect(pair.atVif.frames).toHaveLength(era === "6" ? 1 : 2);
    pair.advance(2_000_000);
    expect(pair.atVif.frames).toHaveLength(2);
  });

  it("sends, under rates that change, no more than each gave and one burst", () => {
    const rate = fc.option(
      fc.record({
        octets: fc.integer({ min: 1, max: 20_000 }),
        period: fc.integer({ min: 1, max: 100 }).map((milliseconds) => milliseconds * 1000),
      }),
      { nil: null, freq: 8 },
    );
    const step = fc.record({ wait: fc.nat(90_000), size: fc.integer({ min: 60, max: 1514 }) });
    const change = fc.record({ wait: fc.nat(90_000), rate });
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 6, arbitrary: step }, change)), (steps) => {
        const pair = new VifPair({ era, rate: { octets: 1514, period: 20_000 } });
        let current: { octets: number; period: number } | null = { octets: 1514, period: 20_000 };
        let [since, sizes] = [0, 0];
        let before = 0;
        const sent = (): number =>
          pair.atVif.frames.reduce((sum, { octets }) => sum + octets.length, 0);
        const check = (): void => {
          if (current === null) return;
          const ticks = Math.ceil(current.period / 4000);
          const periods = Math.floor((pair.now - since) / (ticks * 4000)) + 2;
          const least = era === "6" ? 131_072 : 1514;
          const bound = Math.max(current.octets, least) + periods * current.octets;
          expect(sent() - before).toBeLessThanOrEqual(bound);
        };
        for (const one of steps) {
          pair.advance(pair.now + one.wait);
          check();
          if ("rate" in one) {
            pair.netback.changeRate(one.rate, pair.now);
            [current, since, before] = [one.rate, pair.now, sent()];
          } else {
            pair.fromGuest(frameOf(sizes, one.size));
            sizes += 1;
          }
        }
        pair.netback.changeRate(null, pair.now);
        pair.advance(pair.now + 8000);
        expect(pair.atVif.frames).toHaveLength(sizes);
        expect(pair.pool.live).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("counts a frame that is refused", () => {
    const guest = new RawGuest({ era, rate: { octets: 1000, period: 50_000 } });
    guest.send({ octets: frameOf(1, 900), gref: 700 });
    guest.send({ octets: frameOf(2, 200) });
    expect(guest.answers()).toEqual([[0, -1]]);
    guest.pair.advance(100_000);
    expect(guest.answers()).toEqual([[1, 0]]);
  });
});
