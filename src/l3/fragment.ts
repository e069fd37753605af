/**
 * Fragmentation: RFC 791 section 3.2, in the sizes that Linux makes (ip_do_fragment).
 * @module
 */
import type { Instant } from "../base/time.ts";
import { Cast, type Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import {
  DONT_FRAGMENT,
  headerLengthOf,
  IPV4,
  MORE_FRAGMENTS,
  Protocol,
  sealHeader,
} from "./ipv4.ts";
import { keepCopiedOptions } from "./ipv4-options.ts";

/** Octets of a TCP header without options. */
const TCP_HEADER = 20;

/** Takes each fragment in turn, and owns it. */
export type FragmentSink = (fragment: Packet, now: Instant) => void;

/** DF forbids what pieces that came in smaller still may: to leave in pieces again. */
export function isTooBig({ end, network, pathMtu, largestFragment, pool }: Packet): boolean {
  if (end - network <= pathMtu) return false;
  const mayFragment = largestFragment > 0 && largestFragment <= pathMtu;
  return !mayFragment && IPV4.dontFragment.get(pool.view, network) === 1;
}

/**
 * The octets of `packet` before `end` are about to change, and must lie in its first piece
 * (`skb_ensure_writable`). What is too short is left alone.
 */
export function gather(packet: Packet, end: number): void {
  const { pieces, transport } = packet;
  if (pieces === null || end > packet.end) return;
  let missing = end - transport - (pieces[0] ?? 0);
  if (missing <= 0) return;
  pieces[0] = (pieces[0] ?? 0) + missing;
  while (missing > 0) {
    const taken = Math.min(pieces[1] ?? missing, missing);
    missing -= taken;
    if (taken === pieces[1]) pieces.splice(1, 1);
    else pieces[1] = (pieces[1] ?? taken) - taken;
  }
}

/** A socket is looked for before the route: TCP's header must be at hand (`tcp_v4_early_demux`). */
export function gatherTcp(packet: Packet): void {
  if (packet.pieces === null || packet.cast !== Cast.Host) return;
  const protocol = IPV4.protocol.get(packet.pool.view, packet.network);
  if (protocol === Protocol.Tcp) gather(packet, packet.transport + TCP_HEADER);
}

/**
 * A packet of this host was cut for a route that it will not take after all: it keeps the cuts
 * (`ip_append_data`).
 */
export function precut(packet: Packet): void {
  const { network, end, pathMtu, pool } = packet;
  if (end - network <= pathMtu) return;
  const most = pathMtu - headerLengthOf(pool.view, network);
  const pieces: number[] = [];
  let left = end - network - headerLengthOf(pool.view, network);
  for (; left > most; left -= most & ~7) pieces.push(most & ~7);
  packet.pieces = [...pieces, left];
}

/**
 * Cut `packet` into pieces of at most `mtu` octets of IP and hand them to `sink`; ends `packet`.
 * All but the last carry a multiple of eight octets. A full pool loses the rest. What came in
 * pieces that still fit leaves in the same ones, which lose DF.
 */
export function fragment(packet: Packet, mtu: number, sink: FragmentSink, now: Instant): void {
  const { pool } = packet;
  const { view, bytes } = pool;
  const headerLength = headerLengthOf(view, packet.network);
  const whole = IPV4.flagsFragment.get(view, packet.network);
  const kept = keptPieces(packet, mtu - headerLength);
  const flags = kept === null ? whole & DONT_FRAGMENT : 0;
  const room = (mtu - headerLength) & ~7;
  let index = 0;
  let from = packet.network + headerLength;
  let offset = (whole & 0x1fff) * 8;
  while (from < packet.end) {
    const left = packet.end - from;
    const length = kept?.[index] ?? (left > mtu - headerLength ? room : left);
    index += 1;
    const isLast = length === left;
    const piece = pool.derive(packet, ETHERNET_LENGTH + headerLength + length);
    if (piece === null) break;
    piece.network = piece.frame + ETHERNET_LENGTH;
    piece.transport = piece.network + headerLength;
    bytes.copyWithin(piece.network, packet.network, packet.network + headerLength);
    bytes.copyWithin(piece.transport, from, from + length);
    IPV4.totalLength.set(view, piece.network, headerLength + length);
    const more = isLast ? whole & MORE_FRAGMENTS : MORE_FRAGMENTS;
    IPV4.flagsFragment.set(view, piece.network, flags | more | (offset / 8));
    sealHeader(view, piece.network);
    if (offset === 0) keepCopiedOptions(view, packet.network);
    from += length;
    offset += length;
    sink(piece, now);
  }
  pool.end(packet, "consumed", "ipv4/fragmented", now);
}

/** The pieces that `packet` came in, if they can leave so (`ip_do_fragment`, its fast path). */
function keptPieces({ pieces }: Packet, room: number): readonly number[] | null {
  const last = (pieces?.length ?? 0) - 1;
  const isKept = pieces?.every((size, at) => size <= room && (at === last || size % 8 === 0));
  return isKept === true && last > 0 ? pieces : null;
}
