/**
 * Tuples: what tells connections apart (Linux `struct nf_conntrack_tuple`).
 * @module
 */
import { type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import { fieldsOf } from "../wire/field.ts";
import { struct, u16le, u32le } from "../wire/layout.ts";
import { ICMP, ICMP_LENGTH, IcmpType } from "../l3/icmp.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../l3/ipv4.ts";
import { GRE, hasCall, checkGre } from "../l4/gre.ts";
import { UDP } from "../l4/udp.ts";

/** One direction of a connection, for people; connection tracking itself keeps {@link TUPLE}. */
export interface Tuple {
  readonly protocol: number;
  readonly src: Ipv4Addr;
  readonly dst: Ipv4Addr;
  /** The source port; the id of an ICMP query; the key of a GRE call; 0 for other protocols. */
  readonly srcPort: number;
  /** The target port; type * 256 + code of an ICMP query; 0 for other protocols. */
  readonly dstPort: number;
}

const layout = struct([
  u32le("src"),
  u32le("dst"),
  u16le("srcPort"),
  u16le("dstPort"),
  u32le("protocol"),
]);
const joined = struct([u32le("src"), u32le("dst"), u32le("ports"), u32le("protocol")]);

/** Octets of two ports. */
const PORTS_LENGTH = 4;
/** Octets of a tuple in memory. */
export const TUPLE_LENGTH: number = layout.span;
/** A tuple in memory; `ports` are both ports as one word. */
export const TUPLE = Object.freeze({ ...fieldsOf(layout), ports: fieldsOf(joined).ports });

/** The type of the message that answers an ICMP query of `type`, and the reverse; -1 for none. */
export function invertIcmpType(type: number): number {
  if (type === IcmpType.Echo) return IcmpType.EchoReply;
  if (type === IcmpType.EchoReply) return IcmpType.Echo;
  if (type < IcmpType.Timestamp || type > IcmpType.AddressMaskReply) return -1;
  return type % 2 === 1 ? type + 1 : type - 1;
}

/** True for the ICMP types that open a connection. */
export const isIcmpQuery = (type: number): boolean =>
  type === IcmpType.Echo ||
  type === IcmpType.Timestamp ||
  type === IcmpType.Information ||
  type === IcmpType.AddressMask;

/**
 * Read the tuple of the packet whose IPv4 header lies at `network`, into `target` at `to`.
 * @param end one past the last octet; the header itself may reach beyond it in a quotation.
 * @param portOctets octets of a TCP or UDP header that must be there to believe its ports.
 * @param trackers protocols that have ports or keys beside TCP, UDP and ICMP.
 * @returns false if the header is cut off, or the packet is a later fragment.
 */
export function readTuple(
  view: DataView,
  network: number,
  end: number,
  target: DataView,
  to: number,
  portOctets: number,
  trackers: ReadonlySet<number>,
): boolean {
  if (end - network < IPV4_MIN_LENGTH) return false;
  if (IPV4.fragmentOffset.get(view, network) !== 0) return false;
  const at = network + headerLengthOf(view, network);
  if (at > end) return false;
  const protocol = IPV4.protocol.get(view, network);
  TUPLE.src.set(target, to, IPV4.src.get(view, network));
  TUPLE.dst.set(target, to, IPV4.dst.get(view, network));
  TUPLE.protocol.set(target, to, protocol);
  if (protocol === Protocol.Tcp || protocol === Protocol.Udp) {
    if (end - at < portOctets) return false;
    // The ports of TCP and UDP lie in the same place.
    TUPLE.srcPort.set(target, to, UDP.srcPort.get(view, at));
    TUPLE.dstPort.set(target, to, UDP.dstPort.get(view, at));
  } else if (protocol === Protocol.Icmp) {
    if (end - at < ICMP_LENGTH) return false;
    TUPLE.srcPort.set(target, to, ICMP.id.get(view, at));
    TUPLE.dstPort.set(target, to, ICMP.type.get(view, at) * 256 + ICMP.code.get(view, at));
  } else {
    TUPLE.ports.set(target, to, 0);
    if (trackers.has(protocol)) return readKin(view, at, end, protocol, target, to);
  }
  return true;
}

/** As {@link readTuple}, for the ports of UDP-Lite and SCTP and the call of GRE. */
function readKin(
  view: DataView,
  at: number,
  end: number,
  protocol: number,
  target: DataView,
  to: number,
): boolean {
  if (protocol === Protocol.Gre) {
    if (hasCall(view, at, end)) TUPLE.dstPort.set(target, to, GRE.callId.get(view, at));
    return checkGre(view, at, end) === null;
  }
  if (end - at < PORTS_LENGTH) return false;
  TUPLE.srcPort.set(target, to, UDP.srcPort.get(view, at));
  TUPLE.dstPort.set(target, to, UDP.dstPort.get(view, at));
  return true;
}

/**
 * Write the tuple of the answers to the tuple at `from`, at `to`; the two may be one place.
 * @returns false for an ICMP type that has no answer; then nothing is written.
 */
export function invertTuple(view: DataView, from: number, to: number): boolean {
  const protocol = TUPLE.protocol.get(view, from);
  let srcPort = TUPLE.dstPort.get(view, from);
  let dstPort = TUPLE.srcPort.get(view, from);
  if (protocol === Protocol.Icmp) {
    const type = invertIcmpType(srcPort >>> 8);
    if (type < 0) return false;
    const code = srcPort & 255;
    srcPort = dstPort;
    dstPort = type * 256 + code;
  }
  const src = TUPLE.src.get(view, from);
  TUPLE.src.set(view, to, TUPLE.dst.get(view, from));
  TUPLE.dst.set(view, to, src);
  TUPLE.srcPort.set(view, to, srcPort);
  TUPLE.dstPort.set(view, to, dstPort);
  TUPLE.protocol.set(view, to, protocol);
  return true;
}

/** Copy the tuple at `from` to `to`. */
export function copyTuple(view: DataView, from: number, to: number): void {
  TUPLE.src.set(view, to, TUPLE.src.get(view, from));
  TUPLE.dst.set(view, to, TUPLE.dst.get(view, from));
  TUPLE.ports.set(view, to, TUPLE.ports.get(view, from));
  TUPLE.protocol.set(view, to, TUPLE.protocol.get(view, from));
}

/** True if the tuples at `left` and `right` are the same. */
export function isSameTuple(view: DataView, left: number, right: number): boolean {
  return (
    TUPLE.src.get(view, left) === TUPLE.src.get(view, right) &&
    TUPLE.dst.get(view, left) === TUPLE.dst.get(view, right) &&
    TUPLE.ports.get(view, left) === TUPLE.ports.get(view, right) &&
    TUPLE.protocol.get(view, left) === TUPLE.protocol.get(view, right)
  );
}

/** The tuple at `at` as an object. Allocates. */
export function tupleAt(view: DataView, at: number): Tuple {
  return {
    protocol: TUPLE.protocol.get(view, at),
    src: ipv4Of(TUPLE.src.get(view, at)),
    dst: ipv4Of(TUPLE.dst.get(view, at)),
    srcPort: TUPLE.srcPort.get(view, at),
    dstPort: TUPLE.dstPort.get(view, at),
  };
}

/** Write `tuple` at `at`. */
export function writeTuple(tuple: Tuple, view: DataView, at: number): void {
  TUPLE.protocol.set(view, at, tuple.protocol);
  TUPLE.src.set(view, at, tuple.src);
  TUPLE.dst.set(view, at, tuple.dst);
  TUPLE.srcPort.set(view, at, tuple.srcPort);
  TUPLE.dstPort.set(view, at, tuple.dstPort);
}
