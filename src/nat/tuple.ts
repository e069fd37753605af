/**
 * Tuples: what tells connections apart (Linux `struct nf_conntrack_tuple`).
 * @module
 */
import { type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import { fieldsOf } from "../wire/field.ts";
import {
  IS_LITTLE_ENDIAN as ImportedIS_LITTLE_ENDIAN,
  struct,
  u16own,
  u32own,
} from "../wire/layout.ts";
import { ICMP, ICMP_LENGTH, IcmpType } from "../l3/icmp.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol as ImportedProtocol } from "../l3/ipv4.ts";
import { GRE, hasCall, checkGre } from "../l4/gre.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const IS_LITTLE_ENDIAN = ImportedIS_LITTLE_ENDIAN;
const Protocol = ImportedProtocol;
// Read of every packet that opens a connection: as fields they would cost a call each.
const PROTOCOL = IPV4.protocol.offset;
const SOURCE = IPV4.src.offset;
const DESTINATION = IPV4.dst.offset;

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
  u32own("src"),
  u32own("dst"),
  u16own("srcPort"),
  u16own("dstPort"),
  u32own("protocol"),
]);

/** Octets of two ports. */
const PORTS_LENGTH = 4;
/** Octets of a tuple in memory. */
export const TUPLE_LENGTH: number = layout.span;
/** A tuple in memory. */
export const TUPLE = fieldsOf(layout);
/** Words of a tuple; `Ports` are both. */
export const TupleWord = { Src: 0, Dst: 1, Ports: 2, Protocol: 3 } as const;
const { Src: SRC, Dst: DST, Ports: PORTS, Protocol: PROTO } = TupleWord;

/** Both ports as a word of a tuple. */
const portsOf = (srcPort: number, dstPort: number): number =>
  IS_LITTLE_ENDIAN ? srcPort | (dstPort << 16) : dstPort | (srcPort << 16);
/** The source port of a tuple's word of both. */
export const srcPortOf = (ports: number): number =>
  (IS_LITTLE_ENDIAN ? ports : ports >>> 16) & 0xffff;
/** The target port of the same. */
export const dstPortOf = (ports: number): number => srcPortOf(turn(ports));
/** Change the halves of a word: a tuple's word of both ports becomes that of the answers. */
export const turn = (word: number): number => (word >>> 16) | (word << 16);

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
  target: Int32Array,
  to: number,
  portOctets: number,
  trackers: ReadonlySet<number>,
): boolean {
  if (end - network < IPV4_MIN_LENGTH) return false;
  if (IPV4.fragmentOffset.get(view, network) !== 0) return false;
  const at = network + headerLengthOf(view, network);
  if (at > end) return false;
  const protocol = view.getUint8(network + PROTOCOL);
  const word = to >> 2;
  target[word + SRC] = view.getInt32(network + SOURCE);
  target[word + DST] = view.getInt32(network + DESTINATION);
  target[word + PROTO] = protocol;
  if (protocol === Protocol.Tcp || protocol === Protocol.Udp) {
    if (end - at < portOctets) return false;
    // The ports of TCP and UDP lie in the same place.
    target[word + PORTS] = portsAt(view, at);
  } else if (protocol === Protocol.Icmp) {
    if (end - at < ICMP_LENGTH) return false;
    const kind = ICMP.type.get(view, at) * 256 + ICMP.code.get(view, at);
    target[word + PORTS] = portsOf(ICMP.id.get(view, at), kind);
  } else {
    target[word + PORTS] = 0;
    if (trackers.has(protocol)) return readKin(view, at, end, protocol, target, word);
  }
  return true;
}

/** A tuple's word of both ports, of a header that begins with them. */
export const portsAt = (view: DataView, at: number): number => {
  const ports = view.getInt32(at);
  return IS_LITTLE_ENDIAN ? turn(ports) : ports;
};

/** As {@link readTuple}, for the ports of UDP-Lite and SCTP and the call of GRE. */
function readKin(
  view: DataView,
  at: number,
  end: number,
  protocol: number,
  target: Int32Array,
  word: number,
): boolean {
  if (protocol === Protocol.Gre) {
    if (hasCall(view, at, end)) target[word + PORTS] = portsOf(0, GRE.callId.get(view, at));
    return checkGre(view, at, end) === null;
  }
  if (end - at < PORTS_LENGTH) return false;
  target[word + PORTS] = portsAt(view, at);
  return true;
}

/**
 * Write the tuple of the answers to the tuple at `from`, at `to`; the two may be one place.
 * @returns false for an ICMP type that has no answer; then nothing is written.
 */
export function invertTuple(words: Int32Array, from: number, to: number): boolean {
  const at = from >> 2;
  const protocol = words[at + PROTO] ?? 0;
  let ports = turn(words[at + PORTS] ?? 0);
  if (protocol === Protocol.Icmp) {
    // The id stays; the kind lies on the source's side now.
    const kind = srcPortOf(ports);
    const type = invertIcmpType(kind >>> 8);
    if (type < 0) return false;
    ports = portsOf(dstPortOf(ports), type * 256 + (kind & 255));
  }
  const src = words[at + SRC] ?? 0;
  const dst = words[at + DST] ?? 0;
  const there = to >> 2;
  words[there + SRC] = dst;
  words[there + DST] = src;
  words[there + PORTS] = ports;
  words[there + PROTO] = protocol;
  return true;
}

/** Write a tuple at `to` by its words. */
export function setTuple(
  words: Int32Array,
  to: number,
  src: number,
  dst: number,
  ports: number,
  protocol: number,
): void {
  const at = to >> 2;
  words[at + SRC] = src;
  words[at + DST] = dst;
  words[at + PORTS] = ports;
  words[at + PROTO] = protocol;
}

/** Copy the tuple at `from` to `to`. */
export function copyTuple(words: Int32Array, from: number, to: number): void {
  const at = from >> 2;
  const there = to >> 2;
  words[there + SRC] = words[at + SRC] ?? 0;
  words[there + DST] = words[at + DST] ?? 0;
  words[there + PORTS] = words[at + PORTS] ?? 0;
  words[there + PROTO] = words[at + PROTO] ?? 0;
}

/** True if the tuples at `left` and `right` are the same. */
export function isSameTuple(words: Int32Array, left: number, right: number): boolean {
  const at = left >> 2;
  const there = right >> 2;
  return (
    words[at + SRC] === words[there + SRC] &&
    words[at + DST] === words[there + DST] &&
    words[at + PORTS] === words[there + PORTS] &&
    words[at + PROTO] === words[there + PROTO]
  );
}

/** True if the tuples at `left` and `right` have one protocol, source and source port. */
export function hasSameSource(words: Int32Array, left: number, right: number): boolean {
  const at = left >> 2;
  const there = right >> 2;
  return (
    words[at + SRC] === words[there + SRC] &&
    srcPortOf(words[at + PORTS] ?? 0) === srcPortOf(words[there + PORTS] ?? 0) &&
    words[at + PROTO] === words[there + PROTO]
  );
}

/** The tuple at `at` as an object. Allocates. */
export function tupleAt(words: Int32Array, at: number): Tuple {
  const word = at >> 2;
  const ports = words[word + PORTS] ?? 0;
  return {
    protocol: words[word + PROTO] ?? 0,
    src: ipv4Of(words[word + SRC] ?? 0),
    dst: ipv4Of(words[word + DST] ?? 0),
    srcPort: srcPortOf(ports),
    dstPort: dstPortOf(ports),
  };
}

/** Write `tuple` at `at`. */
export function writeTuple(tuple: Tuple, words: Int32Array, at: number): void {
  const word = at >> 2;
  words[word + PROTO] = tuple.protocol;
  words[word + SRC] = tuple.src;
  words[word + DST] = tuple.dst;
  words[word + PORTS] = portsOf(tuple.srcPort, tuple.dstPort);
}
