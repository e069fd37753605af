/**
 * The hash table of tuples: open addressing with linear probing, at most half full, without gaps
 * in a run. Tuples lie in the order of their hashes, so that those of one chain of the kernel's
 * table lie side by side.
 * @module
 */
import { viewOf } from "../wire/field.ts";
import { Scratch } from "./flow-record.ts";
import { isSameTuple, TUPLE } from "./tuple.ts";

/** Octets of a place: the hash, then the tuple's way or 0. */
const PLACE = 8;
/** Places for each tuple, at least. */
const PLACES = 2;

/** Where tuples are; a *way* is a tuple's position in the view that is handed in. */
export class TupleIndex {
  readonly #places: DataView;
  /** Bits of a hash that do not choose a place. */
  readonly #shift: number;

  /** @param tuples the most that will ever be in it. */
  constructor(tuples: number) {
    const bits = Math.ceil(Math.log2(tuples * PLACES));
    this.#places = viewOf(new Uint8Array(2 ** bits * PLACE));
    this.#shift = 32 - bits;
  }

  /** @returns the way of the tuple in {@link Scratch.Probe}; -1 for none. */
  find(view: DataView): number {
    const places = this.#places;
    const hash = hashOf(view, Scratch.Probe);
    const last = places.byteLength - 1;
    for (let place = this.#homeOf(hash); ; place = (place + PLACE) & last) {
      const way = places.getUint32(place + 4, true);
      if (way === 0) return -1;
      if (places.getInt32(place, true) !== hash) continue;
      if (isSameTuple(view, way, Scratch.Probe)) return way;
    }
  }

  /** Put the tuple at `way` in. */
  place(view: DataView, way: number): void {
    const places = this.#places;
    const hash = hashOf(view, way);
    let place = this.#homeOf(hash);
    while (places.getUint32(place + 4, true) !== 0) {
      place = (place + PLACE) & (places.byteLength - 1);
    }
    places.setInt32(place, hash, true);
    places.setUint32(place + 4, way, true);
  }

  /** Take `way`, which is there, out, and move up what was placed behind it for want of room. */
  displace(view: DataView, way: number): void {
    const places = this.#places;
    const last = places.byteLength - 1;
    let gap = this.#homeOf(hashOf(view, way));
    while (places.getUint32(gap + 4, true) !== way) gap = (gap + PLACE) & last;
    for (let place = (gap + PLACE) & last; ; place = (place + PLACE) & last) {
      const other = places.getUint32(place + 4, true);
      if (other === 0) break;
      const hash = places.getInt32(place, true);
      const distance = (place - this.#homeOf(hash)) & last;
      if (distance < ((place - gap) & last)) continue;
      places.setInt32(gap, hash, true);
      places.setUint32(gap + 4, other, true);
      gap = place;
    }
    places.setUint32(gap + 4, 0, true);
  }

  /** The chain that the tuple in {@link Scratch.Probe} belongs to, of `chains` in all. */
  chainOf(view: DataView, chains: number): number {
    return chainOf(hashOf(view, Scratch.Probe), chains);
  }

  /**
   * The ways in one chain of the kernel's table, one after the other.
   * @param after 0 to begin, then what was returned; nothing may be put in or taken out meanwhile.
   * @returns the position of the next way, for {@link wayAt}; -1 at the end.
   */
  nextInChain(chain: number, chains: number, after: number): number {
    const places = this.#places;
    const size = places.byteLength;
    const first = this.#homeOf(Math.ceil((chain * 2 ** 32) / chains));
    const end = this.#homeOf(Math.ceil(((chain + 1) * 2 ** 32) / chains) - 1);
    for (let at = after === 0 ? first : after - 1 + PLACE; at < first + size; at += PLACE) {
      const place = at & (size - 1);
      const isEmpty = places.getUint32(place + 4, true) === 0;
      if (isEmpty && at >= end) return -1;
      if (!isEmpty && chainOf(places.getInt32(place, true), chains) === chain) return at + 1;
    }
    return -1;
  }

  /** The way at a position that {@link nextInChain} returned. */
  wayAt(position: number): number {
    return this.#places.getUint32(((position - 1) & (this.#places.byteLength - 1)) + 4, true);
  }

  #homeOf(hash: number): number {
    return (hash >>> this.#shift) * PLACE;
  }
}

const chainOf = (hash: number, chains: number): number =>
  Math.floor(((hash >>> 0) * chains) / 2 ** 32);

/** Mix the words of the tuple at `way` to 32 bits, as the finish of MurmurHash3 does. */
function hashOf(view: DataView, way: number): number {
  let hash = Math.imul(TUPLE.src.get(view, way) ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul((hash ^ (hash >>> 15)) + TUPLE.dst.get(view, way), 0xc2b2ae35);
  hash = Math.imul((hash ^ (hash >>> 13)) + TUPLE.ports.get(view, way), 0x27d4eb2f);
  hash = Math.imul((hash ^ (hash >>> 16)) + TUPLE.protocol.get(view, way), 0x165667b1);
  return hash ^ (hash >>> 15);
}
