import fc from "fast-check";
import { expect, it } from "vitest";
import { checksum, onesSum, pseudoHeaderSum, update16, update32 } from "../../src/wire/checksum.ts";
import { viewOf } from "../../src/wire/field.ts";

const octets = fc.uint8Array({ maxLength: 80 });
const word = fc.oneof(
  fc.nat({ max: 0xffff }),
  fc.constantFrom(0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff),
);
const word32 = fc.tuple(word, word).map(([high, low]) => ((high << 16) | low) >>> 0);

/** RFC 1071 section 1 word for word: one's complement addition, one word after the other. */
function addWords(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2) {
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

it("adds up to what the definition says, at any place and of any length", () => {
  fc.assert(
    fc.property(octets, octets, octets, (before, bytes, after) => {
      const view = viewOf(Uint8Array.from([...before, ...bytes, ...after]));
      const end = before.length + bytes.length;
      const sum = onesSum(view, before.length, end);
      expect(sum).toBe(addWords(bytes));
      expect(checksum(view, before.length, end)).toBe(0xffff - sum);
    }),
  );
});

it("goes on from an initial sum as if it were one text", () => {
  fc.assert(
    fc.property(octets, octets, (head, tail) => {
      const even = head.subarray(0, head.length & ~1);
      const whole = viewOf(Uint8Array.from([...even, ...tail]));
      const first = onesSum(whole, 0, even.length);
      expect(onesSum(whole, even.length, whole.byteLength, first)).toBe(
        onesSum(whole, 0, whole.byteLength),
      );
    }),
  );
});

it("sums to all ones once the checksum is written", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 81 }), (bytes) => {
      const view = viewOf(bytes);
      view.setUint16(0, 0);
      view.setUint16(0, checksum(view, 0, bytes.length));
      expect(onesSum(view, 0, bytes.length)).toBe(0xffff);
    }),
  );
});

it("adds of the pseudo-header what its octets add", () => {
  fc.assert(
    fc.property(word32, word32, fc.nat({ max: 255 }), word, (source, target, protocol, length) => {
      const view = viewOf(new Uint8Array(12));
      view.setUint32(0, source);
      view.setUint32(4, target);
      view.setUint8(9, protocol);
      view.setUint16(10, length);
      const none = viewOf(new Uint8Array(0));
      const initial = pseudoHeaderSum(source, target, protocol, length);
      expect(onesSum(none, 0, 0, initial)).toBe(onesSum(view, 0, 12));
    }),
  );
});

/** Octets of which some remain that are not zero: with those, 0 and 0xFFFF cannot be mixed up. */
const kept = fc.uint8Array({ minLength: 2, maxLength: 60 }).filter((bytes) => bytes.some(Boolean));

it("updates a word to what a full recomputation gives: RFC 1624 section 3", () => {
  fc.assert(
    fc.property(kept, word, word, (rest, before, after) => {
      const view = viewOf(Uint8Array.from([0, 0, ...rest]));
      view.setUint16(0, before);
      const sum = checksum(view, 0, view.byteLength);
      view.setUint16(0, after);
      expect(update16(sum, before, after)).toBe(checksum(view, 0, view.byteLength));
    }),
    { numRuns: 1000 },
  );
});

it("updates two words at once to what a full recomputation gives", () => {
  fc.assert(
    fc.property(kept, word32, word32, (rest, before, after) => {
      const view = viewOf(Uint8Array.from([0, 0, 0, 0, ...rest]));
      view.setUint32(0, before);
      const sum = checksum(view, 0, view.byteLength);
      view.setUint32(0, after);
      const full = checksum(view, 0, view.byteLength);
      expect(update32(sum, before, after)).toBe(full);
      const high = update16(sum, before >>> 16, after >>> 16);
      expect(update16(high, before & 0xffff, after & 0xffff)).toBe(full);
    }),
    { numRuns: 1000 },
  );
});

it("undoes an update by the opposite one", () => {
  const sum = word.filter((value) => value !== 0xffff);
  fc.assert(
    fc.property(sum, word32, word32, (original, before, after) => {
      expect(update32(update32(original, before, after), after, before)).toBe(original);
    }),
  );
});
