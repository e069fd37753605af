/**
 * Blocks and options of pcapng: draft-ietf-opsawg-pcapng sections 3 and 4.
 * @module
 */
import { fieldsOf } from "../wire/field.ts";
import {
  ipv4Addr,
  type Layout,
  mac,
  struct,
  type Structure,
  u16be,
  u16le,
  u32be,
  u32le,
  u8,
} from "../wire/layout.ts";

/** Block types (section 4); the section header's reads the same in both byte orders. */
export const BlockType = {
  Section: 0x0a0d_0d0a,
  Interface: 1,
  /** Obsolete; read, never written. */
  Packet: 2,
  Simple: 3,
  Names: 4,
  Statistics: 5,
  Enhanced: 6,
} as const;

/** What the byte-order magic reads as in the section's own order. */
export const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;

/** Options of every block (section 3.5). */
export const CommonOption = { End: 0, Comment: 1 } as const;
/** Options of the section header block (section 4.1). */
export const SectionOption = { Application: 4 } as const;
/** Options of the interface description block (section 4.2). */
export const InterfaceOption = {
  Name: 2,
  Description: 3,
  Ipv4Addr: 4,
  MacAddr: 6,
  Resolution: 9,
  Offset: 14,
} as const;
/** Options of the enhanced packet block (section 4.3); the obsolete packet block shares `Flags`. */
export const FrameOption = { Flags: 2, PacketId: 5, Verdict: 7 } as const;
/** Options of the interface statistics block (section 4.6). */
export const StatisticsOption = {
  StartTime: 2,
  EndTime: 3,
  Received: 4,
  Dropped: 5,
  Accepted: 6,
  DroppedBySystem: 7,
  Delivered: 8,
} as const;
/** Records of the name resolution block (section 4.5). */
export const NameRecord = { End: 0, Ipv4: 1 } as const;

type Unsigned = <N extends string>(property: N) => Layout<number, N>;

/** Each fixed part, once for both byte orders; `wide` is a 64-bit integer in that order. */
function layoutsIn(
  u16: Unsigned,
  u32: Unsigned,
  wide: Structure<readonly Layout<number, "high" | "low">[]>,
) {
  const type = u32("type");
  const length = u32("length");
  return {
    /** What every block begins with. `length` counts the whole block and ends it once more. */
    block: struct([type, length]),
    section: struct([
      type,
      length,
      u32("magic"),
      u16("major"),
      u16("minor"),
      // Only ever written as -1, "unknown", and never read: the order of the halves is no matter.
      u32("sectionHigh"),
      u32("sectionLow"),
    ]),
    interface: struct([type, length, u16("linkType"), u16("reserved"), u32("snapLength")]),
    enhanced: struct([
      type,
      length,
      u32("interfaceId"),
      u32("timeHigh"),
      u32("timeLow"),
      u32("captured"),
      u32("original"),
    ]),
    packet: struct([
      type,
      length,
      u16("interfaceId"),
      u16("drops"),
      u32("timeHigh"),
      u32("timeLow"),
      u32("captured"),
      u32("original"),
    ]),
    simple: struct([type, length, u32("original")]),
    statistics: struct([type, length, u32("interfaceId"), u32("timeHigh"), u32("timeLow")]),
    /** Head of an option and of a name record. */
    option: struct([u16("code"), u16("length")]),
    /** A time in an option: the upper half comes first in both orders, unlike in `wide`. */
    time: struct([u32("high"), u32("low")]),
    wide,
    word: struct([u32("value")]),
  };
}

/** The fixed parts of a section in each byte order, as declared. */
export const LAYOUTS = {
  little: layoutsIn(u16le, u32le, struct([u32le("low"), u32le("high")])),
  big: layoutsIn(u16be, u32be, struct([u32be("high"), u32be("low")])),
} as const;

type Layouts = ReturnType<typeof layoutsIn>;

const fieldsIn = (layouts: Layouts) => ({
  block: fieldsOf(layouts.block),
  section: fieldsOf(layouts.section),
  interface: fieldsOf(layouts.interface),
  enhanced: fieldsOf(layouts.enhanced),
  packet: fieldsOf(layouts.packet),
  simple: fieldsOf(layouts.simple),
  statistics: fieldsOf(layouts.statistics),
  option: fieldsOf(layouts.option),
  time: fieldsOf(layouts.time),
  wide: fieldsOf(layouts.wide),
  word: fieldsOf(layouts.word),
});

/** The fields of all fixed parts in one byte order. */
export type BlockFields = ReturnType<typeof fieldsIn>;
/** Fields of a section whose numbers have their least significant octet first. */
export const LITTLE: BlockFields = fieldsIn(LAYOUTS.little);
/** Fields of a section in network byte order. */
export const BIG: BlockFields = fieldsIn(LAYOUTS.big);

/** Octets of the fixed parts, the same in both byte orders. */
export const SPAN = {
  block: LAYOUTS.little.block.span,
  section: LAYOUTS.little.section.span,
  interface: LAYOUTS.little.interface.span,
  enhanced: LAYOUTS.little.enhanced.span,
  packet: LAYOUTS.little.packet.span,
  simple: LAYOUTS.little.simple.span,
  statistics: LAYOUTS.little.statistics.span,
  option: LAYOUTS.little.option.span,
  time: LAYOUTS.little.time.span,
  wide: LAYOUTS.little.wide.span,
  word: LAYOUTS.little.word.span,
} as const;

/** Values whose octets lie the same way in both byte orders. */
export const VALUE_LAYOUTS = {
  /** if_IPv4addr. */
  interfaceAddress: struct([ipv4Addr("address"), ipv4Addr("mask")]),
  /** if_MACaddr. */
  interfaceMac: struct([mac("mac")]),
  /** What a name record begins with. */
  nameAddress: struct([ipv4Addr("address")]),
  /** if_tsresol, and who judged at the beginning of epb_verdict. */
  octet: struct([u8("value")]),
} as const;

/** Fields of if_IPv4addr. */
export const INTERFACE_ADDRESS = fieldsOf(VALUE_LAYOUTS.interfaceAddress);
/** The field of if_MACaddr. */
export const INTERFACE_MAC = fieldsOf(VALUE_LAYOUTS.interfaceMac);
/** The field that begins a name record. */
export const NAME_ADDRESS = fieldsOf(VALUE_LAYOUTS.nameAddress);
/** The field of a value of one octet. */
export const OCTET = fieldsOf(VALUE_LAYOUTS.octet);

/** `length` rounded up to the 32 bits that every part of a block is padded to. */
export const padded = (length: number): number => (length + 3) & ~3;
