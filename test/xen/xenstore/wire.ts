/** Clients of a store over octets, for tests. @module */
import { expect } from "vitest";
import {
  StoreConnection,
  type StoreConnectionOptions,
} from "../../../src/xen/xenstore/connection.ts";
import { messageCodec, Operation } from "../../../src/xen/xenstore/message.ts";
import { octetsOf, textOf } from "../../../src/xen/xenstore/octets.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import type { XenStore } from "../../../src/xen/xenstore/store.ts";

/** A message as a test reads it. */
export interface Message {
  readonly type: number;
  readonly requestId: number;
  readonly transactionId: number;
  /** One character for each octet. */
  readonly text: string;
}

export function encode(type: number, text: string, transactionId = 0, requestId = 0): Uint8Array {
  const payload = octetsOf(text);
  const header = { type, requestId, transactionId, length: payload.length };
  const bytes = new Uint8Array(messageCodec.length + payload.length);
  bytes.set(messageCodec.encode(header));
  bytes.set(payload, messageCodec.length);
  return bytes;
}

export function decodeAll(bytes: Uint8Array): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length;) {
    const { length, ...header } = messageCodec.decode(bytes, at);
    at += messageCodec.length;
    expect(at + length).toBeLessThanOrEqual(bytes.length);
    messages.push({ ...header, text: textOf(bytes, at, at + length) });
    at += length;
  }
  return messages;
}

/** A session of `store`; there must be room for it. */
export function sessionOf(store: XenStore): StoreSession {
  const session = store.connect();
  if (session === null) throw new Error("no room for a session");
  return session;
}

/** Sends requests, keeps what comes back. */
export class WireClient {
  readonly connection: StoreConnection;
  #received: Uint8Array[] = [];

  constructor(session: StoreSession, options: Partial<StoreConnectionOptions> = {}) {
    this.connection = new StoreConnection({
      session,
      sink: (octets, length) => {
        this.#received.push(octets.slice(0, length));
        return length;
      },
      ...options,
    });
  }

  /** All octets since the last call. */
  takeOctets(): Uint8Array {
    const octets = this.#received.flatMap((one) => [...one]);
    this.#received = [];
    return Uint8Array.from(octets);
  }

  take(): Message[] {
    return decodeAll(this.takeOctets());
  }

  /** Send a request; all that came since, its answer the last. */
  send(type: number, text: string, transactionId = 0): Message[] {
    this.connection.receive(encode(type, text, transactionId));
    return this.take();
  }

  /** Send a request; its answer alone. Errors read as their names. */
  ask(type: number, text: string, transactionId = 0): string {
    const answer = this.send(type, text, transactionId).find(
      (one) => one.type !== Operation.WATCH_EVENT,
    );
    return answer?.text ?? "";
  }
}
