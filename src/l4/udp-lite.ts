/**
 * UDP-Lite header: RFC 3828 section 3.1. It is UDP's, with a coverage in the place of the length;
 * acceptance as Linux's connection tracking.
 * @module
 */
import { Protocol } from "../l3/ipv4.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { onesSum, pseudoHeaderSum } from "../wire/checksum.ts";
import { UDP, UDP_LENGTH } from "./udp.ts";

/** Why octets are no datagram of UDP-Lite. */
export type UdpLiteDiscard =
  | "udp-lite/truncated"
  | "udp-lite/coverage"
  | "udp-lite/no-checksum"
  | "udp-lite/checksum";

/**
 * Judge the datagram in octets `[at, end)`.
 * @returns `null` if its header can be read, or why to discard it.
 */
export function checkUdpLite(view: DataView, at: number, end: number): UdpLiteDiscard | null {
  if (end - at < UDP_LENGTH) return "udp-lite/truncated";
  const coverage = UDP.length.get(view, at);
  if (coverage !== 0 && (coverage < UDP_LENGTH || coverage > end - at)) return "udp-lite/coverage";
  return UDP.checksum.get(view, at) === 0 ? "udp-lite/no-checksum" : null;
}

/**
 * Judge the checksum of a checked datagram between the addresses of its IP header.
 * Deviation: as in Linux, whose `udplite_error` sums UDP's number into the pseudo-header, and of
 * the length the low octet alone: it refuses what RFC 3828 section 3.1 makes right.
 * @returns `null` if it holds, or why to discard the datagram.
 */
export function checkUdpLiteChecksum(
  view: DataView,
  at: number,
  end: number,
  src: Ipv4Addr,
  dst: Ipv4Addr,
): UdpLiteDiscard | null {
  const coverage = UDP.length.get(view, at);
  const covered = coverage === 0 ? end : at + coverage;
  const pseudo = pseudoHeaderSum(src, dst, Protocol.Udp, (end - at) & 255);
  return onesSum(view, at, covered, pseudo) === 0xffff ? null : "udp-lite/checksum";
}

/**
 * Judge the checksum of a checked datagram as RFC 3828 section 3.1 wants it, as a socket does.
 * @returns `null` if it holds, or why to discard the datagram.
 */
export function checkCoveredChecksum(
  view: DataView,
  at: number,
  end: number,
  src: Ipv4Addr,
  dst: Ipv4Addr,
): UdpLiteDiscard | null {
  const coverage = UDP.length.get(view, at);
  const covered = coverage === 0 ? end : at + coverage;
  const pseudo = pseudoHeaderSum(src, dst, Protocol.UdpLite, end - at);
  return onesSum(view, at, covered, pseudo) === 0xffff ? null : "udp-lite/checksum";
}
