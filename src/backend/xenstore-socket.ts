/**
 * A host's XenStore on a unix socket, where xenstore-utils and libxenstore find it
 * (`XENSTORED_PATH`): as Dom0, or as one guest.
 *
 * A client that does not read is not read from either: its answers and events wait up to a bound,
 * then it is cut off. The others go on.
 * @module
 */
import type { Socket } from "node:net";
import type { Logger } from "../base/log.ts";
import type { Duration } from "../base/time.ts";
import { StoreConnection } from "../xen/xenstore/connection.ts";
import type { StoreSession } from "../xen/xenstore/session.ts";
import { DirectWriter } from "./direct-socket.ts";
import type { RealTime } from "./real-time.ts";
import { StayAwake } from "./stay-awake.ts";
import { systemCode } from "./system-error.ts";
import { openUnixListener, type UnixListener } from "./unix-listener.ts";

/** What a store's socket is opened with. */
export interface XenstoreSocketOptions {
  readonly path: string;
  /** Makes a session for each client, as whoever it is to be; `null` where there is no room. */
  readonly connect: () => StoreSession | null;
  /** Requests come in when the clock says so. */
  readonly realTime: RealTime;
  readonly log: Logger;
  /** How long to stay awake after an answer, where that is of use; 50 us, to 1,000, 0 for never. */
  readonly patience?: Duration;
}

/** Octets that the system is given beyond what it takes at once; the rest waits in the store. */
const IN_FLIGHT = 2 ** 16;
/** Octets of requests that are read before their answers are looked at: at most 16 requests. */
const REQUEST_PIECE = 256;
/** As many as Node reads at once. */
const READ_AT_ONCE = 2 ** 16;
const NOTHING = new Uint8Array(0);

/** @throws {SocketError} if the socket cannot be opened. */
export async function openXenstoreSocket(options: XenstoreSocketOptions): Promise<UnixListener> {
  const { path, connect, realTime, log, patience = 50 } = options;
  const clients = new Map<Socket, StoreClientSocket>();
  const buffer = new Uint8Array(READ_AT_ONCE);
  const awake = new StayAwake({ patience });
  return openUnixListener({
    path,
    direct: {
      buffer,
      take: (socket, length) => {
        awake.heard();
        const isReady = clients.get(socket)?.take(buffer, length) ?? true;
        awake.answered();
        return isReady;
      },
    },
    onConnection: (socket) => {
      realTime.enter(() => {
        const session = connect();
        if (session !== null) {
          clients.set(socket, new StoreClientSocket(socket, session, options));
          socket.on("close", () => clients.delete(socket));
          return;
        }
        log.warn({ path }, "a client of XenStore was turned away: there are too many");
        socket.destroy();
      });
    },
  });
}

/** One client. */
class StoreClientSocket {
  readonly #socket: Socket;
  readonly #writer: DirectWriter;
  readonly #connection: StoreConnection;
  readonly #realTime: RealTime;
  readonly #read = (): void => this.#readOctets();
  /** Requests that came: where they are, and how much of that has not been read. */
  #octets: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;
  #isPaused = false;

  constructor(socket: Socket, session: StoreSession, options: XenstoreSocketOptions) {
    const { path, realTime, log } = options;
    this.#socket = socket;
    this.#writer = new DirectWriter(socket);
    this.#realTime = realTime;
    this.#connection = new StoreConnection({
      session,
      sink: (octets, length) => this.#write(octets, length),
      onClose: (reason) => {
        if (reason !== "closed") log.warn({ path, reason }, "a client of XenStore was cut off");
        // What was answered goes out first, but not to one that does not read.
        if (reason === "store/output-limit") socket.destroy();
        else socket.destroySoon();
      },
    });
    socket.on("drain", () => {
      realTime.enter(() => {
        this.#connection.drained();
        this.#readOctets();
        if (!this.#isPaused || this.#at < this.#end) return;
        this.#isPaused = false;
        socket.resume();
      });
    });
    socket.on("error", (error) => {
      log.info({ path, reason: systemCode(error) }, "a client of XenStore is gone");
    });
    socket.on("close", () => {
      realTime.enter(() => this.#connection.close());
    });
  }

  /**
   * The first `length` of `octets` came, borrowed until return.
   * @returns false if answers wait: further requests stay with the system until those are out.
   */
  take(octets: Uint8Array, length: number): boolean {
    this.#octets = octets;
    this.#at = 0;
    this.#end = length;
    this.#realTime.enter(this.#read);
    if (this.#at === this.#end && this.#connection.waiting === 0) return true;
    this.#octets = octets.slice(this.#at, this.#end);
    this.#end -= this.#at;
    this.#at = 0;
    this.#isPaused = true;
    return false;
  }

  /** Read requests as long as their answers go out. */
  #readOctets(): void {
    while (this.#at < this.#end && this.#connection.waiting === 0) {
      const from = this.#at;
      this.#at = Math.min(from + REQUEST_PIECE, this.#end);
      this.#connection.receive(this.#octets, from, this.#at);
    }
  }

  /** @returns how many of the first `length` octets can go out now. */
  #write(octets: Uint8Array, length: number): number {
    const taken = this.#writer.write(octets, length);
    if (taken === length) return taken;
    const waiting = Math.min(length, taken + IN_FLIGHT - this.#socket.writableLength);
    if (waiting <= taken) return taken;
    this.#socket.write(octets.slice(taken, waiting));
    return waiting;
  }
}
