/**
 * Shared rings: one page on which two domains exchange requests and responses
 * (Xen: `public/io/ring.h`, in which each step here is a macro).
 *
 * Indices run freely through 32 bits and are kept as signed words; an entry's place is the index
 * modulo the ring's size, and a response takes the place of a request that was consumed. The page
 * belongs to the guest and holds whatever it likes: private indices are never read back from it.
 * Where the memory is shared with another thread, index words are written and read by `Atomics`.
 * @module
 */
import { NO_WORDS } from "../../base/first-values.ts";
import { OptionError } from "../../base/errors.ts";
import {
  type DomainMemory,
  FRAME_OCTETS,
  FRAME_SHIFT,
  FRAME_WORD_SHIFT,
} from "../hypervisor/domain-memory.ts";

/** Octets before the first entry. */
const RING_HEADER_OCTETS = 64;
/** Words of the header. */
const REQUEST_PRODUCER = 0;
const REQUEST_EVENT = 1;
const RESPONSE_PRODUCER = 2;
const RESPONSE_EVENT = 3;

/** Entries of a one-page ring: the largest power of two of them that fits behind the header. */
export function ringEntries(entryOctets: number): number {
  return 2 ** Math.floor(Math.log2((FRAME_OCTETS - RING_HEADER_OCTETS) / entryOctets));
}

/** An empty ring on frame `gfn`: producers 0, events 1 (`SHARED_RING_INIT`): the front end's. */
export function initializeRing(memory: DomainMemory, gfn: number): void {
  const first = gfn << FRAME_SHIFT;
  memory.bytes.fill(0, first, first + RING_HEADER_OCTETS);
  const { words } = memory;
  const at = gfn << FRAME_WORD_SHIFT;
  store(words, at + REQUEST_EVENT, 1, memory.isShared);
  store(words, at + RESPONSE_EVENT, 1, memory.isShared);
}

/** Where the responses of a ring in use end, a signed word: a back end may go on there. */
export function responseProducerOf(memory: DomainMemory, gfn: number): number {
  return load(memory.words, (gfn << FRAME_WORD_SHIFT) + RESPONSE_PRODUCER, memory.isShared);
}

/** What one end of a ring is made from. */
export interface RingOptions {
  /** Where the ring's page lies: the front end's domain. */
  readonly memory: DomainMemory;
  /** Its frame. */
  readonly gfn: number;
  /** Octets of an entry: the larger of request and response, a multiple of 4. */
  readonly entryOctets: number;
  /** Index of the first request, for a ring that goes on after a restored domain; 0. */
  readonly start?: number;
}

/** The front end's side: puts requests on, takes responses off. */
export class FrontRing {
  declare readonly memory: DomainMemory;
  declare readonly gfn: number;
  /** A power of two. */
  declare readonly entries: number;
  declare readonly entryOctets: number;
  /** Index of the next request that {@link reserve} gives (`req_prod_pvt`). */
  requestProducer = 0;
  /** Index of the next response that {@link take} gives (`rsp_cons`). */
  responseConsumer = 0;
  readonly #words: Int32Array = NO_WORDS;
  readonly #isShared: boolean = false;
  readonly #at: number = 0;
  readonly #first: number = 0;
  readonly #mask: number = 0;

  constructor(options: RingOptions) {
    const { memory, gfn, entryOctets, start = 0 } = options;
    checkRing(options);
    this.memory = memory;
    this.gfn = gfn;
    this.entryOctets = entryOctets;
    this.entries = ringEntries(entryOctets);
    this.requestProducer = start | 0;
    this.responseConsumer = start | 0;
    this.#words = memory.words;
    this.#isShared = memory.isShared;
    this.#at = gfn << FRAME_WORD_SHIFT;
    this.#first = (gfn << FRAME_SHIFT) + RING_HEADER_OCTETS;
    this.#mask = this.entries - 1;
  }

  /** Requests that may still be put on (`RING_FREE_REQUESTS`). */
  get free(): number {
    return this.entries - ((this.requestProducer - this.responseConsumer) | 0);
  }

  /** Octet of the entry of `index` in the memory. */
  entryAt(index: number): number {
    return this.#first + (index & this.#mask) * this.entryOctets;
  }

  /** The next request's entry, to be filled; {@link free} must not be 0. @returns its octet. */
  reserve(): number {
    const at = this.#first + (this.requestProducer & this.#mask) * this.entryOctets;
    this.requestProducer = (this.requestProducer + 1) | 0;
    return at;
  }

  /** Publish what was reserved. @returns true if the back end wants an event. */
  push(): boolean {
    const words = this.#words;
    const at = this.#at;
    const next = this.requestProducer;
    if (this.#isShared) {
      const old = Atomics.load(words, at + REQUEST_PRODUCER);
      Atomics.store(words, at + REQUEST_PRODUCER, next);
      return (next - Atomics.load(words, at + REQUEST_EVENT)) >>> 0 < (next - old) >>> 0;
    }
    const old = wordOf(words, at + REQUEST_PRODUCER);
    words[at + REQUEST_PRODUCER] = next;
    return (next - wordOf(words, at + REQUEST_EVENT)) >>> 0 < (next - old) >>> 0;
  }

  /** Responses that wait; more than {@link entries} if the back end lies. */
  get unconsumed(): number {
    const producer = load(this.#words, this.#at + RESPONSE_PRODUCER, this.#isShared);
    return (producer - this.responseConsumer) >>> 0;
  }

  /** True if the back end claims more than a ring can hold (`RING_RESPONSE_PROD_OVERFLOW`). */
  get isOverrun(): boolean {
    return this.unconsumed > this.entries;
  }

  /** The next response's entry; {@link unconsumed} must not be 0. @returns its octet. */
  take(): number {
    const at = this.#first + (this.responseConsumer & this.#mask) * this.entryOctets;
    this.responseConsumer = (this.responseConsumer + 1) | 0;
    return at;
  }

  /** Ask for an event once the response of index `index` - 1 is there. */
  askAt(index: number): void {
    store(this.#words, this.#at + RESPONSE_EVENT, index, this.#isShared);
  }

  /**
   * Before going to sleep: ask for an event with the next response.
   * @returns true if responses wait, and there will be no event for them.
   */
  finalCheck(): boolean {
    if (this.unconsumed !== 0) return true;
    this.askAt((this.responseConsumer + 1) | 0);
    return this.unconsumed !== 0;
  }
}

/** The back end's side: takes requests off, puts responses on. */
export class BackRing {
  declare readonly memory: DomainMemory;
  declare readonly gfn: number;
  /** A power of two. */
  declare readonly entries: number;
  declare readonly entryOctets: number;
  /** Index of the next request that {@link take} gives (`req_cons`). */
  requestConsumer = 0;
  /** Index of the next response that {@link reserve} gives (`rsp_prod_pvt`). */
  responseProducer = 0;
  readonly #words: Int32Array = NO_WORDS;
  readonly #isShared: boolean = false;
  readonly #at: number = 0;
  readonly #first: number = 0;
  readonly #mask: number = 0;

  constructor(options: RingOptions) {
    const { memory, gfn, entryOctets, start = 0 } = options;
    checkRing(options);
    this.memory = memory;
    this.gfn = gfn;
    this.entryOctets = entryOctets;
    this.entries = ringEntries(entryOctets);
    this.requestConsumer = start | 0;
    this.responseProducer = start | 0;
    this.#words = memory.words;
    this.#isShared = memory.isShared;
    this.#at = gfn << FRAME_WORD_SHIFT;
    this.#first = (gfn << FRAME_SHIFT) + RING_HEADER_OCTETS;
    this.#mask = this.entries - 1;
  }

  /** Octet of the entry of `index` in the memory. */
  entryAt(index: number): number {
    return this.#first + (index & this.#mask) * this.entryOctets;
  }

  /** What the front end says that it produced (`req_prod`), a signed word. */
  get claimed(): number {
    return load(this.#words, this.#at + REQUEST_PRODUCER, this.#isShared);
  }

  /** Requests that may be taken: as claimed, never more than the ring holds. */
  get unconsumed(): number {
    const claimed = (this.claimed - this.requestConsumer) >>> 0;
    const room = this.entries - ((this.requestConsumer - this.responseProducer) | 0);
    return claimed < room ? claimed : room;
  }

  /** True if the front end claims more than a ring can hold (`RING_REQUEST_PROD_OVERFLOW`). */
  get isOverrun(): boolean {
    return (this.claimed - this.responseProducer) >>> 0 > this.entries;
  }

  /** The next request's entry; {@link unconsumed} must not be 0. @returns its octet. */
  take(): number {
    const at = this.#first + (this.requestConsumer & this.#mask) * this.entryOctets;
    this.requestConsumer = (this.requestConsumer + 1) | 0;
    return at;
  }

  /** The next response's entry, of a request that was taken. @returns its octet. */
  reserve(): number {
    const at = this.#first + (this.responseProducer & this.#mask) * this.entryOctets;
    this.responseProducer = (this.responseProducer + 1) | 0;
    return at;
  }

  /** Publish what was reserved. @returns true if the front end wants an event. */
  push(): boolean {
    const words = this.#words;
    const at = this.#at;
    const next = this.responseProducer;
    if (this.#isShared) {
      const old = Atomics.load(words, at + RESPONSE_PRODUCER);
      Atomics.store(words, at + RESPONSE_PRODUCER, next);
      return (next - Atomics.load(words, at + RESPONSE_EVENT)) >>> 0 < (next - old) >>> 0;
    }
    const old = wordOf(words, at + RESPONSE_PRODUCER);
    words[at + RESPONSE_PRODUCER] = next;
    return (next - wordOf(words, at + RESPONSE_EVENT)) >>> 0 < (next - old) >>> 0;
  }

  /** Ask for an event once the request of index `index` - 1 is there. */
  askAt(index: number): void {
    store(this.#words, this.#at + REQUEST_EVENT, index, this.#isShared);
  }

  /**
   * Before going to sleep: ask for an event with the next request.
   * @returns true if requests wait, and there will be no event for them.
   */
  finalCheck(): boolean {
    if (this.unconsumed !== 0) return true;
    this.askAt((this.requestConsumer + 1) | 0);
    return this.unconsumed !== 0;
  }
}

function checkRing({ memory, gfn, entryOctets }: RingOptions): void {
  if (!Number.isInteger(gfn) || gfn < 0 || gfn >= memory.pages) {
    throw new OptionError("gfn", gfn, `0 to ${memory.pages - 1}`);
  }
  if (entryOctets % 4 !== 0 || entryOctets < 4 || entryOctets > FRAME_OCTETS / 2) {
    throw new OptionError("entryOctets", entryOctets, "a multiple of 4 from 4 to 2048");
  }
}

function wordOf(words: Int32Array, at: number): number {
  return words[at] ?? 0;
}

function load(words: Int32Array, at: number, isShared: boolean): number {
  return isShared ? Atomics.load(words, at) : (words[at] ?? 0);
}

function store(words: Int32Array, at: number, value: number, isShared: boolean): void {
  if (isShared) Atomics.store(words, at, value);
  else words[at] = value;
}
