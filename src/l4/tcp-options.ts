/**
 * TCP options: RFC 9293 section 3.2, RFC 7323 section 2.2, RFC 2018 section 2; read as Linux reads
 * them (`tcp_parse_options`): what is unsound ends the reading and never the segment.
 * @module
 */
import { assert } from "../base/assert.ts";
import { fieldsOf } from "../wire/field.ts";
import { type ObjectOf, struct, u16be, u32be, u8 } from "../wire/layout.ts";
import { TCP, TCP_MAX_LENGTH, TCP_MIN_LENGTH, TcpFlag, tcpHeaderLengthOf } from "./tcp.ts";

const optionLayout = struct([u8("kind"), u8("length")]);
const mssLayout = struct([u8("kind"), u8("length"), u16be("mss")]);
const windowScaleLayout = struct([u8("kind"), u8("length"), u8("shift")]);
const timestampsLayout = struct([u8("kind"), u8("length"), u32be("value"), u32be("echo")]);
const sackBlockLayout = struct([u32be("left"), u32be("right")]);

/** What every option but {@link TcpOptionKind}'s first two begins with. */
export const TCP_OPTION = fieldsOf(optionLayout);
/** Maximum segment size: RFC 9293 section 3.2. */
export const TCP_MSS = fieldsOf(mssLayout);
/** Window scale: RFC 7323 section 2.2. */
export const TCP_WINDOW_SCALE = fieldsOf(windowScaleLayout);
/** Timestamps: RFC 7323 section 3.2. */
const TCP_TIMESTAMPS = fieldsOf(timestampsLayout);
/** One block of a SACK option, at {@link sackBlockAt}: RFC 2018 section 3. */
export const TCP_SACK_BLOCK = fieldsOf(sackBlockLayout);
/** Sequence numbers that arrived: from `left` up to, not including, `right`. */
export type TcpSackBlock = Readonly<ObjectOf<typeof sackBlockLayout.fields>>;
/** The declarations, by what they declare. */
export const tcpOptionLayouts = Object.freeze({
  option: optionLayout,
  mss: mssLayout,
  windowScale: windowScaleLayout,
  timestamps: timestampsLayout,
  sackBlock: sackBlockLayout,
});

/** Kinds of option. End and NoOperation are one octet; all others say their length. */
export const TcpOptionKind = {
  End: 0,
  NoOperation: 1,
  Mss: 2,
  WindowScale: 3,
  SackPermitted: 4,
  Sack: 5,
  Timestamps: 8,
} as const;

/** Octets of the options whose length is fixed. */
export const TCP_OPTION_LENGTH = {
  mss: mssLayout.span,
  windowScale: windowScaleLayout.span,
  sackPermitted: optionLayout.span,
  timestamps: timestampsLayout.span,
} as const;

/** The largest shift that counts: RFC 7323 section 2.3. */
export const TCP_MAX_WINDOW_SHIFT = 14;

/**
 * The first option after `option`, or of the header if there is none yet, that has a length.
 * Walks a checked header at `at` without allocation:
 * `for (let o = nextTcpOption(view, at); o >= 0; o = nextTcpOption(view, at, o))`.
 * @returns where it begins; -1 if the options end there, or are unsound from there on.
 */
export function nextTcpOption(view: DataView, at: number, option = -1): number {
  const end = at + tcpHeaderLengthOf(view, at);
  let here = option < 0 ? at + TCP_MIN_LENGTH : option + TCP_OPTION.length.get(view, option);
  while (here < end && view.getUint8(here) === TcpOptionKind.NoOperation) here += 1;
  return isSoundTcpOption(view, here, end) ? here : -1;
}

/** The first option of `kind` in the checked header at `at`; -1 if there is none. */
export function findTcpOption(view: DataView, at: number, kind: number): number {
  for (let here = nextTcpOption(view, at); here >= 0; here = nextTcpOption(view, at, here)) {
    if (TCP_OPTION.kind.get(view, here) === kind) return here;
  }
  return -1;
}

/** Whole blocks of the SACK option at `option`; 0 if its length fits no number of blocks. */
export function sackBlocksOf(view: DataView, option: number): number {
  const octets = TCP_OPTION.length.get(view, option) - optionLayout.span;
  return octets % sackBlockLayout.span === 0 ? octets / sackBlockLayout.span : 0;
}

/** Where block `index`, from 0, of the SACK option at `option` begins. */
export const sackBlockAt = (option: number, index: number): number =>
  option + optionLayout.span + index * sackBlockLayout.span;

/** True if at `here` begins an option that has a length, all of it in front of `end`. */
export function isSoundTcpOption(view: DataView, here: number, end: number): boolean {
  if (end - here < optionLayout.span) return false;
  if (TCP_OPTION.kind.get(view, here) === TcpOptionKind.End) return false;
  const length = TCP_OPTION.length.get(view, here);
  return length >= optionLayout.span && length <= end - here;
}

/** What the options of one segment say. One object serves an endpoint: `read` fills it anew. */
export class TcpOptions {
  /** Octets; 0 if the segment does not say. */
  mss = 0;
  /** From 0 to 14; -1 if the segment does not say. */
  windowShift = -1;
  isSackPermitted = false;
  hasTimestamps = false;
  /** `TSval`; 0 without timestamps. */
  timestamp = 0;
  /** `TSecr`; 0 without timestamps. */
  timestampEcho = 0;
  /** Where the SACK option begins; -1 for none. */
  sack = -1;
  /** Blocks of that option. */
  sackBlocks = 0;

  /**
   * Read the options of the checked header at `at`. An option of a wrong length is ignored, and so
   * are those that only a SYN may carry (RFC 9293 section 3.2) in other segments.
   */
  read(view: DataView, at: number): void {
    this.#clear();
    const isSyn = (TCP.flags.get(view, at) & TcpFlag.Syn) !== 0;
    for (let here = nextTcpOption(view, at); here >= 0; here = nextTcpOption(view, at, here)) {
      if (isSyn) this.#readOfSyn(view, here);
      this.#readOfAny(view, here);
    }
  }

  #clear(): void {
    this.mss = 0;
    this.windowShift = -1;
    this.isSackPermitted = false;
    this.hasTimestamps = false;
    this.timestamp = 0;
    this.timestampEcho = 0;
    this.sack = -1;
    this.sackBlocks = 0;
  }

  #readOfSyn(view: DataView, here: number): void {
    const kind = TCP_OPTION.kind.get(view, here);
    const length = TCP_OPTION.length.get(view, here);
    if (kind === TcpOptionKind.Mss && length === TCP_OPTION_LENGTH.mss) {
      this.mss = TCP_MSS.mss.get(view, here);
    } else if (kind === TcpOptionKind.WindowScale && length === TCP_OPTION_LENGTH.windowScale) {
      this.windowShift = Math.min(TCP_WINDOW_SCALE.shift.get(view, here), TCP_MAX_WINDOW_SHIFT);
    } else if (kind === TcpOptionKind.SackPermitted && length === TCP_OPTION_LENGTH.sackPermitted) {
      this.isSackPermitted = true;
    }
  }

  #readOfAny(view: DataView, here: number): void {
    const kind = TCP_OPTION.kind.get(view, here);
    if (kind === TcpOptionKind.Timestamps) {
      if (TCP_OPTION.length.get(view, here) !== TCP_OPTION_LENGTH.timestamps) return;
      this.hasTimestamps = true;
      this.timestamp = TCP_TIMESTAMPS.value.get(view, here);
      this.timestampEcho = TCP_TIMESTAMPS.echo.get(view, here);
    } else if (kind === TcpOptionKind.Sack && sackBlocksOf(view, here) > 0) {
      this.sack = here;
      this.sackBlocks = sackBlocksOf(view, here);
    }
  }
}

/** What a segment of this host says in its options. */
export interface TcpOptionChoice {
  /** Octets; 0 to say nothing. */
  readonly mss: number;
  /** From 0 to 14; -1 to say nothing. */
  readonly windowShift: number;
  readonly isSackPermitted: boolean;
  readonly hasTimestamps: boolean;
  readonly timestamp: number;
  readonly timestampEcho: number;
  /** In the order of RFC 2018 section 4; as many as the other options leave room for. */
  readonly sackBlocks: readonly TcpSackBlock[];
}

/**
 * Write options behind the fixed header at `at`, in Linux's order and alignment
 * (`tcp_options_write`), and the data offset. Allocates nothing.
 * @returns one past their last octet: where the data begin.
 */
export function writeTcpOptions(view: DataView, at: number, choice: TcpOptionChoice): number {
  let here = at + TCP_MIN_LENGTH;
  if (choice.mss > 0) {
    putHead(view, here, TcpOptionKind.Mss, TCP_OPTION_LENGTH.mss);
    TCP_MSS.mss.set(view, here, choice.mss);
    here += TCP_OPTION_LENGTH.mss;
  }
  // "SACK permitted" takes the two octets that would align the timestamps.
  if (choice.isSackPermitted) {
    if (!choice.hasTimestamps) here = putNoOperations(view, here, 2);
    putHead(view, here, TcpOptionKind.SackPermitted, TCP_OPTION_LENGTH.sackPermitted);
    here += TCP_OPTION_LENGTH.sackPermitted;
  } else if (choice.hasTimestamps) {
    here = putNoOperations(view, here, 2);
  }
  if (choice.hasTimestamps) {
    putHead(view, here, TcpOptionKind.Timestamps, TCP_OPTION_LENGTH.timestamps);
    TCP_TIMESTAMPS.value.set(view, here, choice.timestamp);
    TCP_TIMESTAMPS.echo.set(view, here, choice.timestampEcho);
    here += TCP_OPTION_LENGTH.timestamps;
  }
  if (choice.windowShift >= 0) {
    here = putNoOperations(view, here, 1);
    putHead(view, here, TcpOptionKind.WindowScale, TCP_OPTION_LENGTH.windowScale);
    TCP_WINDOW_SCALE.shift.set(view, here, choice.windowShift);
    here += TCP_OPTION_LENGTH.windowScale;
  }
  if (choice.sackBlocks.length > 0) here = putSack(view, here, choice.sackBlocks);
  assert(here - at <= TCP_MAX_LENGTH, "the options of a segment fit its header");
  TCP.dataOffset.set(view, at, (here - at) / 4);
  return here;
}

function putSack(view: DataView, at: number, blocks: readonly TcpSackBlock[]): number {
  const option = putNoOperations(view, at, 2);
  const end = sackBlockAt(option, blocks.length);
  putHead(view, option, TcpOptionKind.Sack, end - option);
  let here = sackBlockAt(option, 0);
  for (const { left, right } of blocks) {
    TCP_SACK_BLOCK.left.set(view, here, left);
    TCP_SACK_BLOCK.right.set(view, here, right);
    here += sackBlockLayout.span;
  }
  return end;
}

function putHead(view: DataView, at: number, kind: number, length: number): void {
  TCP_OPTION.kind.set(view, at, kind);
  TCP_OPTION.length.set(view, at, length);
}

function putNoOperations(view: DataView, at: number, count: number): number {
  for (let here = at; here < at + count; here += 1) view.setUint8(here, TcpOptionKind.NoOperation);
  return at + count;
}
