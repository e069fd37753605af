/**
 * Fields: typed windows on the octets of a packet, derived from a `buffer-layout` structure.
 *
 * A field knows its offset and nothing else, so one class per width serves every protocol. Call
 * sites stay monomorphic, and V8 inlines `ARP.op.get(view, at)` to one bounds check and one load.
 * @module
 */
import { RangeFault } from "../base/errors.ts";
import type { Layout, ObjectOf, Structure } from "./layout.ts";

/**
 * One header field of type `T`.
 * @throws {RangeError} from `get` and `set` if the field is not inside `view`: a missing check.
 */
export interface Field<T = number> {
  /** Octets from the first octet of the header. */
  readonly offset: number;
  /** Octets that the field fills. */
  readonly span: number;
  get(view: DataView, at: number): T;
  set(view: DataView, at: number, value: T): void;
}

class U8 implements Field {
  readonly offset: number;
  readonly span = 1;
  constructor(offset: number) {
    this.offset = offset;
  }
  get(view: DataView, at: number): number {
    return view.getUint8(at + this.offset);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint8(at + this.offset, value);
  }
}

class U16 implements Field {
  readonly offset: number;
  readonly span = 2;
  constructor(offset: number) {
    this.offset = offset;
  }
  get(view: DataView, at: number): number {
    return view.getUint16(at + this.offset);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint16(at + this.offset, value);
  }
}

class U32 implements Field {
  readonly offset: number;
  readonly span = 4;
  constructor(offset: number) {
    this.offset = offset;
  }
  get(view: DataView, at: number): number {
    return view.getUint32(at + this.offset);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint32(at + this.offset, value);
  }
}

/** 48 bits fit a double exactly, so a MAC address needs no object. */
class U48 implements Field {
  readonly offset: number;
  readonly span = 6;
  constructor(offset: number) {
    this.offset = offset;
  }
  get(view: DataView, at: number): number {
    return view.getUint16(at + this.offset) * 2 ** 32 + view.getUint32(at + this.offset + 2);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint16(at + this.offset, Math.floor(value / 2 ** 32));
    view.setUint32(at + this.offset + 2, value % 2 ** 32);
  }
}

class U16Little implements Field {
  readonly offset: number;
  readonly span = 2;
  constructor(offset: number) {
    this.offset = offset;
  }
  get(view: DataView, at: number): number {
    return view.getUint16(at + this.offset, true);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint16(at + this.offset, value, true);
  }
}

class U32Little implements Field {
  readonly offset: number;
  readonly span = 4;
  constructor(offset: number) {
    this.offset = offset;
  }
  get(view: DataView, at: number): number {
    return view.getUint32(at + this.offset, true);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint32(at + this.offset, value, true);
  }
}

/** Octets as they are: `get` copies them out, `set` copies them in and fills up with zeros. */
class Octets implements Field<Uint8Array> {
  readonly offset: number;
  readonly span: number;
  constructor(offset: number, span: number) {
    this.offset = offset;
    this.span = span;
  }
  get(view: DataView, at: number): Uint8Array {
    return this.#window(view, at).slice();
  }
  set(view: DataView, at: number, value: Uint8Array): void {
    if (value.length > this.span) throw new RangeError(`${value.length} octets into ${this.span}`);
    const target = this.#window(view, at);
    target.set(value);
    target.fill(0, value.length);
  }
  /** The buffer may be longer than the view, so the buffer's own check is not enough. */
  #window(view: DataView, at: number): Uint8Array {
    const start = at + this.offset;
    if (start < 0 || start + this.span > view.byteLength) {
      throw new RangeError(`octets ${start} to ${start + this.span} of ${view.byteLength}`);
    }
    return new Uint8Array(view.buffer, view.byteOffset + start, this.span);
  }
}

/** Some bits of a wider field. `shift` counts from the least significant bit. */
class Bits implements Field {
  readonly offset: number;
  readonly span: number;
  readonly word: Field;
  readonly shift: number;
  readonly mask: number;
  constructor(word: Field, shift: number, width: number) {
    this.offset = word.offset;
    this.span = word.span;
    this.word = word;
    this.shift = shift;
    this.mask = 2 ** width - 1;
  }
  get(view: DataView, at: number): number {
    return ((this.word.get(view, at) >>> this.shift) & this.mask) >>> 0;
  }
  set(view: DataView, at: number, value: number): void {
    const rest = this.word.get(view, at) & ~(this.mask << this.shift);
    this.word.set(view, at, (rest | ((value & this.mask) << this.shift)) >>> 0);
  }
}

const BIG = new Map<number, new (offset: number) => Field>([
  [1, U8],
  [2, U16],
  [4, U32],
  [6, U48],
]);
const LITTLE = new Map<number, new (offset: number) => Field>([
  [2, U16Little],
  [4, U32Little],
]);

/** The fields of a structure by name. */
export type FieldsOf<F extends readonly Layout<unknown>[]> = {
  readonly [L in F[number] as L["property"]]: L extends Layout<infer T> ? Field<T> : never;
};

/** Derive the fields of `layout`: the allocation-free form of a header. */
export function fieldsOf<const F extends readonly Layout<unknown>[]>(
  layout: Structure<F>,
): FieldsOf<F> {
  const fields: Record<string, unknown> = {};
  for (const { property, span, form } of layout.fields) {
    const offset = layout.offsetOf(property);
    const FieldOfSpan = (form === "little" ? LITTLE : BIG).get(span);
    if (form === "octets") fields[property] = new Octets(offset, span);
    else if (FieldOfSpan !== undefined) fields[property] = new FieldOfSpan(offset);
    else throw new TypeError(`${property}: no field of ${span} octets`);
  }
  return Object.freeze(fields) as FieldsOf<F>;
}

/** `bits(IPV4.versionIhl, 4, 4)` is the version. */
export function bits(word: Field, shift: number, width: number): Field {
  return new Bits(word, shift, width);
}

/** Whole headers as plain objects: for tests, logs and configuration. */
export interface Codec<T> {
  /** Octets of the header. */
  readonly length: number;
  /** @throws {RangeFault} if fewer than `length` octets follow `at`. */
  decode(bytes: Uint8Array, at?: number): T;
  /** @throws {RangeFault} if a value does not fit its field. */
  encode(value: T): Uint8Array;
  /**
   * Write `value` into `bytes` at `at`.
   * @throws {RangeFault} if a value does not fit its field, or the header does not fit `bytes`.
   */
  encodeInto(value: T, bytes: Uint8Array, at: number): void;
}

/** The friendly form of `layout`. Allocates and validates ranges. */
export function codecOf<const F extends readonly Layout<unknown>[]>(
  layout: Structure<F>,
): Codec<ObjectOf<F>> {
  return new StructureCodec<ObjectOf<F>>(layout);
}

class StructureCodec<T> implements Codec<T> {
  readonly length: number;
  readonly #entries: readonly (readonly [string, Field<unknown>])[];

  constructor(layout: Structure) {
    this.length = layout.span;
    this.#entries = Object.entries<Field<unknown>>(fieldsOf(layout));
  }

  decode(bytes: Uint8Array, at = 0): T {
    if (at < 0 || at + this.length > bytes.length) {
      throw new RangeFault("header-truncated", bytes.length - at, `${this.length} octets`);
    }
    const view = viewOf(bytes);
    const value: Record<string, unknown> = {};
    for (const [name, field] of this.#entries) value[name] = field.get(view, at);
    return value as T;
  }

  encode(value: T): Uint8Array {
    const bytes = new Uint8Array(this.length);
    this.encodeInto(value, bytes, 0);
    return bytes;
  }

  encodeInto(value: T, bytes: Uint8Array, at: number): void {
    if (at < 0 || at + this.length > bytes.length) {
      throw new RangeFault("header-room", bytes.length - at, `${this.length} octets`);
    }
    const view = viewOf(bytes);
    const values = value as Record<string, unknown>;
    for (const [name, field] of this.#entries) {
      const one = values[name];
      if (!fits(one, field)) {
        throw new RangeFault("field-range", one, `${name} of ${field.span} octets`);
      }
      field.set(view, at, one);
    }
  }
}

function fits(value: unknown, field: Field<unknown>): boolean {
  if (value instanceof Uint8Array) return field instanceof Octets && value.length <= field.span;
  if (typeof value !== "number" || field instanceof Octets) return false;
  return Number.isInteger(value) && value >= 0 && value < 2 ** (8 * field.span);
}

/**
 * A view of exactly the octets of `bytes`. Allocates: one per arena or file, never one per frame.
 */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
