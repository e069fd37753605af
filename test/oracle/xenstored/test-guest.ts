/** A guest at its ring page, as driver.c has one: it takes what comes. @module */
import { RING, RING_SIZE } from "../../../src/xen/xenstore/ring-transport.ts";
import { viewOf } from "../../../src/wire/field.ts";

const PAGE = 4096;

/** The guest's end of the ring. */
export class TestGuest {
  readonly page = new Uint8Array(PAGE);
  readonly #view = viewOf(this.page);
  /** Octets that found no place yet. */
  #unsent = new Uint8Array(0);

  /** Put as much into the ring as there is place for; the rest as places come. */
  send(octets: Uint8Array): void {
    const all = new Uint8Array(this.#unsent.length + octets.length);
    all.set(this.#unsent);
    all.set(octets, this.#unsent.length);
    this.#unsent = all;
  }

  /** @returns whether anything was put. */
  put(): boolean {
    const producer = RING.requestProducer.get(this.#view, 0);
    const used = (producer - RING.requestConsumer.get(this.#view, 0)) >>> 0;
    const length = Math.min(this.#unsent.length, Math.max(0, RING_SIZE - used));
    for (let index = 0; index < length; index += 1) {
      const at = RING.requests.offset + ((producer + index) % RING_SIZE);
      this.page[at] = this.#unsent[index] ?? 0;
    }
    RING.requestProducer.set(this.#view, 0, (producer + length) >>> 0);
    this.#unsent = this.#unsent.subarray(length);
    return length > 0;
  }

  /** All octets that the store has put there. */
  take(): Uint8Array {
    const consumer = RING.responseConsumer.get(this.#view, 0);
    const length = (RING.responseProducer.get(this.#view, 0) - consumer) >>> 0;
    if (length > RING_SIZE) return new Uint8Array(0);
    const octets = Uint8Array.from(
      { length },
      (_, index) => this.page[RING.responses.offset + ((consumer + index) % RING_SIZE)] ?? 0,
    );
    RING.responseConsumer.set(this.#view, 0, (consumer + length) >>> 0);
    return octets;
  }
}
