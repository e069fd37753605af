/** XenStore's wire protocol for one client: octets in any pieces, answers in order. @module */
import { OptionError } from "../../base/errors.ts";
import { viewOf } from "../../wire/field.ts";
import { HEADER_LENGTH, MESSAGE } from "./message.ts";
import { answer } from "./operations.ts";
import { Output } from "./output.ts";
import { Request } from "./request.ts";
import type { StoreSession } from "./session.ts";

/** Why a connection is over. */
export type ConnectionEnd = "closed" | "store/payload-too-long" | "store/output-limit";

/**
 * Takes octets of answers and events, which are its own from then on.
 * @returns how many it took, from the first on. The others wait until
 *   {@link StoreConnection.drained} is called.
 */
export type OctetSink = (octets: Uint8Array) => number;

/** What a connection is made of. */
export interface StoreConnectionOptions {
  /** Belongs to the connection from now on, and is closed with it. */
  readonly session: StoreSession;
  readonly sink: OctetSink;
  /**
   * Most octets that wait for the sink; 1 MiB unless given. Whoever lets more wait is cut off.
   */
  readonly outputLimit?: number;
  /**
   * Most octets of a request where the era has no bound; 65,536 unless given.
   */
  readonly requestLimit?: number;
  /** Called once, when the connection is over by whatever cause. */
  readonly onClose?: (reason: ConnectionEnd) => void;
}

/** An event that may still wait in the output. */
interface Waiting {
  readonly path: string;
  readonly token: string;
}

const FIRST_SIZE = 16_384;

/** One client over a stream of octets: a unix socket, or a ring page. */
export class StoreConnection {
  readonly session: StoreSession;
  readonly #sink: OctetSink;
  readonly #outputLimit: number;
  readonly #payloadLimit: number;
  readonly #onClose: (reason: ConnectionEnd) => void;
  readonly #output: Output;
  readonly #request = new Request();
  #input = new Uint8Array(FIRST_SIZE);
  #inputView = viewOf(this.#input);
  /** Octets of `#input` that belong to a request that is not whole yet. */
  #held = 0;
  #waiting: Waiting[] = [];
  #isAnswering = false;
  #isBlocked = false;
  #end: ConnectionEnd | null = null;

  constructor({
    session,
    sink,
    outputLimit = 2 ** 20,
    requestLimit = 65_536,
    onClose = () => {},
  }: StoreConnectionOptions) {
    for (const [option, value] of Object.entries({ outputLimit, requestLimit })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new OptionError(option, value, "a whole number from 1");
      }
    }
    this.session = session;
    this.#sink = sink;
    this.#outputLimit = outputLimit;
    this.#onClose = onClose;
    const limit = session.behaviour.payloadLimit;
    this.#payloadLimit = limit ?? requestLimit;
    this.#output = new Output(limit ?? Infinity);
    session.sendEventsTo((path, token) => this.#event(path, token));
    session.onClose(() => this.close());
  }

  /** Why the connection is over, or `null` while it is not. */
  get end(): ConnectionEnd | null {
    return this.#end;
  }

  /** Octets that the sink has not taken. */
  get waiting(): number {
    return this.#output.length;
  }

  /** Octets that are missing for the next step: of a header, then of what it announces. */
  get wanted(): number {
    if (this.#held < HEADER_LENGTH) return HEADER_LENGTH - this.#held;
    return HEADER_LENGTH + MESSAGE.length.get(this.#inputView, 0) - this.#held;
  }

  /** Octets from the client, in any pieces. `octets` is only read, and free after the return. */
  receive(octets: Uint8Array): void {
    let from = 0;
    while (from < octets.length && this.#end === null) {
      const count = Math.min(octets.length - from, this.#input.length - this.#held);
      const isAll = from === 0 && count === octets.length;
      this.#input.set(isAll ? octets : octets.subarray(from, from + count), this.#held);
      this.#held += count;
      from += count;
      this.#answerAll();
    }
    this.#flush();
  }

  /** The sink can take octets again. */
  drained(): void {
    this.#isBlocked = false;
    this.#flush();
  }

  /** End it: the session's watches and transactions are forgotten. */
  close(reason: ConnectionEnd = "closed"): void {
    if (this.#end !== null) return;
    this.#end = reason;
    this.session.close();
    this.#onClose(reason);
  }

  #answerAll(): void {
    let at = 0;
    this.#isAnswering = true;
    while (this.#held - at >= HEADER_LENGTH && this.#end === null) {
      const length = MESSAGE.length.get(this.#inputView, at);
      if (length > this.#payloadLimit) {
        this.#isAnswering = false;
        this.#flush();
        this.close("store/payload-too-long");
        return;
      }
      const whole = HEADER_LENGTH + length;
      if (this.#held - at < whole) {
        if (whole > this.#input.length) this.#enlarge(whole);
        break;
      }
      this.#answer(at, at + whole);
      at += whole;
    }
    this.#isAnswering = false;
    if (at > 0) this.#input.copyWithin(0, at, this.#held);
    this.#held -= at;
  }

  #answer(at: number, end: number): void {
    const request = this.#request;
    request.type = MESSAGE.type.get(this.#inputView, at);
    request.requestId = MESSAGE.requestId.get(this.#inputView, at);
    request.transactionId = MESSAGE.transactionId.get(this.#inputView, at);
    request.place(this.#input, at + HEADER_LENGTH, end);
    answer(this.session.behaviour, this.session, request, this.#output);
    if (this.#output.length > this.#outputLimit) this.#flush();
  }

  #event(path: string, token: string): void {
    if (this.#end !== null) return;
    if (this.session.behaviour.dropsDuplicateEvents && !path.startsWith("@")) {
      if (this.#isBlocked && this.#waits(path, token)) return;
      this.#waiting.push({ path, token });
    }
    this.#output.event(path, token);
    if (!this.#isAnswering) this.#flush();
  }

  #waits(path: string, token: string): boolean {
    return this.#waiting.some((one) => one.path === path && one.token === token);
  }

  #flush(): void {
    if (this.#output.length > 0 && !this.#isBlocked && this.#end === null) {
      const octets = this.#output.copy();
      const taken = this.#sink(octets);
      this.#output.drop(taken);
      this.#isBlocked = taken < octets.length;
      if (!this.#isBlocked && this.#waiting.length > 0) this.#waiting = [];
    }
    if (this.#output.length > this.#outputLimit) this.close("store/output-limit");
  }

  #enlarge(size: number): void {
    const larger = new Uint8Array(size);
    larger.set(this.#input.subarray(0, this.#held));
    this.#input = larger;
    this.#inputView = viewOf(larger);
  }
}
