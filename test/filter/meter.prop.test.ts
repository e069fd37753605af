import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Account, OctetMeter, octetsOf, PacketMeter, periodOf } from "../../src/filter/meter.ts";

const MASK = 2n ** 64n - 1n;
const hz = fc.constantFrom(100, 250, 300, 1000);
/** Ticks between packets; some so many that 64 bits overflow. */
const waits = fc.array(fc.oneof(fc.nat(50), fc.nat(5000), fc.nat(2 ** 31)), { maxLength: 40 });

/** The largest power of two that is not above `limit`. */
function powerBelow(limit: bigint): bigint {
  let power = 1n;
  while (power * 2n <= limit) power *= 2n;
  return power;
}

/** The kernel's credit for packets, in its own 64 bits. */
class KernelPackets {
  readonly #unit: bigint;
  readonly #cost: bigint;
  readonly #cap: bigint;
  #credit: bigint;

  constructor(ticks: number, period: number, burst: number) {
    this.#unit = powerBelow(MASK / (BigInt(ticks) * 86_400n));
    const scale = (BigInt(ticks) * this.#unit) / 1_000_000n;
    this.#cost = (BigInt(period) * scale) & MASK;
    this.#cap = (BigInt(period) * BigInt(burst) * scale) & MASK;
    this.#credit = this.#cap;
  }

  take(passed: number): boolean {
    if (passed > 0) {
      this.#credit = (this.#credit + BigInt(passed) * this.#unit) & MASK;
      if (this.#credit > this.#cap) this.#credit = this.#cap;
    }
    if (this.#credit < this.#cost) return false;
    this.#credit -= this.#cost;
    return true;
  }
}

describe("Credit for packets", () => {
  it("is the kernel's in 64 bits, overflows included", () => {
    const period = fc.oneof(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 8.64e10 }),
    );
    fc.assert(
      fc.property(
        hz,
        period,
        fc.integer({ min: 1, max: 500 }),
        waits,
        (ticks, time, burst, all) => {
          const meter = new PacketMeter(ticks, time, burst);
          fc.pre(!meter.hasOverflown);
          const kernel = new KernelPackets(ticks, time, burst);
          const account = new Account(0, 0, 0, null);
          let now = 7;
          meter.open(account, now);
          for (const wait of all) {
            now += wait;
            meter.advance(account, now);
            expect(meter.take(account)).toBe(kernel.take(wait));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("Credit for octets", () => {
  it("lets no more pass than the rate and the bursts, and never less than the rate", () => {
    const size = fc.integer({ min: 20, max: 1500 });
    const packets = fc.array(fc.tuple(fc.nat(20), size), {
      minLength: 50,
      maxLength: 200,
      size: "max",
    });
    fc.assert(
      fc.property(fc.integer({ min: 2000, max: 1_000_000 }), packets, (rate, all) => {
        const period = periodOf(rate);
        const meter = new OctetMeter(250, period, 0);
        const account = new Account(0, 0, 0, null);
        meter.open(account, 0);
        let now = 0;
        let passed = 0;
        for (const [wait, length] of all) {
          now += wait;
          meter.advance(account, now);
          if (meter.take(account, length)) passed += Math.floor(length / 16) * 16;
        }
        // What a second brings, and what was there when it began.
        expect(passed).toBeLessThanOrEqual(octetsOf(period) * 1.01 * (1 + now / 250) + 1500);
      }),
      { numRuns: 100 },
    );
  });

  it("keeps a rate as iptables keeps it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 2 ** 36 - 17 }), (rate) => {
        expect(periodOf(octetsOf(periodOf(rate)))).toBe(periodOf(rate));
      }),
      { numRuns: 1000 },
    );
  });
});
