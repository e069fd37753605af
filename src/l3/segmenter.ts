/**
 * Large segments: what a sender leaves to the last stack before the wire to cut up (Linux's generic
 * segmentation offload).
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";

/** Takes each piece in turn, and owns it. */
export type SegmentSink = (piece: Packet, now: Instant) => void;

/** Cuts packets that are marked by `segmentSize`; a transport protocol's own work. */
export interface Segmenter {
  /** Octets of the largest packet that comes of `packet`, or of itself if it cannot be cut. */
  longest(packet: Packet): number;
  /**
   * Cut `packet` up, its positions set, and hand the pieces to `sink`; ends `packet`. A full pool
   * loses the rest.
   */
  cut(packet: Packet, sink: SegmentSink, now: Instant): void;
}
