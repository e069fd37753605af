/**
 * A unix socket that programs of the same user can connect to: mode 0600, gone when we are gone.
 *
 * What a run that was killed left behind is removed, but only a socket that nobody listens on.
 * @module
 */
import { once } from "node:events";
import { lstatSync, type Stats, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { type DirectReading, readDirectly } from "./direct-socket.ts";
import { SocketError, taken } from "./socket-error.ts";
import { systemCode, systemFault } from "./system-error.ts";

/** Octets of a path in Linux's `sockaddr_un`: 108 with the NUL. */
export const LONGEST_SOCKET_PATH = 107;

/** Where to listen, and who is told. */
export interface UnixListenerOptions {
  /** At most {@link LONGEST_SOCKET_PATH} octets; its folder must be there. */
  readonly path: string;
  /** Gets each connection and owns it; {@link UnixListener.close} ends those still open. */
  readonly onConnection: (socket: Socket) => void;
  /** How connections are read where the streams of Node cost too much. */
  readonly direct?: DirectReading;
  /** Connections at once; 1,024. The next ones are closed as they come. */
  readonly connectionLimit?: number;
}

/** Names all but the owner out of a new socket: `umask` for mode 0600. */
const OWNER_ALONE = 0o177;

/** Sockets of this process, which go with it however it ends, unless it is killed. */
const OPEN = new Set<UnixListener>();

/** An open listener; {@link openUnixListener} makes it. */
export class UnixListener {
  /** Where it listens. */
  readonly path: string;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;
  /** The inode that was made: nobody else's file is removed. */
  readonly #inode: number;

  /** @param sockets the connections that are open. */
  constructor(path: string, server: Server, sockets: ReadonlySet<Socket>) {
    this.path = path;
    this.#server = server;
    this.#sockets = sockets;
    this.#inode = lstatSync(path).ino;
    if (OPEN.size === 0) process.on("exit", removeAll);
    OPEN.add(this);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Listen no more, end all connections and remove the socket. */
  async close(): Promise<void> {
    if (!OPEN.delete(this)) return;
    if (OPEN.size === 0) process.off("exit", removeAll);
    this.remove();
    const closed = [
      new Promise<void>((resolve) => this.#server.close(() => resolve())),
      ...[...this.#sockets].map((socket) => once(socket, "close")),
    ];
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  /** Remove the socket from its folder, if it is still there. */
  remove(): void {
    if (statOf(this.path)?.ino !== this.#inode) return;
    try {
      unlinkSync(this.path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
}

/**
 * Listen on `path`. On the main thread only, for the mode is set by `umask`.
 * @throws {SocketError} if the path is too long, something else is there, somebody listens there,
 * or the system refuses.
 */
export async function openUnixListener(options: UnixListenerOptions): Promise<UnixListener> {
  const { path } = options;
  checkSocketPath(path);
  // libuv calls a missing folder "permission denied" where it binds.
  if (statOf(dirname(path)) === null) throw new SocketError(path, "its folder does not exist");
  await removeStale(path);
  const sockets = new Set<Socket>();
  const server = newServer(options, sockets);
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (error) => reject(explained(path, error)));
    // The socket is made within this call, so nobody else's file is made under this mask.
    const mask = process.umask(OWNER_ALONE);
    server.listen(path);
    process.umask(mask);
  });
  // A connection that the system cannot hand over, for want of descriptors: the next one may be.
  server.on("error", () => {});
  return new UnixListener(path, server, sockets);
}

/** @param sockets has the open connections from then on. */
function newServer(options: UnixListenerOptions, sockets: Set<Socket>): Server {
  const { onConnection, direct = null, connectionLimit = 1024 } = options;
  return createServer({ pauseOnConnect: direct !== null }, (accepted) => {
    if (sockets.size >= connectionLimit) {
      accepted.destroy();
      return;
    }
    const socket = direct === null ? accepted : readDirectly(accepted, direct);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
}

/** @throws {SocketError} if `path` does not fit into a socket's address. */
export function checkSocketPath(path: string): void {
  const octets = Buffer.byteLength(path);
  if (octets === 0 || path.includes("\0")) throw new SocketError(path, "is no path of a socket");
  if (octets <= LONGEST_SOCKET_PATH) return;
  const most = `a socket's path has at most ${LONGEST_SOCKET_PATH} octets`;
  throw new SocketError(path, `${most}, this one has ${octets}`);
}

/** Remove the socket of a run that was killed. @throws {SocketError} if it is not one. */
export async function removeStale(path: string): Promise<void> {
  const found = statOf(path);
  if (found === null) return;
  if (!found.isSocket()) throw new SocketError(path, "is there already, and is not a socket");
  const answer = await knock(path);
  const code = systemCode(answer);
  if (code === "ENOENT") return;
  if (code !== "ECONNREFUSED") {
    const fault = systemFault(answer);
    throw fault === null ? taken(path) : new SocketError(path, fault);
  }
  // Somebody else may have put their own in its place meanwhile; then listening fails.
  if (statOf(path)?.ino !== found.ino) return;
  try {
    unlinkSync(path);
  } catch (error) {
    throw explained(path, error);
  }
}

/** Connect and hang up. @returns why that failed; `null` if somebody listens. */
async function knock(path: string): Promise<Error | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(null);
    });
    socket.once("error", (error) => resolve(error));
  });
}

function statOf(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw explained(path, error);
  }
}

/** @returns a sentence for what the user can mend, the error itself for the rest. */
function explained(path: string, error: unknown): Error {
  if (systemCode(error) === "EADDRINUSE") return taken(path);
  const fault = systemFault(error);
  if (fault !== null) return new SocketError(path, fault);
  return error instanceof Error ? error : new SocketError(path, String(error));
}

function removeAll(): void {
  for (const listener of OPEN) listener.remove();
}
