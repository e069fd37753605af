/**
 * What is noted while the first packet of a flow goes its whole way, so that the next ones need not
 * be asked again. Whoever decides about packets tells it what it did.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "./packet.ts";

/** Packets that passed a place, and their octets from the IP header on. */
export interface PassCounters {
  packets: number;
  octets: number;
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
  /** True if the entry at `flow` is still as it was in `state`. */
  isCurrent(flow: number, state: number): boolean;
  /** Packets of the entries at the first `count` of `flows`, 0 for none, will be followed soon. */
  expect(flows: Int32Array, count: number): void;
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
  /** An address was changed; a UDP checksum that then becomes 0 is sent as `zeroUdpChecksum`. */
  translate(zeroUdpChecksum: number): void;
  /** Something looked at more than the flow, or did more than can be noted: ask each packet. */
  spoil(): void;
}
