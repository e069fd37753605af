/**
 * Generators of addresses, messages and frames for fast-check, sound ones and hostile ones.
 * @module
 */
import fc from "fast-check";
import { type Ipv4Addr, ipv4Of, type Mac, macOf } from "../wire/addr.ts";
import { viewOf } from "../wire/field.ts";
import { ARP_LENGTH, type ArpMessage, arpCodec, ArpOp } from "../l2/arp.ts";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../l2/ethernet.ts";
import { ICMP, ICMP_LENGTH, IcmpType, sealIcmp } from "../l3/icmp.ts";
import { IPV4, IPV4_MIN_LENGTH, Protocol, sealHeader } from "../l3/ipv4.ts";
import { sealUdp, UDP, UDP_LENGTH } from "../l4/udp.ts";

/** Any MAC address. */
export const mac = (): fc.Arbitrary<Mac> =>
  fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((value) => macOf(value));

/** A MAC address that a station may have: no group bit, not zero. */
export const stationMac = (): fc.Arbitrary<Mac> =>
  mac().map((value) => macOf(value - (Math.floor(value / 2 ** 40) % 2) * 2 ** 40 || 2));

/** Any IPv4 address; the ones that stacks treat apart come often. */
export const ipv4 = (): fc.Arbitrary<Ipv4Addr> =>
  fc
    .oneof(
      { weight: 4, arbitrary: fc.nat({ max: 0xffff_ffff }) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          0,
          0xffff_ffff,
          0x7f00_0001,
          0xe000_0001,
          0xf000_0000,
          0xa9fe_a9fe,
        ),
      },
    )
    .map(ipv4Of);

/** An ARP message of Ethernet and IPv4, request or reply. */
export const arpMessage = (): fc.Arbitrary<ArpMessage> =>
  fc.record({
    htype: fc.constant(1),
    ptype: fc.constant(EtherType.Ipv4),
    hlen: fc.constant(6),
    plen: fc.constant(4),
    op: fc.constantFrom(ArpOp.Request, ArpOp.Reply),
    sha: mac(),
    spa: ipv4(),
    tha: mac(),
    tpa: ipv4(),
  });

/** What a generated frame keeps fixed; the rest is drawn. */
export interface FrameShape {
  readonly srcMac?: Mac;
  readonly dstMac?: Mac;
  readonly src?: Ipv4Addr;
  readonly dst?: Ipv4Addr;
}

const orDrawn = <T>(fixed: T | undefined, drawn: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fixed === undefined ? drawn : fc.constant(fixed);

/** A frame with an ARP message inside. */
export const arpFrame = (shape: FrameShape = {}): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(orDrawn(shape.dstMac, mac()), orDrawn(shape.srcMac, stationMac()), arpMessage())
    .map(([dst, src, message]) => {
      const bytes = new Uint8Array(ETHERNET_LENGTH + ARP_LENGTH);
      writeEthernet(viewOf(bytes), 0, dst, src, EtherType.Arp);
      arpCodec.encodeInto(message, bytes, ETHERNET_LENGTH);
      return bytes;
    });

/** A sound frame with UDP inside, of up to 1,514 octets. */
export const udpFrame = (shape: FrameShape = {}): fc.Arbitrary<Uint8Array> =>
  packetFrame(Protocol.Udp, UDP_LENGTH, shape).chain((bytes) =>
    fc.tuple(fc.nat({ max: 65_535 }), fc.nat({ max: 65_535 })).map(([srcPort, dstPort]) => {
      const view = viewOf(bytes);
      const at = ETHERNET_LENGTH + IPV4_MIN_LENGTH;
      UDP.srcPort.set(view, at, srcPort);
      UDP.dstPort.set(view, at, dstPort);
      const src = IPV4.src.get(view, ETHERNET_LENGTH);
      sealUdp(view, at, bytes.length, src, IPV4.dst.get(view, ETHERNET_LENGTH));
      return bytes;
    }),
  );

/** A sound frame with an ICMP echo request inside, of up to 1,514 octets. */
export const echoFrame = (shape: FrameShape = {}): fc.Arbitrary<Uint8Array> =>
  packetFrame(Protocol.Icmp, ICMP_LENGTH, shape).map((bytes) => {
    const view = viewOf(bytes);
    const at = ETHERNET_LENGTH + IPV4_MIN_LENGTH;
    ICMP.type.set(view, at, IcmpType.Echo);
    ICMP.code.set(view, at, 0);
    sealIcmp(view, at, bytes.length);
    return bytes;
  });

/** Any octets, or a sound frame with some octets changed and its end cut off or grown. */
export const hostileFrame = (shape: FrameShape = {}): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ maxLength: 1514 }),
    fc
      .tuple(
        fc.oneof(arpFrame(shape), udpFrame(shape), echoFrame(shape)),
        fc.array(fc.tuple(fc.nat({ max: 80 }), fc.nat({ max: 255 })), { maxLength: 4 }),
        fc.integer({ min: -30, max: 30 }),
      )
      .map(([sound, changes, grown]) => {
        const length = Math.min(Math.max(sound.length + grown, 0), 1514);
        const bytes = new Uint8Array(length);
        bytes.set(sound.subarray(0, length));
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        return bytes;
      }),
  );

/** Ethernet and IPv4 around random octets. */
function packetFrame(protocol: number, least: number, shape: FrameShape): fc.Arbitrary<Uint8Array> {
  return fc
    .record({
      dstMac: orDrawn(shape.dstMac, mac()),
      srcMac: orDrawn(shape.srcMac, stationMac()),
      src: orDrawn(shape.src, ipv4()),
      dst: orDrawn(shape.dst, ipv4()),
      ttl: fc.integer({ min: 1, max: 255 }),
      tos: fc.nat({ max: 255 }),
      id: fc.nat({ max: 65_535 }),
      payload: fc.uint8Array({ minLength: least, maxLength: 1480 }),
    })
    .map(({ dstMac, srcMac, src, dst, ttl, tos, id, payload }) => {
      const bytes = new Uint8Array(ETHERNET_LENGTH + IPV4_MIN_LENGTH + payload.length);
      const view = viewOf(bytes);
      const at = ETHERNET_LENGTH;
      writeEthernet(view, 0, dstMac, srcMac, EtherType.Ipv4);
      IPV4.versionIhl.set(view, at, 0x45);
      IPV4.tos.set(view, at, tos);
      IPV4.totalLength.set(view, at, bytes.length - at);
      IPV4.id.set(view, at, id);
      IPV4.ttl.set(view, at, ttl);
      IPV4.protocol.set(view, at, protocol);
      IPV4.src.set(view, at, src);
      IPV4.dst.set(view, at, dst);
      sealHeader(view, at);
      bytes.set(payload, at + IPV4_MIN_LENGTH);
      return bytes;
    });
}
