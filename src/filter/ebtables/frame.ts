/** Where the parts of a frame lie that rules ask for. @module */
import type { Packet } from "../../wire/packet.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType, VLAN } from "../../l2/ethernet.ts";

/** Octets that a tag adds. */
const TAG_LENGTH = 4;

/** True for a frame with an 802.1Q or 802.1ad tag. */
function isTagged({ pool: { view }, frame }: Packet): boolean {
  const type = ETHERNET.type.get(view, frame);
  return type === EtherType.Vlan || type === EtherType.ProviderVlan;
}

/** The first octet after the header and the tag, if there is one. */
export const payloadAt = (packet: Packet): number =>
  packet.frame + ETHERNET_LENGTH + (isTagged(packet) ? TAG_LENGTH : 0);

/** The type of what the frame carries, a tag's inside. */
export function payloadType(packet: Packet): number {
  const { view } = packet.pool;
  const at = packet.frame;
  return isTagged(packet) ? VLAN.type.get(view, at + ETHERNET_LENGTH) : ETHERNET.type.get(view, at);
}
