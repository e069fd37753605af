/** IP packets for tests, and a slow and simple judge of their checksums. @module */
import { icmpCodec, icmpEchoCodec, IcmpType } from "../../src/l3/icmp.ts";
import { ipv4Codec, Protocol } from "../../src/l3/ipv4.ts";
import { tcpCodec, TcpFlag } from "../../src/l4/tcp.ts";
import { udpCodec } from "../../src/l4/udp.ts";
import { formatIpv4, parseIpv4 } from "../../src/wire/addr.ts";

export interface Ends {
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
}

/** The same packet's answer. */
export const turned = ({ src, dst, srcPort, dstPort }: Ends): Ends => ({
  src: dst,
  dst: src,
  srcPort: dstPort,
  dstPort: srcPort,
});

/** The ones' complement sum of RFC 1071 section 1, word by word, as slowly as it can be. */
function sumOf(octets: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) {
    sum += (octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

const concat = (...parts: Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

function pseudoHeader(src: number, dst: number, protocol: number, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint32(0, src);
  view.setUint32(4, dst);
  view.setUint16(8, protocol);
  view.setUint16(10, length);
  return new Uint8Array(view.buffer);
}

function put16(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 8;
  octets[at + 1] = value & 255;
}

/** An IPv4 packet around `payload`; TTL 64, id 1. */
export function ipv4(
  src: string,
  dst: string,
  protocol: number,
  payload: Uint8Array,
  flagsFragment = 0,
): Uint8Array {
  const header = ipv4Codec.encode({
    versionIhl: 0x45,
    tos: 0,
    totalLength: 20 + payload.length,
    id: 1,
    flagsFragment,
    ttl: 64,
    protocol,
    checksum: 0,
    src: parseIpv4(src),
    dst: parseIpv4(dst),
  });
  put16(header, 10, 0xffff - sumOf(header));
  return concat(header, payload);
}

function sealed(ends: Ends, protocol: number, segment: Uint8Array, at: number): Uint8Array {
  const src = parseIpv4(ends.src);
  const dst = parseIpv4(ends.dst);
  const sum = sumOf(concat(pseudoHeader(src, dst, protocol, segment.length), segment));
  put16(segment, at, sum === 0xffff ? 0xffff : 0xffff - sum);
  return ipv4(ends.src, ends.dst, protocol, segment);
}

/**
 * A datagram of UDP-Lite that covers `coverage` octets, 0 for all; summed with the number of
 * `protocol` in the pseudo-header, which Linux takes for UDP's, and the length for its low octet.
 */
export function udpLite(
  ends: Ends,
  data: Uint8Array = new Uint8Array(8),
  coverage = 0,
  protocol: number = Protocol.Udp,
): Uint8Array {
  const { srcPort, dstPort } = ends;
  const header = udpCodec.encode({ srcPort, dstPort, length: coverage, checksum: 0 });
  const datagram = concat(header, data);
  const [src, dst] = [parseIpv4(ends.src), parseIpv4(ends.dst)];
  const covered = datagram.slice(0, coverage === 0 ? datagram.length : coverage);
  const isLinux = protocol === Protocol.Udp;
  const length = isLinux ? datagram.length & 255 : datagram.length;
  const pseudo = pseudoHeader(src, dst, protocol, length);
  // An odd end is filled up with a zero.
  put16(datagram, 6, 0xffff - sumOf(concat(pseudo, covered)) || 0xffff);
  return ipv4(ends.src, ends.dst, Protocol.UdpLite, datagram);
}

/** A GRE packet: version 1 with a call if `call` is not `null`, else version 0. */
export function gre(
  { src, dst }: Pick<Ends, "src" | "dst">,
  call: number | null = null,
  data: Uint8Array = new Uint8Array(4),
  protocol = 0x880b,
): Uint8Array {
  const header = new Uint8Array(call === null ? 4 : 8);
  put16(header, 0, call === null ? 0 : 0x3001);
  put16(header, 2, call === null ? 0x0800 : protocol);
  if (call !== null) put16(header, 6, call);
  return ipv4(src, dst, Protocol.Gre, concat(header, data));
}

/** A UDP datagram; without a checksum if `isSummed` is false. */
export function udp(ends: Ends, data: Uint8Array = new Uint8Array(8), isSummed = true): Uint8Array {
  const { srcPort, dstPort } = ends;
  const length = 8 + data.length;
  const datagram = concat(udpCodec.encode({ srcPort, dstPort, length, checksum: 0 }), data);
  return isSummed
    ? sealed(ends, Protocol.Udp, datagram, 6)
    : ipv4(ends.src, ends.dst, Protocol.Udp, datagram);
}

export interface SegmentOptions {
  /** Letters of "SFRPAU". */
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly options?: Uint8Array;
  readonly data?: Uint8Array;
}

const FLAG_LETTERS: ReadonlyMap<string, number> = new Map([
  ["S", TcpFlag.Syn],
  ["F", TcpFlag.Fin],
  ["R", TcpFlag.Rst],
  ["P", TcpFlag.Psh],
  ["A", TcpFlag.Ack],
  ["U", TcpFlag.Urg],
]);

/** A TCP segment. */
export function tcp(ends: Ends, segment: SegmentOptions): Uint8Array {
  const { flags, seq = 0, ack = 0, window = 65_535 } = segment;
  const { options = new Uint8Array(), data = new Uint8Array() } = segment;
  const header = tcpCodec.encode({
    srcPort: ends.srcPort,
    dstPort: ends.dstPort,
    seq: seq >>> 0,
    ack: ack >>> 0,
    offsetReserved: (5 + options.length / 4) * 16,
    flags: flags.split("").reduce((all, letter) => all | (FLAG_LETTERS.get(letter) ?? 0), 0),
    window,
    checksum: 0,
    urgent: 0,
  });
  return sealed(ends, Protocol.Tcp, concat(header, options, data), 16);
}

/** An ICMP query or its answer; `srcPort` of `ends` is its id. */
export function query(
  { src, dst, srcPort: id }: Ends,
  type: number = IcmpType.Echo,
  data: Uint8Array = new Uint8Array(8),
  code = 0,
): Uint8Array {
  const message = concat(icmpEchoCodec.encode({ type, code, checksum: 0, id, sequence: 1 }), data);
  put16(message, 2, 0xffff - sumOf(message));
  return ipv4(src, dst, Protocol.Icmp, message);
}

/** An ICMP error from `src` to `dst` that quotes `length` octets of `offender`. */
export function icmpError(
  src: string,
  dst: string,
  offender: Uint8Array,
  type: number = IcmpType.Unreachable,
  length = offender.length,
): Uint8Array {
  const header = icmpCodec.encode({ type, code: 1, checksum: 0, rest: 0 });
  const message = concat(header, offender.slice(0, length));
  put16(message, 2, 0xffff - sumOf(message));
  return ipv4(src, dst, Protocol.Icmp, message);
}

/** What a packet says, for comparison in tests. */
export interface Reading extends Ends {
  readonly protocol: number;
  /** What lies behind the transport header. */
  readonly data: Uint8Array;
  /** Wrong checksums by name. */
  readonly wrong: readonly string[];
}

/** Read a packet and judge all of its checksums by adding every word up. */
export function read(packet: Uint8Array): Reading {
  const header = ipv4Codec.decode(packet);
  const { protocol, src, dst } = header;
  const payload = packet.slice(20);
  const wrong: string[] = [];
  if (sumOf(packet.slice(0, 20)) !== 0xffff) wrong.push("ipv4");
  const whole = concat(pseudoHeader(src, dst, protocol, payload.length), payload);
  const ends = { src: formatIpv4(src), dst: formatIpv4(dst) };
  if (protocol === Protocol.Icmp) {
    if (sumOf(payload) !== 0xffff) wrong.push("icmp");
    const { id, type } = icmpEchoCodec.decode(payload);
    return { ...ends, protocol, srcPort: id, dstPort: type, data: payload.slice(8), wrong };
  }
  if (protocol === Protocol.Udp) {
    const { srcPort, dstPort, checksum } = udpCodec.decode(payload);
    if (checksum !== 0 && sumOf(whole) !== 0xffff) wrong.push("udp");
    return { ...ends, protocol, srcPort, dstPort, data: payload.slice(8), wrong };
  }
  if (protocol === Protocol.UdpLite && payload.length >= 8) {
    const { srcPort, dstPort } = udpCodec.decode(payload);
    return { ...ends, protocol, srcPort, dstPort, data: payload.slice(8), wrong };
  }
  if (protocol === Protocol.Tcp) {
    const { srcPort, dstPort } = tcpCodec.decode(payload);
    if (sumOf(whole) !== 0xffff) wrong.push("tcp");
    return { ...ends, protocol, srcPort, dstPort, data: payload.slice(20), wrong };
  }
  return { ...ends, protocol, srcPort: 0, dstPort: 0, data: payload, wrong };
}

/** A packet in a line, for the reports of failures. */
export function tell(packet: Uint8Array): string {
  const { flagsFragment, id, totalLength } = ipv4Codec.decode(packet);
  if ((flagsFragment & 0x3fff) !== 0) {
    const more = (flagsFragment & 0x2000) === 0 ? "last" : "more";
    return `fragment ${id} at ${(flagsFragment & 0x1fff) * 8} of ${totalLength - 20}, ${more}`;
  }
  const { protocol, src, dst, srcPort, dstPort, data: rest } = read(packet);
  const ends = `${src}:${srcPort} > ${dst}:${dstPort}`;
  if (protocol !== Protocol.Tcp) return `${protocol} ${ends} ${rest.length} octets`;
  const { flags, seq, ack, window } = tcpCodec.decode(packet, 20);
  const letters = [...FLAG_LETTERS].filter(([, flag]) => (flags & flag) !== 0).map(([one]) => one);
  const options = Buffer.from(rest).toString("hex").slice(0, 40);
  return `tcp ${ends} ${letters.join("")} seq ${seq} ack ${ack} window ${window} ${options}`;
}
