/** What the readers of both formats share: octets and where they lie, limits, errors. @module */
import { ParseError } from "../base/errors.ts";
import { type BlockFields, CommonOption, padded, SPAN } from "./blocks.ts";
import type { CaptureInterface, CaptureNames, CaptureRecord } from "./record.ts";

/** Some octets of a file. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where in the file the first octet lies. */
  readonly offset: number;
}

/** What a file may ask for at most. */
export interface ReadLimits {
  /** Octets of a block or a classic record. */
  readonly blockOctets: number;
  /** Interfaces of all sections together. */
  readonly interfaces: number;
  /** Pairs of an address and a name. */
  readonly names: number;
}

/** One of the file formats: units (headers, blocks, records) one after the other. */
export interface Format {
  readonly name: "pcapng" | "pcap";
  readonly interfaces: readonly CaptureInterface[];
  readonly names: CaptureNames;
  /**
   * Octets of the unit that begins at `at`; 0 while too few of them are there to tell.
   * @throws {ParseError} if no unit can begin so.
   */
  measure(piece: Piece, at: number, end: number): number;
  /**
   * Read the unit in `[at, end)`.
   * @throws {ParseError} if it is damaged.
   */
  read(piece: Piece, at: number, end: number): void;
}

/** Gets each record in the order of the file. */
export type RecordVisitor = (record: CaptureRecord) => void;

/** A value of an option or a name record: octets `[at, end)` of a piece. */
export interface TaggedValue {
  readonly code: number;
  readonly at: number;
  readonly end: number;
}

/** The error at octet `at` of `piece`; its `value` is the offset in the file. */
export function damaged(piece: Piece, at: number, code: string, message: string): ParseError {
  const offset = piece.offset + at;
  return new ParseError(`capture-${code}`, offset, `octet ${offset}: ${message}`);
}

/**
 * Options or name records from `at` on, up to the one that ends them or to `end`.
 * @throws {ParseError} if one reaches beyond `end`.
 */
export function* taggedValues(
  piece: Piece,
  { option }: BlockFields,
  at: number,
  end: number,
): Generator<TaggedValue, void, undefined> {
  for (let next = at; next + SPAN.option <= end;) {
    const code = option.code.get(piece.view, next);
    const length = option.length.get(piece.view, next);
    const value = next + SPAN.option;
    if (code === CommonOption.End) return;
    if (value + padded(length) > end) {
      throw damaged(piece, next, "option", `option ${code} of ${length} octets leaves its block`);
    }
    yield { code, at: value, end: value + length };
    next = value + padded(length);
  }
}

/**
 * Check that an option has the one length that its kind has.
 * @throws {ParseError} if not.
 */
export function expectLength(piece: Piece, { code, at, end }: TaggedValue, length: number): void {
  if (end - at === length) return;
  const message = `option ${code} has ${end - at} octets, expected ${length}`;
  throw damaged(piece, at - SPAN.option, "option", message);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text in `[at, end)`, up to the first NUL; what is not UTF-8 becomes U+FFFD. */
export function readText(piece: Piece, at: number, end: number): string {
  const octets = piece.bytes.subarray(at, end);
  const nul = octets.indexOf(0);
  return decoder.decode(nul < 0 ? octets : octets.subarray(0, nul));
}
