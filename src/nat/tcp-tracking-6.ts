/**
 * TCP tracking of a current Linux (nf_conntrack_proto_tcp.c of 6.x): simultaneous open, challenge
 * acknowledgements (RFC 5961 section 4) and resets (RFC 5961 section 3) are known to it.
 * @module
 */
import { TcpFlag } from "../l4/tcp.ts";
import { Status } from "./flow-record.ts";
import { type InvalidCause, Outcome } from "./outcome.ts";
import {
  CONNECTION,
  IGNORE,
  isBefore,
  isSame,
  nextState,
  NO_STATE,
  SideFlag,
  SIDE,
  tableOf,
  type TcpFlow,
  TcpKind,
  type TcpSegment,
  type TcpSettings,
  TcpState,
  type TcpTracking,
} from "./tcp-record.ts";
import { judgeWindow, readOptions, WindowJudgement } from "./tcp-window-6.ts";

const STATES = tableOf([
  // NO SS SR ES FW CW LA TW CL S2, original direction
  "SS SS IG IG IG IG IG SS SS S2", // syn
  "IV IV SR IV IV IV IV IV IV SR", // syn, ack
  "IV IV FW FW LA LA LA TW CL IV", // fin
  "ES IV ES ES CW CW TW TW CL IV", // ack
  "IV CL CL CL CL CL CL CL CL CL", // rst
  "IV IV IV IV IV IV IV IV IV IV", // none
  // reply direction
  "IV S2 IV IV IV IV IV SS IV S2",
  "IV SR IG IG IG IG IG IG IG SR",
  "IV IV FW FW LA LA LA TW CL IV",
  "IV IG SR ES CW CW TW TW CL IG",
  "IV CL CL CL CL CL CL CL CL CL",
  "IV IV IV IV IV IV IV IV IV IV",
]);

const { Fin, Syn, Rst, Psh, Ack, Urg } = TcpFlag;
const SOUND = new Set([
  Syn,
  Syn | Urg,
  Syn | Ack,
  Rst,
  Rst | Ack,
  Fin | Ack,
  Fin | Ack | Urg,
  Ack,
  Ack | Urg,
]);
const IS_SOUND = Array.from({ length: 64 }, (_, flags) => SOUND.has(flags & ~Psh));

/** How a current Linux tracks TCP. */
export const TCP_TRACKING_6: TcpTracking = {
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
    SIDE.flags.set(view, sender, SideFlag.SackPermitted | SideFlag.Liberal);
    SIDE.flags.set(view, receiver, SideFlag.SackPermitted | SideFlag.Liberal);
  }
  CONNECTION.lastKind.set(view, flow.at, TcpKind.None);
  return true;
}

function track(flow: TcpFlow, segment: TcpSegment, settings: TcpSettings): Outcome {
  const { view, at, direction } = flow;
  const { kind } = segment;
  let before = CONNECTION.state.get(view, at);
  let state = nextState(STATES, direction, kind, before);
  let skipsWindow = false;
  if (state === TcpState.SynSent && before >= TcpState.TimeWait) {
    if (isClosed(flow)) {
      flow.isKilled = true;
      return Outcome.Repeat;
    }
    state = IGNORE;
  }
  if (state === IGNORE) {
    if (!acknowledgesIgnored(flow, segment)) return ignore(flow, segment, before);
    agree(flow);
    before = TcpState.SynSent;
    state = TcpState.SynReceived;
  } else if (state === NO_STATE) {
    return invalid(flow, "tcp/state");
  } else if (state === TcpState.TimeWait && isChallengeAck(flow, segment, before)) {
    lowerLast(flow, SideFlag.ExpectsChallengeAck);
    return Outcome.Accept;
  } else if (state === TcpState.SynSent2) {
    raiseLast(flow, SideFlag.SimultaneousOpen);
  } else if (state === TcpState.SynReceived && completesSimultaneousOpen(flow, segment)) {
    state = TcpState.Established;
  } else if (state === TcpState.Close && kind === TcpKind.Rst) {
    const reset = judgeReset(flow, segment, settings, before);
    if (reset === Reset.Invalid) return invalid(flow, "tcp/reset");
    if (reset === Reset.Challenged) state = before;
    skipsWindow = reset !== Reset.Sound && answersIgnored(flow, segment, before);
    if (reset === Reset.Closing) skipsWindow = true;
  }
  if (!skipsWindow) {
    const judgement = judgeWindow(flow, segment, settings);
    if (judgement === WindowJudgement.Ignore) return Outcome.Accept;
    if (judgement === WindowJudgement.Invalid) {
      mistrust(flow, kind, settings);
      return Outcome.Invalid;
    }
  }
  CONNECTION.lastKind.set(view, at, kind);
  CONNECTION.lastDirection.set(view, at, direction);
  CONNECTION.state.set(view, at, state);
  if (before !== state && state === TcpState.FinWait) {
    flow.raise(flow.sender, SideFlag.CloseInitiated);
  }
  finish(flow, kind, before, state, settings);
  return Outcome.Accept;
}

/** How long the entry lives on, and whether it is assured. */
function finish(
  flow: TcpFlow,
  kind: number,
  before: number,
  state: number,
  settings: TcpSettings,
): void {
  const timeout = timeoutOf(flow, kind, state, settings);
  if (!flow.has(Status.SeenReply)) {
    if (kind === TcpKind.Rst) flow.isKilled = true;
    // A repeated SYN does not keep an entry alive, nor does a connection that was met midway.
    if (kind === TcpKind.Rst || (kind === TcpKind.Syn && before === TcpState.SynSent)) return;
    const isHalf = state === TcpState.Established;
    flow.timeout = isHalf ? Math.min(timeout, settings.unacknowledged) : timeout;
    return;
  }
  const stood = before === TcpState.SynReceived || before === TcpState.Established;
  if (stood && state === TcpState.Established) flow.status |= Status.Assured;
  flow.timeout = timeout;
}

function timeoutOf(flow: TcpFlow, kind: number, state: number, settings: TcpSettings): number {
  const { view, at } = flow;
  const timeout = settings.timeouts[state] ?? 0;
  if (CONNECTION.repeats.get(view, at) >= settings.maxRepeats && timeout > settings.repeated) {
    return settings.repeated;
  }
  if (kind === TcpKind.Rst) return settings.timeouts[TcpState.Close] ?? 0;
  const flags = SIDE.flags.get(view, flow.sender) | SIDE.flags.get(view, flow.receiver);
  const isUnacknowledged = (flags & SideFlag.Unacknowledged) !== 0;
  if (isUnacknowledged && timeout > settings.unacknowledged) return settings.unacknowledged;
  const isShut = CONNECTION.lastWindow.get(view, at) === 0;
  return isShut ? Math.min(timeout, settings.repeated) : timeout;
}

function invalid(flow: TcpFlow, cause: InvalidCause): Outcome {
  flow.cause = cause;
  return Outcome.Invalid;
}

function raiseLast({ view, at }: TcpFlow, flag: number): void {
  CONNECTION.lastFlags.set(view, at, CONNECTION.lastFlags.get(view, at) | flag);
}

function lowerLast({ view, at }: TcpFlow, flag: number): void {
  CONNECTION.lastFlags.set(view, at, CONNECTION.lastFlags.get(view, at) & ~flag);
}

/** True if a SYN may open the connection anew: one end closed it, or its sender reset it. */
function isClosed({ view, at, sender, receiver, direction }: TcpFlow): boolean {
  const flags = SIDE.flags.get(view, sender) | SIDE.flags.get(view, receiver);
  if ((flags & SideFlag.CloseInitiated) !== 0) return true;
  return (
    CONNECTION.lastDirection.get(view, at) === direction &&
    CONNECTION.lastKind.get(view, at) === TcpKind.Rst
  );
}

function acknowledgesIgnored({ view, at, direction }: TcpFlow, segment: TcpSegment): boolean {
  return (
    segment.kind === TcpKind.SynAck &&
    CONNECTION.lastKind.get(view, at) === TcpKind.Syn &&
    CONNECTION.lastDirection.get(view, at) !== direction &&
    isSame(CONNECTION.lastEnd.get(view, at), segment.ack)
  );
}

/** The ends agree on a SYN that was let through: take over what it said. */
function agree(flow: TcpFlow): void {
  const { view, at, sender } = flow;
  const opener = flow.sideOf(CONNECTION.lastDirection.get(view, at));
  const end = CONNECTION.lastEnd.get(view, at);
  SIDE.end.set(view, opener, end);
  SIDE.maxEnd.set(view, opener, end);
  SIDE.maxWindow.set(view, opener, Math.max(CONNECTION.lastWindow.get(view, at), 1));
  SIDE.shift.set(view, opener, CONNECTION.lastShift.get(view, at));
  lowerLast(flow, SideFlag.ExpectsChallengeAck);
  SIDE.flags.set(view, opener, CONNECTION.lastFlags.get(view, at));
  SIDE.end.set(view, sender, 0);
  SIDE.maxEnd.set(view, sender, 0);
  SIDE.maxWindow.set(view, sender, 0);
  SIDE.maxAck.set(view, sender, 0);
  SIDE.shift.set(view, sender, 0);
  SIDE.flags.set(view, sender, SIDE.flags.get(view, sender) & SideFlag.Liberal);
}

/** Let a segment through that may be right though we think otherwise, and remember it. */
function ignore(flow: TcpFlow, segment: TcpSegment, before: number): Outcome {
  const { view, at, direction } = flow;
  const { kind } = segment;
  CONNECTION.lastKind.set(view, at, kind);
  CONNECTION.lastDirection.set(view, at, direction);
  CONNECTION.lastSeq.set(view, at, segment.seq);
  CONNECTION.lastEnd.set(view, at, segment.end);
  CONNECTION.lastWindow.set(view, at, segment.window);
  if (kind === TcpKind.Syn && direction === 0) {
    CONNECTION.lastFlags.set(view, at, segment.optionFlags());
    CONNECTION.lastShift.set(view, at, segment.windowShift());
    if (before === TcpState.LastAck) raiseLast(flow, SideFlag.ExpectsChallengeAck);
  }
  if (before === TcpState.SynSent && kind === TcpKind.Ack && direction === 1) {
    CONNECTION.lastAck.set(view, at, segment.ack);
  }
  return Outcome.Accept;
}

/** True for the acknowledgement that challenges a SYN, and does not mean the last FIN. */
function isChallengeAck(flow: TcpFlow, segment: TcpSegment, before: number): boolean {
  const { view, at, direction } = flow;
  return (
    before === TcpState.LastAck &&
    segment.kind === TcpKind.Ack &&
    CONNECTION.lastDirection.get(view, at) !== direction &&
    CONNECTION.lastKind.get(view, at) === TcpKind.Syn &&
    (CONNECTION.lastFlags.get(view, at) & SideFlag.ExpectsChallengeAck) !== 0
  );
}

function completesSimultaneousOpen({ view, at, direction }: TcpFlow, segment: TcpSegment): boolean {
  return (
    direction === 1 &&
    segment.kind === TcpKind.Ack &&
    (CONNECTION.lastFlags.get(view, at) & SideFlag.SimultaneousOpen) !== 0
  );
}

/**
 * A reset: to be judged by the windows; of a closing connection, believed as it is; behind what
 * was acknowledged; of unknown worth; or such that the other end will challenge it.
 */
const Reset = { Sound: 0, Closing: 1, Invalid: 2, Open: 3, Challenged: 4 } as const;
type Reset = (typeof Reset)[keyof typeof Reset];

function judgeReset(
  flow: TcpFlow,
  segment: TcpSegment,
  settings: TcpSettings,
  before: number,
): Reset {
  const { view, at, receiver, direction } = flow;
  const { seq } = segment;
  if (before >= TcpState.FinWait && before <= TcpState.Close) return Reset.Closing;
  const isAckKnown = (SIDE.flags.get(view, receiver) & SideFlag.MaxAckSet) !== 0;
  const last = CONNECTION.lastKind.get(view, at);
  if (!isAckKnown || last === TcpKind.Syn) return Reset.Open;
  if (seq === 0 && !flow.isEstablished) return Reset.Sound;
  const maxAck = SIDE.maxAck.get(view, receiver);
  if (isBefore(seq, maxAck) && !settings.ignoresInvalidReset) return Reset.Invalid;
  if (!flow.isEstablished || isSame(seq, maxAck)) return Reset.Sound;
  const endsTrain =
    last === TcpKind.Ack &&
    CONNECTION.lastDirection.get(view, at) === direction &&
    isSame(seq, CONNECTION.lastEnd.get(view, at));
  return endsTrain ? Reset.Sound : Reset.Challenged;
}

/** True for the reset that answers a SYN or an ACK that was let through before. */
function answersIgnored(flow: TcpFlow, segment: TcpSegment, before: number): boolean {
  const { view, at } = flow;
  const last = CONNECTION.lastKind.get(view, at);
  const lastDirection = CONNECTION.lastDirection.get(view, at);
  const isOther = lastDirection !== flow.direction;
  const followsSyn = flow.has(Status.SeenReply) && last === TcpKind.Syn && isOther;
  const followsAck = !flow.has(Status.Assured) && last === TcpKind.Ack;
  const isAnswer = isSame(segment.ack, CONNECTION.lastEnd.get(view, at));
  if ((followsSyn || followsAck) && isAnswer) return true;
  return (
    before === TcpState.SynSent &&
    last === TcpKind.Ack &&
    lastDirection === 1 &&
    isSame(segment.seq, CONNECTION.lastAck.get(view, at))
  );
}

/** Both ends tried to close out of our windows: the entry has not long to live. */
function mistrust(flow: TcpFlow, kind: number, settings: TcpSettings): void {
  const { view, at, direction } = flow;
  if (!flow.has(Status.Assured) || (kind !== TcpKind.Rst && kind !== TcpKind.Fin)) return;
  const last = CONNECTION.lastKind.get(view, at);
  const isAnswer =
    CONNECTION.lastDirection.get(view, at) !== direction &&
    (last === TcpKind.Fin || last === TcpKind.Rst);
  if (!isAnswer) {
    CONNECTION.lastKind.set(view, at, kind);
    CONNECTION.lastDirection.set(view, at, direction);
  } else if (flow.remaining >= settings.shortened && flow.remaining > settings.unacknowledged) {
    flow.timeout = settings.unacknowledged;
  }
}
