/**
 * What a capture file holds, whichever its format: interfaces and records.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr, Mac, Prefix } from "../wire/addr.ts";

/** LINKTYPE_ETHERNET: frames from the destination address on, without preamble. */
export const LINKTYPE_ETHERNET = 1;

/** The low two bits of `epb_flags`. */
export const FrameDirection = { Unknown: 0, Inbound: 1, Outbound: 2 } as const;
/** Bits 2 to 4 of `epb_flags`, in place: how an inbound frame was addressed. */
export const Reception = {
  Unspecified: 0,
  Unicast: 1 << 2,
  Multicast: 2 << 2,
  Broadcast: 3 << 2,
  /** To the unicast address of somebody else. */
  Promiscuous: 4 << 2,
} as const;

/** What Linux's traffic control would say of a frame (include/uapi/linux/pkt_cls.h). */
export const TcAction = { Ok: 0n, Shot: 2n } as const;

/** epb_verdict: what was done with the frame, in the words of whoever judged. */
export type Verdict =
  | { readonly judge: "hardware"; readonly octets: Uint8Array }
  /** `action` is TC_ACT_* for `tc`, xdp_action for `xdp`; 64 bits, unsigned. */
  | { readonly judge: "tc" | "xdp"; readonly action: bigint };

/** Counts of one interface over the whole capture; `null` where nobody counted. */
export interface InterfaceStatistics {
  /** In units of the interface's clock, as {@link CaptureRecord.ticks}. */
  readonly startTicks: bigint | null;
  readonly endTicks: bigint | null;
  /** Frames that the interface saw. */
  readonly received: bigint | null;
  /** Frames that the interface lost for lack of resources. */
  readonly dropped: bigint | null;
  /** Frames that passed the capture filter. */
  readonly accepted: bigint | null;
  /** Frames that the system lost on their way to the capture. */
  readonly droppedBySystem: bigint | null;
  /** Frames that reached the capture. */
  readonly delivered: bigint | null;
}

/** Where frames were captured. */
export interface CaptureInterface {
  /** Section of the file, from 0. */
  readonly section: number;
  /** Number within the section, from 0. */
  readonly id: number;
  readonly name: string | null;
  readonly description: string | null;
  readonly mac: Mac | null;
  readonly addresses: readonly Prefix[];
  /** As registered at tcpdump.org; {@link LINKTYPE_ETHERNET}. */
  readonly linkType: number;
  /** Longest stored frame in octets; 0 for no bound. */
  readonly snapLength: number;
  /** Units of the interface's clock in a second: a power of ten or of two. */
  readonly ticksPerSecond: bigint;
  /** What was added to each stored time. */
  readonly offsetSeconds: bigint;
  /** Of the last statistics block so far; `null` for none. */
  readonly statistics: InterfaceStatistics | null;
}

/** One captured frame. */
export interface CaptureRecord {
  readonly interface: CaptureInterface;
  /** Since 1970-01-01T00:00:00Z in units of the interface's clock, exact; `null` if not stored. */
  readonly ticks: bigint | null;
  /** What was stored: a window on the file, or on a reader's buffer until its callback returns. */
  readonly octets: Uint8Array;
  /** Octets that the frame had on the wire. */
  readonly originalLength: number;
  /** `epb_flags`; 0 if absent. */
  readonly flags: number;
  readonly direction: "inbound" | "outbound" | null;
  /** The same on every interface that the packet crossed; 64 bits. */
  readonly packetId: bigint | null;
  readonly verdict: Verdict | null;
  /** Several comments are joined by line feeds. */
  readonly comment: string | null;
}

/** Names of addresses that a capture brings along. */
export type CaptureNames = ReadonlyMap<Ipv4Addr, ReadonlySet<string>>;

/** Nanoseconds since 1970, rounded down; `null` if the record has no time. */
export function nanosecondsOf(record: CaptureRecord): bigint | null {
  const { ticks, interface: at } = record;
  return ticks === null ? null : floorDivide(ticks * 1_000_000_000n, at.ticksPerSecond);
}

/**
 * Microseconds from `baseNs` (nanoseconds since 1970) to the record, rounded down: the instant of a
 * run that starts there.
 * @returns `null` if the record has no time, or lies before `baseNs` or 2^53 microseconds after it.
 */
export function instantOf(record: CaptureRecord, baseNs: bigint): Instant | null {
  const nanoseconds = nanosecondsOf(record);
  if (nanoseconds === null) return null;
  const instant = floorDivide(nanoseconds - baseNs, 1000n);
  return instant < 0n || instant > Number.MAX_SAFE_INTEGER ? null : Number(instant);
}

/** The direction in `epb_flags`; both bits set mean nothing. */
export function directionOf(flags: number): CaptureRecord["direction"] {
  const direction = flags & 3;
  if (direction === FrameDirection.Inbound) return "inbound";
  return direction === FrameDirection.Outbound ? "outbound" : null;
}

/** `divisor` is positive. */
function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient;
}
