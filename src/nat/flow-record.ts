/**
 * What connection tracking keeps of a connection: one record of fixed size in memory.
 * @module
 */
import { fieldsOf } from "../wire/field.ts";
import { octets, struct, u32own } from "../wire/layout.ts";
import { TUPLE_LENGTH } from "./tuple.ts";

const layout = struct([
  octets(TUPLE_LENGTH, "original"),
  octets(TUPLE_LENGTH, "reply"),
  u32own("unanswered"),
  u32own("serial"),
  u32own("nextSame"),
  u32own("previousSame"),
  octets(16, "spare"),
  u32own("status"),
  u32own("generation"),
  u32own("expires"),
  u32own("streamFrom"),
  octets(16, "originalTally"),
  octets(16, "replyTally"),
  u32own("mark"),
  octets(12, "moreSpare"),
]);
const tally = struct([
  u32own("packets"),
  u32own("octetsLow"),
  u32own("octetsHigh"),
  u32own("spare"),
]);

/**
 * An entry in memory, two lines of a processor's cache: the tuples come first, and in the second
 * line all that a packet of a known way touches. `expires` is the tick at which it ends, before it
 * is confirmed the ticks that it shall live; `streamFrom` the tick from which UDP is a stream;
 * `unanswered` the ICMP queries without answer; `serial` counts confirmed entries; `nextSame` and
 * `previousSame` link those with the same source; `mark` is what rules write.
 */
export const FLOW = fieldsOf(layout);
/** What passed in one direction, {@link TALLY_OFFSET} octets after the direction's tuple. */
export const TALLY = fieldsOf(tally);
/** Octets from a direction's tuple to its tally. */
export const TALLY_OFFSET: number = FLOW.originalTally.offset;

/** Octets of an entry, and of the protocol's record beside it. */
export const FLOW_LENGTH: number = layout.span;

const UNANSWERED = FLOW.unanswered.offset / 4;
const TALLIES = FLOW.originalTally.offset / 4;
const TALLY_WORDS = tally.span / 4;
const MARK = FLOW.mark.offset / 4;
/** Words of an entry. */
export const FlowWord = {
  Serial: FLOW.serial.offset / 4,
  NextSame: FLOW.nextSame.offset / 4,
  PreviousSame: FLOW.previousSame.offset / 4,
  Status: FLOW.status.offset / 4,
  Generation: FLOW.generation.offset / 4,
  Expires: FLOW.expires.offset / 4,
  StreamFrom: FLOW.streamFrom.offset / 4,
} as const;

/** Write zeros over a protocol's record: as few words as this take longer to fill by a call. */
export function clearRecord(words: Int32Array, flow: number): void {
  const end = (flow + FLOW_LENGTH) >> 2;
  for (let at = flow >> 2; at < end; at += 1) words[at] = 0;
}

/**
 * Write zeros over what an entry says of its connection, one by one, as a loop costs more. Tuples,
 * the serial number and links are written before they are read.
 */
export function clearEntry(words: Int32Array, flow: number): void {
  const at = flow >> 2;
  words[at + UNANSWERED] = 0;
  words[at + FlowWord.Status] = 0;
  words[at + FlowWord.Expires] = 0;
  words[at + FlowWord.StreamFrom] = 0;
  words[at + TALLIES] = 0;
  words[at + TALLIES + 1] = 0;
  words[at + TALLIES + 2] = 0;
  words[at + TALLIES + TALLY_WORDS] = 0;
  words[at + TALLIES + TALLY_WORDS + 1] = 0;
  words[at + TALLIES + TALLY_WORDS + 2] = 0;
  words[at + MARK] = 0;
}

/** Bits of what {@link stateOf} tells that are those of `status`; above them is the generation. */
export const STATUS_MASK = 0xffff;

/** What must be as it was for a packet's way to be known: a number of 27 bits. */
export const stateOf = (words: Int32Array, flow: number): number =>
  (words[(flow >> 2) + FlowWord.Status] ?? 0) |
  ((words[(flow >> 2) + FlowWord.Generation] ?? 0) << 16);

/** True if the confirmed entry from word `at` on lives at `tick`, as {@link stateOf} said it. */
export const isSteady = (words: Int32Array, at: number, state: number, tick: number): boolean =>
  ((words[at + FlowWord.Status] ?? 0) | ((words[at + FlowWord.Generation] ?? 0) << 16)) === state &&
  (((words[at + FlowWord.Expires] ?? 0) - tick) | 0) > 0;

/** Bits of an entry's `status` (Linux `enum ip_conntrack_status`). */
export const Status = {
  SeenReply: 2,
  Assured: 4,
  Confirmed: 8,
  SourceMapped: 16,
  DestinationMapped: 32,
  SourceDone: 128,
  DestinationDone: 256,
  Dying: 512,
  /** Its time to live stays as it is. */
  FixedTimeout: 1024,
  /** Another entry has its original tuple: it is in the table by its reply alone. */
  NatClash: 4096,
} as const;
/** Bits of an entry whose packets are changed. */
export const ANY_MAPPED: number = Status.SourceMapped | Status.DestinationMapped;
/** Bits of an entry that address translation has seen. */
export const ANY_DONE: number = Status.SourceDone | Status.DestinationDone;

/** Places for tuples that are not in the table, in the record that no entry uses. */
export const Scratch = { Probe: 0, Current: 16, Candidate: 32 } as const;
