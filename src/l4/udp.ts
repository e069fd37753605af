/**
 * UDP header: RFC 768; acceptance as Linux's net/ipv4/udp.c.
 * @module
 */
import { Protocol } from "../l3/ipv4.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { checksum, onesSum, pseudoHeaderSum, update16, update32 } from "../wire/checksum.ts";
import { codecOf, fieldsOf } from "../wire/field.ts";
import { type ObjectOf, struct, u16be } from "../wire/layout.ts";

const layout = struct([
  u16be("srcPort"),
  u16be("dstPort"),
  u16be("length"), //   of the datagram: header and data
  u16be("checksum"), // 0 for none
]);

/** Octets of the header. */
export const UDP_LENGTH: number = layout.span;
/** Hot path: `UDP.dstPort.get(view, at)`. */
export const UDP = fieldsOf(layout);
/** The header as a plain object. */
export type UdpHeader = ObjectOf<typeof layout.fields>;
/** Cold path: the header as a plain object. */
export const udpCodec = codecOf(layout);
/** The declaration itself, for the test that compares it with a second reader. */
export const udpLayout = layout;

/** Why octets are no datagram. */
export type UdpDiscard = "udp/truncated" | "udp/length" | "udp/checksum";

/** What an all-zero sum is sent as, because 0 says that there is none. */
const ZERO_SUM = 0xffff;

/**
 * Judge the datagram in octets `[at, end)` before anything else reads it. Octets after its length
 * are padding. The checksum is {@link checkUdpChecksum}'s matter.
 * @returns `null` if `length` octets from `at` on may be read, or why to discard it.
 */
export function checkUdp(view: DataView, at: number, end: number): UdpDiscard | null {
  if (end - at < UDP_LENGTH) return "udp/truncated";
  const length = UDP.length.get(view, at);
  if (length > end - at) return "udp/truncated";
  return length < UDP_LENGTH ? "udp/length" : null;
}

/**
 * Judge the checksum of a checked, whole datagram between the addresses of its IP header.
 * @returns `null` if it holds or there is none, or why to discard the datagram.
 */
export function checkUdpChecksum(
  view: DataView,
  at: number,
  src: Ipv4Addr,
  dst: Ipv4Addr,
): UdpDiscard | null {
  if (UDP.checksum.get(view, at) === 0) return null;
  const length = UDP.length.get(view, at);
  const pseudo = pseudoHeaderSum(src, dst, Protocol.Udp, length);
  return onesSum(view, at, at + length, pseudo) === 0xffff ? null : "udp/checksum";
}

/** Write length and checksum of a datagram of this host that fills `[at, end)`. */
export function sealUdp(
  view: DataView,
  at: number,
  end: number,
  src: Ipv4Addr,
  dst: Ipv4Addr,
): void {
  const length = end - at;
  UDP.length.set(view, at, length);
  UDP.checksum.set(view, at, 0);
  const pseudo = pseudoHeaderSum(src, dst, Protocol.Udp, length);
  const sum = checksum(view, at, end, pseudo);
  UDP.checksum.set(view, at, sum === 0 ? ZERO_SUM : sum);
}

/**
 * Mend the checksum for one address and one port that change on the way (RFC 1624 section 3);
 * without a checksum, there is none afterwards. Reads nothing but the checksum.
 * @param sendsZeroAsFfff false to send a sum of zero as it is, as Linux 2.6.18 does.
 */
export function mendUdpChecksum(
  view: DataView,
  at: number,
  addressBefore: Ipv4Addr,
  addressAfter: Ipv4Addr,
  portBefore: number,
  portAfter: number,
  sendsZeroAsFfff: boolean,
): void {
  const before = UDP.checksum.get(view, at);
  if (before === 0) return;
  const mended = update16(update32(before, addressBefore, addressAfter), portBefore, portAfter);
  UDP.checksum.set(view, at, mended === 0 && sendsZeroAsFfff ? ZERO_SUM : mended);
}
