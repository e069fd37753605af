/**
 * TCP header: RFC 9293 section 3.1; acceptance as Linux's net/ipv4/tcp_ipv4.c. The options are
 * in tcp-options.ts.
 * @module
 */
import { Protocol } from "../l3/ipv4.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { checksum, onesSum, pseudoHeaderSum, update16, update32 } from "../wire/checksum.ts";
import { bits, codecOf, fieldsOf } from "../wire/field.ts";
import { type ObjectOf, struct, u16be, u32be, u8 } from "../wire/layout.ts";

const layout = struct([
  u16be("srcPort"),
  u16be("dstPort"),
  u32be("seq"),
  u32be("ack"),
  u8("offsetReserved"),
  u8("flags"), // {@link TcpFlag}
  u16be("window"),
  u16be("checksum"),
  u16be("urgent"), // counts from `seq`, if the flag is set
]);
const octets = fieldsOf(layout);

/** Octets of a header without options. */
export const TCP_MIN_LENGTH: number = layout.span;
/** Octets of the longest header: a data offset of 15. */
export const TCP_MAX_LENGTH = 60;
/** Hot path: `TCP.seq.get(view, at)`. */
export const TCP = Object.freeze({
  ...octets,
  /** Words of four octets in the header, options included. */
  dataOffset: bits(octets.offsetReserved, 4, 4),
  reserved: bits(octets.offsetReserved, 0, 4),
});
/** The header without its options. */
export type TcpHeader = ObjectOf<typeof layout.fields>;
/** Cold path: the header without its options as a plain object. */
export const tcpCodec = codecOf(layout);
/** The declaration itself, for the test that compares it with a second reader. */
export const tcpLayout = layout;

/** Bits of `flags`: RFC 9293 section 3.1. */
export const TcpFlag = {
  Fin: 0x01,
  Syn: 0x02,
  Rst: 0x04,
  Psh: 0x08,
  Ack: 0x10,
  Urg: 0x20,
  Ece: 0x40,
  Cwr: 0x80,
} as const;

/** Why octets are no segment. */
export type TcpDiscard = "tcp/truncated" | "tcp/data-offset" | "tcp/checksum";

/**
 * Judge the segment in octets `[at, end)` before anything else reads it. Its options and flags may
 * still be any; the checksum is {@link checkTcpChecksum}'s matter.
 * @returns `null` if the whole header, options included, may be read; or why to discard it.
 */
export function checkTcp(view: DataView, at: number, end: number): TcpDiscard | null {
  if (end - at < TCP_MIN_LENGTH) return "tcp/truncated";
  const length = tcpHeaderLengthOf(view, at);
  if (length < TCP_MIN_LENGTH) return "tcp/data-offset";
  return length > end - at ? "tcp/truncated" : null;
}

/** Octets of the header at `at`, options included: where the data begin. */
export const tcpHeaderLengthOf = (view: DataView, at: number): number =>
  TCP.dataOffset.get(view, at) * 4;

/**
 * Judge the checksum of the segment in `[at, end)` between the addresses of its IP header.
 * @returns `null` if it holds, or why to discard the segment.
 */
export function checkTcpChecksum(
  view: DataView,
  at: number,
  end: number,
  src: Ipv4Addr,
  dst: Ipv4Addr,
): TcpDiscard | null {
  const pseudo = pseudoHeaderSum(src, dst, Protocol.Tcp, end - at);
  return onesSum(view, at, end, pseudo) === 0xffff ? null : "tcp/checksum";
}

/** Write the checksum of a segment of this host that fills `[at, end)`. */
export function sealTcp(
  view: DataView,
  at: number,
  end: number,
  src: Ipv4Addr,
  dst: Ipv4Addr,
): void {
  TCP.checksum.set(view, at, 0);
  const pseudo = pseudoHeaderSum(src, dst, Protocol.Tcp, end - at);
  TCP.checksum.set(view, at, checksum(view, at, end, pseudo));
}

/**
 * Mend the checksum for one address and one port that change on the way (RFC 1624 section 3).
 * Reads nothing but the checksum.
 */
export function mendTcpChecksum(
  view: DataView,
  at: number,
  addressBefore: Ipv4Addr,
  addressAfter: Ipv4Addr,
  portBefore: number,
  portAfter: number,
): void {
  const mended = update32(TCP.checksum.get(view, at), addressBefore, addressAfter);
  TCP.checksum.set(view, at, update16(mended, portBefore, portAfter));
}
