/**
 * Checksums and segments that cross a vif undone: what a ring's flags say becomes what a packet
 * says of itself, and the other way (Xen's `csum_blank`, `data_validated`, GSO).
 * @module
 */
import type { Packet } from "../../wire/packet.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../l2/ethernet.ts";
import { blankChecksum, hasChecksumField } from "../../l3/blank-checksum.ts";
import { checkIpv4, headerLengthOf, isFragment } from "../../l3/ipv4.ts";
import type { NetbackBehaviour } from "./netif-behaviour.ts";

/**
 * A frame came with a blank checksum, or is a large segment: a large one without a blank checksum
 * gets one (`rx_gso_checksum_fixup`).
 * @returns false if the frame is none of TCP or UDP and the kernel minds that here.
 */
export function acceptBlank(packet: Packet, { checksBlanks }: NetbackBehaviour): boolean {
  const { pool, frame, end } = packet;
  const { view } = pool;
  const at = frame + ETHERNET_LENGTH;
  const isIpv4 =
    ETHERNET.type.get(view, frame) === EtherType.Ipv4 && checkIpv4(view, at, end) === null;
  if (!isIpv4) return !checksBlanks;
  packet.network = at;
  packet.transport = at + headerLengthOf(view, at);
  if (!hasChecksumField(packet)) return !checksBlanks;
  if (checksBlanks && isFragment(view, at)) return false;
  if (!packet.hasBlankChecksum) blankChecksum(packet);
  return true;
}
