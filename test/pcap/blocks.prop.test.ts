import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LAYOUTS, VALUE_LAYOUTS } from "../../src/pcap/blocks.ts";
import { PCAP_LAYOUTS } from "../../src/pcap/pcap-reader.ts";
import { codecOf, fieldsOf, viewOf } from "../../src/wire/field.ts";
import type { Structure } from "../../src/wire/layout.ts";

const FAMILIES: readonly (readonly [string, Readonly<Record<string, Structure>>])[] = [
  ["little-endian pcapng", LAYOUTS.little],
  ["big-endian pcapng", LAYOUTS.big],
  ["pcapng value", VALUE_LAYOUTS],
  ["little-endian pcap", PCAP_LAYOUTS.little],
  ["big-endian pcap", PCAP_LAYOUTS.big],
];

const ALL = FAMILIES.flatMap(([family, layouts]) =>
  Object.entries(layouts).map(([name, layout]) => [family, name, layout] as const),
);

const octetsOf = (layout: Structure): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: layout.span, maxLength: layout.span });

describe.each(ALL)("%s layout %s", (_, __, layout) => {
  it("is read by its fields as buffer-layout decodes it", () => {
    const fields = Object.entries(fieldsOf(layout));
    const check = (bytes: Uint8Array): void => {
      const view = viewOf(bytes);
      const read = Object.fromEntries(fields.map(([name, field]) => [name, field.get(view, 0)]));
      expect(read).toEqual(layout.reference.decode(Buffer.from(bytes)));
    };
    fc.assert(fc.property(octetsOf(layout), check), { numRuns: 30 });
  });

  it("is the same after decoding and encoding", () => {
    const codec = codecOf(layout);
    const check = (bytes: Uint8Array): void => {
      expect(codec.encode(codec.decode(bytes))).toEqual(bytes);
    };
    fc.assert(fc.property(octetsOf(layout), check), { numRuns: 30 });
  });
});

describe("the two byte orders of pcapng", () => {
  it("declare the same names and spans", () => {
    const shape = (layouts: Readonly<Record<string, Structure>>): unknown =>
      Object.entries(layouts).map(([name, { span, fields }]) => [
        name,
        span,
        fields.map(({ property }) => property).sort(),
      ]);
    expect(shape(LAYOUTS.little)).toEqual(shape(LAYOUTS.big));
  });
});
