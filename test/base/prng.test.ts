import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { sfc32 } from "../model/sfc32.ts";

/** Chi-squared of `counts` against equal shares. */
function chiSquared(counts: readonly number[]): number {
  const share = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - share) ** 2 / share, 0);
}

/** How often each of `size` outcomes came in `draws` draws. */
function countDraws(size: number, draws: number, draw: () => number): number[] {
  const counts = Array.from({ length: size }, () => 0);
  for (let index = 0; index < draws; index += 1) {
    const outcome = draw();
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** Chi-squared with 255 degrees of freedom lies outside by chance once in about 10,000 seeds. */
const LOW_255 = 178;
const HIGH_255 = 347;

describe("the sequence", () => {
  it("is sfc32's", () => {
    const seed = 0x1f_2345_6789_abcd;
    const prng = new Prng(seed);
    const reference = sfc32(0x6789_abcdn, 0x1f_2345n, 0x811c_9dc5n, 1n);
    for (let index = 0; index < 15; index += 1) reference.next();
    for (let index = 0; index < 1000; index += 1) {
      expect(prng.next()).toBe(reference.next().value);
    }
  });

  it("stays what it is from version to version", () => {
    const prng = new Prng(7, "dhcp");
    const draws = [prng.next(), prng.next(), prng.below(100), prng.chance(0.5)];
    expect(draws).toEqual([3_943_211_281, 2_207_216_126, 8, true]);
  });

  it.each([0, 1, 7, 2 ** 32, 2 ** 53 - 1, -1])(
    "has evenly spread octets for the seed %d",
    (seed) => {
      const prng = new Prng(seed);
      for (const shift of [0, 8, 16, 24]) {
        const squared = chiSquared(countDraws(256, 65_536, () => (prng.next() >>> shift) & 255));
        expect(squared).toBeGreaterThan(LOW_255);
        expect(squared).toBeLessThan(HIGH_255);
      }
    },
  );

  it("does not tell the next draw by the last", () => {
    const prng = new Prng(3);
    const squared = chiSquared(countDraws(256, 65_536, () => prng.below(16) * 16 + prng.below(16)));
    expect(squared).toBeGreaterThan(LOW_255);
    expect(squared).toBeLessThan(HIGH_255);
  });
});

describe("neighbouring seeds and streams", () => {
  it.each([
    ["seeds", (index: number) => new Prng(index)],
    ["high seeds", (index: number) => new Prng(index * 2 ** 32)],
    ["streams", (index: number) => new Prng(7, `vif${index}.0`)],
  ])("share nothing: first draws of %s", (_, make) => {
    let index = 0;
    const squared = chiSquared(countDraws(256, 16_384, () => make(index++).below(256)));
    expect(squared).toBeGreaterThan(LOW_255);
    expect(squared).toBeLessThan(HIGH_255);
  });

  it("differ in half of their bits", () => {
    const [left, right] = [new Prng(7, "arp"), new Prng(7, "dhcp")];
    let differing = 0;
    for (let index = 0; index < 2_000; index += 1) {
      for (let bits = left.next() ^ right.next(); bits !== 0; bits &= bits - 1) differing += 1;
    }
    expect(differing / 64_000).toBeCloseTo(0.5, 2);
  });
});

describe("below", () => {
  it("is exact where draw times bound is beyond a double", () => {
    // The first draw of the seed 0 is 2,530,055,031; as doubles, the quotient is one too high.
    expect(new Prng(0).below(4_290_415_845)).toBe(2_527_373_887);
  });

  it("gives every value its share when the bound divides 2^32 badly", () => {
    const prng = new Prng(11);
    const bound = 3 * 2 ** 30;
    const [low = 0, middle = 0, high = 0] = countDraws(3, 60_000, () =>
      Math.floor(prng.below(bound) / 2 ** 30),
    );
    expect(chiSquared([low, middle, high])).toBeLessThan(18);
    const odd = countDraws(3, 60_000, () => prng.below(bound) % 3);
    expect(chiSquared(odd)).toBeLessThan(18);
  });
});

describe("chance", () => {
  it("is never at 0 and always at 1", () => {
    const prng = new Prng(1);
    for (let index = 0; index < 1_000; index += 1) {
      expect(prng.chance(0)).toBe(false);
      expect(prng.chance(1)).toBe(true);
    }
  });

  it("is as often as its probability says", () => {
    const prng = new Prng(5);
    const [, hits = 0] = countDraws(2, 100_000, () => Number(prng.chance(0.1)));
    expect(hits / 100_000).toBeCloseTo(0.1, 2);
  });
});
