/** Names of Ethernet protocols as Debian's /etc/ethertypes has them. @module */
import { refuse } from "../errors.ts";

/** Numbers with their names; the first is the one that is printed. */
const NAMES: readonly (readonly [type: number, ...names: string[]])[] = [
  [0x0800, "IPv4", "ip", "ip4"],
  [0x0805, "X25"],
  [0x0806, "ARP", "ether-arp"],
  [0x0808, "FR_ARP"],
  [0x08ff, "BPQ"],
  [0x22f3, "TRILL"],
  [0x22f4, "L2-IS-IS"],
  [0x6558, "TEB"],
  [0x6559, "RAW_FR"],
  [0x8035, "RARP"],
  [0x809b, "ATALK"],
  [0x80f3, "AARP"],
  [0x8100, "802_1Q", "8021q", "1q", "802.1q", "dot1q"],
  [0x8137, "IPX"],
  [0x8191, "NetBEUI"],
  [0x86dd, "IPv6", "ip6"],
  [0x880b, "PPP"],
  [0x8847, "MPLS"],
  [0x8848, "MPLS_MULTI"],
  [0x884c, "ATMMPOA"],
  [0x8863, "PPP_DISC"],
  [0x8864, "PPP_SES"],
  [0x8884, "ATMFATE"],
  [0x888e, "EAPOL"],
  [0x88a8, "S-TAG"],
  [0x88c7, "EAP_PREAUTH"],
  [0x88cc, "LLDP"],
  [0x88e5, "MACSEC"],
  [0x88e7, "PBB", "macinmac"],
  [0x88f5, "MVRP"],
  [0x88f7, "PTP"],
  [0x8906, "FCOE"],
  [0x8914, "FIP"],
  [0x8915, "ROCE"],
  [0xa0ed, "LoWPAN"],
];

/**
 * Read "0x800", "800" (both are hexadecimal) or "IPv4", names in either case.
 * @throws {ParseError} if `word` is no number of 16 bits and no name.
 */
export function parseEtherType(word: string): number {
  const name = word.toLowerCase();
  if (/^(?:0x)?[\da-f]+$/.test(name)) {
    const number = Number.parseInt(name, 16);
    return number <= 0xffff ? number : refuse(word, `${word} is no number of 16 bits`);
  }
  const found = NAMES.find(([, ...names]) => names.some((one) => one.toLowerCase() === name));
  return found?.[0] ?? refuse(word, `no Ethernet protocol is called "${word}"`);
}

/** The name of a protocol, or its number in hexadecimal. */
export const formatEtherType = (type: number): string =>
  NAMES.find(([one]) => one === type)?.[1] ?? `0x${type.toString(16)}`;
