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
  /**
   * Do for `packet`, whose positions are set, what its whole way would: its checksums are judged
   * and the entry at `flow` lives on.
   * @param generation of the entry, and `status` its bits, when the way was noted.
   * @returns false if the packet must go its whole way; what it was found to be is then set in
   * its `flow` and `flowState`, or nothing was done.
   */
  follow(
    packet: Packet,
    flow: number,
    generation: number,
    status: number,
    isReply: boolean,
    now: Instant,
  ): boolean;
  /** True if the entry at `flow` is still that of `generation`, with these bits. */
  isCurrent(flow: number, generation: number, status: number): boolean;
}

/** Hears what becomes of a packet. */
export interface PathNotes {
  /** The packet was counted here. */
  count(counters: PassCounters): void;
  /** The packet belongs to this confirmed entry; see {@link FlowTracker.follow}. */
  track(
    tracker: FlowTracker,
    flow: number,
    generation: number,
    status: number,
    isReply: boolean,
  ): void;
  /** An address was changed; a UDP checksum that then becomes 0 is sent as `zeroUdpChecksum`. */
  translate(zeroUdpChecksum: number): void;
  /** Something looked at more than the flow, or did more than can be noted: ask each packet. */
  spoil(): void;
}
