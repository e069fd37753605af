import fc from "fast-check";
import { describe, expect, it } from "vitest";
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

  it("counts a frame that is refused", () => {
    const guest = new RawGuest({ era, rate: { octets: 1000, period: 50_000 } });
    guest.send({ octets: frameOf(1, 900), gref: 700 });
    guest.send({ octets: frameOf(2, 200) });
    expect(guest.answers()).toEqual([[0, -1]]);
    guest.pair.advance(100_000);
    expect(guest.answers()).toEqual([[1, 0]]);
  });
});
