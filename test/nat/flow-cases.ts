/** Packets that hosts on both sides of a translating router may send. @module */
import fc from "fast-check";
import { IcmpType } from "../../src/l3/icmp.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import {
  type Ends,
  gre,
  icmpError,
  ipv4,
  query,
  read,
  tcp,
  turned,
  udp,
  udpLite,
} from "./packets.ts";

/** What has left so far and by which device, the latest first. */
export type Seen = readonly (readonly [string, Uint8Array])[];
/** Makes the next packet. */
export type Make = (seen: Seen) => readonly [string, Uint8Array];

/** A protocol without a tracker of its own. */
const ESP = 50;
/** Makes a packet of a protocol that few have heard of. */
const rare: fc.Arbitrary<(ends: Ends) => Uint8Array> = fc.constantFrom(
  ({ src, dst }: Ends) => ipv4(src, dst, ESP, new Uint8Array(9)),
  (ends: Ends) => gre(ends),
  (ends: Ends) => gre(ends, null, new Uint8Array(2)),
  (ends: Ends) => gre(ends, 7),
  (ends: Ends) => gre(ends, 0),
  (ends: Ends) => gre(ends, 7, new Uint8Array(4), 0x0800),
  ({ src, dst }: Ends) => ipv4(src, dst, Protocol.Gre, Uint8Array.of(0, 1)),
  (ends: Ends) => udpLite(ends),
  (ends: Ends) => udpLite(ends, new Uint8Array(9).fill(3), 8),
  (ends: Ends) => udpLite(ends, new Uint8Array(9).fill(3), 11),
  (ends: Ends) => udpLite(ends, new Uint8Array(9), 7),
  (ends: Ends) => udpLite(ends, new Uint8Array(9), 0, Protocol.UdpLite),
  ({ src, dst }: Ends) => ipv4(src, dst, Protocol.UdpLite, new Uint8Array(9)),
);
const inside = fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3");
const outside = fc.constantFrom("8.8.8.8", "9.9.9.9", "192.0.2.1");
const PUBLIC = ["192.0.2.101", "192.0.2.102", "192.0.2.103"];
/** The last ones lead back inside where addresses are bound. */
const target = fc.constantFrom("8.8.8.8", "8.8.8.8", "9.9.9.9", "192.0.2.1", ...PUBLIC);
const port = fc.constantFrom(53, 600, 4000, 4001);
const outward: fc.Arbitrary<Ends> = fc.record({
  src: inside,
  dst: target,
  srcPort: port,
  dstPort: port,
});
const inward: fc.Arbitrary<Ends> = fc.record({
  src: outside,
  dst: fc.constantFrom(...PUBLIC, "192.0.2.254"),
  srcPort: port,
  dstPort: port,
});

const data = fc.constantFrom(new Uint8Array(), new Uint8Array(4).fill(7), new Uint8Array(601));
const queryType = fc.constantFrom(
  IcmpType.Echo,
  IcmpType.Echo,
  IcmpType.Timestamp,
  IcmpType.Information,
  IcmpType.AddressMask,
  IcmpType.EchoReply,
);

const OPTIONS = [
  Uint8Array.of(),
  Uint8Array.of(3, 3, 7, 0),
  Uint8Array.of(4, 2, 3, 3, 2, 0, 0, 0),
  Uint8Array.of(4, 2, 1, 1),
  Uint8Array.of(1, 1, 5, 10, 0, 0x4c, 0x4b, 0x41, 0, 0x4c, 0x4b, 0xa0),
  Uint8Array.of(1, 1, 5, 10, 0, 0, 3, 0xe9, 0, 0, 4, 0x4c),
  Uint8Array.of(3, 3, 30, 5),
  Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2),
];

/** A segment as its sender sees the connection: the client counts from 1,000. */
interface SegmentSpec {
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly options: number;
  readonly data: Uint8Array;
}

const CLIENT = 1000;
const SERVER = 5_000_000;
const offset = fc.constantFrom(0, 1, 1, 1, 2, 5, 100, 602, -5, 70_000, -70_000);

const segment: fc.Arbitrary<SegmentSpec> = fc.record({
  flags: fc.constantFrom("S", "SA", "A", "A", "A", "PA", "FA", "R", "RA", "F", "SU", "", "SF"),
  seq: offset,
  ack: offset,
  window: fc.constantFrom(65_535, 65_535, 100, 0, 1),
  options: fc.nat(OPTIONS.length - 1),
  data,
});

/** The segment of one end; both ends' numbers are known to all. */
function segmentOf(ends: Ends, spec: SegmentSpec, isServer: boolean): Uint8Array {
  return tcp(ends, {
    flags: spec.flags,
    seq: (isServer ? SERVER : CLIENT) + spec.seq,
    ack: spec.ack === 0 ? 0 : (isServer ? CLIENT : SERVER) + spec.ack,
    window: spec.window,
    options: OPTIONS[spec.options] ?? Uint8Array.of(),
    data: spec.data,
  });
}

/** Answer a packet that left, as the host that it went to would. */
function answerTo(packet: Uint8Array, spec: SegmentSpec, isSummed: boolean): Uint8Array {
  const reading = read(packet);
  const ends = turned(reading);
  if (reading.protocol === Protocol.Tcp) return segmentOf(ends, spec, true);
  if (reading.protocol === Protocol.Udp) return udp(ends, spec.data, isSummed);
  if (reading.protocol === Protocol.Icmp) {
    const { src, dst } = ends;
    const type = reading.dstPort === IcmpType.Echo ? 0 : reading.dstPort + 1;
    return query({ src, dst, srcPort: reading.srcPort, dstPort: 0 }, type & 31, spec.data);
  }
  if (reading.protocol === Protocol.UdpLite) return udpLite(ends, spec.data);
  return ipv4(ends.src, ends.dst, reading.protocol, spec.data);
}

const fromInside = (make: (ends: Ends) => Uint8Array, ends: Ends): Make => {
  return () => ["in0", make(ends)];
};

/** Any next packet; what answers something answers one of the last few that left. */
export const anyPacket: fc.Arbitrary<Make> = fc.oneof(
  fc
    .tuple(outward, segment)
    .map(([ends, spec]) => fromInside((e) => segmentOf(e, spec, false), ends)),
  fc
    .tuple(outward, data, fc.boolean())
    .map(([ends, octets, isSummed]) => fromInside((e) => udp(e, octets, isSummed), ends)),
  fc
    .tuple(outward, queryType, data)
    .map(([ends, type, octets]) => fromInside((e) => query(e, type, octets), ends)),
  fc.tuple(outward, rare).map(([ends, make]) => fromInside(make, ends)),
  fc.tuple(inward, rare).map(([ends, make]): Make => () => ["out0", make(ends)]),
  fc.tuple(inward, segment).map(([ends, spec]): Make => () => [
    "out0",
    segmentOf(ends, spec, true),
  ]),
  fc.tuple(inward, data).map(([ends, octets]): Make => () => ["out0", udp(ends, octets)]),
  inward.map((ends): Make => () => ["out0", query(ends)]),
  answer(),
  answer(),
  answer(),
  error(),
  error(),
);

function answer(): fc.Arbitrary<Make> {
  return fc
    .tuple(fc.nat(3), segment, fc.boolean(), outward)
    .map(([index, spec, isSummed, ends]): Make => (seen) => {
      const [device, packet] = seen[index % Math.max(seen.length, 1)] ?? [];
      if (device === undefined || packet === undefined) return ["in0", udp(ends)];
      return [device, answerTo(packet, spec, isSummed)];
    });
}

function error(): fc.Arbitrary<Make> {
  return fc
    .record({
      index: fc.nat(3),
      type: fc.constantFrom(3, 3, 4, 5, 11, 12),
      length: fc.constantFrom(20, 23, 24, 27, 28, 40, 1000),
      from: outside,
      ends: outward,
    })
    .map(({ index, type, length, from, ends }): Make => (seen) => {
      const [device, packet] = seen[index % Math.max(seen.length, 1)] ?? [];
      if (device === undefined || packet === undefined) return ["in0", udp(ends)];
      return [
        device,
        icmpError(from, read(packet).src, packet, type, Math.min(length, packet.length)),
      ];
    });
}

/** One TCP connection, whose client is 10.0.0.1 and appears outside as 192.0.2.101. */
export const tcpTalk = (most: number): fc.Arbitrary<Make[]> => {
  const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 80 };
  const back = { ...turned(ends), dst: "192.0.2.101" };
  const makeOf =
    (isServer: boolean, spec: SegmentSpec): Make =>
    () =>
      isServer ? ["out0", segmentOf(back, spec, true)] : ["in0", segmentOf(ends, spec, false)];
  const one = fc.tuple(fc.boolean(), segment).map(([isServer, spec]) => makeOf(isServer, spec));
  const plain = { seq: 1, ack: 1, window: 65_535, options: 2, data: new Uint8Array() };
  const handshake = [
    makeOf(false, { ...plain, flags: "S", seq: 0, ack: 0 }),
    makeOf(true, { ...plain, flags: "SA", seq: 0 }),
    makeOf(false, { ...plain, flags: "A" }),
    makeOf(true, { ...plain, flags: "FA" }),
    makeOf(false, { ...plain, flags: "FA", ack: 2 }),
  ];
  return fc
    .tuple(fc.nat(handshake.length), fc.array(one, { minLength: 1, maxLength: most }))
    .map(([length, rest]) => [...handshake.slice(0, length), ...rest]);
};
