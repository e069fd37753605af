/** XenStore's wire protocol for one client: octets in any pieces, answers in order. @module */
import { OptionError } from "../../base/errors.ts";
import { viewOf } from "../../wire/field.ts";
import type { Cause } from "./cause.ts";
import type { Errno } from "./errno.ts";
import { HEADER_LENGTH, MESSAGE } from "./message.ts";
import { placeOctets } from "./octets.ts";
import { answer } from "./operations.ts";
import { Output } from "./output.ts";
import { Request } from "./request.ts";
import type { StoreSession } from "./session.ts";

/** Why a connection is over. */
export type ConnectionEnd = "closed" | "store/payload-too-long" | "store/output-limit";

/**
 * Takes octets of answers and events: the first `length` of `octets`, borrowed until return.
 * @returns how many it took, from the first on. The others wait until
 *   {@link StoreConnection.drained} is called.
 */
export type OctetSink = (octets: Uint8Array, length: number) => number;

/** What a connection is made of. */
export interface StoreConnectionOptions {
  /** Belongs to the connection from now on, and is closed with it. */
  readonly session: StoreSession;
  readonly sink: OctetSink;
  /** Most octets that wait for the sink; 1 MiB unless given. Whoever lets more wait is cut off. */
  readonly outputLimit?: number;
  /** Most octets of a request where the era has no bound; 65,536 unless given. */
  readonly requestLimit?: number;
  /** Called when a guest that had too many untaken answers may ask again. */
  readonly onRoom?: () => void;
  /** Called when the domain was introduced anew: nothing waits any more. */
  readonly onRestart?: () => void;
  /** Called once, when the connection is over by whatever cause. */
  readonly onClose?: (reason: ConnectionEnd) => void;
}

/** A message that the sink may not have taken whole. */
interface Mark {
  /** Where it ends, counted from the first octet of the connection. */
  readonly end: number;
  readonly octets: number;
  /** What an event says; empty for an answer. */
  readonly path: string;
  readonly token: string;
  /** The guest's request that it answers, or that caused it. */
  readonly cause: Cause | null;
}

const FIRST_SIZE = 16_384;

/** One client over a stream of octets: a unix socket, or a ring page. */
export class StoreConnection {
  readonly session: StoreSession;
  readonly #sink: OctetSink;
  readonly #outputLimit: number;
  readonly #payloadLimit: number;
  readonly #onRestart: () => void;
  readonly #onClose: (reason: ConnectionEnd) => void;
  readonly #output: Output;
  readonly #request: Request;
  #input = new Uint8Array(FIRST_SIZE);
  #inputView = viewOf(this.#input);
  /** Octets of `#input` that belong to a request that is not whole yet. */
  #held = 0;
  /** Messages that count for a quota, or that are not sent twice, in their order. */
  readonly #marks: Mark[] = [];
  /** Octets that the sink has taken so far. */
  #taken = 0;
  #cause: Cause | null = null;
  #isAnswering = false;
  #isBlocked = false;
  #isSending = false;
  #restarts = 0;
  #end: ConnectionEnd | null = null;

  constructor({
    session,
    sink,
    outputLimit = 2 ** 20,
    requestLimit = 65_536,
    onRoom = () => {},
    onRestart = () => {},
    onClose = () => {},
  }: StoreConnectionOptions) {
    for (const [option, value] of Object.entries({ outputLimit, requestLimit })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new OptionError(option, value, "a whole number from 1");
      }
    }
    this.session = session;
    this.#request = new Request(session.texts);
    this.#sink = sink;
    this.#outputLimit = outputLimit;
    this.#onRestart = onRestart;
    this.#onClose = onClose;
    this.#payloadLimit = session.behaviour.payloadLimit ?? requestLimit;
    this.#output = new Output({
      judge: (octets) => this.#judge(octets),
      answered: (octets) => this.#answered(octets),
    });
    session.deliverTo({
      event: (path, token) => this.#event(path, token),
      settled: () => this.#flush(),
      room: onRoom,
      restarted: () => this.#restart(),
    });
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

  /**
   * Octets from the client, in any pieces: those of `octets` from `start` up to `end`, which are
   * only read, and free after the return.
   */
  receive(octets: Uint8Array, start = 0, end = octets.length): void {
    let from = start;
    while (from < end && this.#end === null) {
      const count = Math.min(end - from, this.#input.length - this.#held);
      placeOctets(octets, from, from + count, this.#input, this.#held);
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
    this.#release(Infinity);
    this.#onClose(reason);
  }

  #restart(): void {
    this.#restarts++;
    this.#held = 0;
    this.#isBlocked = false;
    this.#output.drop(this.#output.length);
    // First, for those who wait for room then find nothing that came before.
    this.#onRestart();
    this.#release(Infinity);
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
    if (at > 0 && at < this.#held) this.#input.copyWithin(0, at, this.#held);
    this.#held -= at;
  }

  #answer(at: number, end: number): void {
    const request = this.#request;
    request.type = MESSAGE.type.get(this.#inputView, at);
    request.requestId = MESSAGE.requestId.get(this.#inputView, at);
    request.transactionId = MESSAGE.transactionId.get(this.#inputView, at);
    request.place(this.#input, at + HEADER_LENGTH, end);
    this.#cause = this.session.begin();
    answer(this.session.behaviour, this.session, request, this.#output);
    this.#cause = null;
    this.session.settle();
    if (this.#output.length > this.#outputLimit) this.#send();
  }

  /** Why an answer of so many octets cannot be given, or `null`. */
  #judge(octets: number): Errno | null {
    const { payloadLimit } = this.session.behaviour;
    if (payloadLimit !== null && octets > payloadLimit) return "E2BIG";
    return octets > HEADER_LENGTH && this.session.isMemoryOver(octets) ? "ENOMEM" : null;
  }

  #answered(octets: number): void {
    if (this.#cause !== null) this.#mark(octets, "", "", this.#cause);
  }

  #event(path: string, token: string): void {
    if (this.#end !== null) return;
    const { session } = this;
    const octets = HEADER_LENGTH + path.length + token.length + 2;
    const { dropsDuplicateEvents } = session.behaviour;
    if (dropsDuplicateEvents) {
      if (this.#isBlocked && !path.startsWith("@") && this.#waits(path, token)) return;
      if (session.isMemoryOver(octets)) return;
    }
    this.#output.event(path, token);
    if (dropsDuplicateEvents) this.#mark(octets, path, token, session.cause);
  }

  #mark(octets: number, path: string, token: string, cause: Cause | null): void {
    if (path !== "") cause?.add();
    this.session.addMemory(octets);
    this.#marks.push({ end: this.#taken + this.#output.length, octets, path, token, cause });
  }

  #waits(path: string, token: string): boolean {
    return this.#marks.some((one) => one.path === path && one.token === token);
  }

  /** Send what can be sent, unless more is about to come. */
  #flush(): void {
    if (!this.#isAnswering) this.#send();
  }

  #send(): void {
    // The sink may bring the next request before it returns: that one's answer waits for the loop.
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#output.length > 0 && !this.#isBlocked && this.#end === null) {
      const { octets, length } = this.#output;
      const restarts = this.#restarts;
      const taken = this.#sink(octets, length);
      if (restarts !== this.#restarts) continue;
      this.#output.drop(taken);
      this.#taken += taken;
      this.#isBlocked = taken < length;
      this.#release(this.#taken);
    }
    this.#isSending = false;
    if (this.#output.length > this.#outputLimit) this.close("store/output-limit");
  }

  /** Forget the marks of messages that end at or before `end`. */
  #release(end: number): void {
    let count = 0;
    for (const mark of this.#marks) {
      if (mark.end > end) break;
      count++;
      this.session.addMemory(-mark.octets);
    }
    if (count === 0) return;
    const released = this.#marks.splice(0, count);
    for (const { cause } of released) cause?.delivered();
  }

  #enlarge(size: number): void {
    const larger = new Uint8Array(size);
    larger.set(this.#input.subarray(0, this.#held));
    this.#input = larger;
    this.#inputView = viewOf(larger);
  }
}
