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
import { StoreConnection } from "../xen/xenstore/connection.ts";
import type { StoreSession } from "../xen/xenstore/session.ts";
import { plainOctets } from "./octets.ts";
import type { RealTime } from "./real-time.ts";
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
}

/** Octets that the system is given beyond what it takes at once; the rest waits in the store. */
const IN_FLIGHT = 2 ** 16;
/** Octets of requests that are read before their answers are looked at: at most 16 requests. */
const REQUEST_PIECE = 256;

/** @throws {SocketError} if the socket cannot be opened. */
export async function openXenstoreSocket(options: XenstoreSocketOptions): Promise<UnixListener> {
  const { path, connect, realTime, log } = options;
  return openUnixListener({
    path,
    onConnection: (socket) => {
      realTime.enter(() => {
        const session = connect();
        if (session !== null) {
          new StoreClientSocket(socket, session, options);
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
  readonly #connection: StoreConnection;
  /** Requests that came, but are not read while answers wait. */
  #unread: Uint8Array = new Uint8Array(0);

  constructor(socket: Socket, session: StoreSession, options: XenstoreSocketOptions) {
    const { path, realTime, log } = options;
    this.#socket = socket;
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
    socket.on("data", (chunk) => {
      this.#unread = plainOctets(chunk);
      realTime.enter(() => this.#read());
    });
    socket.on("drain", () => {
      realTime.enter(() => {
        this.#connection.drained();
        this.#read();
      });
    });
    socket.on("error", (error) => {
      log.info({ path, reason: systemCode(error) }, "a client of XenStore is gone");
    });
    socket.on("close", () => {
      realTime.enter(() => this.#connection.close());
    });
  }

  /** Read requests as long as their answers go out; a pause keeps further ones with the system. */
  #read(): void {
    const octets = this.#unread;
    let at = 0;
    while (at < octets.length && this.#connection.waiting === 0) {
      this.#connection.receive(octets.subarray(at, at + REQUEST_PIECE));
      at += REQUEST_PIECE;
    }
    this.#unread = octets.subarray(at);
    if (this.#connection.waiting > 0) this.#socket.pause();
    else this.#socket.resume();
  }

  /** @returns how many of the first `length` octets can go out now. */
  #write(octets: Uint8Array, length: number): number {
    const taken = Math.min(length, Math.max(0, IN_FLIGHT - this.#socket.writableLength));
    if (taken > 0) this.#socket.write(octets.slice(0, taken));
    return taken;
  }
}
