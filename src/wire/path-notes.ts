/**
 * What is noted while the first packet of a flow goes its whole way, so that the next ones need not
 * be asked again. Whoever decides about packets tells it what it did.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { NatRange } from "./nat-range.ts";
import type { Packet } from "./packet.ts";

/**
 * Which ports of a packet, as bits. `Connection`: those that its connection began with, whatever
 * translation made of them since.
 */
export const PortBits = { None: 0, Source: 1, Destination: 2, Both: 3, Connection: 4 } as const;

/** Packets that passed a place, and their octets from the IP header on. */
export interface PassCounters {
  packets: number;
  octets: number;
}

/** What becomes of a packet that may open a connection. */
export const Opened = {
  /** It does not, or nobody can say: nothing was done, the packet must go its whole way. */
  No: 0,
  /** It does, and is changed as the connection demands. */
  Yes: 1,
  /** It would, but another connection has what this one was given: the packet must go. */
  Clash: 2,
} as const;
/** One of {@link Opened}. */
export type Opened = (typeof Opened)[keyof typeof Opened];

/** Address translation, which gives each new connection what the rules want. */
export interface FlowTranslator {
  /** Give the unconfirmed entry at `flow` both ranges, `null` for a null binding. */
  give(flow: number, destination: NatRange | null, source: NatRange | null): void;
  /** Change the first packet of `flow` as was given. */
  change(packet: Packet, flow: number): void;
}

/** What rules gave the first packet of a connection, and would give others alike. */
export interface Given {
  /** `null` if nothing is translated. */
  readonly translator: FlowTranslator | null;
  readonly destination: NatRange | null;
  readonly source: NatRange | null;
}

/** Connection tracking, which must hear of every packet. */
export interface FlowTracker {
  /** True if {@link follow} leaves no packet whose checksums it does not know to hold. */
  readonly judgesChecksums: boolean;
  /**
   * Do for `packet`, whose positions are set, what its whole way would: its checksums are judged
   * and the entry at `flow` lives on.
   * @param state of the entry when the way was noted, as {@link PathNotes.track} was told.
   * @param isJudged true if another tracker has just found the packet sound.
   * @returns false if the packet must go its whole way; what it was found to be is then set in
   * its `flow` and `flowState`, or nothing was done.
   */
  follow(
    packet: Packet,
    flow: number,
    state: number,
    isReply: boolean,
    isJudged: boolean,
    now: Instant,
  ): boolean;
  /**
   * As {@link follow}, for `packets` datagrams of UDP that were found sound, `octets` in all from
   * their IP headers on. @returns false if nothing was done, as when the first answer, which may
   * come while they leave, would change what becomes of the rest.
   */
  followAll(
    flow: number,
    state: number,
    isReply: boolean,
    packets: number,
    octets: number,
    now: Instant,
  ): boolean;
  /**
   * Do for `packet`, whose positions are set, what its whole way would if it opens a connection
   * that the rules give what is `given`.
   * @param isJudged as in {@link follow}.
   */
  open(packet: Packet, given: Given, isJudged: boolean, now: Instant): Opened;
  /** True if the entry at `flow` is still as it was in `state`. */
  isCurrent(flow: number, state: number): boolean;
  /**
   * Packets of the entries that `flows` says, 0 for none, from index `from` to before `to`, will be
   * followed soon.
   */
  expect(flows: Int32Array, from: number, to: number): void;
  /**
   * A packet with these words of its headers, as they lie there on a little-endian computer, will
   * open a connection soon that the rules give what is `given`. If it does not, no harm is done.
   */
  expectNew(
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    given: Given,
  ): void;
}

/** Hears what becomes of a packet. */
export interface PathNotes {
  /** The packet was counted here. */
  count(counters: PassCounters): void;
  /**
   * The packet belongs to this confirmed entry; see {@link FlowTracker.follow}.
   * @param state tells the entry from later ones at `flow`, and from itself once it has changed.
   */
  track(tracker: FlowTracker, flow: number, state: number, isReply: boolean): void;
  /** The packet opens a connection: an entry that is not confirmed yet. */
  open(tracker: FlowTracker): void;
  /** The rules of `translator` give one side of the connection that is opened this range. */
  give(translator: FlowTranslator, side: NatRange["side"], range: NatRange | null): void;
  /** Who decided about the packet asked whether its source port, `port`, is one of a range. */
  askSourcePort(port: number, lower: number, upper: number): void;
  /** As {@link askSourcePort}, of the destination port. */
  askDestinationPort(port: number, lower: number, upper: number): void;
  /** What opens the connection is not what the next packet like this one would meet. */
  spoilOpening(): void;
  /** An address was changed; a UDP checksum that then becomes 0 is sent as `zeroUdpChecksum`. */
  translate(zeroUdpChecksum: number): void;
  /** Something looked at more than the flow, or did more than can be noted: ask each packet. */
  spoil(): void;
}
