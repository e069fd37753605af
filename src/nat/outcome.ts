/** What a protocol's tracker says of a packet. @module */
import type { IcmpDiscard } from "../l3/icmp.ts";
import type { GreDiscard } from "../l4/gre.ts";
import type { TcpDiscard } from "../l4/tcp.ts";
import type { UdpDiscard } from "../l4/udp.ts";
import type { UdpLiteDiscard } from "../l4/udp-lite.ts";

/** It belongs to its connection; it is invalid; it must go; look its connection up again. */
export const Outcome = { Accept: 0, Invalid: 1, Drop: 2, Repeat: 3 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Why a packet belongs to no connection: its state is invalid. */
export type InvalidCause =
  | "ipv4/fragment"
  | IcmpDiscard
  /** An error that quotes too little, or a later fragment. */
  | "icmp/quotation"
  /** An error about a packet of no connection. */
  | "icmp/unrelated"
  /** An error that goes to another host than the packet it is about came from. */
  | "icmp/target"
  /** An answer to nothing, or a type that asks nothing. */
  | "icmp/no-query"
  | UdpDiscard
  | UdpLiteDiscard
  | GreDiscard
  | TcpDiscard
  | "tcp/flags"
  /** Of no connection, and none can begin so. */
  | "tcp/no-connection"
  /** Impossible in the state that the connection is in. */
  | "tcp/state"
  /** Opens again what is not closed for sure. */
  | "tcp/reopen"
  /** A reset behind what was acknowledged. */
  | "tcp/reset"
  | "tcp/above-window"
  | "tcp/below-window"
  | "tcp/ack-above-sent"
  | "tcp/ack-below-window";
