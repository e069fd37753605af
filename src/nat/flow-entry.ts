/**
 * Entries for people: as objects, and as the lines of `conntrack -L` (libnetfilter_conntrack) and
 * /proc/net/ip_conntrack.
 * @module
 */
import { type Duration, SECOND } from "../base/time.ts";
import { formatIpv4 } from "../wire/addr.ts";
import { Protocol } from "../l3/ipv4.ts";
import type { TcpStateName } from "./tcp-record.ts";
import type { Tuple } from "./tuple.ts";

/** What passed in one direction of a connection. */
export interface FlowTally {
  readonly packets: number;
  /** Of IP, headers included. */
  readonly octets: number;
}

/** An entry of the connection table, as it was when it was asked for. */
export interface FlowEntry {
  /** What its packets carry in `Packet.flow`. */
  readonly handle: number;
  readonly original: Tuple;
  readonly reply: Tuple;
  /** `null` for other protocols than TCP. */
  readonly tcpState: TcpStateName | null;
  /** Time to live without another packet. */
  readonly timeout: Duration;
  readonly hasReply: boolean;
  readonly isAssured: boolean;
  /** True if the source of its first packet is translated. */
  readonly isSourceMapped: boolean;
  /** True if the destination of its first packet is translated. */
  readonly isDestinationMapped: boolean;
  /** `null` where traffic is not counted. */
  readonly originalTally: FlowTally | null;
  readonly replyTally: FlowTally | null;
  /** What `CONNMARK` wrote: unsigned 32 bits. */
  readonly mark: number;
}

const PROTOCOL_NAMES = new Map<number, string>([
  [Protocol.Icmp, "icmp"],
  [Protocol.Tcp, "tcp"],
  [Protocol.Udp, "udp"],
  [Protocol.Dccp, "dccp"],
  [Protocol.Gre, "gre"],
  [Protocol.Sctp, "sctp"],
  [Protocol.UdpLite, "udplite"],
]);

/** The entry as one line of `conntrack -L`, without its end. */
export function formatFlow(entry: FlowEntry): string {
  const { original, reply, tcpState } = entry;
  const name = PROTOCOL_NAMES.get(original.protocol) ?? "unknown";
  return [
    `${name.padEnd(8)} ${original.protocol} ${Math.floor(entry.timeout / SECOND)}`,
    ...(tcpState === null ? [] : [tcpState]),
    formatTuple(original),
    ...formatTally(entry.originalTally),
    ...(entry.hasReply ? [] : ["[UNREPLIED]"]),
    formatTuple(reply),
    ...formatTally(entry.replyTally),
    ...(entry.isAssured ? ["[ASSURED]"] : []),
    `mark=${entry.mark} use=1`,
  ].join(" ");
}

/** A tuple as `conntrack` prints it: "src=10.0.0.1 dst=10.0.0.2 sport=1024 dport=53". */
export function formatTuple({ protocol, src, dst, srcPort, dstPort }: Tuple): string {
  const addresses = `src=${formatIpv4(src)} dst=${formatIpv4(dst)}`;
  switch (protocol) {
    case Protocol.Tcp:
    case Protocol.Udp:
    case Protocol.Dccp:
    case Protocol.Sctp:
    case Protocol.UdpLite:
      return `${addresses} sport=${srcPort} dport=${dstPort}`;
    case Protocol.Icmp:
      return `${addresses} type=${dstPort >>> 8} code=${dstPort & 255} id=${srcPort}`;
    case Protocol.Gre:
      return `${addresses} srckey=0x${srcPort.toString(16)} dstkey=0x${dstPort.toString(16)}`;
    default:
      return addresses;
  }
}

function formatTally(tally: FlowTally | null): string[] {
  return tally === null ? [] : [`packets=${tally.packets} bytes=${tally.octets}`];
}
