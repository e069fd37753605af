/**
 * Where a flow cache keeps its records: a set-associative table of machine words. A record lies in
 * one of the few places from that of its hash on, and fills one line of a processor's cache.
 * @module
 */
import { alignedWords } from "../base/aligned-words.ts";
import { OptionError } from "../base/errors.ts";

/** Words of a record. */
export const WORDS = 16;
/** What a word of a record says. */
export const Word = {
  Source: 0,
  Destination: 1,
  Ports: 2,
  Protocol: 3,
  /** {@link FlowRecords.epoch} when it was written; 0 for an empty place. */
  Epoch: 4,
  /** Index of the lane; 0 for none. */
  Lane: 5,
  /** Of connection tracking; 0 for none. */
  Flow: 6,
  State: 7,
  /** Bits that say what becomes of the packet. */
  Change: 8,
  Address: 9,
  NewPorts: 10,
  /** What a changed address adds to the complement of the IP header's checksum. */
  HeaderDelta: 11,
  /** What changed addresses and ports add to that of the transport header's. */
  TransportDelta: 12,
  /** Index of the passage that leads on through the next router; 0 for none. */
  Passage: 13,
  /** The next router's flow and its state. */
  NextFlow: 14,
  NextState: 15,
} as const;

/**
 * Records that are looked at for one flow. With four, and a table two fifths full, one flow in a
 * hundred found no place.
 */
const WAYS = 8;
const FIRST_RECORDS = 256;
const MAX_RECORDS = 2 ** 20;

/** What tells flows apart, as it lies in headers: signed words in this computer's own order. */
export interface FlowKey {
  readonly source: number;
  readonly destination: number;
  /** Both ports. */
  readonly ports: number;
  readonly protocol: number;
}

/** Says whether a record's flow lives. */
export type IsAlive = (record: number) => boolean;

/** The records of one flow cache. */
export class FlowRecords {
  /** Most records; each direction of a flow has one. */
  declare readonly limit: number;
  /** Records of other epochs are forgotten. */
  epoch = 1;
  /** The records; replaced when the table grows. */
  words: Int32Array = alignedWords(FIRST_RECORDS * WORDS);

  /** @param limit a power of two from 256 to 2^20. */
  constructor(limit: number = MAX_RECORDS / 2) {
    if (limit < FIRST_RECORDS || limit > MAX_RECORDS || !Number.isInteger(Math.log2(limit))) {
      throw new OptionError("limit", limit, "a power of two from 256 to 2^20");
    }
    this.limit = limit;
  }

  /** Forget all. */
  clear(): void {
    this.epoch = (this.epoch + 1) | 0 || 1;
  }

  /** Where the record of a flow is looked for first. */
  homeOf(source: number, destination: number, ports: number, protocol: number): number {
    return (hashOf(source, destination, ports, protocol) * WORDS) & (this.words.length - 1);
  }

  /** Where the record of a flow lies; -1 for none. */
  find(source: number, destination: number, ports: number, protocol: number): number {
    const home = this.homeOf(source, destination, ports, protocol);
    return this.findFrom(home, source, destination, ports, protocol);
  }

  /** As {@link find}, for a flow whose {@link homeOf} is known. */
  findFrom(
    place: number,
    source: number,
    destination: number,
    ports: number,
    protocol: number,
  ): number {
    const words = this.words;
    const last = words.length - 1;
    let record = place & last;
    for (let way = 0; way < WAYS; way += 1) {
      if (
        words[record] === source &&
        words[record + Word.Destination] === destination &&
        words[record + Word.Ports] === ports &&
        words[record + Word.Protocol] === protocol
      ) {
        return words[record + Word.Epoch] === this.epoch ? record : -1;
      }
      // A place that was ever written is never empty again: nothing lies behind an empty one.
      if (words[record + Word.Epoch] === 0) return -1;
      record = (record + WORDS) & last;
    }
    return -1;
  }

  /**
   * A record for the flow of `notes`: its own, or one that nobody needs. What follows the epoch is
   * to be written.
   */
  add(notes: FlowKey, isAlive: IsAlive): number {
    const record = this.#take(notes, isAlive);
    const { words } = this;
    words[record + Word.Source] = notes.source;
    words[record + Word.Destination] = notes.destination;
    words[record + Word.Ports] = notes.ports;
    words[record + Word.Protocol] = notes.protocol;
    words[record + Word.Epoch] = this.epoch;
    return record;
  }

  #take(notes: FlowKey, isAlive: IsAlive): number {
    const { source, destination, ports, protocol } = notes;
    const hash = hashOf(source, destination, ports, protocol);
    for (;;) {
      const words = this.words;
      const last = words.length - 1;
      let free = -1;
      let record = (hash * WORDS) & last;
      for (let way = 0; way < WAYS; way += 1) {
        const isOwn =
          words[record] === source &&
          words[record + Word.Destination] === destination &&
          words[record + Word.Ports] === ports &&
          words[record + Word.Protocol] === protocol;
        if (isOwn) return record;
        const isNeeded = words[record + Word.Epoch] === this.epoch && isAlive(record);
        if (free < 0 && !isNeeded) free = record;
        record = (record + WORDS) & last;
      }
      if (free >= 0) return free;
      if (words.length >= this.limit * WORDS) {
        return ((hash + ((hash >>> 24) & (WAYS - 1))) * WORDS) & last;
      }
      this.#grow();
    }
  }

  /** Double the table; records that find no room in it are forgotten. */
  #grow(): void {
    const old = this.words;
    const words = alignedWords(old.length * 2);
    const last = words.length - 1;
    this.words = words;
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + Word.Epoch] !== this.epoch) continue;
      const hash = hashOf(
        old[from] ?? 0,
        old[from + Word.Destination] ?? 0,
        old[from + Word.Ports] ?? 0,
        old[from + Word.Protocol] ?? 0,
      );
      let record = (hash * WORDS) & last;
      for (let way = 0; way < WAYS; way += 1) {
        if (words[record + Word.Epoch] === 0) {
          for (let word = 0; word < WORDS; word += 1) words[record + word] = old[from + word] ?? 0;
          break;
        }
        record = (record + WORDS) & last;
      }
    }
  }
}

/** Mix four words, as the finish of MurmurHash3 does; unsigned 27 bits. */
export function hashOf(first: number, second: number, third: number, fourth: number): number {
  let hash = Math.imul(first ^ 0x9e37_79b9, 0x85eb_ca6b);
  hash = Math.imul((hash ^ (hash >>> 15)) + second, 0xc2b2_ae35);
  hash = Math.imul((hash ^ (hash >>> 13)) + third, 0x27d4_eb2f);
  hash = Math.imul((hash ^ (hash >>> 16)) + fourth, 0x1656_67b1);
  return (hash ^ (hash >>> 15)) & 0x7ff_ffff;
}
