import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketPool } from "../../../src/wire/packet.ts";
import { RawGuest, type Slot } from "./raw-guest.ts";
import { frameOf } from "./vif-pair.ts";

const BLANK = 1;
const DATA_VALIDATED = 2;

/** Frames of one slot, most of them plain. */
const slot: fc.Arbitrary<Slot> = fc
  .record({
    size: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 14, max: 1600 }) },
      fc.constantFrom(0, 13, 14, 1982, 1983, 2047, 2048, 4000, 4096, 0xffff),
    ),
    offset: fc.oneof(
      { weight: 6, arbitrary: fc.nat(200) },
      fc.constantFrom(0, 2, 4082, 4083, 4095, 4096, 0xffff),
    ),
    flags: fc.constantFrom(0, 0, 0, 0, 0, 0, DATA_VALIDATED, BLANK | DATA_VALIDATED, 0x8000),
    grant: fc.constantFrom("own", "own", "own", "own", "own", "own", "none", "far"),
    seed: fc.nat(255),
  })
  .map(({ size, offset, flags, grant, seed }) => ({
    octets: frameOf(seed, Math.max(0, Math.min(size, 4096 - offset))),
    size,
    offset,
    flags,
    ...(grant === "own" ? {} : { gref: grant === "none" ? 700 : 0xffff_ffff }),
  }));

/** Everything that comes of `slots`, told after every `together` of them. */
function outcome(options: Parameters<typeof guestOf>[0], slots: readonly Slot[], together: number) {
  const guest = guestOf(options);
  const answers: unknown[] = [];
  for (let next = 0; next < slots.length; next += together) {
    guest.send(...slots.slice(next, next + together));
    answers.push(...guest.answers());
  }
  const { pair } = guest;
  return {
    answers,
    frames: pair.atVif.frames,
    counters: pair.netback.counters,
    isDisabled: pair.netback.isDisabled,
    ends: pair.pool.ends.entries(),
    pool: [pair.pool.allocated, pair.pool.live],
    device: [pair.vif.rxFrames, pair.vif.rxOctets],
  };
}

const guestOf = (options: {
  readonly era: "2618" | "6";
  readonly isShared: boolean;
  readonly slots: number;
}): RawGuest =>
  new RawGuest({ ...options, pool: new PacketPool({ slots: options.slots, largeSlots: 4 }) });

describe.each([
  ["2618", false],
  ["2618", true],
  ["6", false],
] as const)("requests that come together, era %s, shared memory %s", (era, isShared) => {
  it("become what they become one by one", () => {
    fc.assert(
      fc.property(
        fc.array(slot, { maxLength: 200, size: "max" }),
        fc.integer({ min: 2, max: 256 }),
        fc.constantFrom(512, 512, 3, 10),
        (slots, together, poolSlots) => {
          const options = { era, isShared, slots: poolSlots };
          expect(outcome(options, slots, together)).toEqual(outcome(options, slots, 1));
        },
      ),
      { numRuns: 25 },
    );
  });
});
