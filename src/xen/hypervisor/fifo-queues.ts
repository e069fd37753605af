/**
 * Xen's half of the FIFO event channels of one domain (Xen 4.17: `common/event_fifo.c`): puts ports
 * that have events at the end of their queue. Heads and links lie in the domain's own memory and
 * are written, never believed; tails are Xen's own.
 * @module
 */
import { type DomainMemory, FRAME_OCTETS, FRAME_WORD_SHIFT } from "./domain-memory.ts";
import { Errno } from "./errno.ts";
import {
  ARRAY_PAGES,
  ControlBlock,
  DEFAULT_PRIORITY,
  EventWord,
  FIFO_PORTS,
  PAGE_PORTS,
  QUEUES,
} from "./fifo-layout.ts";
import type { SharedInfo } from "./shared-info.ts";

/** Tries to write a link that the domain's processors change meanwhile. */
const LINK_TRIES = 4;
/** Bits of an event word, by number. */
const PENDING_BIT = 31;
const MASKED_BIT = 30;
const LINKED_BIT = 29;
const BUSY_BIT = 28;

/** Where a processor's control block lies (`EVTCHNOP_init_control`). */
export interface ControlPlace {
  readonly vcpu: number;
  /** Frame of the domain. */
  readonly gfn: number;
  /** Octet of the frame; a multiple of 8. */
  readonly offset: number;
}

/** One domain's words, control blocks and tails. */
export class FifoQueues {
  readonly #info: SharedInfo;
  readonly #memory: DomainMemory;
  /** Word of the memory at which each page of the event array starts; -1 for none. */
  readonly #pages = new Int32Array(ARRAY_PAGES).fill(-1);
  #pageCount = 0;
  /** Word of each processor's control block; -1 for none. */
  readonly #controls: Int32Array;
  /** By processor and priority: the port that was linked last; 0 for none. */
  readonly #tails: Int32Array;
  /** By port, for each that is valid. */
  #priorities: Uint8Array;
  /** By port: the queue that it was linked to last. */
  #lastQueues: Uint16Array;

  /** @param ports that are valid: they have the default priority. */
  constructor(info: SharedInfo, vcpus: number, ports: number) {
    this.#info = info;
    this.#memory = info.memory;
    this.#controls = new Int32Array(vcpus).fill(-1);
    this.#tails = new Int32Array(vcpus * QUEUES);
    this.#priorities = new Uint8Array(ports).fill(DEFAULT_PRIORITY);
    this.#lastQueues = new Uint16Array(ports);
  }

  /** Ports from 0 to `ports` - 1 are valid from now on. */
  grow(ports: number): void {
    const { length } = this.#priorities;
    if (ports <= length) return;
    const room = Math.min(2 * ports, FIFO_PORTS);
    const priorities = new Uint8Array(room);
    priorities.set(this.#priorities);
    const lastQueues = new Uint16Array(room);
    lastQueues.set(this.#lastQueues);
    this.#priorities = priorities;
    this.#lastQueues = lastQueues;
  }

  /** A processor's control block. @returns 0; `ENOENT`, or `EINVAL` if it has one or cannot be. */
  mapControl({ vcpu, gfn, offset }: ControlPlace): number {
    const mapped = this.#controls[vcpu];
    if (mapped === undefined) return Errno.ENOENT;
    if (!isControlOffset(offset) || mapped >= 0 || !this.#isFrame(gfn)) return Errno.EINVAL;
    this.#controls[vcpu] = (gfn << FRAME_WORD_SHIFT) + (offset >> 2);
    return 0;
  }

  /** One page more of the event array. @returns its first port; `ENOSPC`, `EINVAL`. */
  addPage(gfn: number): number {
    if (this.#pageCount === ARRAY_PAGES) return Errno.ENOSPC;
    if (!this.#isFrame(gfn)) return Errno.EINVAL;
    this.#pages[this.#pageCount] = gfn << FRAME_WORD_SHIFT;
    this.#pageCount += 1;
    return (this.#pageCount - 1) * PAGE_PORTS;
  }

  /** A port is bound: it has no priority of its own any more. */
  initPort(port: number): void {
    this.#priorities[port] = DEFAULT_PRIORITY;
  }

  /** Of the events to come. @returns 0; `EINVAL`. */
  setPriority(port: number, priority: number): number {
    if (!(priority >= 0 && priority < QUEUES)) return Errno.EINVAL;
    this.#priorities[port] = priority;
    return 0;
  }

  /** True if the event array has a word for the port. */
  hasWord(port: number): boolean {
    return this.#wordOf(port) >= 0;
  }

  /** True while a port, even a free one, is in a queue. */
  isBusy(port: number): boolean {
    const at = this.#wordOf(port);
    return at >= 0 && this.#info.test(at, LINKED_BIT);
  }

  /** A port is closed. If it is in a queue, it stays there until the domain comes to it. */
  clearPending(port: number): void {
    const at = this.#wordOf(port);
    if (at >= 0) this.#info.testAndClear(at, PENDING_BIT);
  }

  /** Clear the port's mask bit. @returns as {@link setPending} for what is pending. */
  unmask(port: number, vcpu: number): boolean {
    const at = this.#wordOf(port);
    if (at < 0) return false;
    this.#info.testAndClear(at, MASKED_BIT);
    return this.#info.test(at, PENDING_BIT) && this.setPending(port, vcpu);
  }

  /**
   * An event for a port that has a word: pending, and at the end of its queue unless it is masked
   * or in one. Without a control block it is dropped.
   * @returns true if the queue was empty and the processor's ready word did not say otherwise.
   */
  setPending(port: number, vcpu: number): boolean {
    const info = this.#info;
    const control = this.#controls[vcpu] ?? -1;
    const at = this.#wordOf(port);
    if (control < 0 || at < 0) return false;
    info.testAndSet(at, PENDING_BIT);
    if ((info.wordAt(at) & EventWord.masked) !== 0 || info.testAndSet(at, LINKED_BIT)) return false;
    const priority = this.#priorities[port] ?? 0;
    const queue = vcpu * QUEUES + priority;
    const tail = this.#moveTo(port, queue);
    this.#tails[queue] = port;
    if (tail !== 0 && this.#link(this.#wordOf(tail), port)) return false;
    info.exchangeWord(control + ControlBlock.headWord + priority, port);
    return !info.testAndSet(control + ControlBlock.readyWord, priority);
  }

  /**
   * An event that the idle kernel of `vcpu` takes in the same instant. @returns true if it is so;
   * memory and queues are as both would leave them. False: nothing is done.
   */
  passThrough(port: number, vcpu: number): boolean {
    const info = this.#info;
    const control = this.#controls[vcpu] ?? -1;
    const at = this.#wordOf(port);
    if (control < 0 || at < 0 || (info.wordAt(at) | info.wordAt(control)) !== 0) return false;
    const priority = this.#priorities[port] ?? 0;
    const queue = vcpu * QUEUES + priority;
    const tail = this.#tails[queue] ?? 0;
    if (tail !== port) {
      if (tail !== 0 && info.test(this.#wordOf(tail), LINKED_BIT)) return false;
      this.#moveTo(port, queue);
      this.#tails[queue] = port;
    }
    this.#memory.words[control + ControlBlock.headWord + priority] = port;
    return true;
  }

  /** The port leaves the queue that it ended before, which is empty then. @returns the new tail. */
  #moveTo(port: number, queue: number): number {
    const last = this.#lastQueues[port] ?? 0;
    if (this.#tails[last] === port) this.#tails[last] = 0;
    this.#lastQueues[port] = queue;
    return this.#tails[queue] ?? 0;
  }

  /** Let the word of a tail name the next port. @returns false if the tail left its queue. */
  #link(at: number, port: number): boolean {
    const { words, isShared } = this.#memory;
    if (isShared) return this.#linkShared(at, port);
    const word = words[at] ?? 0;
    if ((word & EventWord.linked) === 0) return false;
    words[at] = (word & ~(EventWord.busy | EventWord.link)) | port;
    return true;
  }

  /** Against a domain that changes the word meanwhile: in the end the event is lost. */
  #linkShared(at: number, port: number): boolean {
    const { words } = this.#memory;
    for (let tries = 0; tries <= LINK_TRIES; tries += 1) {
      const word = Atomics.load(words, at);
      if ((word & EventWord.linked) === 0) {
        if (tries > 0) this.#info.testAndClear(at, BUSY_BIT);
        return false;
      }
      const linked = (word & ~(EventWord.busy | EventWord.link)) | port;
      if (Atomics.compareExchange(words, at, word, linked) === word) return true;
      if (tries === 0) this.#info.testAndSet(at, BUSY_BIT);
    }
    this.#info.testAndClear(at, BUSY_BIT);
    return true;
  }

  #wordOf(port: number): number {
    const first = this.#pages[port >>> 10] ?? -1;
    return first < 0 ? -1 : first + (port & (PAGE_PORTS - 1));
  }

  #isFrame(gfn: number): boolean {
    return Number.isInteger(gfn) && gfn >= 0 && gfn < this.#memory.pages;
  }
}

/** True if a control block may start at the octet `offset` of a frame. */
const isControlOffset = (offset: number): boolean =>
  offset >= 0 && offset <= FRAME_OCTETS - ControlBlock.octets && offset % 8 === 0;
