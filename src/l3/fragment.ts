/**
 * Fragmentation: RFC 791 section 3.2, in the sizes that Linux makes (ip_do_fragment).
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { DONT_FRAGMENT, headerLengthOf, IPV4, MORE_FRAGMENTS, sealHeader } from "./ipv4.ts";
import { keepCopiedOptions } from "./ipv4-options.ts";

/** Takes each fragment in turn, and owns it. */
export type FragmentSink = (fragment: Packet, now: Instant) => void;

/**
 * Cut `packet` into pieces of at most `mtu` octets of IP and hand them to `sink`; ends `packet`.
 * All but the last carry a multiple of eight octets. A full pool loses the rest.
 */
export function fragment(packet: Packet, mtu: number, sink: FragmentSink, now: Instant): void {
  const { pool } = packet;
  const { view, bytes } = pool;
  const headerLength = headerLengthOf(view, packet.network);
  const whole = IPV4.flagsFragment.get(view, packet.network);
  const room = (mtu - headerLength) & ~7;
  let from = packet.network + headerLength;
  let offset = (whole & 0x1fff) * 8;
  while (from < packet.end) {
    const left = packet.end - from;
    const length = left > mtu - headerLength ? room : left;
    const isLast = length === left;
    const piece = pool.derive(packet, ETHERNET_LENGTH + headerLength + length);
    if (piece === null) break;
    piece.network = piece.frame + ETHERNET_LENGTH;
    piece.transport = piece.network + headerLength;
    bytes.copyWithin(piece.network, packet.network, packet.network + headerLength);
    bytes.copyWithin(piece.transport, from, from + length);
    IPV4.totalLength.set(view, piece.network, headerLength + length);
    const more = isLast ? whole & MORE_FRAGMENTS : MORE_FRAGMENTS;
    IPV4.flagsFragment.set(view, piece.network, (whole & DONT_FRAGMENT) | more | (offset / 8));
    sealHeader(view, piece.network);
    if (offset === 0) keepCopiedOptions(view, packet.network);
    from += length;
    offset += length;
    sink(piece, now);
  }
  pool.end(packet, "consumed", "ipv4/fragmented", now);
}
