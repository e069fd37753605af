/**
 * Rewriting of packets: addresses, ports and ICMP ids, with their checksums mended incrementally,
 * RFC 1624 section 3 (Linux nf_nat_proto.c).
 * @module
 */
import type { Ipv4Addr } from "../wire/addr.ts";
import { update16 } from "../wire/checksum.ts";
import { ICMP, ICMP_LENGTH } from "../l3/icmp.ts";
import {
  difference as Importeddifference,
  mendHeader as ImportedmendHeader,
  mendTransport as ImportedmendTransport,
} from "../l3/flow-change.ts";
import {
  HeaderWord as ImportedHeaderWord,
  swap16 as Importedswap16,
  swap32 as Importedswap32,
} from "../l3/header-words.ts";
import {
  headerLengthOf,
  IPV4,
  Protocol as ImportedProtocol,
  rewriteDestination,
  rewriteSource,
} from "../l3/ipv4.ts";
import type { NatRange } from "../wire/nat-range.ts";
import { mendTcpChecksum, TCP, TCP_MIN_LENGTH } from "../l4/tcp.ts";
import { mendUdpChecksum, UDP, UDP_LENGTH } from "../l4/udp.ts";
import { invertIcmpType } from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const HeaderWord = ImportedHeaderWord;
const swap16 = Importedswap16;
const swap32 = Importedswap32;
const difference = Importeddifference;
const mendHeader = ImportedmendHeader;
const mendTransport = ImportedmendTransport;
const Protocol = ImportedProtocol;

/** Octets of a TCP header that an ICMP error quotes at least; the checksum lies behind them. */
const QUOTED_TCP_LENGTH = 8;

/** Which end of a packet. */
export type Side = NatRange["side"];

/**
 * Give the packet at `network` another address and port on one side. An ICMP query has one id for
 * both sides; `port` is it. Protocols but TCP, UDP and UDP-Lite have no port.
 * @param end one past the last octet; in a quotation the packet may be cut off there.
 * @returns false, and nothing is changed, if the transport header is cut off too early.
 */
export function rewrite(
  view: DataView,
  network: number,
  end: number,
  side: Side,
  address: Ipv4Addr,
  port: number,
  sendsZeroAsFfff: boolean,
): boolean {
  const at = network + headerLengthOf(view, network);
  const isSource = side === "source";
  const before = isSource ? IPV4.src.get(view, network) : IPV4.dst.get(view, network);
  switch (IPV4.protocol.get(view, network)) {
    case Protocol.Tcp: {
      if (end - at < QUOTED_TCP_LENGTH) return false;
      const field = isSource ? TCP.srcPort : TCP.dstPort;
      const old = field.get(view, at);
      field.set(view, at, port);
      if (end - at >= TCP_MIN_LENGTH) mendTcpChecksum(view, at, before, address, old, port);
      break;
    }
    case Protocol.Udp:
    case Protocol.UdpLite: {
      if (end - at < UDP_LENGTH) return false;
      const field = isSource ? UDP.srcPort : UDP.dstPort;
      const old = field.get(view, at);
      field.set(view, at, port);
      mendUdpChecksum(view, at, before, address, old, port, sendsZeroAsFfff);
      break;
    }
    case Protocol.Icmp:
      if (end - at < ICMP_LENGTH) return false;
      rewriteId(view, at, port);
      break;
  }
  rewriteAddress(view, network, side, address);
  return true;
}

/**
 * As {@link rewrite}, for the first packet of a connection that takes a known way: TCP or UDP,
 * whose header begins with word `at` and has no options.
 */
export function rewriteWords(
  words: Int32Array,
  at: number,
  side: Side,
  address: number,
  port: number,
  sendsZeroAsFfff: boolean,
): void {
  const isSource = side === "source";
  const place = at + (isSource ? HeaderWord.Source : HeaderWord.Destination);
  const shift = isSource ? 0 : 16;
  const before = words[place] ?? 0;
  const after = swap32(address);
  const ports = words[at + HeaderWord.Ports] ?? 0;
  const newPort = swap16(port);
  const life = words[at + HeaderWord.Life] ?? 0;
  const delta = difference(before >>> 16, after >>> 16) + difference(before, after);
  words[place] = after;
  words[at + HeaderWord.Ports] = (ports & (0xffff_0000 >>> shift)) | (newPort << shift);
  mendHeader(words, at, 0, delta);
  const change = delta + difference(ports >>> shift, newPort);
  mendTransport(words, at, (life >>> 8) & 0xff, change, sendsZeroAsFfff);
}

/** Give the packet at `network` another address on one side, and leave the rest as it is. */
export function rewriteAddress(
  view: DataView,
  network: number,
  side: Side,
  address: Ipv4Addr,
): void {
  if (side === "source") rewriteSource(view, network, address);
  else rewriteDestination(view, network, address);
}

function rewriteId(view: DataView, at: number, id: number): void {
  if (invertIcmpType(ICMP.type.get(view, at)) < 0) return;
  const before = ICMP.id.get(view, at);
  ICMP.checksum.set(view, at, update16(ICMP.checksum.get(view, at), before, id));
  ICMP.id.set(view, at, id);
}
