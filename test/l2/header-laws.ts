/** The laws of a header, against an independent reading of its picture in the standard. @module */
import * as layout from "buffer-layout";
import fc from "fast-check";
import { expect } from "vitest";
import { type Codec, type Field, viewOf } from "../../src/wire/field.ts";

/** A header as its standard draws it: names and octets of the fields, in wire order. */
export type Picture = readonly (readonly [name: string, octets: 1 | 2 | 4 | 6])[];

const READERS = { 1: layout.u8, 2: layout.u16be, 4: layout.u32be, 6: layout.u48be } as const;
const ROOM = 40;

/** Fields and codec read and write what buffer-layout makes of the picture, and nothing around. */
export function assertHeaderLaws<T>(
  picture: Picture,
  fields: Readonly<Record<string, Field>>,
  codec: Codec<T>,
): void {
  const reference = layout.struct(picture.map(([name, octets]) => READERS[octets](name)));
  expect(codec.length).toBe(reference.span);
  const any = fc.uint8Array({ minLength: ROOM + reference.span, maxLength: ROOM + reference.span });
  fc.assert(
    fc.property(any, any, fc.nat({ max: ROOM }), (bytes, before, at) => {
      const expected = reference.decode(Buffer.from(bytes), at);
      const values = picture.map(([name]) => [name, fields[name]?.get(viewOf(bytes), at)]);
      expect(Object.fromEntries(values)).toEqual(expected);
      expect(codec.decode(bytes, at)).toEqual(expected);
      expect(codec.encode(codec.decode(bytes, at))).toEqual(bytes.slice(at, at + codec.length));
      const written = Buffer.from(before);
      reference.encode(expected, written, at);
      for (const [name] of picture) {
        const field = fields[name];
        field?.set(viewOf(before), at, field.get(viewOf(bytes), at));
      }
      expect(before).toEqual(Uint8Array.from(written));
    }),
  );
}

/** Octets of a vector, written as a dump shows them. */
export const octetsOf = (dump: string): Uint8Array =>
  Uint8Array.from(Buffer.from(dump.replaceAll(/\s/g, ""), "hex"));
