/**
 * IPv4 header: RFC 791 section 3.1; acceptance as RFC 1812 section 5.2.2.
 * @module
 */
import { IPV4_ANY, type Ipv4Addr } from "../wire/addr.ts";
import { checksum, onesSum, update16, update32 } from "../wire/checksum.ts";
import { bits, codecOf, fieldsOf } from "../wire/field.ts";
import { ipv4Addr, type ObjectOf, struct, u8, u16be } from "../wire/layout.ts";
import type { Packet } from "../wire/packet.ts";

const layout = struct([
  u8("versionIhl"),
  u8("tos"),
  u16be("totalLength"),
  u16be("id"),
  u16be("flagsFragment"),
  u8("ttl"),
  u8("protocol"),
  u16be("checksum"),
  ipv4Addr("src"),
  ipv4Addr("dst"),
]);
const octets = fieldsOf(layout);

/** Octets of a header without options. */
export const IPV4_MIN_LENGTH: number = layout.span;
/** Octets of the largest packet. */
export const IPV4_MAX_PACKET = 65_535;
/** Hot path: `IPV4.ttl.get(view, at)`; single bits and nibbles besides whole fields. */
export const IPV4 = Object.freeze({
  ...octets,
  version: bits(octets.versionIhl, 4, 4),
  ihl: bits(octets.versionIhl, 0, 4),
  flags: bits(octets.flagsFragment, 13, 3),
  dontFragment: bits(octets.flagsFragment, 14, 1),
  moreFragments: bits(octets.flagsFragment, 13, 1),
  /** In units of eight octets. */
  fragmentOffset: bits(octets.flagsFragment, 0, 13),
});
/** The header without its options. */
export type Ipv4Header = ObjectOf<typeof layout.fields>;
/** Cold path: octets to objects and back. */
export const ipv4Codec = codecOf(layout);

/** The DF and MF bits of `flagsFragment`. */
export const DONT_FRAGMENT = 0x4000;
/** The MF bit of `flagsFragment`. */
export const MORE_FRAGMENTS = 0x2000;
/** MF and the offset: not zero in a fragment. */
const FRAGMENT_MASK = 0x3fff;

/** Numbers of the protocols that this library reads. */
export const Protocol = {
  Icmp: 1,
  Igmp: 2,
  Tcp: 6,
  Udp: 17,
  Dccp: 33,
  Gre: 47,
  Sctp: 132,
  UdpLite: 136,
} as const;

/** Why a packet cannot be used. */
export type Ipv4Discard =
  | "ipv4/truncated"
  | "ipv4/version"
  | "ipv4/header-length"
  | "ipv4/checksum"
  | "ipv4/total-length";

/**
 * Judge the packet in octets `[at, end)` before anything else reads it.
 * Octets after the total length are padding, and no reason to refuse.
 * @returns `null` if the whole packet of {@link IPV4}'s `totalLength` may be read; or why not.
 */
export function checkIpv4(view: DataView, at: number, end: number): Ipv4Discard | null {
  if (end - at < IPV4_MIN_LENGTH) return "ipv4/truncated";
  const versionIhl = IPV4.versionIhl.get(view, at);
  if (versionIhl >>> 4 !== 4) return "ipv4/version";
  const headerLength = (versionIhl & 15) * 4;
  if (headerLength < IPV4_MIN_LENGTH) return "ipv4/header-length";
  if (end - at < headerLength) return "ipv4/truncated";
  if (onesSum(view, at, at + headerLength) !== 0xffff) return "ipv4/checksum";
  const totalLength = IPV4.totalLength.get(view, at);
  if (end - at < totalLength) return "ipv4/truncated";
  return totalLength < headerLength ? "ipv4/total-length" : null;
}

/** Octets of the header at `at`, options included. */
export const headerLengthOf = (view: DataView, at: number): number => IPV4.ihl.get(view, at) * 4;

/** True if the packet at `at` is a fragment, the first one included. */
export const isFragment = (view: DataView, at: number): boolean =>
  (IPV4.flagsFragment.get(view, at) & FRAGMENT_MASK) !== 0;

/** Lower the time to live by one and mend the checksum (RFC 1624 section 3). */
export function decrementTtl(view: DataView, at: number): void {
  const ttl = IPV4.ttl.get(view, at);
  const word = (ttl << 8) | IPV4.protocol.get(view, at);
  IPV4.ttl.set(view, at, ttl - 1);
  IPV4.checksum.set(view, at, update16(IPV4.checksum.get(view, at), word, word - 0x100));
}

/** Replace the source address and mend the header's checksum. */
export function rewriteSource(view: DataView, at: number, src: Ipv4Addr): void {
  const before = IPV4.src.get(view, at);
  IPV4.src.set(view, at, src);
  IPV4.checksum.set(view, at, update32(IPV4.checksum.get(view, at), before, src));
}

/** Replace the destination address and mend the header's checksum. */
export function rewriteDestination(view: DataView, at: number, dst: Ipv4Addr): void {
  const before = IPV4.dst.get(view, at);
  IPV4.dst.set(view, at, dst);
  IPV4.checksum.set(view, at, update32(IPV4.checksum.get(view, at), before, dst));
}

/** Write the checksum of a header that we made. */
export function sealHeader(view: DataView, at: number): void {
  IPV4.checksum.set(view, at, 0);
  IPV4.checksum.set(view, at, checksum(view, at, at + headerLengthOf(view, at)));
}

/** What a packet of this host says about itself. */
export interface Ipv4Origin {
  readonly protocol: number;
  /** 0.0.0.0 lets the route choose. */
  readonly src?: Ipv4Addr;
  readonly dst: Ipv4Addr;
  readonly tos?: number;
  readonly ttl?: number;
  readonly id?: number;
  readonly dontFragment?: boolean;
  /** Octets of options, a multiple of four; they are zero until written. */
  readonly optionsLength?: number;
}

/** Linux's `ip_default_ttl`. */
export const DEFAULT_TTL = 64;

/**
 * Write the header of a packet that starts at `packet.network` and ends at `packet.end`, unsealed:
 * the checksum is written when the source is known. Sets `packet.transport`.
 */
export function writeIpv4(packet: Packet, origin: Ipv4Origin): void {
  const { view, bytes } = packet.pool;
  const at = packet.network;
  const optionsLength = origin.optionsLength ?? 0;
  packet.transport = at + IPV4_MIN_LENGTH + optionsLength;
  IPV4.versionIhl.set(view, at, 0x45 + optionsLength / 4);
  IPV4.tos.set(view, at, origin.tos ?? 0);
  IPV4.totalLength.set(view, at, packet.end - at);
  IPV4.id.set(view, at, origin.id ?? 0);
  IPV4.flagsFragment.set(view, at, origin.dontFragment === true ? DONT_FRAGMENT : 0);
  IPV4.ttl.set(view, at, origin.ttl ?? DEFAULT_TTL);
  IPV4.protocol.set(view, at, origin.protocol);
  IPV4.checksum.set(view, at, 0);
  IPV4.src.set(view, at, origin.src ?? IPV4_ANY);
  IPV4.dst.set(view, at, origin.dst);
  bytes.fill(0, at + IPV4_MIN_LENGTH, packet.transport);
}
