/**
 * One frame in words, for tests that a person reads: Ethernet II with an IPv4 packet of TCP
 * (RFC 9293 section 3.1), UDP (RFC 768) or an ICMP echo request (RFC 792), checksums right.
 * @module
 */
import { ParseError } from "../base/errors.ts";
import { parseIpv4, parseMac } from "../wire/addr.ts";
import { viewOf } from "../wire/field.ts";
import { ETHERNET_LENGTH, ethernetCodec, EtherType } from "../l2/ethernet.ts";
import { ICMP, ICMP_LENGTH, IcmpType, sealIcmp } from "../l3/icmp.ts";
import { IPV4_MIN_LENGTH, ipv4Codec, Protocol, sealHeader } from "../l3/ipv4.ts";
import { sealTcp, TCP_MIN_LENGTH, tcpCodec, TcpFlag } from "../l4/tcp.ts";
import { sealUdp, UDP_LENGTH, udpCodec } from "../l4/udp.ts";

/** What every frame says. */
interface Envelope {
  /** The sender's MAC address. */
  readonly from: string;
  /** The MAC address that it goes to. */
  readonly to: string;
  readonly src: string;
  readonly dst: string;
  /** 64. */
  readonly ttl?: number;
  /** IP identification; 0. */
  readonly id?: number;
  /** Octets of data; none. */
  readonly data?: Uint8Array;
}

/** One frame: addresses, and what of three protocols it carries. */
export type FrameWords = Envelope &
  (
    | {
        readonly tcp: {
          readonly srcPort: number;
          readonly dstPort: number;
          /** Of F, S, R, P, U, E, C, and "." for ACK, as tcpdump prints them; "S". */
          readonly flags?: string;
          readonly seq?: number;
          readonly ack?: number;
          /** 65,535. */
          readonly window?: number;
        };
      }
    | { readonly udp: { readonly srcPort: number; readonly dstPort: number } }
    | { readonly echo: { readonly id: number; readonly sequence: number } }
  );

const FLAGS: Readonly<Record<string, number>> = {
  F: TcpFlag.Fin,
  S: TcpFlag.Syn,
  R: TcpFlag.Rst,
  P: TcpFlag.Psh,
  ".": TcpFlag.Ack,
  U: TcpFlag.Urg,
  E: TcpFlag.Ece,
  C: TcpFlag.Cwr,
};
const NOTHING = new Uint8Array(0);

/**
 * The octets of a frame, checksums right.
 * @throws {ParseError} if an address or a flag cannot be read.
 */
export function buildFrame(words: FrameWords): Uint8Array {
  const { data = NOTHING, ttl = 64, id = 0 } = words;
  const { protocol, header } = transportOf(words, data);
  const src = parseIpv4(words.src);
  const dst = parseIpv4(words.dst);
  const ethernet = { dst: parseMac(words.to), src: parseMac(words.from), type: EtherType.Ipv4 };
  const start = ETHERNET_LENGTH + IPV4_MIN_LENGTH;
  const frame = new Uint8Array(start + header.length + data.length);
  const ip = ipv4Codec.encode({
    versionIhl: 0x45,
    tos: 0,
    totalLength: frame.length - ETHERNET_LENGTH,
    id,
    flagsFragment: 0x4000,
    ttl,
    protocol,
    checksum: 0,
    src,
    dst,
  });
  for (const [at, part] of [
    [0, ethernetCodec.encode(ethernet)],
    [ETHERNET_LENGTH, ip],
    [start, header],
    [start + header.length, data],
  ] as const) {
    frame.set(part, at);
  }
  const view = viewOf(frame);
  sealHeader(view, ETHERNET_LENGTH);
  if (protocol === Protocol.Icmp) sealIcmp(view, start, frame.length);
  else if (protocol === Protocol.Tcp) sealTcp(view, start, frame.length, src, dst);
  else sealUdp(view, start, frame.length, src, dst);
  return frame;
}

function transportOf(
  words: FrameWords,
  { length }: Uint8Array,
): { protocol: number; header: Uint8Array } {
  if ("tcp" in words) {
    const { srcPort, dstPort, flags = "S", seq = 0, ack = 0, window = 65_535 } = words.tcp;
    const header = tcpCodec.encode({
      srcPort,
      dstPort,
      seq,
      ack,
      offsetReserved: (TCP_MIN_LENGTH / 4) << 4,
      flags: flagsOf(flags),
      window,
      checksum: 0,
      urgent: 0,
    });
    return { protocol: Protocol.Tcp, header };
  }
  if ("udp" in words) {
    const header = udpCodec.encode({ ...words.udp, length: UDP_LENGTH + length, checksum: 0 });
    return { protocol: Protocol.Udp, header };
  }
  const header = new Uint8Array(ICMP_LENGTH);
  const view = viewOf(header);
  ICMP.type.set(view, 0, IcmpType.Echo);
  ICMP.id.set(view, 0, words.echo.id);
  ICMP.sequence.set(view, 0, words.echo.sequence);
  return { protocol: Protocol.Icmp, header };
}

function flagsOf(letters: string): number {
  let bits = 0;
  for (const letter of letters) {
    const bit = FLAGS[letter];
    if (bit === undefined) {
      throw new ParseError("tcp-flags", letters, `expected some of FSRP.UEC, got "${letters}"`);
    }
    bits |= bit;
  }
  return bits;
}
