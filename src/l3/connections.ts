/**
 * What rules ask of connection tracking besides a packet's state (Linux `struct nf_conn`).
 * Rules live in `filter`, connections in `nat`; both know this.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";

/** Bits of what has happened to a connection (Linux `enum ip_conntrack_status`). */
export const ConnectionStatus = {
  Expected: 1,
  SeenReply: 2,
  Assured: 4,
  Confirmed: 8,
  SourceMapped: 16,
  DestinationMapped: 32,
} as const;

/** One direction of a connection: addresses of 32 bits; ports, or what an ICMP query has there. */
export interface ConnectionWay {
  source: number;
  destination: number;
  /** The id of an ICMP query. */
  sourcePort: number;
  /** Type * 256 + code of an ICMP query. */
  destinationPort: number;
}

const newWay = (): ConnectionWay => ({
  source: 0,
  destination: 0,
  sourcePort: 0,
  destinationPort: 0,
});

/** Room for what is known of a connection. Who asks for each packet keeps one, filled anew. */
export class ConnectionFacts {
  protocol = 0;
  /** {@link ConnectionStatus} bits; more may be set. */
  status = 0;
  /** Whole seconds until it is forgotten; 0 before its first packet has left. */
  secondsLeft = 0;
  readonly original: ConnectionWay = newWay();
  readonly reply: ConnectionWay = newWay();
}

/** The connections of a host, by the packets that belong to them. */
export interface Connections {
  /** Most connections at a time. */
  readonly limit: number;
  /** Fill `facts`. @returns false if `packet` belongs to no connection; nothing is then filled. */
  read(packet: Packet, now: Instant, facts: ConnectionFacts): boolean;
  /** @returns the mark of the packet's connection, unsigned 32 bits; -1 if it belongs to none. */
  markOf(packet: Packet): number;
  /** Set the mark of the packet's connection, if it belongs to one. */
  setMark(packet: Packet, mark: number): void;
  /**
   * True while the connection of `Packet.flow` is known, confirmed and not closed: TCP closes
   * with TIME_WAIT (`already_closed` of nf_conncount.c).
   */
  isOpen(flow: number, now: Instant): boolean;
}
