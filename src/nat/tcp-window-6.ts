/**
 * The windows of TCP tracking in a current Linux (`tcp_in_window` of 6.x).
 * @module
 */
import { TcpFlag } from "../l4/tcp.ts";
import type { InvalidCause } from "./outcome.ts";
import {
  CONNECTION,
  isAfter,
  isBefore,
  isSame,
  SIDE,
  SideFlag,
  type TcpFlow,
  TcpKind,
  type TcpSegment,
  type TcpSettings,
  TcpState,
} from "./tcp-record.ts";

/** The segment is inside; it is let through without being believed; it is invalid. */
export const WindowJudgement = { Inside: 0, Ignore: 1, Invalid: 2 } as const;
export type WindowJudgement = (typeof WindowJudgement)[keyof typeof WindowJudgement];

/** Octets behind what was sent in which an acknowledgement is believed, at least. */
const MIN_ACK_WINDOW = 66_000;

/** Judge the segment by both windows, and learn from it if it is inside. */
export function judgeWindow(
  flow: TcpFlow,
  segment: TcpSegment,
  settings: TcpSettings,
): WindowJudgement {
  const { view, sender, receiver } = flow;
  const isSackPermitted = (SIDE.flags.get(view, receiver) & SideFlag.SackPermitted) !== 0;
  let { seq, end, ack } = segment;
  let sack = isSackPermitted ? segment.highestSack() : ack;
  const state = CONNECTION.state.get(view, flow.at);
  if (meet(flow, segment, state, sack)) return WindowJudgement.Inside;
  const isReset = segment.kind === TcpKind.Rst;
  if (!segment.has(TcpFlag.Ack) || (isReset && ack === 0)) {
    ack = SIDE.end.get(view, receiver) | 0;
    sack = ack;
  }
  if (isReset && seq === 0 && state === TcpState.SynSent) {
    seq = SIDE.end.get(view, sender) | 0;
    end = seq;
  }
  const judgement = compare(flow, seq, end, sack);
  if (judgement !== WindowJudgement.Inside) {
    const isLiberal = (SIDE.flags.get(view, sender) & SideFlag.Liberal) !== 0;
    return isLiberal || settings.isLiberal ? WindowJudgement.Inside : judgement;
  }
  learn(flow, segment, seq, end, ack, sack);
  return WindowJudgement.Inside;
}

/**
 * A first segment of its sender, or a SYN that says other numbers than the last one.
 * @returns true for the second SYN of a simultaneous open, which needs no more judging.
 */
function meet(flow: TcpFlow, segment: TcpSegment, state: number, sack: number): boolean {
  const { view, sender, receiver, direction } = flow;
  const isSyn = segment.has(TcpFlag.Syn);
  if (SIDE.maxWindow.get(view, sender) !== 0) {
    const isRepeated =
      isSyn &&
      isAfter(segment.end, SIDE.end.get(view, sender)) &&
      (state === TcpState.SynSent || state === TcpState.SynReceived);
    if (!isRepeated) return false;
    begin(flow, segment);
    return direction === 1 && !segment.has(TcpFlag.Ack);
  }
  if (isSyn) {
    begin(flow, segment);
    return !segment.has(TcpFlag.Ack);
  }
  const window = Math.max(segment.window * 2 ** SIDE.shift.get(view, sender), 1);
  SIDE.end.set(view, sender, segment.end);
  SIDE.maxWindow.set(view, sender, window);
  SIDE.maxEnd.set(view, sender, segment.end + window);
  // Likely the answer to a keep-alive.
  if (isSame(sack, SIDE.end.get(view, receiver) + 1)) SIDE.end.set(view, receiver, sack);
  return false;
}

/** `tcp_init_sender`. */
function begin(flow: TcpFlow, segment: TcpSegment): void {
  const { view, sender, receiver, direction } = flow;
  SIDE.end.set(view, sender, segment.end);
  SIDE.maxEnd.set(view, sender, segment.end);
  SIDE.maxWindow.set(view, sender, Math.max(segment.window, 1));
  readOptions(flow, segment);
  const both = SIDE.flags.get(view, sender) & SIDE.flags.get(view, receiver);
  if (direction === 1 && (both & SideFlag.WindowScale) === 0) {
    SIDE.shift.set(view, sender, 0);
    SIDE.shift.set(view, receiver, 0);
  }
}

/** Take the options of a SYN for what its sender can do; without options all stays as it was. */
export function readOptions({ view, sender }: TcpFlow, segment: TcpSegment): void {
  if (!segment.hasOptions) return;
  const kept = SIDE.flags.get(view, sender) & SideFlag.Liberal;
  SIDE.flags.set(view, sender, kept | segment.optionFlags());
  SIDE.shift.set(view, sender, segment.windowShift());
}

function compare(flow: TcpFlow, seq: number, end: number, sack: number): WindowJudgement {
  const { view, sender, receiver } = flow;
  const sent = SIDE.end.get(view, sender);
  const maxEnd = SIDE.maxEnd.get(view, sender);
  const received = SIDE.end.get(view, receiver);
  const window = SIDE.maxWindow.get(view, receiver);
  const ackWindow = Math.max(SIDE.maxWindow.get(view, sender), MIN_ACK_WINDOW);
  const isAboveLower = isAfter(end, sent - window - 1);
  const isAckAboveLower = isAfter(sack, received - ackWindow - 1);
  const isAckBelowUpper = isBefore(sack, received + 1);
  if (!isBefore(seq, maxEnd + 1)) {
    const overshot = (end - maxEnd + 1) >>> 0;
    const isSmall = window !== 0 && isAboveLower && overshot <= window;
    if (!isSmall || !isAckAboveLower || !isAckBelowUpper) {
      return refuse(flow, "tcp/above-window", WindowJudgement.Invalid);
    }
    // Some send more than the window lets them: what they send may be acknowledged later.
    SIDE.end.set(view, sender, end);
    flow.raise(sender, SideFlag.Unacknowledged);
    return refuse(flow, "tcp/above-window", WindowJudgement.Ignore);
  }
  if (!isAckBelowUpper) return refuse(flow, "tcp/ack-above-sent", WindowJudgement.Invalid);
  if (window !== 0 && !isAboveLower) {
    return refuse(flow, "tcp/below-window", WindowJudgement.Ignore);
  }
  if (isAckAboveLower) return WindowJudgement.Inside;
  return refuse(flow, "tcp/ack-below-window", WindowJudgement.Ignore);
}

function refuse(flow: TcpFlow, cause: InvalidCause, judgement: WindowJudgement): WindowJudgement {
  flow.cause = cause;
  return judgement;
}

function learn(
  flow: TcpFlow,
  segment: TcpSegment,
  seq: number,
  end: number,
  ack: number,
  sack: number,
): void {
  const { view, sender, receiver } = flow;
  const shift = segment.has(TcpFlag.Syn) ? 0 : SIDE.shift.get(view, sender);
  const window = segment.window * 2 ** shift;
  const reach = (window + ((sack - ack) | 0)) >>> 0;
  if (SIDE.maxWindow.get(view, sender) < reach) SIDE.maxWindow.set(view, sender, reach);
  if (isAfter(end, SIDE.end.get(view, sender))) {
    SIDE.end.set(view, sender, end);
    flow.raise(sender, SideFlag.Unacknowledged);
  }
  if (segment.has(TcpFlag.Ack)) {
    const isKnown = (SIDE.flags.get(view, sender) & SideFlag.MaxAckSet) !== 0;
    if (!isKnown || isAfter(ack, SIDE.maxAck.get(view, sender))) {
      SIDE.maxAck.set(view, sender, ack);
      flow.raise(sender, SideFlag.MaxAckSet);
    }
  }
  const maxWindow = SIDE.maxWindow.get(view, receiver);
  const maxEnd = SIDE.maxEnd.get(view, sender);
  if (maxWindow !== 0 && isAfter(end, maxEnd)) {
    SIDE.maxWindow.set(view, receiver, maxWindow + ((end - maxEnd) | 0));
  }
  if (isAfter(sack + window, SIDE.maxEnd.get(view, receiver) - 1)) {
    SIDE.maxEnd.set(view, receiver, sack + Math.max(window, 1));
  }
  if (isSame(ack, SIDE.end.get(view, receiver))) flow.lower(receiver, SideFlag.Unacknowledged);
  if (segment.kind === TcpKind.Ack) countRepeat(flow, segment.window, seq, ack, end);
}

function countRepeat(
  { view, at, direction }: TcpFlow,
  window: number,
  seq: number,
  ack: number,
  end: number,
): void {
  const isRepeated =
    CONNECTION.lastDirection.get(view, at) === direction &&
    isSame(CONNECTION.lastSeq.get(view, at), seq) &&
    isSame(CONNECTION.lastAck.get(view, at), ack) &&
    isSame(CONNECTION.lastEnd.get(view, at), end) &&
    CONNECTION.lastWindow.get(view, at) === window;
  if (isRepeated) {
    CONNECTION.repeats.set(view, at, (CONNECTION.repeats.get(view, at) + 1) & 255);
    return;
  }
  CONNECTION.lastDirection.set(view, at, direction);
  CONNECTION.lastSeq.set(view, at, seq);
  CONNECTION.lastAck.set(view, at, ack);
  CONNECTION.lastEnd.set(view, at, end);
  CONNECTION.lastWindow.set(view, at, window);
  CONNECTION.repeats.set(view, at, 0);
}
