import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyIntoSlot, copyOctets, type Octets } from "../../../src/xen/io/copy-octets.ts";

const SIZE = 256;
const place = fc.nat(100);

const octetsOf = (bytes: Uint8Array): Octets => ({
  bytes,
  words: new Int32Array(bytes.buffer),
  longs: new BigInt64Array(bytes.buffer),
});

describe("copying octets by words", () => {
  it("copies what a loop over octets copies, and leaves the rest alone", () => {
    fc.assert(
      fc.property(place, place, fc.nat(120), fc.boolean(), (from, to, length, isSlot) => {
        const source = Uint8Array.from({ length: SIZE }, (_, at) => at ^ 0x35);
        const target = new Uint8Array(SIZE).fill(0xee);
        const expected = target.slice();
        expected.set(source.subarray(from, from + length), to);
        const [left, right] = [octetsOf(source), octetsOf(target)];
        if (isSlot) copyIntoSlot(left, from, right, to, length);
        else copyOctets(left.words, source, from, right.words, target, to, length);
        // In a slot, the words of eight that it touches may change as a whole.
        const first = isSlot ? to & ~7 : 0;
        const last = isSlot ? (to + length + 7) & ~7 : SIZE;
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

  it("copies every length from every place of a word of eight to every other", () => {
    const source = Uint8Array.from({ length: SIZE }, (_, at) => at ^ 0x35);
    for (let skews = 0; skews < 64; skews += 1) {
      const [from, to] = [8 + (skews & 7), 16 + (skews >> 3)];
      for (let length = 0; length <= 200; length += 1) {
        const [slot, exact] = [0, 1].map(() => new Uint8Array(SIZE).fill(0xee));
        if (slot === undefined || exact === undefined) throw new Error("there are two");
        const left = octetsOf(source);
        copyIntoSlot(left, from, octetsOf(slot), to, length);
        copyOctets(left.words, source, from, octetsOf(exact).words, exact, to, length);
        const expected = new Uint8Array(SIZE).fill(0xee);
        expected.set(source.subarray(from, from + length), to);
        // The rest of the words of eight may be what it likes, all before and behind is as it was.
        const [first, last] = [to & ~7, (to + length + 7) & ~7];
        slot.set(expected.subarray(first, to), first);
        slot.set(expected.subarray(to + length, last), to + length);
        const isSame =
          Buffer.compare(slot, expected) === 0 && Buffer.compare(exact, expected) === 0;
        if (!isSame) expect.fail(`${length} octets from ${from} to ${to}`);
      }
    }
  });
});
