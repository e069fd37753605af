import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Arrived, frameOf, VifPair } from "./vif-pair.ts";

interface Marks {
  readonly hasBlankChecksum: boolean;
  readonly hasSoundChecksums: boolean;
  readonly segmentSize: number;
}

type Step =
  | { readonly does: "out" | "in"; readonly length: number; readonly marks: Marks }
  | { readonly does: "wait"; readonly time: number }
  | { readonly does: "part" | "join" };

const length = fc.oneof(
  fc.integer({ min: 14, max: 128 }),
  fc.integer({ min: 14, max: 1514 }),
  fc.integer({ min: 4000, max: 9000 }),
);
const marks = fc.record({
  hasBlankChecksum: fc.boolean(),
  hasSoundChecksums: fc.boolean(),
  segmentSize: fc.constantFrom(0, 0, 0, 1448),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constantFrom("out", "in"), length, marks }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("wait"), time: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom("part", "join") }) },
);

/** What arrives of a frame, by a queue without rings. */
const expected = (octets: Uint8Array, { hasBlankChecksum, ...rest }: Marks) => ({
  hex: Buffer.from(octets).toString("hex"),
  isBlank: hasBlankChecksum,
  isSound: hasBlankChecksum || rest.hasSoundChecksums,
  segmentSize: rest.segmentSize,
});

const shown = ({ octets, isBlank, isSound, segmentSize }: Arrived) => ({
  hex: Buffer.from(octets).toString("hex"),
  isBlank,
  isSound,
  segmentSize,
});

describe.each([
  ["2618", false],
  ["6", false],
  ["2618", true],
] as const)("a vif of era %s, shared memory %s", (era, isShared) => {
  it("is two queues: what goes in comes out, in order, as it was", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        // What a blank checksum must be is another property; here it may be of anything.
        const pair = new VifPair({ era, isShared, behaviour: { checksBlanks: false } });
        const out: ReturnType<typeof expected>[] = [];
        const inward: ReturnType<typeof expected>[] = [];
        let isJoined = true;
        steps.forEach((one, number) => {
          if (one.does === "out" || one.does === "in") {
            const octets = frameOf(number, one.length);
            if (one.does === "out") pair.fromGuest(octets, one.marks);
            else pair.toGuest(octets, one.marks);
            if (isJoined) (one.does === "out" ? out : inward).push(expected(octets, one.marks));
          } else if (one.does === "wait") pair.advance(pair.now + one.time);
          else if (one.does === "part" && isJoined) {
            pair.netback.disconnect(pair.now);
            pair.netfront.close(pair.now);
            isJoined = false;
          } else if (one.does === "join" && !isJoined) {
            pair.join();
            isJoined = true;
          }
          expect(pair.pool.live).toBe(0);
        });
        expect(pair.atVif.frames.map(shown)).toEqual(out);
        expect(pair.atGuest.frames.map(shown)).toEqual(inward);
      }),
      { numRuns: 40 },
    );
  });
});
