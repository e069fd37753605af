import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bits, codecOf, fieldsOf, viewOf } from "../../src/wire/field.ts";
import {
  type Layout,
  ipv4Addr,
  mac,
  octets,
  struct,
  u16be,
  u16le,
  u32be,
  u32le,
  u8,
} from "../../src/wire/layout.ts";

const KINDS = [
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  mac,
  ipv4Addr,
  (name: string) => octets(1, name),
  (name: string) => octets(11, name),
];

/** Any structure of one to twelve fields. */
const layout = fc
  .array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 12 })
  .map((kinds) => struct(kinds.map((kind, index): Layout<unknown> => kind(`field${index}`))));

/** A structure, octets that hold it, and where it starts in them. */
const placed = layout.chain((one) =>
  fc.record({
    layout: fc.constant(one),
    bytes: fc.uint8Array({ minLength: one.span + 9, maxLength: one.span + 9 }),
    at: fc.nat({ max: 9 }),
  }),
);

describe("fields of any structure", () => {
  it("read what buffer-layout decodes", () => {
    fc.assert(
      fc.property(placed, ({ layout: one, bytes, at }) => {
        const decoded = one.reference.decode(Buffer.from(bytes), at) as Record<string, unknown>;
        for (const [name, field] of Object.entries(fieldsOf(one))) {
          const value = field.get(viewOf(bytes), at);
          const expected = decoded[name];
          expect(value).toEqual(
            expected instanceof Uint8Array ? Uint8Array.from(expected) : expected,
          );
        }
      }),
    );
  });

  it("write what buffer-layout encodes, and nothing around it", () => {
    fc.assert(
      fc.property(placed, fc.uint8Array({ minLength: 160, maxLength: 160 }), (one, before) => {
        const { layout: structure, bytes, at } = one;
        const decoded = structure.reference.decode(Buffer.from(bytes), at);
        const expected = Buffer.from(before);
        structure.reference.encode(decoded, expected, at);
        for (const field of Object.values(fieldsOf(structure))) {
          field.set(viewOf(before), at, field.get(viewOf(bytes), at));
        }
        expect(before).toEqual(Uint8Array.from(expected));
      }),
    );
  });
});

describe("the codec of any structure", () => {
  it("decodes what it encodes, and encodes what it decodes", () => {
    fc.assert(
      fc.property(placed, ({ layout: one, bytes, at }) => {
        const codec = codecOf(one);
        const value = codec.decode(bytes, at);
        expect(codec.encode(value)).toEqual(bytes.slice(at, at + one.span));
        expect(codec.decode(codec.encode(value))).toEqual(value);
      }),
    );
  });
});

describe("bits", () => {
  const WORDS = Object.values(
    fieldsOf(struct([u8("a"), u16be("b"), u16le("c"), u32be("d"), u32le("e")])),
  );
  const part = fc.constantFrom(...WORDS).chain((word) =>
    fc.nat({ max: 8 * word.span - 1 }).chain((shift) =>
      fc.record({
        word: fc.constant(word),
        shift: fc.constant(shift),
        width: fc.integer({ min: 1, max: 8 * word.span - shift }),
      }),
    ),
  );
  const text = fc.uint8Array({ minLength: 13, maxLength: 13 });

  it("are those bits of the number, and setting them changes no other", () => {
    fc.assert(
      fc.property(
        part,
        text,
        fc.nat({ max: 2 ** 32 - 1 }),
        ({ word, shift, width }, bytes, value) => {
          const view = viewOf(bytes);
          const field = bits(word, shift, width);
          const whole = BigInt(word.get(view, 0));
          const mask = (1n << BigInt(width)) - 1n;
          expect(field.get(view, 0)).toBe(Number((whole >> BigInt(shift)) & mask));
          field.set(view, 0, value);
          const changed =
            (whole & ~(mask << BigInt(shift))) | ((BigInt(value) & mask) << BigInt(shift));
          expect(word.get(view, 0)).toBe(Number(changed));
        },
      ),
      { numRuns: 500 },
    );
  });
});
