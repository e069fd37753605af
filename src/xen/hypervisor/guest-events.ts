/**
 * The events of a domain in its own thread: what its kernel does with its shared page
 * (Linux: `drivers/xen/core/evtchn.c`), with nothing of the host in reach but a doorbell.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import type { DomainMemory } from "./domain-memory.ts";
import type { Doorbell } from "./doorbell.ts";
import { handleEvents, type Notifier, type UpcallHandler } from "./event-port.ts";
import { type FifoFrames, FifoKernel } from "./fifo-kernel.ts";
import { SharedInfo } from "./shared-info.ts";

/** What {@link GuestEvents} are made from. */
export interface GuestEventsOptions {
  readonly memory: DomainMemory;
  /** Frame of the shared page. */
  readonly gfn: number;
  readonly doorbell: Doorbell;
  readonly is32Bit?: boolean;
  /** Of a domain in the FIFO shape, whose kernel the host started; `null`: the two-level one. */
  readonly fifo?: FifoFrames | null;
}

/** The ports that a domain of one processor listens to. */
export class GuestEvents {
  readonly #info: SharedInfo;
  readonly #doorbell: Doorbell;
  readonly #kernel: FifoKernel | null;
  readonly #ports: { readonly handler: UpcallHandler | null }[] = [];

  constructor({ memory, gfn, doorbell, is32Bit = false, fifo = null }: GuestEventsOptions) {
    this.#info = new SharedInfo(memory, gfn, is32Bit);
    this.#kernel = fifo === null ? null : new FifoKernel(this.#info, fifo);
    this.#doorbell = doorbell;
  }

  /** Listen to `port` and unmask it; its events come by {@link dispatch}. `null` masks it. */
  setHandler(port: number, handler: UpcallHandler | null): void {
    const info = this.#info;
    const kernel = this.#kernel;
    while (this.#ports.length <= port) this.#ports.push({ handler: null });
    this.#ports[port] = { handler };
    if (kernel !== null) {
      if (handler === null) kernel.mask(port);
      else if (kernel.unmask(port)) this.#doorbell.unmask(port);
    } else if (handler === null) {
      info.testAndSet(info.maskWord, port);
    } else if (info.testAndClear(info.maskWord, port) && info.test(info.pendingWord, port)) {
      info.testAndSet(info.selectorOf(0), port >>> info.selectorShift);
      info.exchangeUpcall(0, true);
    }
  }

  /** What sends by `port`. */
  notifierOf(port: number): Notifier {
    return { notify: () => this.#doorbell.ring(port) };
  }

  /** Handle all that is pending. @returns false if nothing was. */
  dispatch(now: Instant): boolean {
    let hasWorked = false;
    while (this.#info.exchangeUpcall(0, false)) {
      hasWorked = true;
      if (this.#kernel === null) handleEvents(this.#info, this.#ports, 0, now);
      else this.#kernel.handleEvents(this.#ports, 0, now);
    }
    return hasWorked;
  }
}
