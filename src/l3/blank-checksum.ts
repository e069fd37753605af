/**
 * Transport checksums that a guest leaves to Dom0: the field holds the pseudo-header's sum, and
 * whoever sends the packet on a wire adds the rest (Linux `skb_checksum_help`, Xen's `csum_blank`).
 * @module
 */
import { checksum } from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
import { IPV4, Protocol } from "./ipv4.ts";

/** Where the checksum lies in the transport header. */
const OFFSET = new Map<number, number>([
  [Protocol.Udp, 6],
  [Protocol.Tcp, 16],
]);

/** Write the whole checksum of a packet that has a blank one; others stay as they are. */
export function completeChecksum(packet: Packet): void {
  if (!packet.hasBlankChecksum) return;
  packet.hasBlankChecksum = false;
  const { view } = packet.pool;
  const protocol = IPV4.protocol.get(view, packet.network);
  const offset = OFFSET.get(protocol) ?? 0;
  if (offset === 0 || packet.transport + offset + 2 > packet.end) return;
  const sum = checksum(view, packet.transport, packet.end);
  const isZeroUdp = sum === 0 && protocol === Protocol.Udp;
  view.setUint16(packet.transport + offset, isZeroUdp ? 0xffff : sum);
}
