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

/** What tells a connection from others: its protocol and its original direction. */
export interface ConnectionTuple extends ConnectionWay {
  protocol: number;
}

/** What there is of a tuple: nothing that is confirmed, or a connection, closed or not. */
export const Existence = { None: 0, Closed: 1, Open: 2 } as const;
export type Existence = (typeof Existence)[keyof typeof Existence];

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
   * As {@link read}, for a packet of no connection, too: its tuple is then the original way, the
   * status that of the connection that has this tuple in either direction, or 0, and the rest of
   * `facts` is not told.
   * @returns false if the packet has no tuple.
   */
  identify(packet: Packet, now: Instant, facts: ConnectionFacts): boolean;
  /** What is known of a tuple, whichever direction it is of; TCP closes with TIME_WAIT. */
  existence(tuple: Readonly<ConnectionTuple>, now: Instant): Existence;
}
