/**
 * Hypercalls of a domain that runs in another thread, as far as it needs any: it rings ports, and
 * is woken when Xen has set a bit in its shared page. Words that both threads know, not the
 * domain's memory.
 * @module
 */
import { OptionError } from "../../base/errors.ts";
import type { EventSignal } from "./event-port.ts";

/** Ports that can be rung. */
const PORTS = 4096;
const TO_HOST = 0;
const TO_GUEST = 1;
const BITS = 2;
/** Bits of ports that are to be unmasked. */
const UNMASK_BITS = BITS + PORTS / 32;
/** Octets of the buffer that both threads hold. */
const DOORBELL_OCTETS = 4 * (UNMASK_BITS + PORTS / 32);

/** Both sides' doorbell: each thread makes one of the same buffer. */
export class Doorbell implements EventSignal {
  readonly buffer: SharedArrayBuffer;
  /** Index in {@link words} that changes when the guest has rung. */
  readonly toHost = TO_HOST;
  /** Index in {@link words} that changes when events are pending for the guest. */
  readonly toGuest = TO_GUEST;
  readonly words: Int32Array<SharedArrayBuffer>;

  /** @param buffer the other thread's; a new one. */
  constructor(buffer = new SharedArrayBuffer(DOORBELL_OCTETS)) {
    if (buffer.byteLength !== DOORBELL_OCTETS) {
      throw new OptionError("buffer", buffer.byteLength, `${DOORBELL_OCTETS} octets`);
    }
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
  }

  /** The guest sends by its port; many rings before the host looks are one. */
  ring(port: number): void {
    this.#ask(BITS, port);
  }

  /** The guest asks Xen to unmask its port (`EVTCHNOP_unmask`). */
  unmask(port: number): void {
    this.#ask(UNMASK_BITS, port);
  }

  /** The host: the lowest port from `from` on that was rung, not rung any more. @returns -1. */
  take(from: number): number {
    return this.#take(BITS, from);
  }

  /** The same for one that is to be unmasked. */
  takeUnmask(from: number): number {
    return this.#take(UNMASK_BITS, from);
  }

  #ask(bits: number, port: number): void {
    Atomics.or(this.words, bits + (port >>> 5), 1 << (port & 31));
    Atomics.add(this.words, TO_HOST, 1);
    Atomics.notify(this.words, TO_HOST);
  }

  #take(first: number, from: number): number {
    for (let word = from >>> 5; word < PORTS / 32; word += 1) {
      const all = Atomics.load(this.words, first + word);
      const bits = word === from >>> 5 ? all & (-1 << (from & 31)) : all;
      if (bits === 0) continue;
      const lowest = bits & -bits;
      Atomics.and(this.words, first + word, ~lowest);
      return word * 32 + 31 - Math.clz32(lowest);
    }
    return -1;
  }

  /** The host has set bits in the guest's page. */
  raise(): void {
    Atomics.add(this.words, TO_GUEST, 1);
    Atomics.notify(this.words, TO_GUEST);
  }
}
