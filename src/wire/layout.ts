/**
 * Layouts: `buffer-layout` with types, so that a header declared once gives names and value types.
 *
 * The package ships no types, and a type that mentions it could not be shipped either; this module
 * is the one that imports it.
 * @module
 */
import * as untyped from "buffer-layout";
import type { Ipv4Addr, Mac } from "./addr.ts";

/** A value of type `T` in `span` octets, called `N` inside a {@link Structure}. */
export interface Layout<T, N extends string = string> {
  /** Octets that the value fills. */
  readonly span: number;
  readonly property: N;
  /** How the octets are read; `big` is network byte order. */
  readonly form: "big" | "little" | "octets";
  /** Never set: carries `T` to the compiler. */
  readonly value?: T;
}

/** Fields in wire order. `F` keeps every name and type, so that objects and fields are inferred. */
export interface Structure<F extends readonly Layout<unknown>[] = readonly Layout<unknown>[]> {
  readonly span: number;
  readonly fields: F;
  offsetOf(property: F[number]["property"]): number;
  /** buffer-layout's own structure: the second reader that tests compare with. */
  readonly reference: {
    decode(bytes: Uint8Array, at?: number): unknown;
    encode(value: unknown, bytes: Uint8Array, at?: number): number;
  };
}

/** The plain object that a structure with fields `F` describes. */
export type ObjectOf<F extends readonly Layout<unknown>[]> = {
  -readonly [L in F[number] as L["property"]]: L extends Layout<infer T> ? T : never;
};

const references = new WeakMap<object, untyped.Layout>();

function wrap<T, N extends string>(
  reference: untyped.Layout,
  property: N,
  form: Layout<T>["form"],
): Layout<T, N> {
  const layout: Layout<T, N> = Object.freeze({ span: reference.span, property, form });
  references.set(layout, reference);
  return layout;
}

/** One octet. */
export const u8 = <N extends string>(property: N): Layout<number, N> =>
  wrap(untyped.u8(property), property, "big");
/** Two octets, network byte order. */
export const u16be = <N extends string>(property: N): Layout<number, N> =>
  wrap(untyped.u16be(property), property, "big");
/** Four octets, network byte order. */
export const u32be = <N extends string>(property: N): Layout<number, N> =>
  wrap(untyped.u32be(property), property, "big");
/** Two octets, least significant first. */
export const u16le = <N extends string>(property: N): Layout<number, N> =>
  wrap(untyped.u16(property), property, "little");
/** Four octets, least significant first. */
export const u32le = <N extends string>(property: N): Layout<number, N> =>
  wrap(untyped.u32(property), property, "little");
/** True on a computer that keeps the least significant octet first. */
export const IS_LITTLE_ENDIAN: boolean = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
/** Two octets in this computer's own order, for memory that is read as words, too. */
export const u16own = IS_LITTLE_ENDIAN ? u16le : u16be;
/** Four octets in this computer's own order. */
export const u32own = IS_LITTLE_ENDIAN ? u32le : u32be;
/** `length` octets as they are. */
export const octets = <N extends string>(length: number, property: N): Layout<Uint8Array, N> =>
  wrap(untyped.blob(length, property), property, "octets");
/** An IEEE 802 MAC address. */
export const mac = <N extends string>(property: N): Layout<Mac, N> =>
  wrap(untyped.u48be(property), property, "big");
/** An IPv4 address. */
export const ipv4Addr = <N extends string>(property: N): Layout<Ipv4Addr, N> =>
  wrap(untyped.u32be(property), property, "big");

/** Declare a header: `fields` one after the other, without gaps. */
export function struct<const F extends readonly Layout<unknown>[]>(fields: F): Structure<F> {
  const reference = untyped.struct(
    fields.map((field) => {
      const inner = references.get(field);
      if (inner === undefined) {
        throw new TypeError(`${field.property}: not a layout of this module`);
      }
      return inner;
    }),
  );
  return Object.freeze({
    span: reference.span,
    fields,
    offsetOf: (property: string) => reference.offsetOf(property),
    reference,
  });
}
