/**
 * TCP tracking of Linux 2.6.18 (ip_conntrack_proto_tcp.c): the states and the windows of Guido van
 * Rooij's "Real Stateful TCP Packet Filtering in IP Filter".
 * @module
 */
import { TcpFlag } from "../l4/tcp.ts";
import { Status } from "./flow-record.ts";
import { type InvalidCause, Outcome } from "./outcome.ts";
import {
  CONNECTION,
  IGNORE,
  isAfter,
  isBefore,
  isSame,
  nextState,
  NO_STATE,
  SIDE,
  SideFlag,
  tableOf,
  type TcpFlow,
  TcpKind,
  type TcpSegment,
  type TcpSettings,
  TcpState,
  type TcpTracking,
} from "./tcp-record.ts";

const STATES = tableOf([
  // NO SS SR ES FW CW LA TW CL LI, original direction
  "SS SS IG IG IG IG IG SS SS IV", // syn
  "IV IV IV IV IV IV IV IV IV IV", // syn, ack
  "IV IV FW FW LA LA LA TW CL IV", // fin
  "ES IV ES ES CW CW TW TW CL IV", // ack
  "IV CL CL CL CL CL CL CL CL IV", // rst
  "IV IV IV IV IV IV IV IV IV IV", // none
  // reply direction
  "IV IV IV IV IV IV IV IV IV IV",
  "IV SR SR IG IG IG IG IG IG IV",
  "IV IV FW FW LA LA LA TW CL IV",
  "IV IG SR ES CW CW TW TW CL IV",
  "IV CL CL CL CL CL CL CL CL IV",
  "IV IV IV IV IV IV IV IV IV IV",
]);

const { Fin, Syn, Rst, Psh, Ack, Urg } = TcpFlag;
const SOUND = new Set([
  Syn,
  Syn | Ack,
  Syn | Psh,
  Syn | Ack | Psh,
  Rst,
  Rst | Ack,
  Rst | Ack | Psh,
  Fin | Ack,
  Ack,
  Ack | Psh,
  Ack | Urg,
  Ack | Urg | Psh,
  Fin | Ack | Psh,
  Fin | Ack | Urg,
  Fin | Ack | Urg | Psh,
]);
const IS_SOUND = Array.from({ length: 64 }, (_, flags) => SOUND.has(flags));

/** Octets behind what was sent in which an acknowledgement is believed, at least. */
const MIN_ACK_WINDOW = 66_000;

/** How Linux 2.6.18 tracks TCP. */
export const TCP_TRACKING_2618: TcpTracking = {
  isSound: (flags) => IS_SOUND[flags & 63] ?? false,
  open,
  track,
};

function open(flow: TcpFlow, segment: TcpSegment, settings: TcpSettings): boolean {
  const { view, sender, receiver } = flow;
  const state = nextState(STATES, 0, segment.kind, TcpState.None);
  if (state >= NO_STATE) return false;
  const isFirst = state === TcpState.SynSent;
  if (!isFirst && settings.loose === 0) return false;
  const window = Math.max(segment.window, 1);
  SIDE.end.set(view, sender, segment.end);
  SIDE.maxWindow.set(view, sender, window);
  SIDE.maxEnd.set(view, sender, isFirst ? segment.end : segment.end + window);
  if (isFirst) readOptions(flow, segment);
  else {
    SIDE.flags.set(view, sender, SideFlag.SackPermitted);
    SIDE.flags.set(view, receiver, SideFlag.SackPermitted);
    SIDE.loose.set(view, sender, settings.loose);
    SIDE.loose.set(view, receiver, settings.loose);
  }
  SIDE.maxWindow.set(view, receiver, 1);
  CONNECTION.lastKind.set(view, flow.at, TcpKind.None);
  return true;
}

function track(flow: TcpFlow, segment: TcpSegment, settings: TcpSettings): Outcome {
  const { view, at, direction } = flow;
  const { kind } = segment;
  const before = CONNECTION.state.get(view, at);
  const state = nextState(STATES, direction, kind, before);
  if (state === IGNORE) return ignore(flow, segment);
  if (state === NO_STATE) return invalid(flow, "tcp/state");
  if (state === TcpState.SynSent && before >= TcpState.TimeWait) return reopen(flow, segment);
  const skipsWindow = kind === TcpKind.Rst && answersIgnored(flow, segment);
  if (!skipsWindow && !isInWindow(flow, segment, settings)) return Outcome.Invalid;
  CONNECTION.lastKind.set(view, at, kind);
  CONNECTION.state.set(view, at, state);
  if (before !== state && (state === TcpState.FinWait || state === TcpState.Close)) {
    flow.raise(flow.sender, SideFlag.CloseInitiated);
  }
  if (!flow.has(Status.SeenReply)) {
    if (kind === TcpKind.Rst) {
      flow.isKilled = true;
      return Outcome.Accept;
    }
  } else if (
    (before === TcpState.SynReceived || before === TcpState.Established) &&
    state === TcpState.Established
  ) {
    flow.status |= Status.Assured;
  }
  const timeout = settings.timeouts[state] ?? 0;
  const isRepeating = CONNECTION.repeats.get(view, at) >= settings.maxRepeats;
  flow.timeout = isRepeating ? Math.min(timeout, settings.repeated) : timeout;
  return Outcome.Accept;
}

function invalid(flow: TcpFlow, cause: InvalidCause): Outcome {
  flow.cause = cause;
  return Outcome.Invalid;
}

/** Remember a segment that may be right though we think otherwise. */
function ignore(flow: TcpFlow, segment: TcpSegment): Outcome {
  const { view, at, direction } = flow;
  const acknowledgesIgnored =
    segment.kind === TcpKind.SynAck &&
    CONNECTION.lastKind.get(view, at) === TcpKind.Syn &&
    CONNECTION.lastDirection.get(view, at) !== direction &&
    isSame(CONNECTION.lastEnd.get(view, at), segment.ack);
  // The ends agree and we do not: without this answer, the client begins anew and we with it.
  if (acknowledgesIgnored) {
    flow.isKilled = true;
    return Outcome.Drop;
  }
  CONNECTION.lastKind.set(view, at, segment.kind);
  CONNECTION.lastDirection.set(view, at, direction);
  CONNECTION.lastSeq.set(view, at, segment.seq);
  CONNECTION.lastEnd.set(view, at, segment.end);
  return Outcome.Accept;
}

/** A SYN after the end: a new connection if the old one is closed for sure. */
function reopen(flow: TcpFlow, segment: TcpSegment): Outcome {
  const { view, sender } = flow;
  const isClosed = (SIDE.flags.get(view, sender) & SideFlag.CloseInitiated) !== 0;
  if (!isClosed && !isAfter(segment.seq, SIDE.end.get(view, sender))) {
    return invalid(flow, "tcp/reopen");
  }
  flow.isKilled = true;
  return Outcome.Repeat;
}

/** True for the reset that answers a SYN or an ACK that was let through before. */
function answersIgnored(flow: TcpFlow, segment: TcpSegment): boolean {
  const { view, at } = flow;
  const last = CONNECTION.lastKind.get(view, at);
  const followsSyn = flow.has(Status.SeenReply) && last === TcpKind.Syn;
  const followsAck = !flow.has(Status.Assured) && last === TcpKind.Ack;
  return (followsSyn || followsAck) && isSame(segment.ack, CONNECTION.lastEnd.get(view, at));
}

/** Judge the segment by both windows, and learn from it if it is inside. */
function isInWindow(flow: TcpFlow, segment: TcpSegment, settings: TcpSettings): boolean {
  const { view, sender, receiver } = flow;
  const state = CONNECTION.state.get(view, flow.at);
  const isSackPermitted = (SIDE.flags.get(view, receiver) & SideFlag.SackPermitted) !== 0;
  let { seq, end, ack } = segment;
  let sack = isSackPermitted ? segment.highestSack() : ack;
  meet(flow, segment, state);
  const isReset = segment.kind === TcpKind.Rst;
  if (!segment.has(TcpFlag.Ack) || (isReset && ack === 0)) {
    ack = SIDE.end.get(view, receiver) | 0;
    sack = ack;
  }
  if (seq === end && (!isReset || (seq === 0 && state === TcpState.SynSent))) {
    seq = SIDE.end.get(view, sender) | 0;
    end = seq;
  }
  const isLoose = SIDE.loose.get(view, sender) > 0 || SIDE.loose.get(view, receiver) > 0;
  const cause = isLoose ? null : beyond(flow, seq, end, ack, sack);
  if (cause !== null) {
    flow.cause = cause;
    return settings.isLiberal;
  }
  learn(flow, segment, seq, end, ack, sack);
  return true;
}

/** A first segment of its sender, or a SYN that says other numbers than the last one. */
function meet(flow: TcpFlow, segment: TcpSegment, state: number): void {
  const { view, sender, receiver, direction } = flow;
  const { end } = segment;
  const window = Math.max(segment.window, 1);
  const known = SIDE.end.get(view, sender);
  if (known === 0 && segment.kind !== TcpKind.SynAck) {
    SIDE.end.set(view, sender, end);
    SIDE.maxWindow.set(view, sender, window);
    SIDE.maxEnd.set(view, sender, end + window);
    return;
  }
  const isRepeatedSyn =
    ((state === TcpState.SynSent && direction === 0) ||
      (state === TcpState.SynReceived && direction === 1)) &&
    isAfter(end, known);
  if (known !== 0 && !isRepeatedSyn) return;
  SIDE.end.set(view, sender, end);
  SIDE.maxEnd.set(view, sender, end);
  SIDE.maxWindow.set(view, sender, window);
  readOptions(flow, segment);
  const both = SIDE.flags.get(view, sender) & SIDE.flags.get(view, receiver);
  if (known === 0 && (both & SideFlag.WindowScale) === 0) {
    SIDE.shift.set(view, sender, 0);
    SIDE.shift.set(view, receiver, 0);
  }
}

/** The bound that the segment breaks; `null` for none. */
function beyond(
  { view, sender, receiver }: TcpFlow,
  seq: number,
  end: number,
  ack: number,
  sack: number,
): InvalidCause | null {
  const sent = SIDE.end.get(view, sender);
  const received = SIDE.end.get(view, receiver);
  const ackWindow = Math.max(SIDE.maxWindow.get(view, sender), MIN_ACK_WINDOW);
  if (!isBefore(seq, SIDE.maxEnd.get(view, sender) + 1)) return "tcp/above-window";
  if (!isAfter(end, sent - SIDE.maxWindow.get(view, receiver) - 1)) return "tcp/below-window";
  if (!isBefore(sack, received + 1)) return "tcp/ack-above-sent";
  return isAfter(ack, received - ackWindow) ? null : "tcp/ack-below-window";
}

function learn(
  flow: TcpFlow,
  segment: TcpSegment,
  seq: number,
  end: number,
  ack: number,
  sack: number,
): void {
  const { view, at, sender, receiver, direction } = flow;
  const shift = segment.has(TcpFlag.Syn) ? 0 : SIDE.shift.get(view, sender);
  const window = segment.window * 2 ** shift;
  const reach = (window + ((sack - ack) | 0)) >>> 0;
  if (SIDE.maxWindow.get(view, sender) < reach) SIDE.maxWindow.set(view, sender, reach);
  if (isAfter(end, SIDE.end.get(view, sender))) SIDE.end.set(view, sender, end);
  const maxEnd = SIDE.maxEnd.get(view, sender);
  if (isAfter(end, maxEnd)) {
    const grown = SIDE.maxWindow.get(view, receiver) + ((end - maxEnd) | 0);
    SIDE.maxWindow.set(view, receiver, grown);
  }
  if (isAfter(sack + window, SIDE.maxEnd.get(view, receiver) - 1)) {
    SIDE.maxEnd.set(view, receiver, sack + Math.max(window, 1));
  }
  if (segment.kind === TcpKind.Ack) countRepeat(view, at, direction, seq, ack, end);
  const loose = SIDE.loose.get(view, sender);
  if (loose > 0) SIDE.loose.set(view, sender, loose - 1);
}

function countRepeat(
  view: DataView,
  at: number,
  direction: number,
  seq: number,
  ack: number,
  end: number,
): void {
  const isRepeated =
    CONNECTION.lastDirection.get(view, at) === direction &&
    isSame(CONNECTION.lastSeq.get(view, at), seq) &&
    isSame(CONNECTION.lastAck.get(view, at), ack) &&
    isSame(CONNECTION.lastEnd.get(view, at), end);
  if (isRepeated) {
    CONNECTION.repeats.set(view, at, (CONNECTION.repeats.get(view, at) + 1) & 255);
    return;
  }
  CONNECTION.lastDirection.set(view, at, direction);
  CONNECTION.lastSeq.set(view, at, seq);
  CONNECTION.lastAck.set(view, at, ack);
  CONNECTION.lastEnd.set(view, at, end);
  CONNECTION.repeats.set(view, at, 0);
}

/** Take the options of a SYN for what its sender can do; without options all stays as it was. */
function readOptions({ view, sender }: TcpFlow, segment: TcpSegment): void {
  if (!segment.hasOptions) return;
  SIDE.flags.set(view, sender, segment.optionFlags());
  SIDE.shift.set(view, sender, segment.windowShift());
}
