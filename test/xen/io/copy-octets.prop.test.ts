import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyIntoSlot, copyOctets } from "../../../src/xen/io/copy-octets.ts";

const SIZE = 256;
const place = fc.nat(100);

describe("copying octets by words", () => {
  it("copies what a loop over octets copies, and leaves the rest alone", () => {
    fc.assert(
      fc.property(place, place, fc.nat(120), fc.boolean(), (from, to, length, isSlot) => {
        const source = Uint8Array.from({ length: SIZE }, (_, at) => at ^ 0x35);
        const target = new Uint8Array(SIZE).fill(0xee);
        const expected = target.slice();
        expected.set(source.subarray(from, from + length), to);
        const copy = isSlot ? copyIntoSlot : copyOctets;
        const words = [new Int32Array(source.buffer), new Int32Array(target.buffer)] as const;
        copy(words[0], source, from, words[1], target, to, length);
        // In a slot, the words that it touches may change as a whole.
        const first = isSlot ? to & ~3 : 0;
        const last = isSlot ? (to + length + 3) & ~3 : SIZE;
        expect([...target.subarray(to, to + length)]).toEqual([
          ...expected.subarray(to, to + length),
        ]);
        const isLeft = (at: number): boolean =>
          (at >= to && at < to + length) || (isSlot && at >= first && at < last);
        expect([...target].every((octet, at) => isLeft(at) || octet === 0xee)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
