/**
 * ARP for IPv4 over Ethernet: RFC 826, "Packet format" and "Packet Reception".
 * @module
 */
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { codecOf, fieldsOf } from "../wire/field.ts";
import { ipv4Addr, mac, type ObjectOf, struct, u8, u16be } from "../wire/layout.ts";

/** The one place that knows where ARP fields lie. The comments give the RFC 826 names. */
const layout = struct([
  u16be("htype"), //   ar$hrd: 1 is Ethernet
  u16be("ptype"), //   ar$pro: 0x0800 is IPv4
  u8("hlen"), //       ar$hln: octets in a hardware address
  u8("plen"), //       ar$pln: octets in a protocol address
  u16be("op"), //      ar$op: {@link ArpOp}
  mac("sha"), //       ar$sha: sender hardware address
  ipv4Addr("spa"), //  ar$spa: sender protocol address
  mac("tha"), //       ar$tha: target hardware address
  ipv4Addr("tpa"), //  ar$tpa: target protocol address
]);

/** Octets in an ARP message for IPv4 over Ethernet. */
export const ARP_LENGTH: number = layout.span;
/** Hot path: `ARP.tpa.get(view, at)` reads in place and allocates nothing. */
export const ARP = fieldsOf(layout);
/** Cold path: the same message as a plain object. */
export type ArpMessage = ObjectOf<typeof layout.fields>;
/** Cold path: octets to objects and back. */
export const arpCodec = codecOf(layout);

/** Hardware types that an Ethernet device takes (Linux net/ipv4/arp.c). */
const ARP_ETHERNET = 1;
const ARP_IEEE802 = 6;

/** What `op` says; Linux takes no others. */
export const ArpOp = { Request: 1, Reply: 2 } as const;
/** Why a message cannot be used. */
export type ArpDiscard = "arp/truncated" | "arp/hardware" | "arp/protocol" | "arp/op";

/**
 * Judge the ARP message in octets `[at, end)` before anything else reads it.
 * @returns `null` if every field of {@link ARP} may be read at `at`, or why to discard the message.
 */
export function checkArp(view: DataView, at: number, end: number): ArpDiscard | null {
  if (end - at < ARP_LENGTH) return "arp/truncated";
  const htype = ARP.htype.get(view, at);
  if (htype !== ARP_ETHERNET && htype !== ARP_IEEE802) return "arp/hardware";
  if (ARP.hlen.get(view, at) !== 6) return "arp/hardware";
  if (ARP.ptype.get(view, at) !== 0x0800 || ARP.plen.get(view, at) !== 4) return "arp/protocol";
  const op = ARP.op.get(view, at);
  return op === ArpOp.Request || op === ArpOp.Reply ? null : "arp/op";
}

/** Write a whole message at `at`. */
export function writeArp(
  view: DataView,
  at: number,
  op: number,
  sha: Mac,
  spa: Ipv4Addr,
  tha: Mac,
  tpa: Ipv4Addr,
): void {
  ARP.htype.set(view, at, ARP_ETHERNET);
  ARP.ptype.set(view, at, 0x0800);
  ARP.hlen.set(view, at, 6);
  ARP.plen.set(view, at, 4);
  ARP.op.set(view, at, op);
  ARP.sha.set(view, at, sha);
  ARP.spa.set(view, at, spa);
  ARP.tha.set(view, at, tha);
  ARP.tpa.set(view, at, tpa);
}
