import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { SECOND } from "../../src/base/time.ts";
import { Option, rawOption } from "../../src/dhcp/options.ts";
import { leaseFor } from "./client-bench.ts";

describe("A DHCP client's lease", () => {
  const time = fc.option(fc.oneof(fc.nat(1000), fc.nat(0xffff_ffff)), { nil: null });
  const lengths = fc.oneof(
    fc.integer({ min: 1, max: 1000 }),
    fc.integer({ min: 1, max: 0xffff_fffe }),
  );

  it("has T1 before T2 before its end, whatever the server wishes", () => {
    fc.assert(
      fc.property(lengths, time, time, fc.nat(), fc.nat(1e12), (length, t1, wish, seed, asked) => {
        const wishes = [
          ...(t1 === null ? [] : [rawOption(Option.RenewalTime, t1)]),
          ...(wish === null ? [] : [rawOption(Option.RebindingTime, wish)]),
        ];
        const { renewal, rebinding, expiry } = leaseFor(length, wishes, asked, new Prng(seed));
        expect(renewal).toBeGreaterThan(asked);
        expect(renewal).toBeLessThan(rebinding);
        expect(rebinding).toBeLessThan(expiry);
        expect(expiry).toBe(asked + length * SECOND);
        expect([renewal, rebinding, expiry].every(Number.isSafeInteger)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("is renewed between three eighths and half of its time, unless the server wishes else", () => {
    fc.assert(
      fc.property(lengths, fc.nat(), (length, seed) => {
        const { renewal, rebinding } = leaseFor(length, [], 0, new Prng(seed));
        expect(renewal).toBeLessThanOrEqual(length * SECOND * 0.5);
        expect(renewal).toBeGreaterThan(length * SECOND * 0.375 - 1);
        expect(rebinding).toBe(Math.floor((length * SECOND * 7) / 8));
      }),
    );
  });

  it("follows the server's T1 and T2 where they make sense", () => {
    const three = fc
      .uniqueArray(fc.integer({ min: 1, max: 100_000 }), { minLength: 3, maxLength: 3 })
      .map((times) => times.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(three, fc.nat(), ([t1 = 0, wish = 0, length = 0], seed) => {
        const wishes = [rawOption(Option.RenewalTime, t1), rawOption(Option.RebindingTime, wish)];
        const { renewal, rebinding } = leaseFor(length, wishes, 0, new Prng(seed));
        expect(rebinding).toBe(wish * SECOND);
        expect(renewal).toBeLessThanOrEqual(t1 * SECOND);
        expect(renewal).toBeGreaterThan(t1 * SECOND * 0.75 - 1);
      }),
    );
  });

  it("takes T1 and T2 for nonsense that are equal, or no shorter than the lease", () => {
    const wishes = (t1: number, t2: number): [number, number] => {
      const said = [rawOption(Option.RenewalTime, t1), rawOption(Option.RebindingTime, t2)];
      const chance = { below: () => 0 };
      const lease = leaseFor(80, said, 0, chance);
      return [lease.renewal / SECOND, lease.rebinding / SECOND];
    };
    expect(wishes(30, 60)).toEqual([30, 60]);
    expect(wishes(60, 60)).toEqual([40, 60]);
    expect(wishes(10, 10)).toEqual([7.5, 10]);
    expect(wishes(30, 80)).toEqual([30, 70]);
    expect(wishes(75, 90)).toEqual([40, 70]);
  });
});
