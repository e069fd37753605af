/**
 * Ethernet II frames and the 802.1Q tag: IEEE 802.3 section 3.2.6, IEEE 802.1Q section 9.
 *
 * A frame on a vif is destination, source, type and payload: no preamble, no checksum, no padding.
 * @module
 */
import type { Mac } from "../wire/addr.ts";
import { bits, codecOf, fieldsOf } from "../wire/field.ts";
import { mac, type ObjectOf, struct, u16be } from "../wire/layout.ts";
import { Cast } from "../wire/packet.ts";

const layout = struct([mac("dst"), mac("src"), u16be("type")]);

/** Octets of an Ethernet II header. */
export const ETHERNET_LENGTH: number = layout.span;
/** Hot path: `ETHERNET.type.get(view, at)`. */
export const ETHERNET = fieldsOf(layout);
/** Of an address's first two octets: the address is of many. */
const GROUP_BIT = 0x0100;
/** The header as a plain object. */
export type EthernetHeader = ObjectOf<typeof layout.fields>;
/** Cold path: octets to objects and back. */
export const ethernetCodec = codecOf(layout);

const tagLayout = struct([u16be("tci"), u16be("type")]);
const tagFields = fieldsOf(tagLayout);

/** Octets that an 802.1Q tag adds after the source address, its own type field aside. */
const VLAN_TAG_LENGTH: number = tagLayout.span;
/**
 * The tag as it lies after {@link ETHERNET_LENGTH}: priority, drop eligibility, VLAN, inner type.
 */
export const VLAN = Object.freeze({
  ...tagFields,
  priority: bits(tagFields.tci, 13, 3),
  isDropEligible: bits(tagFields.tci, 12, 1),
  vlan: bits(tagFields.tci, 0, 12),
});
/** Cold path: octets to objects and back. */
export const vlanCodec = codecOf(tagLayout);

/** Numbers below 0x0600 are lengths of 802.3 frames, not types. */
export const EtherType = {
  Ipv4: 0x0800,
  Arp: 0x0806,
  Vlan: 0x8100,
  Ipv6: 0x86dd,
  ProviderVlan: 0x88a8,
} as const;

/** True for the types after which a tag follows. */
const isVlanType = (type: number): boolean =>
  type === EtherType.Vlan || type === EtherType.ProviderVlan;

/** Why a frame cannot be used. */
export type EthernetDiscard =
  | "ethernet/truncated"
  | "ethernet/other-host"
  | "ethernet/vlan"
  | "ethernet/ipv6"
  | "ethernet/length"
  | "ethernet/type";

/**
 * Judge the frame in octets `[at, end)` before anything else reads it.
 * @returns `null` if the header and, for a tagged frame, its tag may be read; or why not.
 */
export function checkEthernet(view: DataView, at: number, end: number): EthernetDiscard | null {
  if (end - at < ETHERNET_LENGTH) return "ethernet/truncated";
  const isTagged = isVlanType(ETHERNET.type.get(view, at));
  return isTagged && end - at < ETHERNET_LENGTH + VLAN_TAG_LENGTH ? "ethernet/truncated" : null;
}

/**
 * Where the payload of the checked frame at `at` starts, after any tags of VLAN 0: they say nothing
 * but a priority. The type of the payload lies right before it.
 */
export function skipPriorityTags(view: DataView, at: number, end: number): number {
  let payload = at + ETHERNET_LENGTH;
  while (isVlanType(ETHERNET.type.get(view, payload - ETHERNET_LENGTH))) {
    const isEmpty = end - payload < VLAN_TAG_LENGTH + 2;
    if (isEmpty || VLAN.vlan.get(view, payload) !== 0) return payload;
    payload += VLAN_TAG_LENGTH;
  }
  return payload;
}

/** Why a Dom0 has no use for a frame of this type, which is neither ARP nor IPv4. */
export function unknownType(type: number): EthernetDiscard {
  if (type < 0x0600) return "ethernet/length";
  if (isVlanType(type)) return "ethernet/vlan";
  return type === EtherType.Ipv6 ? "ethernet/ipv6" : "ethernet/type";
}

/**
 * How a checked frame was addressed, seen from a device with address `own`.
 *
 * The device's own address counts first, so that EF:FF:FF:FF:FF:FF, a group address, can be one.
 * `Deviation:` Linux 2.6.18 looked at the group bit first (net/ethernet/eth.c).
 */
export function castOf(view: DataView, at: number, own: Mac): Cast {
  // In two halves: a whole address is beyond small integers, and V8 would box it.
  const upper = view.getUint16(at);
  const lower = view.getInt32(at + 2);
  if (lower === (own | 0) && upper === Math.floor(own / 2 ** 32)) return Cast.Host;
  if (upper === 0xffff && lower === -1) return Cast.Broadcast;
  return (upper & GROUP_BIT) === 0 ? Cast.OtherHost : Cast.Multicast;
}

/** Write a header at `at`. */
export function writeEthernet(view: DataView, at: number, dst: Mac, src: Mac, type: number): void {
  ETHERNET.dst.set(view, at, dst);
  ETHERNET.src.set(view, at, src);
  ETHERNET.type.set(view, at, type);
}

/**
 * A header that is written again and again, as small integers: Linux's `hh_cache`. An address alone
 * is beyond them, and V8 would box it at every call. The words are little-endian, and the last ends
 * with the header: where an IP header lies on a multiple of four, so do they.
 */
export class EthernetTemplate {
  /** The first two octets. */
  declare readonly first: number;
  declare readonly second: number;
  declare readonly third: number;
  /** The last word, which has the type. */
  declare readonly fourth: number;

  constructor(dst: Mac, src: Mac, type: number) {
    const view = new DataView(new ArrayBuffer(ETHERNET_LENGTH));
    writeEthernet(view, 0, dst, src, type);
    this.first = view.getUint16(0, true);
    this.second = view.getInt32(2, true);
    this.third = view.getInt32(6, true);
    this.fourth = view.getInt32(10, true);
  }

  /** Write the header at `at`. */
  write(view: DataView, at: number): void {
    view.setUint16(at, this.first, true);
    view.setInt32(at + 2, this.second, true);
    view.setInt32(at + 6, this.third, true);
    view.setInt32(at + 10, this.fourth, true);
  }

  /** Write the header before word `at` of a little-endian computer's memory. */
  writeBefore(words: Int32Array, at: number): void {
    words[at - 4] = ((words[at - 4] ?? 0) & 0xffff) | (this.first << 16);
    words[at - 3] = this.second;
    words[at - 2] = this.third;
    words[at - 1] = this.fourth;
  }
}
