/** Names of IP protocols as Debian's /etc/protocols and libxtables know them. @module */
import { refuse } from "./errors.ts";
import { findNumber } from "./values.ts";

/** Names by number; the first that has a number is the one that is printed. */
const NAMES: readonly (readonly [string, number])[] = [
  ["ip", 0],
  ["hopopt", 0],
  ["all", 0],
  ["icmp", 1],
  ["igmp", 2],
  ["ggp", 3],
  ["ipencap", 4],
  ["st", 5],
  ["tcp", 6],
  ["egp", 8],
  ["igp", 9],
  ["pup", 12],
  ["udp", 17],
  ["hmp", 20],
  ["xns-idp", 22],
  ["rdp", 27],
  ["iso-tp4", 29],
  ["dccp", 33],
  ["xtp", 36],
  ["ddp", 37],
  ["idpr-cmtp", 38],
  ["ipv6", 41],
  ["ipv6-route", 43],
  ["ipv6-frag", 44],
  ["idrp", 45],
  ["rsvp", 46],
  ["gre", 47],
  ["esp", 50],
  ["ah", 51],
  ["skip", 57],
  ["ipv6-icmp", 58],
  ["icmpv6", 58],
  ["ipv6-nonxt", 59],
  ["ipv6-opts", 60],
  ["rspf", 73],
  ["vmtp", 81],
  ["eigrp", 88],
  ["ospf", 89],
  ["ax.25", 93],
  ["ipip", 94],
  ["etherip", 97],
  ["encap", 98],
  ["pim", 103],
  ["ipcomp", 108],
  ["vrrp", 112],
  ["l2tp", 115],
  ["isis", 124],
  ["sctp", 132],
  ["fc", 133],
  ["mobility-header", 135],
  ["mh", 135],
  ["ipv6-mh", 135],
  ["udplite", 136],
  ["mpls-in-ip", 137],
  ["manet", 138],
  ["hip", 139],
  ["shim6", 140],
  ["wesp", 141],
  ["rohc", 142],
  ["ethernet", 143],
];

/** @returns the number of the protocol that `word` names or numbers, in either case. */
export function parseProtocol(word: string): number {
  const name = word.toLowerCase();
  const found = findNumber(name) ?? NAMES.find(([one]) => one === name)?.[1];
  if (found === undefined || found > 255) refuse(word, `no protocol is called "${word}"`);
  return found;
}

/** The name of a protocol, or its number if it has none. */
export const formatProtocol = (number: number): string =>
  NAMES.find(([, one]) => one === number)?.[0] ?? `${number}`;
