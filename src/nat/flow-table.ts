/**
 * The table of connections: entries are records in one buffer, found by either of their tuples.
 * It allocates only when it grows.
 * @module
 */
import { alignedWords } from "../base/aligned-words.ts";
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import {
  ANY_DONE,
  clearEntry,
  clearRecord,
  FlowWord as ImportedFlowWord,
  FLOW_LENGTH as ImportedFLOW_LENGTH,
  Scratch,
  Status as ImportedStatus,
} from "./flow-record.ts";
import { FreeRecords } from "./free-records.ts";
import { SourceLists } from "./source-lists.ts";
import { copyTuple, TUPLE_LENGTH } from "./tuple.ts";
import { tupleHash as ImportedtupleHash, TupleIndex } from "./tuple-index.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const FlowWord = ImportedFlowWord;
const FLOW_LENGTH = ImportedFLOW_LENGTH;
const Status = ImportedStatus;
const tupleHash = ImportedtupleHash;

/** Bits of a handle that number the entry's record; those above say how often it was used. */
const INDEX_BITS = 20;
/** The most entries that a handle can number. */
export const MAX_FLOWS = 2 ** INDEX_BITS;
const MAX_GENERATION = 2 ** 11;
/** A record's position, without its number. */
const LENGTH_BITS = Math.log2(FLOW_LENGTH);
/** Entries that may wait for their confirmation; a dropped packet leaves one. */
const MAX_PENDING = 64;
const FIRST_CAPACITY = 32;
/** Records that each new entry lets the sweep look at, so that it overtakes what new ones leave. */
export const SWEEP_STEPS = 2;
const FLOW_WORDS = FLOW_LENGTH / 4;
/** Ticks that the 32-bit clock can look ahead. */
const LONGEST = 2 ** 31 - 1;

/**
 * Entries by tuple. A *flow* is an entry's position in {@link view}, a *way* the position of one
 * of its tuples there: the flow itself for the original direction, 16 more for the reply.
 */
export class FlowTable {
  /** Most entries at a time. */
  declare readonly limit: number;
  /** Confirmed entries, expired ones that nobody has met since included. */
  count = 0;
  /** The kernel's clock in ticks, as signed 32 bits: it comes round. */
  now = 0;
  /** What {@link expect} read, so that it is read at all. */
  forecast = 0;
  /** Records that exist, the scratch record included. */
  #capacity = FIRST_CAPACITY;
  #words: Int32Array = new Int32Array((FIRST_CAPACITY * FLOW_LENGTH) / 4);
  #view: DataView = new DataView(this.#words.buffer);
  #recordWords: Int32Array = new Int32Array(this.#words.length);
  #records: DataView = new DataView(this.#recordWords.buffer);
  #index = new TupleIndex(FIRST_CAPACITY * 2);
  #sources = new SourceLists(FIRST_CAPACITY);
  readonly #free = new FreeRecords(FIRST_CAPACITY);
  /** Entries that are expected to be allocated soon. */
  #expected = 0;
  #serial = 0;
  #cursor = 0;
  #freeOriginal = 0;
  #freeReply = 0;
  readonly #pending = new Int32Array(MAX_PENDING).fill(-1);
  #pendingAt = 0;
  /** No entry ends before this tick. */
  #soonest = 0;

  constructor(limit: number) {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_FLOWS - MAX_PENDING - 2) {
      const expected = `a whole number from 1 to ${MAX_FLOWS - MAX_PENDING - 2}`;
      throw new OptionError("limit", limit, expected);
    }
    this.limit = limit;
    this.#releaseFrom(1);
  }

  /** The entries; replaced when the table grows. */
  get view(): DataView {
    return this.#view;
  }

  /** The same as words. */
  get words(): Int32Array {
    return this.#words;
  }

  /** Where the tuples of confirmed entries are; replaced when the table grows. */
  get index(): TupleIndex {
    return this.#index;
  }

  /**
   * The protocols' records, each at its flow's position; replaced when the table grows. A protocol
   * that has one clears it first.
   */
  get records(): DataView {
    return this.#records;
  }

  /** The number that packets carry for `flow`; it is stale once the record is used again. */
  handleOf(flow: number): number {
    const generation = this.#words[(flow >> 2) + FlowWord.Generation] ?? 0;
    return (generation << INDEX_BITS) | (flow >> LENGTH_BITS);
  }

  /** The flow of `handle`; -1 if it is none or stale. Its entry may be dead already. */
  flowOf(handle: number): number {
    const index = handle & (MAX_FLOWS - 1);
    if (handle < 0 || index === 0 || index >= this.#capacity) return -1;
    const flow = index << LENGTH_BITS;
    return this.handleOf(flow) === handle ? flow : -1;
  }

  /** As {@link find}, for the tuple at `way`. */
  findSame(way: number): number {
    copyTuple(this.#words, way, Scratch.Probe);
    return this.find();
  }

  /** The original tuple of `flow`, which is not in the table, was just looked for in vain. */
  noteFree(flow: number): void {
    this.#freeOriginal = flow;
  }

  /** The reply of `flow`, which is not in the table, was set, and looked for in vain or not. */
  noteReply(flow: number, isFree: boolean): void {
    this.#freeReply = isFree ? flow : 0;
  }

  /** True if nobody has the original tuple of `flow` for sure: nothing came since it was noted. */
  isOriginalFree(flow: number): boolean {
    return flow === this.#freeOriginal;
  }

  /** As {@link isOriginalFree}, of the reply. */
  isReplyFree(flow: number): boolean {
    return flow === this.#freeReply;
  }

  /** The flow whose tuple lies at `way`. */
  flowAt(way: number): number {
    return way & -FLOW_LENGTH;
  }

  /** True if the time of the confirmed `flow` is over. */
  isExpired(flow: number): boolean {
    return (((this.#words[(flow >> 2) + FlowWord.Expires] ?? 0) - this.now) | 0) <= 0;
  }

  /**
   * Find the tuple in {@link Scratch.Probe}; an expired entry that has it is removed.
   * @returns its way; -1 for none.
   */
  find(): number {
    const way = this.#index.find(this.#words);
    if (way < 0) return -1;
    if (!this.isExpired(this.flowAt(way))) return way;
    this.remove(this.flowAt(way));
    return -1;
  }

  /**
   * An entry that is in no list, cleared but for its tuples, for a first packet. It is used again
   * for another one unless it is confirmed before 64 more are taken.
   */
  allocate(): number {
    const left = this.#pending[this.#pendingAt] ?? -1;
    const waiting = this.flowOf(left);
    if (waiting >= 0 && this.isPending(waiting)) this.abandon(waiting);
    if (this.#expected > 0) this.#readAhead();
    const flow = this.#free.take() || this.#takeOfMore();
    const words = this.#words;
    const at = flow >> 2;
    if (flow === this.#freeReply) this.#freeReply = 0;
    if (flow === this.#freeOriginal) this.#freeOriginal = 0;
    const generation = words[at + FlowWord.Generation] ?? 0;
    clearEntry(words, flow);
    words[at + FlowWord.Generation] = (generation + 1) & (MAX_GENERATION - 1);
    this.#pending[this.#pendingAt] = this.handleOf(flow);
    this.#pendingAt = (this.#pendingAt + 1) & (MAX_PENDING - 1);
    return flow;
  }

  /** Clear what a protocol kept at `flow` of an entry before. */
  clearRecord(flow: number): void {
    clearRecord(this.#recordWords, flow);
  }

  /** Give back a flow that is in no list: it was not confirmed. */
  abandon(flow: number): void {
    const at = (flow >> 2) + FlowWord.Status;
    this.#words[at] = (this.#words[at] ?? 0) | Status.Dying;
    this.#free.give(flow);
  }

  /** Read what packets of the first `count` of `flows`, 0 for none, will need: they come soon. */
  expect(flows: Int32Array, from: number, to: number): void {
    const words = this.#words;
    let read = 0;
    for (let index = from; index < to; index += 1) {
      const flow = flows[index] ?? 0;
      read ^= words[(flow >> 2) + FlowWord.Expires] ?? 0;
    }
    this.forecast = read;
  }

  /** Read where the tuple of these words is looked for. */
  touch(src: number, dst: number, ports: number, protocol: number): void {
    this.forecast ^= this.#index.touch(tupleHash(src, dst, ports, protocol));
  }

  /** An entry of this source will be allocated soon; `isLinked` if translation will see it. */
  expectNew(src: number, srcPort: number, protocol: number, isLinked: boolean): void {
    this.#expected += 1;
    if (isLinked) this.forecast ^= this.#sources.expect(src, srcPort, protocol);
  }

  /** Read what the expected entries will be written over, and what they will be linked with. */
  #readAhead(): void {
    const words = this.#words;
    let read = this.#free.touch(words, this.#expected) ^ this.#sources.touch(words);
    let at = this.#cursor * FLOW_WORDS + FlowWord.Status;
    for (let left = this.#expected * SWEEP_STEPS; left > 0; left -= 1) {
      at += FLOW_WORDS;
      if (at >= words.length) at = FlowWord.Status;
      read ^= words[at] ?? 0;
    }
    this.forecast = read;
    this.#expected = 0;
  }

  /** Let `flow` live `ticks` from now on or, before it is confirmed, from its confirmation on. */
  extend(flow: number, ticks: number): void {
    if (this.#has(flow, Status.Confirmed)) this.prolong(flow, ticks);
    else this.#words[(flow >> 2) + FlowWord.Expires] = ticks;
  }

  /** As {@link extend}, for a confirmed flow. */
  prolong(flow: number, ticks: number): void {
    const expires = (this.now + ticks) | 0;
    this.#words[(flow >> 2) + FlowWord.Expires] = expires;
    this.noteExpiry(expires);
  }

  /** A confirmed flow is to end at the tick `expires`. */
  noteExpiry(expires: number): void {
    if (((expires - this.#soonest) | 0) < 0) this.#soonest = expires;
  }

  /**
   * Put `flow` in the table: it is confirmed. Neither of its tuples may be there, or only the
   * original one if it has {@link Status.NatClash}.
   */
  insert(flow: number): void {
    const words = this.#words;
    const at = flow >> 2;
    words[at + FlowWord.Status] = (words[at + FlowWord.Status] ?? 0) | Status.Confirmed;
    this.prolong(flow, words[at + FlowWord.Expires] ?? 0);
    words[at + FlowWord.Serial] = this.#serial = (this.#serial + 1) | 0;
    this.#place(flow);
    this.count += 1;
    this.#freeOriginal = 0;
    this.#freeReply = 0;
  }

  /** Take the confirmed `flow` out; its record can still be read until it is used again. */
  remove(flow: number): void {
    if (!this.#has(flow, Status.NatClash)) this.#index.displace(this.#words, flow);
    this.#index.displace(this.#words, flow + TUPLE_LENGTH);
    if (this.#has(flow, ANY_DONE)) this.#sources.unlink(this.#words, flow);
    this.count -= 1;
    this.abandon(flow);
  }

  /** Look at `steps` records in turn and remove those whose time is over. */
  sweep(steps: number): void {
    for (let step = 0; step < steps; step += 1) {
      this.#cursor = this.#cursor + 1 < this.#capacity ? this.#cursor + 1 : 1;
      const flow = this.#cursor * FLOW_LENGTH;
      if (this.isLive(flow) && this.isExpired(flow)) this.remove(flow);
    }
  }

  /** Remove all entries whose time is over, and learn when the next one's will be. */
  #sweepAll(): void {
    this.sweep(this.#capacity - 1);
    this.#soonest = (this.now + LONGEST) | 0;
    for (let flow = FLOW_LENGTH; flow < this.#capacity * FLOW_LENGTH; flow += FLOW_LENGTH) {
      const expires = this.#words[(flow >> 2) + FlowWord.Expires] ?? 0;
      if (this.isLive(flow) && ((expires - this.#soonest) | 0) < 0) this.#soonest = expires;
    }
  }

  /** True if one more entry may be confirmed, once those whose time is over are gone. */
  hasRoom(): boolean {
    if (this.count >= this.limit && ((this.#soonest - this.now) | 0) <= 0) this.#sweepAll();
    return this.count < this.limit;
  }

  /** True if `flow` is confirmed and not removed. */
  isLive(flow: number): boolean {
    const status = this.#words[(flow >> 2) + FlowWord.Status] ?? 0;
    return (status & (Status.Confirmed | Status.Dying)) === Status.Confirmed;
  }

  /** True if `flow` was allocated and is neither confirmed nor given back. */
  isPending(flow: number): boolean {
    return !this.#has(flow, Status.Confirmed | Status.Dying);
  }

  /** True if `flow` is in the table by its reply alone: it is not shown. */
  isHidden(flow: number): boolean {
    return this.#has(flow, Status.NatClash);
  }

  /** The confirmed entries, expired ones included, in the order of their confirmation. */
  flows(): number[] {
    const found: number[] = [];
    for (let index = 1; index < this.#capacity; index += 1) {
      if (this.isLive(index * FLOW_LENGTH)) found.push(index * FLOW_LENGTH);
    }
    return found.sort((left, right) => this.ageOf(right) - this.ageOf(left));
  }

  /** The latest entry that may have protocol and source of the tuple at `way`; 0 for none. */
  firstSame(way: number): number {
    return this.#sources.firstSame(this.#words, way);
  }

  /** The one before `flow` that may have its source; 0 for none. */
  nextSame(flow: number): number {
    return this.#words[(flow >> 2) + FlowWord.NextSame] ?? 0;
  }

  #has(flow: number, bits: number): boolean {
    return ((this.#words[(flow >> 2) + FlowWord.Status] ?? 0) & bits) !== 0;
  }

  /** Entries that were confirmed since `flow` was. */
  ageOf(flow: number): number {
    return (this.#serial - (this.#words[(flow >> 2) + FlowWord.Serial] ?? 0)) >>> 0;
  }

  /** The reply goes first: where both tuples are one, Linux finds the reply. */
  #place(flow: number): void {
    this.#index.place(this.#words, flow + TUPLE_LENGTH);
    if (!this.#has(flow, Status.NatClash)) this.#index.place(this.#words, flow);
    if (this.#has(flow, ANY_DONE)) this.#sources.link(this.#words, flow);
  }

  #releaseFrom(first: number): void {
    for (let index = first; index < this.#capacity; index += 1) {
      this.#free.give(index * FLOW_LENGTH);
    }
  }

  /** Double the table, and take one of its free records. */
  #takeOfMore(): number {
    this.#grow();
    const flow = this.#free.take();
    assert(flow !== 0, "a table that grew has a free record");
    return flow;
  }

  #grow(): void {
    const before = this.#capacity;
    // The scratch record, all that may be confirmed or wait, and one that can always be taken.
    this.#capacity = Math.min(before * 2, this.limit + MAX_PENDING + 2);
    const words = alignedWords((this.#capacity * FLOW_LENGTH) / 4);
    words.set(this.#words);
    this.#words = words;
    this.#view = new DataView(words.buffer);
    const recordWords = new Int32Array(words.length);
    recordWords.set(this.#recordWords);
    this.#recordWords = recordWords;
    this.#records = new DataView(recordWords.buffer);
    this.#index = new TupleIndex(Math.min(this.#capacity, this.limit) * 2);
    this.#sources = new SourceLists(Math.min(this.#capacity, this.limit));
    for (const flow of this.flows()) this.#place(flow);
    this.#free.grow(this.#capacity);
    this.#releaseFrom(before);
  }
}
