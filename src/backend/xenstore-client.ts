/**
 * A client of XenStore's unix socket, whoever serves it: as Xen's libxenstore 4.17 asks, one
 * request at a time. Strings stand for octets, one character an octet (`octets.ts` of the store).
 * @module
 */
import { connect, type Socket } from "node:net";
import { type Errno, ERRNOS, StoreError } from "../xen/xenstore/errno.ts";
import { HEADER_LENGTH, MESSAGE, messageCodec, Operation } from "../xen/xenstore/message.ts";
import { viewOf } from "../wire/field.ts";
import { SocketError } from "./socket-error.ts";
import { systemCode, systemFault } from "./system-error.ts";

/** The longest payload, either way; a longer answer is a fault of the server's. */
const PAYLOAD_MAX = 4096;

interface Message {
  readonly type: number;
  readonly payload: string;
}

/** What the system says when it cannot connect. */
const CONNECT_FAULTS = new Map([
  ["ECONNREFUSED", "nobody listens there"],
  ["ENOTSOCK", "is not a socket"],
]);

/** One connection. Every request may throw {@link StoreError}, or a SocketError once it is over. */
export class XenstoreClient {
  readonly #path: string;
  readonly #socket: Socket;
  #input = Buffer.alloc(0);
  readonly #answers: Message[] = [];
  readonly #events: string[] = [];
  #isOver = false;
  /** What the server did last, in words. */
  #last = "closed the connection";
  /** Whoever waits for something to come. */
  #wake: () => void = () => {};

  private constructor(path: string, socket: Socket) {
    this.#path = path;
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** @throws {SocketError} if nobody can be reached there. */
  static async open(path: string): Promise<XenstoreClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (error) => {
        const fault = CONNECT_FAULTS.get(systemCode(error)) ?? systemFault(error) ?? error.message;
        reject(new SocketError(path, `XenStore cannot be reached: ${fault}`));
      });
    });
    return new XenstoreClient(path, socket);
  }

  close(): void {
    this.#socket.destroy();
  }

  async read(path: string, transaction: number): Promise<string> {
    return this.#ask(Operation.READ, "read", path, `${path}\0`, transaction);
  }

  async write(path: string, value: string, transaction: number): Promise<void> {
    await this.#ask(Operation.WRITE, "write", path, `${path}\0${value}`, transaction);
  }

  async rm(path: string, transaction: number): Promise<void> {
    await this.#ask(Operation.RM, "rm", path, `${path}\0`, transaction);
  }

  /** "n0", "r171" and so on. */
  async permissions(path: string, transaction: number): Promise<string[]> {
    return words(
      await this.#ask(Operation.GET_PERMS, "permissions", path, `${path}\0`, transaction),
    );
  }

  async setPermissions(
    path: string,
    entries: readonly string[],
    transaction: number,
  ): Promise<void> {
    const payload = [path, ...entries].map((word) => `${word}\0`).join("");
    await this.#ask(Operation.SET_PERMS, "chmod", path, payload, transaction);
  }

  /** Children of a node; a list that does not fit into one answer comes in parts. */
  async list(path: string, transaction: number): Promise<string[]> {
    try {
      return words(await this.#ask(Operation.DIRECTORY, "list", path, `${path}\0`, transaction));
    } catch (error) {
      if (!(error instanceof StoreError) || error.errno !== "E2BIG") throw error;
      return this.#listParts(path, transaction);
    }
  }

  async watch(path: string, token: string): Promise<void> {
    await this.#ask(Operation.WATCH, "watch", path, `${path}\0${token}\0`, 0);
  }

  /** The path of the next event. */
  async nextEvent(): Promise<string> {
    await this.#until(() => this.#events.length > 0);
    const event = this.#events.shift();
    if (event === undefined) throw this.#gone(this.#last);
    return event;
  }

  /** Take nothing more from the server, which waits with it or hangs up; or take it again. */
  hold(isHeld: boolean): void {
    if (isHeld) this.#socket.pause();
    else this.#socket.resume();
  }

  /** @returns the number of a new transaction. */
  async start(): Promise<number> {
    const [id = ""] = words(await this.#ask(Operation.TRANSACTION_START, "start", "", "\0", 0));
    if (!/^\d{1,10}$/.test(id) || Number(id) >= 2 ** 32) throw this.#gone("named no transaction");
    return Number(id);
  }

  async end(transaction: number, isCommitted: boolean): Promise<void> {
    const payload = isCommitted ? "T\0" : "F\0";
    await this.#ask(Operation.TRANSACTION_END, "end", "", payload, transaction);
  }

  /** The node may change between two parts: its generation, the first word of each, tells. */
  async #listParts(path: string, transaction: number): Promise<string[]> {
    let generation = "";
    let names = "";
    for (;;) {
      const payload = `${path}\0${names.length}\0`;
      const part = await this.#ask(Operation.DIRECTORY_PART, "list", path, payload, transaction);
      const at = part.indexOf("\0") + 1;
      if (part.slice(0, at) !== generation) {
        generation = part.slice(0, at);
        if (names.length > 0) {
          names = "";
          continue;
        }
      }
      names += part.slice(at);
      // The last part ends with one more NUL, or is nothing else.
      if (names.endsWith("\0\0") || part.length === at + 1) return words(names.slice(0, -1));
      if (part.length <= at) throw this.#gone("sent a part of a list without names");
    }
  }

  async #ask(
    type: number,
    operation: string,
    path: string,
    payload: string,
    transactionId: number,
  ): Promise<string> {
    if (payload.length > PAYLOAD_MAX) throw new StoreError("E2BIG", operation, path);
    const header = messageCodec.encode({
      type,
      requestId: 0,
      transactionId,
      length: payload.length,
    });
    this.#socket.write(Buffer.concat([header, Buffer.from(payload, "latin1")]));
    await this.#until(() => this.#answers.length > 0);
    const answer = this.#answers.shift();
    if (answer === undefined) throw this.#gone(this.#last);
    if (answer.type === Operation.ERROR) {
      throw new StoreError(errnoOf(answer.payload), operation, path);
    }
    if (answer.type !== type) throw this.#gone("answered another question");
    return answer.payload;
  }

  #receive(chunk: Uint8Array): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    for (;;) {
      const { length: held } = this.#input;
      if (held < HEADER_LENGTH) break;
      const view = viewOf(this.#input);
      const length = MESSAGE.length.get(view, 0);
      if (length > PAYLOAD_MAX) {
        this.#refuse(`announced ${length} octets, expected at most ${PAYLOAD_MAX}`);
        return;
      }
      if (held < HEADER_LENGTH + length) break;
      const type = MESSAGE.type.get(view, 0);
      const payload = this.#input.toString("latin1", HEADER_LENGTH, HEADER_LENGTH + length);
      this.#input = this.#input.subarray(HEADER_LENGTH + length);
      if (type === Operation.WATCH_EVENT) {
        const [path, token] = payload.split("\0");
        if (path === undefined || token === undefined) {
          this.#refuse("sent an event without a path");
          return;
        }
        this.#events.push(path);
      } else this.#answers.push({ type, payload });
    }
    this.#wake();
  }

  /** Wait until something is there, or the server has gone. */
  async #until(isThere: () => boolean): Promise<void> {
    while (!isThere() && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Whoever does not speak the protocol cannot be followed any further. */
  #refuse(what: string): void {
    this.#last = what;
    this.#socket.destroy();
  }

  #gone(what: string): SocketError {
    return new SocketError(this.#path, `the server ${what}`);
  }
}

/** The words of a payload in which each ends with a NUL. */
function words(payload: string): string[] {
  return payload === "" ? [] : payload.replace(/\0$/, "").split("\0");
}

/** The error that a name stands for: EINVAL for one that is not known. */
function errnoOf(payload: string): Errno {
  const name = payload.replace(/\0$/, "");
  return ERRNOS.find((errno) => errno === name) ?? "EINVAL";
}
