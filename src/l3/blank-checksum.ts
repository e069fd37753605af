/**
 * Transport checksums that a guest leaves to Dom0: the field holds the pseudo-header's sum, and
 * whoever sends the packet on a wire adds the rest (Linux `skb_checksum_help`, Xen's `csum_blank`).
 * @module
 */
import { checksum, fold, onesSum, pseudoHeaderSum } from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
import { IPV4, Protocol } from "./ipv4.ts";

/** Where the checksum lies in the transport header. */
const OFFSET = new Map<number, number>([
  [Protocol.Udp, 6],
  [Protocol.Tcp, 16],
]);

/** @returns the octet of the checksum that may be blank; -1 if the packet has no such field. */
function fieldOf({ pool, network, transport, end }: Packet): number {
  const offset = OFFSET.get(IPV4.protocol.get(pool.view, network)) ?? 0;
  return offset === 0 || transport + offset + 2 > end ? -1 : transport + offset;
}

/** True for TCP and UDP: other packets cannot have a blank checksum (`skb_checksum_setup`). */
export const hasChecksumField = (packet: Packet): boolean => fieldOf(packet) >= 0;

/** Write the whole checksum of a packet that has a blank one; others stay as they are. */
export function completeChecksum(packet: Packet): void {
  if (!packet.hasBlankChecksum) return;
  packet.hasBlankChecksum = false;
  const field = fieldOf(packet);
  if (field < 0) return;
  const { view } = packet.pool;
  const sum = checksum(view, packet.transport, packet.end);
  const isZeroUdp = sum === 0 && IPV4.protocol.get(view, packet.network) === Protocol.Udp;
  view.setUint16(field, isZeroUdp ? 0xffff : sum);
}

/** Write the pseudo-header's sum alone into the checksum of a packet that has the field. */
export function blankChecksum(packet: Packet): void {
  const field = fieldOf(packet);
  if (field < 0) return;
  packet.hasBlankChecksum = true;
  const { pool, network, transport, end } = packet;
  const { view } = pool;
  const protocol = IPV4.protocol.get(view, network);
  const src = IPV4.src.get(view, network);
  const sum = pseudoHeaderSum(src, IPV4.dst.get(view, network), protocol, end - transport);
  view.setUint16(field, onesSum(view, 0, 0, sum));
}

/** The sum in the field of a packet with a blank checksum; -1 for other packets. */
export function blankSumOf(packet: Packet): number {
  const field = packet.hasBlankChecksum ? fieldOf(packet) : -1;
  return field < 0 ? -1 : packet.pool.view.getUint16(field);
}

/**
 * One address of a packet was changed from `before` to `after`: its blank checksum, which was `sum`
 * then, counts the addresses alone (`inet_proto_csum_replace4` of a partial checksum).
 */
export function mendBlankSum(packet: Packet, sum: number, before: number, after: number): void {
  const field = fieldOf(packet);
  if (field < 0) return;
  const difference = (~(before >>> 16) & 0xffff) + (~before & 0xffff);
  const mended = fold(sum + difference + (after >>> 16) + (after & 0xffff));
  packet.pool.view.setUint16(field, mended);
}
