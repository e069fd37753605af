/**
 * The headers that a digest shows, as far as it shows them. The layers above have their own, with
 * their checks and edits; this one may not look up.
 * @module
 */
import { fieldsOf } from "../wire/field.ts";
import { ipv4Addr, mac, struct, u16be, u32be, u8 } from "../wire/layout.ts";

/** The headers as declared, each without its options. */
export const HEADERS = {
  /** IEEE 802.3 clause 3, with an EtherType. */
  ethernet: struct([mac("dst"), mac("src"), u16be("type")]),
  /** RFC 826, for IPv4 over Ethernet. */
  arp: struct([
    u16be("htype"),
    u16be("ptype"),
    u8("hlen"),
    u8("plen"),
    u16be("op"),
    mac("sha"),
    ipv4Addr("spa"),
    mac("tha"),
    ipv4Addr("tpa"),
  ]),
  /** RFC 791 section 3.1. */
  ipv4: struct([
    u8("versionIhl"),
    u8("tos"),
    u16be("length"),
    u16be("id"),
    u16be("fragment"),
    u8("ttl"),
    u8("protocol"),
    u16be("checksum"),
    ipv4Addr("src"),
    ipv4Addr("dst"),
  ]),
  /** RFC 792: `id` and `sequence` of an echo; `sequence` is the MTU of a "too big". */
  icmp: struct([u8("type"), u8("code"), u16be("checksum"), u16be("id"), u16be("sequence")]),
  /** RFC 768. */
  udp: struct([u16be("source"), u16be("target"), u16be("length"), u16be("checksum")]),
  /** RFC 9293 section 3.1. */
  tcp: struct([
    u16be("source"),
    u16be("target"),
    u32be("sequence"),
    u32be("acknowledgment"),
    u8("offset"),
    u8("flags"),
    u16be("window"),
    u16be("checksum"),
    u16be("urgent"),
  ]),
  /** RFC 2131 section 2, up to the client's hardware address. */
  dhcp: struct([
    u8("op"),
    u8("htype"),
    u8("hlen"),
    u8("hops"),
    u32be("xid"),
    u16be("secs"),
    u16be("flags"),
    ipv4Addr("ciaddr"),
    ipv4Addr("yiaddr"),
    ipv4Addr("siaddr"),
    ipv4Addr("giaddr"),
    mac("chaddr"),
  ]),
} as const;

/** Fields of the Ethernet header. */
export const ETHERNET = fieldsOf(HEADERS.ethernet);
/** Fields of the ARP message. */
export const ARP = fieldsOf(HEADERS.arp);
/** Fields of the IPv4 header. */
export const IPV4 = fieldsOf(HEADERS.ipv4);
/** Fields of the ICMP header. */
export const ICMP = fieldsOf(HEADERS.icmp);
/** Fields of the UDP header. */
export const UDP = fieldsOf(HEADERS.udp);
/** Fields of the TCP header. */
export const TCP = fieldsOf(HEADERS.tcp);
/** Fields of the DHCP message. */
export const DHCP = fieldsOf(HEADERS.dhcp);
