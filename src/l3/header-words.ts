/**
 * Headers as words of four octets in this computer's own order, which costs half of what fields do:
 * for packets of known ways alone, on little-endian computers. Sums of a checksum may be taken in
 * either order (RFC 1071 section 2), as long as all their parts are.
 * @module
 */
import { ETHERNET_LENGTH as ImportedETHERNET_LENGTH } from "../l2/ethernet.ts";
import { Cast as ImportedCast, type Packet } from "../wire/packet.ts";
import { IPV4_MIN_LENGTH as ImportedIPV4_MIN_LENGTH } from "./ipv4.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const IPV4_MIN_LENGTH = ImportedIPV4_MIN_LENGTH;
const Cast = ImportedCast;

/** Words from that of the IP header on, which has no options. */
export const HeaderWord = {
  /** The type in the upper half. */
  EtherType: -1,
  /** Version and header length, type of service, total length. */
  Lengths: 0,
  /** Identification, flags and offset. */
  Fragment: 1,
  /** TTL, protocol, checksum. */
  Life: 2,
  Source: 3,
  Destination: 4,
  /** Source port in the lower half, destination port in the upper one. */
  Ports: 5,
  /** Length in the lower half, checksum in the upper one. */
  Udp: 6,
  /** Checksum in the lower half. */
  TcpChecksum: 9,
} as const;

/** Lowering TTL by one adds this to the complement of a checksum. */
export const HOP_DELTA = 0xfffe;

/** The word where the IP header of a frame without tags begins; -1 if it begins in none. */
export const headerWordOf = ({ frame }: Packet): number =>
  ((frame + ETHERNET_LENGTH) & 3) === 0 ? (frame + ETHERNET_LENGTH) >> 2 : -1;

/** Say of `packet`, `length` octets from word `at` on, where its parts are; it is for this host. */
export function placeHeaders(packet: Packet, at: number, length: number): void {
  packet.network = at << 2;
  packet.transport = (at << 2) + IPV4_MIN_LENGTH;
  packet.end = (at << 2) + length;
  packet.cast = Cast.Host;
}

/** A half of a word, as the number that its octets say. */
export const swap16 = (half: number): number => ((half & 0xff) << 8) | ((half >>> 8) & 0xff);

/** The octets of a word in the opposite order, as a signed number. */
export const swap32 = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);

/** Both halves of a word. */
export const halves = (word: number): number => (word >>> 16) + (word & 0xffff);

/** What the halves of `octets` octets from word `at` on add up to; none counts behind the last. */
export function sumOfWords(words: Int32Array, at: number, octets: number): number {
  const last = at + (octets >> 2);
  let sum = 0;
  let index = at;
  for (; index + 1 < last; index += 2) {
    const word = words[index] ?? 0;
    const next = words[index + 1] ?? 0;
    sum += (word >>> 16) + (word & 0xffff) + (next >>> 16) + (next & 0xffff);
  }
  if (index < last) sum += halves(words[index] ?? 0);
  const rest = octets & 3;
  return rest === 0 ? sum : sum + halves((words[last] ?? 0) & ((1 << (rest * 8)) - 1));
}
