/** Octets of frames, sound or broken as asked. @module */
import { checksum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { ethernetCodec, EtherType } from "../../src/l2/ethernet.ts";
import { IcmpType } from "../../src/l3/icmp.ts";
import { IPV4, IPV4_MIN_LENGTH, ipv4Codec, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { sealTcp, tcpCodec } from "../../src/l4/tcp.ts";

/** `length` octets that differ from one another and, by `seed`, from other payloads. */
export function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8) + seed);
}

export function frameOf(
  dst: string,
  src: string,
  type: number,
  payload: Uint8Array,
  tag: number | null = null,
): Uint8Array {
  const outer = tag === null ? type : EtherType.Vlan;
  const header = ethernetCodec.encode({ dst: parseMac(dst), src: parseMac(src), type: outer });
  const inner = tag === null ? [] : [tag >> 8, tag & 255, type >> 8, type & 255];
  return concat(header, Uint8Array.from(inner), payload);
}

/** A packet as it is described; `options` are padded to a multiple of four. */
export interface PacketWords {
  readonly src: string;
  readonly dst: string;
  readonly tos: number;
  readonly id: number;
  readonly flagsFragment: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

export function packetOf(words: PacketWords): Uint8Array {
  const options = words.options.subarray(0, 40);
  const padding = new Uint8Array((4 - (options.length % 4)) % 4);
  const headerLength = IPV4_MIN_LENGTH + options.length + padding.length;
  const { tos, id, flagsFragment, ttl, protocol } = words;
  const header = ipv4Codec.encode({
    versionIhl: 0x40 + headerLength / 4,
    tos,
    totalLength: headerLength + words.payload.length,
    id,
    flagsFragment,
    ttl,
    protocol,
    checksum: 0,
    src: parseIpv4(words.src),
    dst: parseIpv4(words.dst),
  });
  const packet = concat(header, options, padding, words.payload);
  sealHeader(viewOf(packet), 0);
  return packet;
}

/** A change of one octet of a packet's header; `isSealed` makes the checksum right again. */
export interface Defect {
  readonly octet: number;
  readonly by: number;
  readonly isSealed: boolean;
}

/** Make a defect, but no SCTP of other packets unless `hasSctp`. */
export function distort(packet: Uint8Array, defect: Defect, hasSctp: boolean): void {
  const view = viewOf(packet);
  const headerLength = IPV4.ihl.get(view, 0) * 4;
  const at = defect.octet % headerLength;
  const changed = view.getUint8(at) ^ defect.by;
  if (at === IPV4.protocol.offset && changed === Protocol.Sctp && !hasSctp) return;
  view.setUint8(at, changed);
  const claimed = IPV4.ihl.get(view, 0) * 4;
  if (defect.isSealed && claimed <= packet.length) sealHeader(view, 0);
}

/** An ICMP message of type, code and the rest; `by` breaks its checksum. */
export function icmpOf(type: number, code: number, rest: Uint8Array, by = 0): Uint8Array {
  const message = concat(Uint8Array.of(type, code, 0, 0), rest);
  const view = viewOf(message);
  view.setUint16(2, checksum(view, 0, message.length) ^ by);
  return message;
}

/** A UDP datagram; `lengthBy` is added to its length field, `by` breaks its checksum. */
export function udpOf(
  { src, dst }: { readonly src: string; readonly dst: string },
  ports: readonly [number, number],
  data: Uint8Array,
  { by = 0, lengthBy = 0, hasChecksum = true } = {},
): Uint8Array {
  const length = (8 + data.length + lengthBy) & 0xffff;
  const datagram = concat(new Uint8Array(8), data);
  const view = viewOf(datagram);
  view.setUint16(0, ports[0]);
  view.setUint16(2, ports[1]);
  view.setUint16(4, length);
  const covered = Math.min(Math.max(length, 8), datagram.length);
  const pseudo = pseudoHeaderSum(parseIpv4(src), parseIpv4(dst), Protocol.Udp, length);
  const sum = checksum(view, 0, covered, pseudo);
  if (hasChecksum) view.setUint16(6, (sum === 0 ? 0xffff : sum) ^ by);
  return datagram;
}

/** Octets of a header with all options, and of a timestamp message. */
const LONGEST_HEADER = 60;
const TIMESTAMPS = 20;

/**
 * True for a timestamp request with options whose answer might have to be cut between its times:
 * the kernel then repeats octets that lie near (docs/deviations.md).
 */
export function mayCutTimes(packet: Uint8Array, leastMtu: number): boolean {
  if (leastMtu >= LONGEST_HEADER + TIMESTAMPS || packet.length <= IPV4_MIN_LENGTH) return false;
  const view = viewOf(packet);
  const headerLength = IPV4.ihl.get(view, 0) * 4;
  const isIcmp = IPV4.protocol.get(view, 0) === Protocol.Icmp;
  return isIcmp && headerLength > IPV4_MIN_LENGTH && packet[headerLength] === IcmpType.Timestamp;
}

/** An INIT of SCTP, whose checksum no router judges. */
export function sctpOf(ports: readonly [number, number], data: Uint8Array): Uint8Array {
  const packet = concat(new Uint8Array(12), Uint8Array.of(1, 0, 0, 4), data);
  viewOf(packet).setUint16(0, ports[0]);
  viewOf(packet).setUint16(2, ports[1]);
  return packet;
}

/** What a TCP segment says apart from its ports, options and data. */
export interface SegmentWords {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
}

/** A TCP segment; `options` are a multiple of four octets. */
export function tcpOf(
  { src, dst }: { readonly src: string; readonly dst: string },
  [srcPort, dstPort]: readonly [number, number],
  words: SegmentWords,
  options: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  const offsetReserved = (5 + options.length / 4) * 16;
  const header = { ...words, srcPort, dstPort, offsetReserved, checksum: 0, urgent: 0 };
  const segment = concat(tcpCodec.encode(header), options, data);
  sealTcp(viewOf(segment), 0, segment.length, parseIpv4(src), parseIpv4(dst));
  return segment;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
