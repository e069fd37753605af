/**
 * A kernel's half of the FIFO event channels (Linux: `drivers/xen/events/events_fifo.c`): takes
 * what Xen put into its queues. All of it is the domain's own memory; a domain that spoils it loses
 * events, and no walk is longer than the words that are linked.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import { FRAME_OCTETS, FRAME_SHIFT, FRAME_WORD_SHIFT } from "./domain-memory.ts";
import type { UpcallHandler } from "./event-port.ts";
import { ControlBlock, EventWord, PAGE_PORTS, QUEUES } from "./fifo-layout.ts";
import type { SharedInfo } from "./shared-info.ts";

/** Looks at a word that Xen is busy with, which it is for less. */
const BUSY_LOOKS = 1000;
const ALL_QUEUES = (1 << QUEUES) - 1;
const PENDING_BIT = 31;
const MASKED_BIT = 30;

/** Frames that a kernel gave to Xen: another thread goes on with them. */
export interface FifoFrames {
  /** By processor: its control block, at the frame's start. */
  readonly controls: readonly number[];
  /** In the order of their ports. */
  readonly pages: readonly number[];
}

/** The queues as one domain's kernel reads them. */
export class FifoKernel {
  readonly #info: SharedInfo;
  /** By processor. */
  readonly #controls: number[] = [];
  readonly #pages: number[] = [];
  /** By processor and priority: the next port; 0: the control block has it. */
  readonly #heads: number[] = [];
  /** By processor: queues with more to take. */
  readonly #ready: number[] = [];

  constructor(info: SharedInfo, { controls, pages }: FifoFrames = { controls: [], pages: [] }) {
    this.#info = info;
    for (const gfn of controls) this.addControl(gfn);
    for (const gfn of pages) this.addPage(gfn);
  }

  /** What a thread needs to go on as this kernel. */
  get frames(): FifoFrames {
    return { controls: [...this.#controls], pages: [...this.#pages] };
  }

  /** Ports that have words. */
  get ports(): number {
    return this.#pages.length * PAGE_PORTS;
  }

  /** The next processor's control block. */
  addControl(gfn: number): void {
    this.#controls.push(gfn);
    this.#ready.push(0);
    for (let queue = 0; queue < QUEUES; queue += 1) this.#heads.push(0);
  }

  /** The next page of the event array. */
  addPage(gfn: number): void {
    this.#pages.push(gfn);
  }

  /** True if the port was unmasked then. */
  mask(port: number): boolean {
    const at = this.#wordOf(port);
    return at >= 0 && !this.#info.testAndSet(at, MASKED_BIT);
  }

  /** Unmask a port. @returns true if an event is pending: only Xen may do it then. */
  unmask(port: number): boolean {
    const { memory } = this.#info;
    const at = this.#wordOf(port);
    if (at < 0) return false;
    for (let looks = 0; looks < BUSY_LOOKS; looks += 1) {
      const word = this.#info.wordAt(at);
      if ((word & EventWord.masked) === 0) return false;
      if ((word & EventWord.pending) !== 0) return true;
      if ((word & EventWord.busy) !== 0) continue;
      const unmasked = word & ~EventWord.masked;
      if (!memory.isShared) memory.words[at] = unmasked;
      else if (Atomics.compareExchange(memory.words, at, word, unmasked) !== word) continue;
      return false;
    }
    this.#info.testAndClear(at, MASKED_BIT);
    return this.#info.test(at, PENDING_BIT);
  }

  /** Run the handlers of all that is in the queues of `vcpu`, the highest priority first. */
  handleEvents(
    ports: readonly ({ readonly handler: UpcallHandler | null } | null)[],
    vcpu: number,
    now: Instant,
  ): void {
    const gfn = this.#controls[vcpu];
    if (gfn === undefined) return;
    const control = gfn << FRAME_WORD_SHIFT;
    // What a handler threw over is taken at the next interrupt.
    for (let ready = this.#readyOf(vcpu, control); ready !== 0;) {
      this.#takeOne(ports, vcpu, 31 - Math.clz32(ready & -ready), now);
      ready = this.#readyOf(vcpu, control);
    }
  }

  #readyOf(vcpu: number, control: number): number {
    const more = this.#info.exchangeWord(control + ControlBlock.readyWord, 0) & ALL_QUEUES;
    return (this.#ready[vcpu] = (this.#ready[vcpu] ?? 0) | more);
  }

  #takeOne(
    ports: readonly ({ readonly handler: UpcallHandler | null } | null)[],
    vcpu: number,
    priority: number,
    now: Instant,
  ): void {
    const info = this.#info;
    const queue = vcpu * QUEUES + priority;
    const head = ((this.#controls[vcpu] ?? 0) << FRAME_WORD_SHIFT) + ControlBlock.headWord;
    const noted = this.#heads[queue] ?? 0;
    const port = noted === 0 ? info.wordAt(head + priority) >>> 0 : noted;
    const at = this.#wordOf(port);
    const next = at < 0 ? 0 : this.#unlink(at);
    this.#heads[queue] = next;
    if (next === 0) this.#ready[vcpu] = (this.#ready[vcpu] ?? 0) & ~(1 << priority);
    if (at < 0) return;
    const state = info.wordAt(at) & (EventWord.pending | EventWord.masked);
    const handler = ports[port]?.handler ?? null;
    if (state !== EventWord.pending || handler === null) return;
    info.testAndClear(at, PENDING_BIT);
    handler.upcall(now);
  }

  /** Take a port out of its queue. @returns the port after it; 0 for none. */
  #unlink(at: number): number {
    const { words, isShared } = this.#info.memory;
    const kept = ~(EventWord.linked | EventWord.link);
    const word = isShared ? Atomics.and(words, at, kept) : (words[at] ?? 0);
    if (!isShared) words[at] = word & kept;
    return word & EventWord.link;
  }

  #wordOf(port: number): number {
    const gfn = this.#pages[port >>> 10];
    return gfn === undefined ? -1 : (gfn << FRAME_WORD_SHIFT) + (port & (PAGE_PORTS - 1));
  }
}

/** A page of the event array as a kernel hands it over: every port masked. */
export function maskPage({ memory }: SharedInfo, gfn: number): void {
  const first = gfn << FRAME_WORD_SHIFT;
  memory.words.fill(EventWord.masked, first, first + PAGE_PORTS);
}

/** A control block's page as a kernel hands it over: all queues empty. */
export function clearPage({ memory }: SharedInfo, gfn: number): void {
  const first = gfn << FRAME_SHIFT;
  memory.bytes.fill(0, first, first + FRAME_OCTETS);
}
