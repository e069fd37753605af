import fc from "fast-check";
import { expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";

const seed = fc.maxSafeNat();
const bound = fc.oneof(
  fc.integer({ min: 1, max: 2 ** 32 }),
  fc.nat({ max: 31 }).chain((power) => fc.integer({ min: 2 ** power, max: 2 ** power + 2 })),
);
const take = (prng: Prng, length: number): number[] => Array.from({ length }, () => prng.next());

it("gives the same future for the same seed and stream", () => {
  fc.assert(
    fc.property(seed, fc.string(), (number, stream) => {
      expect(take(new Prng(number, stream), 20)).toEqual(take(new Prng(number, stream), 20));
    }),
  );
});

it("gives another future for another seed or stream", () => {
  fc.assert(
    fc.property(seed, seed, fc.string(), fc.string(), (one, other, left, right) => {
      fc.pre(one !== other && left !== right);
      const original = take(new Prng(one, left), 4);
      expect(take(new Prng(other, left), 4)).not.toEqual(original);
      expect(take(new Prng(one, right), 4)).not.toEqual(original);
    }),
  );
});

it("draws unsigned 32-bit integers", () => {
  fc.assert(
    fc.property(seed, (number) => {
      for (const draw of take(new Prng(number), 20)) expect(draw).toBe(draw >>> 0);
    }),
  );
});

it("draws whole numbers below every bound, the high word of draw times bound", () => {
  fc.assert(
    fc.property(seed, bound, (number, limit) => {
      const [prng, twin] = [new Prng(number), new Prng(number)];
      const value = prng.below(limit);
      const leftOver = 2n ** 32n % BigInt(limit);
      let product = BigInt(twin.next()) * BigInt(limit);
      while (product % 2n ** 32n < leftOver) product = BigInt(twin.next()) * BigInt(limit);
      expect(value).toBe(Number(product / 2n ** 32n));
      expect(value).toBeLessThan(limit);
      expect(prng.next()).toBe(twin.next());
    }),
  );
});
