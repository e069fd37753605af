/**
 * Entries with the same source (`nf_nat_bysource` of Linux): lists through the entries that begin
 * in a table of heads, the latest first.
 * @module
 */
import { FlowWord as ImportedFlowWord } from "./flow-record.ts";
import { srcPortOf as ImportedsrcPortOf, TupleWord as ImportedTupleWord } from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const TupleWord = ImportedTupleWord;
const srcPortOf = ImportedsrcPortOf;
const { NextSame: NEXT, PreviousSame: PREVIOUS } = ImportedFlowWord;

/** Lists that are read ahead. */
const MOST_EXPECTED = 64;

/** Lists by the hash of protocol and source; entries lie in the words that are handed in. */
export class SourceLists {
  readonly #heads: Int32Array;
  readonly #expected = new Int32Array(MOST_EXPECTED + 1);
  #expectedCount = 0;

  /** @param flows the most that are expected; more make the lists longer. */
  constructor(flows: number) {
    this.#heads = new Int32Array(2 ** Math.ceil(Math.log2(flows)));
  }

  /** The latest entry that may have protocol and source of the tuple at `way`; 0 for none. */
  firstSame(words: Int32Array, way: number): number {
    return this.#heads[this.#headOf(words, way)] ?? 0;
  }

  /** Put `flow` at the head of its list. */
  link(words: Int32Array, flow: number): void {
    const head = this.#headOf(words, flow);
    const next = this.#heads[head] ?? 0;
    words[(flow >> 2) + NEXT] = next;
    words[(flow >> 2) + PREVIOUS] = 0;
    if (next !== 0) words[(next >> 2) + PREVIOUS] = flow;
    this.#heads[head] = flow;
  }

  /** Read the head of a list, and remember it until {@link touch}. @returns nothing of meaning. */
  expect(src: number, srcPort: number, protocol: number): number {
    const head = hashOf(src, srcPort, protocol) & (this.#heads.length - 1);
    this.#expected[this.#expectedCount] = head;
    if (this.#expectedCount < MOST_EXPECTED) this.#expectedCount += 1;
    return this.#heads[head] ?? 0;
  }

  /** Read the latest entries of the lists that are expected. @returns nothing of meaning. */
  touch(words: Int32Array): number {
    let read = 0;
    for (let index = 0; index < this.#expectedCount; index += 1) {
      read ^= words[(this.#heads[this.#expected[index] ?? 0] ?? 0) >> 2] ?? 0;
    }
    this.#expectedCount = 0;
    return read;
  }

  /** Take `flow` out of its list. */
  unlink(words: Int32Array, flow: number): void {
    const next = words[(flow >> 2) + NEXT] ?? 0;
    const previous = words[(flow >> 2) + PREVIOUS] ?? 0;
    if (next !== 0) words[(next >> 2) + PREVIOUS] = previous;
    if (previous === 0) this.#heads[this.#headOf(words, flow)] = next;
    else words[(previous >> 2) + NEXT] = next;
  }

  #headOf(words: Int32Array, way: number): number {
    const at = way >> 2;
    const srcPort = srcPortOf(words[at + TupleWord.Ports] ?? 0);
    const src = words[at + TupleWord.Src] ?? 0;
    return hashOf(src, srcPort, words[at + TupleWord.Protocol] ?? 0) & (this.#heads.length - 1);
  }
}

function hashOf(src: number, srcPort: number, protocol: number): number {
  let hash = Math.imul(src ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul((hash ^ (hash >>> 15)) + srcPort, 0xc2b2ae35);
  hash = Math.imul((hash ^ (hash >>> 13)) + protocol, 0x27d4eb2f);
  return hash ^ (hash >>> 16);
}
