/**
 * Large TCP segments cut into what fits the wire, as Linux's `tcp_gso_segment` cuts them below
 * `inet_gso_segment`: RFC 9293 section 3.7.1 for the sizes.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { fold } from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { headerLengthOf, IPV4, Protocol, sealHeader } from "../l3/ipv4.ts";
import type { Segmenter, SegmentSink } from "../l3/segmenter.ts";
import { checkTcp, TCP, TcpFlag, tcpHeaderLengthOf } from "./tcp.ts";

/** What only the last piece says, and what only the first one does. */
const LAST_ONLY = TcpFlag.Fin | TcpFlag.Psh;
const FIRST_ONLY = TcpFlag.Cwr;

/** The segmenter of TCP: hand it to `setSegmenter`. */
export const TCP_SEGMENTER: Segmenter = {
  longest: ({ pool, network, transport, end, segmentSize }) =>
    isTcp(pool.view, network, transport, end)
      ? transport - network + tcpHeaderLengthOf(pool.view, transport) + segmentSize
      : end - network,
  cut,
};

function isTcp(view: DataView, network: number, transport: number, end: number): boolean {
  return (
    IPV4.protocol.get(view, network) === Protocol.Tcp && checkTcp(view, transport, end) === null
  );
}

/** Pieces share the id of their packet; their checksums are blank. */
function cut(packet: Packet, sink: SegmentSink, now: Instant): void {
  const { pool, network, transport, end, segmentSize } = packet;
  const { view } = pool;
  const isWhole = isTcp(view, network, transport, end);
  const payload = transport + (isWhole ? tcpHeaderLengthOf(view, transport) : 0);
  // What is not TCP, or is no longer than a piece, Linux refuses to cut.
  if (!isWhole || end - payload <= segmentSize) {
    pool.end(packet, "discarded", "tcp/segmentation", now);
    return;
  }
  let index = 0;
  for (let from = payload; from < end; from += segmentSize) {
    const piece = pieceOf(packet, payload, from, index);
    if (piece === null) break;
    index += 1;
    sink(piece, now);
  }
  pool.end(packet, "consumed", "tcp/segmented", now);
}

/** The piece number `index` that carries the octets at `from`; `null` if the pool is full. */
function pieceOf(packet: Packet, payload: number, from: number, index: number): Packet | null {
  const { pool, network, transport, end, segmentSize } = packet;
  const { view, bytes } = pool;
  const headers = payload - network;
  const length = Math.min(segmentSize, end - from);
  const isLast = from + length === end;
  const piece = pool.derive(packet, ETHERNET_LENGTH + headers + length);
  if (piece === null) return null;
  piece.network = piece.frame + ETHERNET_LENGTH;
  piece.transport = piece.network + headerLengthOf(view, network);
  piece.hasBlankChecksum = true;
  bytes.copyWithin(piece.frame, network - ETHERNET_LENGTH, payload);
  bytes.copyWithin(piece.network + headers, from, from + length);
  IPV4.totalLength.set(view, piece.network, headers + length);
  IPV4.id.set(view, piece.network, (IPV4.id.get(view, network) + index) & 0xffff);
  sealHeader(view, piece.network);
  const at = piece.transport;
  const flags = TCP.flags.get(view, transport);
  const kept = flags & ~(isLast ? 0 : LAST_ONLY) & ~(index === 0 ? 0 : FIRST_ONLY);
  TCP.flags.set(view, at, kept);
  TCP.seq.set(view, at, (TCP.seq.get(view, transport) + (from - payload)) >>> 0);
  // The pseudo-header's sum counts the segment's octets, header included.
  const sum = TCP.checksum.get(view, transport) + (~(end - transport) & 0xffff);
  TCP.checksum.set(view, at, fold(sum + piece.end - at));
  return piece;
}
