/**
 * Random talk: far ends that open connections over the router, answer what it sends, go on, repeat
 * themselves and complain in ICMP errors.
 * @module
 */
import fc from "fast-check";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { ArpOp, arpCodec } from "../../src/l2/arp.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { IcmpType } from "../../src/l3/icmp.ts";
import { IPV4_MIN_LENGTH, Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import { gre, udpLite } from "../nat/packets.ts";
import { readPacket, type Reading, readSegment } from "./packet-reading.ts";
import { MAC_NEIGHBOR } from "./rule-words.ts";
import type { Site } from "./world-arbitrary.ts";
import { addressOf, leastMtuOf, type PlacedFrame, source, target } from "./world-frames.ts";
import { optionOctets } from "./world-options.ts";
import {
  frameOf,
  icmpOf,
  mayCutTimes,
  packetOf,
  pattern,
  sctpOf,
  tcpOf,
  udpOf,
} from "./world-octets.ts";

/** What far ends remember, the latest last. */
export interface Memory {
  /** What the router sent. */
  readonly seen: readonly PlacedFrame[];
  /** What the far ends sent. */
  readonly said: readonly PlacedFrame[];
}

/** The next frames of a case, once the site is known and what was said before. */
export type StepSpec = (site: Site, memory: Memory) => PlacedFrame[];

/** Protocols without ports. */
const ESP = 50;
const UNKNOWN = 99;
const nat = fc.nat({ max: 255 });
const mostly = <T>(value: T, other: fc.Arbitrary<T>, weight = 6): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(value), weight }, { arbitrary: other, weight: 1 });

/** Which of the latest is meant. */
const back = fc.oneof(
  { arbitrary: fc.constant(0), weight: 6 },
  { arbitrary: fc.nat({ max: 5 }), weight: 3 },
);
const latest = (frames: readonly PlacedFrame[], by: number): PlacedFrame | null =>
  frames.at(-1 - by) ?? frames.at(-1) ?? null;

const port = fc.constantFrom(53, 80, 4000, 4001, 600);
const size = fc.oneof(
  { arbitrary: fc.constantFrom(0, 1, 4, 100), weight: 8 },
  { arbitrary: fc.constantFrom(536, 1400, 1452, 1460, 2000), weight: 1 },
);
const header = fc.record({
  tos: mostly(0, nat),
  id: fc.nat({ max: 0xffff }),
  ttl: mostly(64, fc.constantFrom(1, 2, 255)),
  flagsFragment: fc.constantFrom(0, 0x4000),
  options: mostly(new Uint8Array(0), optionOctets, 19),
});
type Header = typeof header extends fc.Arbitrary<infer T> ? T : never;

const TCP_OPTIONS = [
  Uint8Array.of(),
  Uint8Array.of(2, 4, 5, 0xb4),
  Uint8Array.of(2, 4, 5, 0xb4, 1, 3, 3, 7),
  Uint8Array.of(2, 4, 2, 24, 4, 2, 3, 3, 2, 0, 0, 0),
  Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2),
  Uint8Array.of(1, 1, 5, 10, 0, 0, 3, 0xe9, 0, 0, 4, 0x4c),
  Uint8Array.of(3, 3, 30, 5),
];
const LETTERS: Readonly<Record<string, number>> = {
  S: TcpFlag.Syn,
  A: TcpFlag.Ack,
  P: TcpFlag.Psh,
  F: TcpFlag.Fin,
  R: TcpFlag.Rst,
  U: TcpFlag.Urg,
};
const FLAG_SETS = ["S", "SA", "A", "PA", "FA", "R", "RA", "F", "SU", "", "SF"].map((letters) =>
  letters.split("").reduce((all, letter) => all | (LETTERS[letter] ?? 0), 0),
);

/** How a segment differs from the one that an honest end would send. */
const segment = fc.record({
  flags: mostly<number | null>(null, fc.constantFrom(...FLAG_SETS), 3),
  seqBy: mostly(0, fc.constantFrom(1, -1, 5, -5, 100, 70_000, -70_000), 9),
  ackBy: mostly(0, fc.constantFrom(1, -1, 5, -5, 100, 70_000, -70_000), 9),
  window: fc.constantFrom(65_535, 65_535, 8192, 100, 0, 1),
  options: fc.nat(TCP_OPTIONS.length - 1),
  isFinal: fc.constantFrom(false, false, false, true),
});
type Segment = typeof segment extends fc.Arbitrary<infer T> ? T : never;

/** A datagram to be sent, whole or in pieces. */
interface Datagram extends Header {
  readonly src: string;
  readonly dst: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

/** The frames of a datagram, in pieces of `unit` octets if it is not 0 or they must be. */
function send(site: Site, on: string, datagram: Datagram, unit: number): PlacedFrame[] {
  const one = site.world.interfaces[on];
  if (one === undefined) return [];
  const { mac, mtu = 1500 } = one;
  const room = (mtu - 60) & ~7;
  const { payload } = datagram;
  const mustSplit = payload.length > mtu - 60;
  const step = unit > 0 ? Math.min(unit, room) : mustSplit ? room : payload.length;
  const frames: PlacedFrame[] = [];
  for (let from = 0; from === 0 || from < payload.length; from += Math.max(step, 8)) {
    const end = Math.min(from + step, payload.length);
    const more = end < payload.length ? 0x2000 : 0;
    const octets = packetOf({
      ...datagram,
      flagsFragment: datagram.flagsFragment | more | (from / 8),
      payload: payload.subarray(from, end),
    });
    if (mayCutTimes(octets, leastMtuOf(site))) return [];
    const octetsOfFrame = frameOf(mac, MAC_NEIGHBOR, EtherType.Ipv4, octets);
    frames.push({ interface: on, octets: octetsOfFrame });
  }
  return frames;
}

const unit = fc.oneof(
  { arbitrary: fc.constant(0), weight: 12 },
  { arbitrary: fc.constantFrom(8, 24, 512), weight: 1 },
);

type Opening = "tcp" | "udp" | "icmp" | "other";
type Ends = Pick<Datagram, "src" | "dst">;
type Payload = Pick<Datagram, "protocol" | "payload">;

/** A message of a protocol that is not of every day. */
function otherPayload(kind: number, ends: Ends, [from, to]: readonly [number, number]): Payload {
  const data = pattern(from & 15, to & 255);
  const way = { ...ends, srcPort: from, dstPort: to };
  switch (kind) {
    case Protocol.Gre:
      return { protocol: kind, payload: behindHeader(gre(ends, to === 53 ? null : to, data)) };
    case Protocol.UdpLite: {
      const coverage = from === 80 ? 8 : 0;
      const summed = to === 600 ? Protocol.UdpLite : Protocol.Udp;
      return { protocol: kind, payload: behindHeader(udpLite(way, data, coverage, summed)) };
    }
    case Protocol.Sctp:
      return { protocol: kind, payload: sctpOf([from, to], data) };
    default:
      return { protocol: kind, payload: data };
  }
}

const behindHeader = (packet: Uint8Array): Uint8Array => packet.subarray(IPV4_MIN_LENGTH);
const OTHERS = [ESP, UNKNOWN, Protocol.Gre, Protocol.Gre, Protocol.UdpLite, Protocol.Sctp];

/** The first packet of a connection. */
const opening: fc.Arbitrary<StepSpec> = fc
  .record({
    on: nat,
    src: source,
    dst: target,
    kind: fc.constantFrom<Opening>("tcp", "tcp", "tcp", "udp", "udp", "icmp", "icmp", "other"),
    other: fc.constantFrom(...OTHERS),
    ports: fc.tuple(port, port),
    header,
    segment,
    size,
    unit,
    hasChecksum: fc.boolean(),
    query: mostly<number>(IcmpType.Echo, fc.constantFrom(13, 15, 17, 10)),
  })
  .map((spec) => (site) => {
    const names = Object.keys(site.world.interfaces);
    const on = spec.on % names.length;
    const ends = { src: addressOf(site, on, spec.src), dst: addressOf(site, on, spec.dst) };
    const name = names[on] ?? "";
    const data = pattern(spec.size, spec.ports[0] & 255);
    const whole = { ...spec.header, ...ends };
    switch (spec.kind) {
      case "tcp": {
        const { window, options, flags } = spec.segment;
        const words = { seq: 1000, ack: 0, window, flags: flags ?? TcpFlag.Syn };
        const extra = TCP_OPTIONS[options] ?? Uint8Array.of();
        const octets = flags === null ? new Uint8Array(0) : data;
        const payload = tcpOf(ends, spec.ports, words, extra, octets);
        return send(site, name, { ...whole, protocol: Protocol.Tcp, payload }, spec.unit);
      }
      case "udp": {
        const payload = udpOf(ends, spec.ports, data, { hasChecksum: spec.hasChecksum });
        return send(site, name, { ...whole, protocol: Protocol.Udp, payload }, spec.unit);
      }
      case "icmp": {
        const rest = new Uint8Array(4 + data.length);
        rest.set([0, spec.ports[0] & 3, 0, 1]);
        rest.set(data, 4);
        const payload = icmpOf(spec.query, 0, rest);
        return send(site, name, { ...whole, protocol: Protocol.Icmp, payload }, spec.unit);
      }
      case "other": {
        const kind = spec.other === Protocol.Sctp && !site.hasSctp ? ESP : spec.other;
        const message = otherPayload(kind, ends, spec.ports);
        return send(site, name, { ...whole, ...message }, spec.unit);
      }
    }
  });

/** What an honest end answers to a segment, but for `how`. */
function answerSegment(reading: Reading, how: Segment, data: Uint8Array): Uint8Array {
  const { src, dst } = reading;
  const ends = { src: dst, dst: src };
  const heard = readSegment(reading);
  if (heard === null) return reading.payload;
  const isOpening = (heard.flags & TcpFlag.Syn) !== 0;
  const isClosing = (heard.flags & TcpFlag.Fin) !== 0;
  const hasAck = (heard.flags & TcpFlag.Ack) !== 0;
  const honest =
    isOpening && !hasAck
      ? TcpFlag.Syn | TcpFlag.Ack
      : TcpFlag.Ack | (how.isFinal || isClosing ? TcpFlag.Fin : 0);
  const flags = how.flags ?? honest;
  const words = {
    seq: ((hasAck ? heard.ack : 5_000_000) + how.seqBy) >>> 0,
    ack: (heard.seq + heard.length + Number(isOpening) + Number(isClosing) + how.ackBy) >>> 0,
    window: how.window,
    flags,
  };
  const isPlain = (flags & TcpFlag.Syn) === 0;
  const options = isPlain && how.options < 4 ? Uint8Array.of() : TCP_OPTIONS[how.options];
  const octets = isPlain ? data : new Uint8Array(0);
  const [from, to] = heard.ports;
  return tcpOf(ends, [to, from], words, options ?? Uint8Array.of(), octets);
}

/** The message with which a query is answered. */
function answerQuery({ payload }: Reading): Uint8Array {
  const type = payload[0] ?? 0;
  const answer = type === IcmpType.Echo ? IcmpType.EchoReply : (type + 1) & 255;
  return icmpOf(answer, payload[1] ?? 0, payload.slice(4));
}

function answerPayload(reading: Reading, how: Segment, data: Uint8Array, hasChecksum: boolean) {
  const { src, dst, protocol, payload } = reading;
  if (protocol === Protocol.Tcp) return answerSegment(reading, how, data);
  if (protocol === Protocol.Icmp && payload.length >= 8) return answerQuery(reading);
  if (protocol === Protocol.Udp && payload.length >= 8) {
    const view = viewOf(payload);
    const ports = [view.getUint16(2), view.getUint16(0)] as const;
    return udpOf({ src: dst, dst: src }, ports, data, { hasChecksum });
  }
  if (protocol === Protocol.UdpLite && payload.length >= 8) {
    const view = viewOf(payload);
    const ports = [view.getUint16(2), view.getUint16(0)] as const;
    return otherPayload(protocol, { src: dst, dst: src }, ports).payload;
  }
  return protocol === Protocol.Gre || protocol === Protocol.Sctp ? payload : data;
}

/** Tell the router the MAC address that it asked for. */
function answerArp({ interface: on, octets }: PlacedFrame): PlacedFrame[] {
  const asked = arpCodec.decode(octets, ETHERNET_LENGTH);
  if (asked.op !== ArpOp.Request) return [];
  const { sha, spa, tpa } = asked;
  const message = arpCodec.encode({
    ...asked,
    op: ArpOp.Reply,
    sha: parseMac(MAC_NEIGHBOR),
    spa: tpa,
    tha: sha,
    tpa: spa,
  });
  const router = ETHERNET.src.get(viewOf(octets), 0);
  const frame = frameOf("00:00:00:00:00:00", MAC_NEIGHBOR, EtherType.Arp, message);
  ETHERNET.dst.set(viewOf(frame), 0, router);
  return [{ interface: on, octets: frame }];
}

/** The end that a packet went to answers it. */
const answer: fc.Arbitrary<StepSpec> = fc
  .record({ back, header, segment, size, unit, hasChecksum: fc.boolean() })
  .map((spec) => (site, { seen }) => {
    const heard = latest(seen, spec.back);
    if (heard === null) return [];
    const reading = readPacket(heard.octets);
    if (reading === null) return answerArp(heard);
    if (reading.isLaterFragment) return [];
    const data = pattern(spec.size, spec.header.id & 255);
    const payload = answerPayload(reading, spec.segment, data, spec.hasChecksum);
    const { src, dst, protocol } = reading;
    const datagram = { ...spec.header, src: dst, dst: src, protocol, payload };
    return send(site, heard.interface, datagram, spec.unit);
  });

/** An end says more, or the same once more. */
const sequel: fc.Arbitrary<StepSpec> = fc
  .record({ back, header, segment, size, isRepeated: fc.boolean() })
  .map((spec) => (site, { said }) => {
    const last = latest(said, spec.back);
    if (last === null) return [];
    const reading = readPacket(last.octets);
    const sent = reading === null ? null : readSegment(reading);
    if (reading === null || sent === null || spec.isRepeated) return [last];
    const isOpening = (sent.flags & TcpFlag.Syn) !== 0;
    const isClosing = (sent.flags & TcpFlag.Fin) !== 0;
    const { flags, seqBy, ackBy, window, isFinal } = spec.segment;
    const words = {
      seq: (sent.seq + sent.length + Number(isOpening) + Number(isClosing) + seqBy) >>> 0,
      ack: (sent.ack + ackBy) >>> 0,
      window,
      flags: flags ?? TcpFlag.Ack | (isFinal ? TcpFlag.Fin : TcpFlag.Psh),
    };
    const data = pattern(spec.size, 7);
    const { src, dst, protocol } = reading;
    const payload = tcpOf({ src, dst }, sent.ports, words, Uint8Array.of(), data);
    return send(site, last.interface, { ...spec.header, src, dst, protocol, payload }, 0);
  });

const COMPLAINTS = [
  [3, 0],
  [3, 1],
  [3, 2],
  [3, 3],
  [3, 4],
  [3, 13],
  [4, 0],
  [5, 1],
  [11, 0],
  [11, 1],
  [12, 0],
] as const;

/** The end that a packet went to, or a router on its way, complains about it. */
const complaint: fc.Arbitrary<StepSpec> = fc
  .record({
    back,
    header,
    kind: fc.constantFrom(...COMPLAINTS),
    rest: fc.constantFrom(0, 0, 576, 1400),
    length: fc.oneof(fc.constantFrom(20, 24, 27, 28, 40, 1000), fc.nat({ max: 60 })),
    by: mostly(0, fc.integer({ min: 1, max: 0xffff }), 15),
    from: fc.oneof({ arbitrary: fc.constant(null), weight: 2 }, source),
    unit,
  })
  .map((spec) => (site, { seen }) => {
    const heard = latest(seen, spec.back);
    const reading = heard === null ? null : readPacket(heard.octets);
    if (heard === null || reading === null) return [];
    const on = Object.keys(site.world.interfaces).indexOf(heard.interface);
    const quoted = reading.packet.subarray(0, spec.length);
    const rest = new Uint8Array(4 + quoted.length);
    viewOf(rest).setUint32(0, spec.kind[0] === 5 ? parseIpv4("10.1.2.3") : spec.rest);
    rest.set(quoted, 4);
    // This host's own path MTU is not learned: docs/deviations.md.
    const isAboutAnswer = reading.protocol === Protocol.Icmp && site.own.includes(reading.src);
    const [type, kind] = spec.kind;
    const code = isAboutAnswer && type === IcmpType.Unreachable && kind === 4 ? 1 : kind;
    const payload = icmpOf(type, code, rest, spec.by);
    const src = spec.from === null ? reading.dst : addressOf(site, on, spec.from);
    const datagram = { ...spec.header, src, dst: reading.src, protocol: Protocol.Icmp, payload };
    return send(site, heard.interface, datagram, spec.unit);
  });

/** Everything that far ends say to one another. */
export const talkSpec: fc.Arbitrary<StepSpec> = fc.oneof(
  { arbitrary: opening, weight: 6 },
  { arbitrary: answer, weight: 9 },
  { arbitrary: sequel, weight: 4 },
  { arbitrary: complaint, weight: 2 },
);
