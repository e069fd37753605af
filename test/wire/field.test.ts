import { describe, expect, expectTypeOf, it } from "vitest";
import { RangeFault } from "../../src/base/errors.ts";
import { type Ipv4Addr, type Mac, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { type Field, bits, codecOf, fieldsOf, viewOf } from "../../src/wire/field.ts";
import {
  type ObjectOf,
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

const SAMPLE = struct([
  u8("op"),
  u16be("length"),
  u16le("index"),
  u32be("xid"),
  u32le("offset"),
  mac("hardware"),
  ipv4Addr("address"),
  octets(3, "name"),
]);
const FIELDS = fieldsOf(SAMPLE);
const codec = codecOf(SAMPLE);
const VALUE: ObjectOf<typeof SAMPLE.fields> = {
  op: 0x01,
  length: 0x0203,
  index: 0x0504,
  xid: 0x8607_0809,
  offset: 0x8d0c_0b0a,
  hardware: parseMac("8e:0f:10:11:12:13"),
  address: parseIpv4("148.21.22.23"),
  name: Uint8Array.of(0x18, 0x19, 0x1a),
};
/** The octets 1 to 26; the top bit is set where a signed read would show. */
const BYTES = Uint8Array.from({ length: 26 }, (_, index) =>
  [5, 12, 13, 19].includes(index) ? index + 0x81 : index + 1,
);

describe("fields", () => {
  it("lie one after the other", () => {
    expect(Object.entries(FIELDS).map(([name, { offset, span }]) => [name, offset, span])).toEqual([
      ["op", 0, 1],
      ["length", 1, 2],
      ["index", 3, 2],
      ["xid", 5, 4],
      ["offset", 9, 4],
      ["hardware", 13, 6],
      ["address", 19, 4],
      ["name", 23, 3],
    ]);
    expect(SAMPLE.span).toBe(26);
    expect(codec.length).toBe(26);
  });

  it("carry the types of their layouts", () => {
    expectTypeOf(FIELDS.hardware).toEqualTypeOf<Field<Mac>>();
    expectTypeOf(FIELDS.address).toEqualTypeOf<Field<Ipv4Addr>>();
    expectTypeOf(FIELDS.name).toEqualTypeOf<Field<Uint8Array>>();
    expectTypeOf(FIELDS).not.toHaveProperty("nothing");
    expectTypeOf(VALUE).toEqualTypeOf<{
      op: number;
      length: number;
      index: number;
      xid: number;
      offset: number;
      hardware: Mac;
      address: Ipv4Addr;
      name: Uint8Array;
    }>();
  });

  it("copy octets out, and fill up what is shorter with zeros", () => {
    const bytes = BYTES.slice();
    const name = FIELDS.name.get(viewOf(bytes), 0);
    name.fill(0);
    expect(bytes).toEqual(BYTES);
    FIELDS.name.set(viewOf(bytes), 0, Uint8Array.of(7));
    expect(bytes.subarray(23)).toEqual(Uint8Array.of(7, 0, 0));
    expect(() => FIELDS.name.set(viewOf(bytes), 0, new Uint8Array(4))).toThrow(RangeError);
  });

  it.each(Object.entries<Field<unknown>>(FIELDS))(
    "never leave the view, even inside a larger buffer: %s",
    (_, field) => {
      const inside = viewOf(new Uint8Array(60).subarray(20, 46));
      expect(() => field.get(inside, 0)).not.toThrow();
      for (const at of [-field.offset - 1, 26 - field.offset - field.span + 1, 30]) {
        expect(() => field.get(inside, at)).toThrow(RangeError);
        expect(() => field.set(inside, at, field.get(inside, 0))).toThrow(RangeError);
      }
    },
  );

  it("are refused for a width that no field has", () => {
    const odd = { ...SAMPLE, fields: [{ span: 3, property: "odd", form: "big" as const }] };
    expect(() => fieldsOf({ ...odd, offsetOf: () => 0 })).toThrow(TypeError);
  });
});

describe("bits", () => {
  const word = fieldsOf(struct([u16be("word")])).word;

  it("are some bits of a wider field", () => {
    const view = viewOf(Uint8Array.of(0b1010_0000, 0b0000_1111));
    expect(bits(word, 12, 4).get(view, 0)).toBe(0b1010);
    bits(word, 4, 8).set(view, 0, 0xff);
    expect(word.get(view, 0)).toBe(0xafff);
    expect(bits(word, 4, 8)).toMatchObject({ offset: 0, span: 2 });
  });

  it("are unsigned, even all 32 of a word", () => {
    const view = viewOf(Uint8Array.of(0xff, 0xff, 0xff, 0xfe));
    const all = bits(fieldsOf(struct([u32be("word")])).word, 0, 32);
    expect(all.get(view, 0)).toBe(0xffff_fffe);
    all.set(view, 0, 0x8000_0001);
    expect(all.get(view, 0)).toBe(0x8000_0001);
  });

  it("leave the others alone and take no more than they hold", () => {
    const view = viewOf(Uint8Array.of(0, 0));
    bits(word, 4, 4).set(view, 0, 0x1f3);
    expect(word.get(view, 0)).toBe(0x0030);
  });
});

describe("a codec", () => {
  it("decodes and encodes the sample", () => {
    expect(codec.decode(BYTES)).toEqual(VALUE);
    expect(codec.encode(VALUE)).toEqual(BYTES);
  });

  it("works at any place of a longer text, and touches nothing else", () => {
    const bytes = new Uint8Array(40).fill(0xee);
    codec.encodeInto(VALUE, bytes, 9);
    expect(bytes.subarray(9, 35)).toEqual(BYTES);
    expect(bytes.filter((octet) => octet === 0xee)).toHaveLength(14);
    expect(codec.decode(bytes, 9)).toEqual(VALUE);
  });

  it.each([-1, 1, 26])("refuses %d, where the header does not fit", (at) => {
    expect(() => codec.decode(BYTES, at)).toThrow(RangeFault);
    expect(() => codec.encodeInto(VALUE, BYTES.slice(), at)).toThrow(RangeFault);
  });

  it.each([
    ["op", 256],
    ["op", -1],
    ["op", 1.5],
    ["op", Number.NaN],
    ["length", 65_536],
    ["index", 65_536],
    ["xid", 2 ** 32],
    ["offset", 2 ** 32],
    ["hardware", 2 ** 48],
    ["address", -1],
    ["name", new Uint8Array(4)],
    ["name", 7],
    ["op", Uint8Array.of(1)],
    ["op", undefined],
    ["op", "1"],
  ])("refuses a value that does not fit its field: %s", (name, value) => {
    const broken: Record<string, unknown> = { ...VALUE, [name]: value };
    expect(() => codec.encode(broken as typeof VALUE)).toThrow(RangeFault);
    expect(() => codec.encode(broken as typeof VALUE)).toThrow(name);
  });
});

describe("a view", () => {
  it("shows exactly the octets of the window", () => {
    const view = viewOf(BYTES.subarray(3, 9));
    expect(view.byteLength).toBe(6);
    expect(view.getUint8(0)).toBe(0x04);
  });
});
