/**
 * The block interface's messages in both shapes (Xen: `public/io/blkif.h`).
 *
 * A 32-bit kernel aligns 64-bit numbers to four octets, a 64-bit one to eight; the back end reads
 * what the front end names in its `protocol` node.
 * @module
 */
import { type Field, fieldsOf } from "../../wire/field.ts";
import { octets, struct, u16le, u32le, u8 } from "../../wire/layout.ts";

/** What a request asks for. */
export const BlockOp = {
  read: 0,
  write: 1,
  writeBarrier: 2,
  flush: 3,
  discard: 5,
  indirect: 6,
} as const;
/** Bits of a discard's flag. */
export const BlockDiscardFlag = {
  /** No copy may be left; without meaning where the node `discard-secure` says 0. */
  secure: 1,
} as const;
/** What a response says; as a signed 16-bit number on the ring. */
export const BlockStatus = { okay: 0, error: -1, notSupported: -2 } as const;
/** Segments that a request may have. */
export const MAX_SEGMENTS = 11;
/** Sectors of a frame. */
export const SECTORS_OF_FRAME = 8;

const segment = struct([u32le("gref"), u8("firstSector"), u8("lastSector"), octets(2, "padding")]);

/** A segment: a granted frame, and its first and last sector of 512 octets, both included. */
export const BLOCK_SEGMENT = fieldsOf(segment);
/** Octets of a segment. */
export const SEGMENT_OCTETS = segment.span;

const request64 = struct([
  u8("operation"),
  u8("segmentCount"),
  u16le("handle"),
  octets(4, "padding"),
  u32le("idLow"),
  u32le("idHigh"),
  u32le("sectorLow"),
  u32le("sectorHigh"),
]);
const request32 = struct([
  u8("operation"),
  u8("segmentCount"),
  u16le("handle"),
  u32le("idLow"),
  u32le("idHigh"),
  u32le("sectorLow"),
  u32le("sectorHigh"),
]);
const indirect64 = struct([
  u8("outer"),
  u8("operation"),
  u16le("segmentCount"),
  octets(4, "padding"),
  octets(16, "idAndSector"),
  u16le("handle"),
  octets(2, "alignment"),
  u32le("gref"),
]);
const indirect32 = struct([
  u8("outer"),
  u8("operation"),
  u16le("segmentCount"),
  octets(16, "idAndSector"),
  u16le("handle"),
  octets(2, "alignment"),
  u32le("gref"),
]);
const discard64 = struct([
  u8("operation"),
  u8("flag"),
  u16le("handle"),
  octets(4, "padding"),
  octets(16, "idAndSector"),
  u32le("sectorsLow"),
  u32le("sectorsHigh"),
]);
const discard32 = struct([
  u8("operation"),
  u8("flag"),
  u16le("handle"),
  octets(16, "idAndSector"),
  u32le("sectorsLow"),
  u32le("sectorsHigh"),
]);
const response = struct([
  u32le("idLow"),
  u32le("idHigh"),
  u8("operation"),
  u8("padding"),
  u16le("status"),
]);

/** A request before its segments. Numbers of 64 bits are two words. */
export interface BlockRequestFields {
  readonly operation: Field;
  readonly segmentCount: Field;
  readonly handle: Field;
  readonly idLow: Field;
  readonly idHigh: Field;
  readonly sectorLow: Field;
  readonly sectorHigh: Field;
}

/**
 * A request whose segments lie in a page of their own: what differs from others. The page has room
 * for 512 segments, so more than the first of eight references is never read.
 */
export interface BlockIndirectFields {
  /** Read or write. */
  readonly operation: Field;
  readonly segmentCount: Field;
  readonly handle: Field;
  /** The page's reference. */
  readonly gref: Field;
}

/** A discard, which has no segments: what differs from others. */
export interface BlockDiscardFields {
  /** Of {@link BlockDiscardFlag}. */
  readonly flag: Field;
  readonly sectorsLow: Field;
  readonly sectorsHigh: Field;
}

/** A response, the same in both shapes. */
export const BLOCK_RESPONSE = fieldsOf(response);

/** One shape of the interface. */
export interface BlockAbi {
  /** As the `protocol` node names it. */
  readonly name: "x86_64-abi" | "x86_32-abi";
  readonly request: BlockRequestFields;
  /** Of {@link BlockOp} `indirect`; id and sector lie where others have them. */
  readonly indirect: BlockIndirectFields;
  /** Of {@link BlockOp} `discard`; handle, id and sector lie where others have them. */
  readonly discard: BlockDiscardFields;
  /** Octet of a request's first segment. */
  readonly segments: number;
  /** Octets of an entry: those of a request, with what aligns the next one. */
  readonly entryOctets: number;
}

/** A 64-bit kernel's: entries of 112 octets. */
export const BLOCK_ABI_64: BlockAbi = {
  name: "x86_64-abi",
  request: fieldsOf(request64),
  indirect: fieldsOf(indirect64),
  discard: fieldsOf(discard64),
  segments: request64.span,
  entryOctets: request64.span + MAX_SEGMENTS * SEGMENT_OCTETS,
};

/** A 32-bit kernel's: entries of 108 octets. */
export const BLOCK_ABI_32: BlockAbi = {
  name: "x86_32-abi",
  request: fieldsOf(request32),
  indirect: fieldsOf(indirect32),
  discard: fieldsOf(discard32),
  segments: request32.span,
  entryOctets: request32.span + MAX_SEGMENTS * SEGMENT_OCTETS,
};
