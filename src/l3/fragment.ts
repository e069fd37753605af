/**
 * Fragmentation: RFC 791 section 3.2, in the sizes that Linux makes (ip_do_fragment).
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import {
  DONT_FRAGMENT,
  headerLengthOf,
  IPV4,
  isFragment,
  MORE_FRAGMENTS,
  sealHeader,
} from "./ipv4.ts";
import { keepCopiedOptions } from "./ipv4-options.ts";

/** Takes each fragment in turn, and owns it. */
export type FragmentSink = (fragment: Packet, now: Instant) => void;

/**
 * Cut `packet` into pieces of at most `mtu` octets of IP and hand them to `sink`; ends `packet`.
 * All but the last carry a multiple of eight octets. What came in pieces leaves in the same ones
 * if they fit. A full pool loses the rest.
 */
export function fragment(packet: Packet, mtu: number, sink: FragmentSink, now: Instant): void {
  const { pool } = packet;
  const { view, bytes } = pool;
  const headerLength = headerLengthOf(view, packet.network);
  const whole = IPV4.flagsFragment.get(view, packet.network);
  const room = (mtu - headerLength) & ~7;
  const pieces = fittingPieces(
    packet,
    mtu - headerLength,
    packet.end - packet.network - headerLength,
  );
  // Linux writes the flags of the same pieces anew; those that it cuts itself keep DF.
  const dontFragment = pieces === null ? whole & DONT_FRAGMENT : 0;
  let from = packet.network + headerLength;
  let offset = (whole & 0x1fff) * 8;
  for (let index = 0; from < packet.end; index += 1) {
    const left = packet.end - from;
    const length = pieces?.[index] ?? (left > mtu - headerLength ? room : left);
    const isLast = length === left;
    const piece = pool.derive(packet, ETHERNET_LENGTH + headerLength + length);
    if (piece === null) break;
    piece.network = piece.frame + ETHERNET_LENGTH;
    piece.transport = piece.network + headerLength;
    bytes.copyWithin(piece.network, packet.network, packet.network + headerLength);
    bytes.copyWithin(piece.transport, from, from + length);
    IPV4.totalLength.set(view, piece.network, headerLength + length);
    const more = isLast ? whole & MORE_FRAGMENTS : MORE_FRAGMENTS;
    IPV4.flagsFragment.set(view, piece.network, dontFragment | more | (offset / 8));
    sealHeader(view, piece.network);
    if (offset === 0) keepCopiedOptions(view, packet.network);
    from += length;
    offset += length;
    sink(piece, now);
  }
  pool.end(packet, "consumed", "ipv4/fragmented", now);
}

/** The pieces that `packet` came in, if each fits into `room` octets and may stand where it is. */
function fittingPieces(packet: Packet, room: number, payload: number): readonly number[] | null {
  const { pieces, pool, network } = packet;
  if (pieces === null || isFragment(pool.view, network)) return null;
  let sum = 0;
  for (const [index, size] of pieces.entries()) {
    const isLast = index === pieces.length - 1;
    if (size > room || (!isLast && size % 8 !== 0)) return null;
    sum += size;
  }
  return sum === payload ? pieces : null;
}

/**
 * Have the first `octets` of `packet`, its IP header included, in its first piece, as Linux does
 * before it changes them (`skb_ensure_writable`): the pieces behind it become shorter.
 */
export function pullHead(packet: Packet, octets: number): void {
  const { pieces, pool, network } = packet;
  const [first = 0, ...rest] = pieces ?? [];
  const wanted = octets - headerLengthOf(pool.view, network);
  if (pieces === null || first >= wanted) return;
  let eaten = wanted - first;
  const kept = rest.flatMap((size) => {
    const taken = Math.min(eaten, size);
    eaten -= taken;
    return size > taken ? [size - taken] : [];
  });
  packet.pieces = [wanted - eaten, ...kept];
}
