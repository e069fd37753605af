/**
 * The hash table of tuples: open addressing with linear probing, at most half full, without gaps
 * in a run. Tuples lie in the order of their hashes, so that those of one chain of the kernel's
 * table lie side by side.
 * @module
 */
import { NO_WORDS } from "../base/first-values.ts";
import { alignedWords } from "../base/aligned-words.ts";
import { Scratch as ImportedScratch } from "./flow-record.ts";
import { isSameTuple as ImportedisSameTuple, TupleWord as ImportedTupleWord } from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const Scratch = ImportedScratch;
const TupleWord = ImportedTupleWord;
const isSameTuple = ImportedisSameTuple;

/** Words of a place: the hash, then the tuple's way or 0. */
const PLACE = 2;
/** Places for each tuple, at least. */
const PLACES = 2;

/** Where tuples are; a *way* is a tuple's position in octets in the words that are handed in. */
export class TupleIndex {
  readonly #places: Int32Array = NO_WORDS;
  /** Bits of a hash that do not choose a place. */
  readonly #shift: number = 0;

  /** @param tuples the most that will ever be in it. */
  constructor(tuples: number) {
    const bits = Math.ceil(Math.log2(tuples * PLACES));
    this.#places = alignedWords(2 ** bits * PLACE);
    this.#shift = 32 - bits;
  }

  /** @returns the way of the tuple in {@link Scratch.Probe}; -1 for none. */
  find(words: Int32Array): number {
    const places = this.#places;
    const hash = hashOf(words, Scratch.Probe);
    const last = places.length - 1;
    for (let place = this.#homeOf(hash); ; place = (place + PLACE) & last) {
      const way = places[place + 1] ?? 0;
      if (way === 0) return -1;
      if (places[place] === hash && isSameTuple(words, way, Scratch.Probe)) return way;
    }
  }

  /** Read where a tuple of that {@link tupleHash} is looked for. @returns nothing of meaning. */
  touch(hash: number): number {
    return this.#places[this.#homeOf(hash)] ?? 0;
  }

  /** Put the tuple at `way` in. */
  place(words: Int32Array, way: number): void {
    const places = this.#places;
    const hash = hashOf(words, way);
    const last = places.length - 1;
    let place = this.#homeOf(hash);
    while (places[place + 1] !== 0) place = (place + PLACE) & last;
    places[place] = hash;
    places[place + 1] = way;
  }

  /** Take `way`, which is there, out, and move up what was placed behind it for want of room. */
  displace(words: Int32Array, way: number): void {
    const places = this.#places;
    const last = places.length - 1;
    let gap = this.#homeOf(hashOf(words, way));
    while (places[gap + 1] !== way) gap = (gap + PLACE) & last;
    for (let place = (gap + PLACE) & last; ; place = (place + PLACE) & last) {
      const other = places[place + 1] ?? 0;
      if (other === 0) break;
      const hash = places[place] ?? 0;
      const distance = (place - this.#homeOf(hash)) & last;
      if (distance < ((place - gap) & last)) continue;
      places[gap] = hash;
      places[gap + 1] = other;
      gap = place;
    }
    places[gap + 1] = 0;
  }

  /** The chain that the tuple in {@link Scratch.Probe} belongs to, of `chains` in all. */
  chainOf(words: Int32Array, chains: number): number {
    return chainOf(hashOf(words, Scratch.Probe), chains);
  }

  /**
   * The ways in one chain of the kernel's table, one after the other.
   * @param after 0 to begin, then what was returned; nothing may be put in or taken out meanwhile.
   * @returns the position of the next way, for {@link wayAt}; -1 at the end.
   */
  nextInChain(chain: number, chains: number, after: number): number {
    const places = this.#places;
    const size = places.length;
    const first = this.#homeOf(Math.ceil((chain * 2 ** 32) / chains));
    const end = this.#homeOf(Math.ceil(((chain + 1) * 2 ** 32) / chains) - 1);
    for (let at = after === 0 ? first : after - 1 + PLACE; at < first + size; at += PLACE) {
      const place = at & (size - 1);
      const isEmpty = places[place + 1] === 0;
      if (isEmpty && at >= end) return -1;
      if (!isEmpty && chainOf(places[place] ?? 0, chains) === chain) return at + 1;
    }
    return -1;
  }

  /** The way at a position that {@link nextInChain} returned. */
  wayAt(position: number): number {
    return this.#places[((position - 1) & (this.#places.length - 1)) + 1] ?? 0;
  }

  #homeOf(hash: number): number {
    return (hash >>> this.#shift) * PLACE;
  }
}

const chainOf = (hash: number, chains: number): number =>
  Math.floor(((hash >>> 0) * chains) / 2 ** 32);

const hashOf = (words: Int32Array, way: number): number => {
  const at = way >> 2;
  return tupleHash(
    words[at + TupleWord.Src] ?? 0,
    words[at + TupleWord.Dst] ?? 0,
    words[at + TupleWord.Ports] ?? 0,
    words[at + TupleWord.Protocol] ?? 0,
  );
};

/** Mix the words of a tuple to 32 bits, as the finish of MurmurHash3 does. */
export function tupleHash(src: number, dst: number, ports: number, protocol: number): number {
  let hash = Math.imul(src ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul((hash ^ (hash >>> 15)) + dst, 0xc2b2ae35);
  hash = Math.imul((hash ^ (hash >>> 13)) + ports, 0x27d4eb2f);
  hash = Math.imul((hash ^ (hash >>> 16)) + protocol, 0x165667b1);
  return hash ^ (hash >>> 15);
}
