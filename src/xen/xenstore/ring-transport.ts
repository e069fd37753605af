/** XenStore for a guest: a page with a ring each way (Xen public/io/xs_wire.h). @module */
import { OptionError } from "../../base/errors.ts";
import { fieldsOf } from "../../wire/field.ts";
import { octets, struct, u32le } from "../../wire/layout.ts";
import { type ConnectionEnd, StoreConnection } from "./connection.ts";
import type { StoreSession } from "./session.ts";

/** Octets of one ring. */
export const RING_SIZE = 1024;

/** `struct xenstore_domain_interface`. The indices run freely; their lower ten bits count. */
const RING_LAYOUT = struct([
  octets(RING_SIZE, "requests"),
  octets(RING_SIZE, "responses"),
  u32le("requestConsumer"),
  u32le("requestProducer"),
  u32le("responseConsumer"),
  u32le("responseProducer"),
  u32le("serverFeatures"),
  u32le("connection"),
  u32le("error"),
]);
/** The page's fields in place. */
export const RING = fieldsOf(RING_LAYOUT);

const INDICES = [
  RING.requestConsumer,
  RING.requestProducer,
  RING.responseConsumer,
  RING.responseProducer,
];

/** Values of `error`, which 4.17 leaves for the guest when it listens no more. */
const RingError = { NONE: 0, COMMUNICATION: 1, RING_INDEX: 2, PROTOCOL: 3 } as const;

/** What a transport stands on. */
export interface RingTransportOptions {
  /** The domain's own session. */
  readonly session: StoreSession;
  /** The guest's page, 4,096 octets at an offset that four divides. It may be shared memory. */
  readonly page: Uint8Array;
  /** Raise the event channel for the guest. May call {@link RingTransport.poll} at once. */
  readonly notify: () => void;
  /** Called once, when the store listens no more. */
  readonly onClose?: (reason: RingEnd) => void;
}

/** Why a ring is over. */
export type RingEnd = ConnectionEnd | "store/ring-index";

/**
 * The server's end of one guest's ring. Only its event channel drives it: call `poll` for each
 * event. A guest with too many untaken answers is not read until it takes some.
 */
export class RingTransport {
  readonly connection: StoreConnection;
  readonly #page: Uint8Array;
  readonly #words: Int32Array;
  readonly #notify: () => void;
  readonly #onClose: (reason: RingEnd) => void;
  #isPolling = false;
  #restarts = 0;
  #end: RingEnd | null = null;

  /** @throws {OptionError} for a page of another size or place. */
  constructor({ session, page, notify, onClose = () => {} }: RingTransportOptions) {
    if (page.length !== 4096 || page.byteOffset % 4 !== 0) {
      throw new OptionError("page", page, "4,096 octets at an offset that four divides");
    }
    this.#page = page;
    this.#words = new Int32Array(page.buffer, page.byteOffset, page.length / 4);
    this.#notify = notify;
    this.#onClose = onClose;
    this.#empty();
    this.connection = new StoreConnection({
      session,
      sink: (output, length) => this.#respond(output, length),
      onRoom: () => this.poll(),
      onRestart: () => {
        this.#restarts++;
        this.#empty();
      },
      onClose: (reason) => this.#close(reason),
    });
  }

  /** Why the store listens no more, or `null` while it does. */
  get end(): RingEnd | null {
    return this.#end;
  }

  /** The guest raised its event channel: take what it sent, give what waits for it. */
  poll(): void {
    if (this.#isPolling || this.#end !== null) return;
    this.#isPolling = true;
    do {
      if (this.connection.waiting > 0) this.connection.drained();
    } while (this.#take());
    this.#isPolling = false;
  }

  close(): void {
    this.connection.close();
  }

  /** INTRODUCE: both rings begin anew. */
  #empty(): void {
    for (const field of INDICES) this.#store(field.offset, 0);
  }

  /** Hand one run of requests to the connection. @returns whether there was one. */
  #take(): boolean {
    if (this.#end !== null || !this.connection.session.mayAsk) return false;
    const consumer = this.#load(RING.requestConsumer.offset);
    const filled = (this.#load(RING.requestProducer.offset) - consumer) >>> 0;
    if (filled === 0) return false;
    if (filled > RING_SIZE) {
      this.#break();
      return false;
    }
    const at = consumer % RING_SIZE;
    const count = Math.min(filled, RING_SIZE - at, this.connection.wanted);
    const start = RING.requests.offset + at;
    const taken = this.#page.slice(start, start + count);
    this.#store(RING.requestConsumer.offset, consumer + count);
    this.#notify();
    this.connection.receive(taken);
    return true;
  }

  /** The first `length` octets of `output`, or as many of them as there is room for. */
  #respond(output: Uint8Array, length: number): number {
    const restarts = this.#restarts;
    let sent = 0;
    while (sent < length && restarts === this.#restarts) {
      const producer = this.#load(RING.responseProducer.offset);
      const filled = (producer - this.#load(RING.responseConsumer.offset)) >>> 0;
      if (filled > RING_SIZE) {
        this.#break();
        return sent;
      }
      const at = producer % RING_SIZE;
      const count = Math.min(RING_SIZE - filled, RING_SIZE - at, length - sent);
      if (count === 0) return sent;
      this.#page.set(output.subarray(sent, sent + count), RING.responses.offset + at);
      this.#store(RING.responseProducer.offset, producer + count);
      sent += count;
      this.#notify();
    }
    return sent;
  }

  /** The guest's indices make no sense: it is heard no more. */
  #break(): void {
    this.#end = "store/ring-index";
    this.connection.close();
    this.#finish("store/ring-index", RingError.RING_INDEX);
  }

  #close(reason: ConnectionEnd): void {
    if (this.#end !== null) return;
    this.#end = reason;
    const error = reason === "closed" ? RingError.NONE : RingError.PROTOCOL;
    this.#finish(reason, error);
  }

  #finish(reason: RingEnd, error: number): void {
    const { tellsRingErrors } = this.connection.session.behaviour;
    if (tellsRingErrors && error !== RingError.NONE) this.#store(RING.error.offset, error);
    this.#onClose(reason);
  }

  #load(offset: number): number {
    return Atomics.load(this.#words, offset >> 2) >>> 0;
  }

  #store(offset: number, value: number): void {
    Atomics.store(this.#words, offset >> 2, value);
  }
}
