/**
 * What connection tracking keeps of a TCP connection, and reads of a segment.
 * @module
 */
import type { Duration } from "../base/time.ts";
import { fieldsOf } from "../wire/field.ts";
import { octets, struct, u32le } from "../wire/layout.ts";
import { TCP, TcpFlag, tcpHeaderLengthOf } from "../l4/tcp.ts";
import {
  nextTcpOption,
  sackBlockAt,
  sackBlocksOf,
  TCP_MAX_WINDOW_SHIFT,
  TCP_OPTION,
  TCP_OPTION_LENGTH,
  TCP_SACK_BLOCK,
  TCP_WINDOW_SCALE,
  TcpOptionKind,
} from "../l4/tcp-options.ts";
import type { InvalidCause, Outcome } from "./outcome.ts";
import { Status } from "./flow-record.ts";

const side = struct([
  u32le("end"),
  u32le("maxEnd"),
  u32le("maxWindow"),
  u32le("maxAck"),
  u32le("flags"),
  u32le("shift"),
  u32le("loose"),
  octets(4, "spare"),
]);
const record = struct([
  octets(side.span, "original"),
  octets(side.span, "reply"),
  u32le("state"),
  u32le("lastKind"),
  u32le("lastDirection"),
  u32le("lastSeq"),
  u32le("lastAck"),
  u32le("lastEnd"),
  u32le("lastWindow"),
  u32le("lastFlags"),
  u32le("lastShift"),
  u32le("repeats"),
  octets(24, "spare"),
]);

/**
 * One end as a sender: one past the last octet that it sent and that it may send, its largest
 * window in octets, its highest acknowledgement, {@link SideFlag}s, the shift of its windows, and
 * how many segments it may still send before its windows are believed.
 */
export const SIDE = fieldsOf(side);
/** The connection: its state, and what the last segment that mattered said. */
export const CONNECTION = fieldsOf(record);

/** States of a connection; 9 is LISTEN up to Linux 2.6.30, never entered, and SYN_SENT2 since. */
export const TcpState = {
  None: 0,
  SynSent: 1,
  SynReceived: 2,
  Established: 3,
  FinWait: 4,
  CloseWait: 5,
  LastAck: 6,
  TimeWait: 7,
  Close: 8,
  SynSent2: 9,
} as const;
/** What a table says of a segment that is no part of the connection. */
export const NO_STATE = 10;
/** What a table says of a segment to let pass without a change. */
export const IGNORE = 11;

/** Kinds of segment, by their flags. */
export const TcpKind = { Syn: 0, SynAck: 1, Fin: 2, Ack: 3, Rst: 4, None: 5 } as const;

/** Bits of {@link SIDE}'s flags and of the connection's `lastFlags` (`IP_CT_TCP_FLAG_*`). */
export const SideFlag = {
  WindowScale: 1,
  SackPermitted: 2,
  CloseInitiated: 4,
  Liberal: 8,
  Unacknowledged: 16,
  MaxAckSet: 32,
  ExpectsChallengeAck: 64,
  SimultaneousOpen: 128,
} as const;

/** States by number, as text has them. */
export const TCP_STATE_NAMES = [
  "NONE",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "FIN_WAIT",
  "CLOSE_WAIT",
  "LAST_ACK",
  "TIME_WAIT",
  "CLOSE",
  "SYN_SENT2",
] as const;
/** The name of a state. */
export type TcpStateName = (typeof TCP_STATE_NAMES)[number];

const CODES = ["NO", "SS", "SR", "ES", "FW", "CW", "LA", "TW", "CL", "S2", "IV", "IG"];

/**
 * A table of states: twelve rows for syn, syn-ack, fin, ack, rst and none in the original
 * direction, then in the reply direction; ten columns for the states as {@link TcpState} has them.
 */
export function tableOf(rows: readonly string[]): Uint8Array {
  return Uint8Array.from(rows.flatMap((row) => row.split(" ").map((code) => CODES.indexOf(code))));
}

/** What `table` says of a segment of `kind` in `direction`, 0 or 1, while `state` holds. */
export const nextState = (
  table: Uint8Array,
  direction: number,
  kind: number,
  state: number,
): number => table[(direction * 6 + kind) * 10 + state] ?? NO_STATE;

/** True if `left` comes before `right` in sequence space (RFC 9293 section 3.4). */
export const isBefore = (left: number, right: number): boolean => ((left - right) | 0) < 0;
/** True if `left` and `right` are one sequence number, signed or not. */
export const isSame = (left: number, right: number): boolean => ((left - right) | 0) === 0;
/** True if `left` comes after `right` in sequence space. */
export const isAfter = (left: number, right: number): boolean => ((right - left) | 0) < 0;

/** How long each state lasts. */
export interface TcpTimeouts {
  readonly synSent: Duration;
  readonly synReceived: Duration;
  readonly established: Duration;
  readonly finWait: Duration;
  readonly closeWait: Duration;
  readonly lastAck: Duration;
  readonly timeWait: Duration;
  readonly close: Duration;
  readonly synSent2: Duration;
  /** After too many repeated segments. */
  readonly repeated: Duration;
  /** While something sent is not acknowledged. */
  readonly unacknowledged: Duration;
}

/** What a tracker is told: the settings of `/proc/sys/net/netfilter/nf_conntrack_tcp_*`. */
export interface TcpSettings {
  /** Ticks by state. */
  readonly timeouts: readonly number[];
  /** Ticks. */
  readonly repeated: number;
  readonly unacknowledged: number;
  /** Ticks from which a mistrusted close shortens a connection's life. */
  readonly shortened: number;
  /** `tcp_max_retrans`. */
  readonly maxRepeats: number;
  /** `tcp_loose`: segments each way until a connection met midway is believed; 0 takes up none. */
  readonly loose: number;
  /** `tcp_be_liberal`. */
  readonly isLiberal: boolean;
  /** `tcp_ignore_invalid_rst`. */
  readonly ignoresInvalidReset: boolean;
}

/** How one kernel tracks TCP. */
export interface TcpTracking {
  /** True if no sender means harm by `flags`. */
  isSound(flags: number): boolean;
  /** A first segment. @returns false if no connection begins so. */
  open(flow: TcpFlow, segment: TcpSegment, settings: TcpSettings): boolean;
  /** A segment of a known connection, the first one included. Leaves its wishes in `flow`. */
  track(flow: TcpFlow, segment: TcpSegment, settings: TcpSettings): Outcome;
}

/**
 * What a tracker reads of a segment. One object serves all segments. Sequence numbers are signed
 * 32-bit integers here: an engine need not box them when they are handed on.
 */
export class TcpSegment {
  view: DataView;
  /** First octet of the header. */
  at = 0;
  kind = 0;
  flags = 0;
  seq = 0;
  ack = 0;
  /** One past the last sequence number that it fills. */
  end = 0;
  /** As it is on the wire. */
  window = 0;

  constructor(view: DataView) {
    this.view = view;
  }

  /** Read the checked segment in octets `[at, end)`. */
  read(view: DataView, at: number, end: number): void {
    this.view = view;
    this.at = at;
    this.flags = TCP.flags.get(view, at);
    this.kind = kindOf(this.flags);
    this.seq = TCP.seq.get(view, at) | 0;
    this.ack = TCP.ack.get(view, at) | 0;
    this.window = TCP.window.get(view, at);
    const length = end - at - tcpHeaderLengthOf(view, at);
    const phantoms = ((this.flags & TcpFlag.Syn) >> 1) + (this.flags & TcpFlag.Fin);
    this.end = (this.seq + length + phantoms) | 0;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** The right edge of the highest block that it acknowledges; at least `ack`. */
  highestSack(): number {
    const { view, at } = this;
    let highest = this.ack;
    for (let here = nextTcpOption(view, at); here >= 0; here = nextTcpOption(view, at, here)) {
      if (TCP_OPTION.kind.get(view, here) !== TcpOptionKind.Sack) continue;
      const blocks = sackBlocksOf(view, here);
      for (let block = 0; block < blocks; block += 1) {
        const right = TCP_SACK_BLOCK.right.get(view, sackBlockAt(here, block)) | 0;
        if (isAfter(right, highest)) highest = right;
      }
      if (blocks > 0) break;
    }
    return highest;
  }

  get hasOptions(): boolean {
    return TCP.dataOffset.get(this.view, this.at) > 5;
  }

  /** The {@link SideFlag}s that its options set. */
  optionFlags(): number {
    const { view, at } = this;
    let flags = 0;
    for (let here = nextTcpOption(view, at); here >= 0; here = nextTcpOption(view, at, here)) {
      const kind = TCP_OPTION.kind.get(view, here);
      const length = TCP_OPTION.length.get(view, here);
      if (kind === TcpOptionKind.SackPermitted && length === TCP_OPTION_LENGTH.sackPermitted) {
        flags |= SideFlag.SackPermitted;
      } else if (kind === TcpOptionKind.WindowScale && length === TCP_OPTION_LENGTH.windowScale) {
        flags |= SideFlag.WindowScale;
      }
    }
    return flags;
  }

  /** The shift that its options announce, at most 14; 0 without the option. */
  windowShift(): number {
    const { view, at } = this;
    let shift = 0;
    for (let here = nextTcpOption(view, at); here >= 0; here = nextTcpOption(view, at, here)) {
      if (TCP_OPTION.kind.get(view, here) !== TcpOptionKind.WindowScale) continue;
      if (TCP_OPTION.length.get(view, here) !== TCP_OPTION_LENGTH.windowScale) continue;
      shift = Math.min(TCP_WINDOW_SCALE.shift.get(view, here), TCP_MAX_WINDOW_SHIFT);
    }
    return shift;
  }
}

function kindOf(flags: number): number {
  if ((flags & TcpFlag.Rst) !== 0) return TcpKind.Rst;
  if ((flags & TcpFlag.Syn) !== 0) {
    return (flags & TcpFlag.Ack) !== 0 ? TcpKind.SynAck : TcpKind.Syn;
  }
  if ((flags & TcpFlag.Fin) !== 0) return TcpKind.Fin;
  return (flags & TcpFlag.Ack) !== 0 ? TcpKind.Ack : TcpKind.None;
}

/** The connection that a segment belongs to, while it is tracked. One object serves all. */
export class TcpFlow {
  view: DataView;
  /** The connection's record. */
  at = 0;
  /** 0 for the original direction, 1 for the reply. */
  direction = 0;
  /** The record of the end that sent the segment, and of the other one. */
  sender = 0;
  receiver = 0;
  /** The entry's status; a tracker may set bits. */
  status = 0;
  /** Ticks that the entry still had to live. */
  remaining = 0;
  /** Ticks that the entry shall live from now on; -1 to leave it as it is. */
  timeout = -1;
  /** True if the entry must go. */
  isKilled = false;
  /** Why the segment is invalid. */
  cause: InvalidCause = "tcp/state";

  constructor(view: DataView) {
    this.view = view;
  }

  /** Turn to the record at `at` for a segment in `direction`. */
  turnTo(view: DataView, at: number, direction: number, status: number, remaining: number): void {
    this.view = view;
    this.at = at;
    this.direction = direction;
    this.sender = at + direction * side.span;
    this.receiver = at + (1 - direction) * side.span;
    this.status = status;
    this.remaining = remaining;
    this.timeout = -1;
    this.isKilled = false;
  }

  has(bit: number): boolean {
    return (this.status & bit) !== 0;
  }

  /** True if both ends have spoken and the connection stands. */
  get isEstablished(): boolean {
    const state = CONNECTION.state.get(this.view, this.at);
    return state === TcpState.Established && this.has(Status.Assured);
  }

  /** The record of the end that sends in `direction`. */
  sideOf(direction: number): number {
    return this.at + direction * side.span;
  }

  /** Set a bit of a side's flags. */
  raise(at: number, flag: number): void {
    SIDE.flags.set(this.view, at, SIDE.flags.get(this.view, at) | flag);
  }

  /** Clear a bit of a side's flags. */
  lower(at: number, flag: number): void {
    SIDE.flags.set(this.view, at, SIDE.flags.get(this.view, at) & ~flag);
  }
}
