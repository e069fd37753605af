/**
 * Connections without Node's streams: read into one buffer, written in the same instant.
 *
 * A stream allocates 64 KiB for each read and tells of it, and of each write, by way of queues and
 * of the next tick: that is more than answering a short request takes. Node has a public option for
 * the reading (`onread`), but only for sockets that a program makes itself. So the handle of an
 * accepted connection goes into one of these. What Node does not document is asked for by name,
 * and where it is not found the connection stays as it is (docs/decisions/0020-direct-sockets.md).
 * @module
 */
import { writeSync } from "node:fs";
import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";

/** How connections are read. */
export interface DirectReading {
  /** Where octets are put, those of all connections, until `take` returns; 65,536 or more. */
  readonly buffer: Uint8Array;
  /**
   * So many octets came from `socket`.
   * @returns false to hear no more of it until it is told to `resume`.
   */
  readonly take: (socket: Socket, length: number) => boolean;
}

/**
 * Read a connection that was accepted, and that nobody has read from.
 * @returns the socket to go on with; `accepted` itself is over if it is another one.
 */
export function readDirectly(accepted: Socket, { buffer, take }: DirectReading): Socket {
  const handle = handleOf(accepted);
  if (handle === null) return readStream(accepted, { buffer, take });
  Reflect.set(accepted, HANDLE, null);
  accepted.destroy();
  const options: DirectOptions = {
    handle,
    onread: { buffer, callback: (length) => take(socket, length) },
  };
  const socket = new Socket(options);
  socket.resume();
  return socket;
}

/** What the constructor knows beyond its documentation. */
interface DirectOptions extends SocketConstructorOpts {
  readonly handle: object;
  readonly onread: OnReadOpts;
}

/** Reading as {@link readDirectly}, through the stream. */
export function readStream(socket: Socket, { buffer, take }: DirectReading): Socket {
  socket.on("data", (chunk) => {
    buffer.set(chunk);
    if (!take(socket, chunk.length)) socket.pause();
  });
  socket.resume();
  return socket;
}

/** Writes to a socket past its stream, as long as nothing waits there. */
export class DirectWriter {
  readonly #socket: Socket;
  readonly #fd: number | null;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#fd = fdOf(socket);
  }

  /**
   * Hand the first `length` of `octets` to the system.
   * @returns how many it took: fewer if the peer does not read, 0 if the socket is over.
   */
  write(octets: Uint8Array, length: number): number {
    const socket = this.#socket;
    if (this.#fd === null || socket.destroyed || socket.writableLength > 0) return 0;
    try {
      return writeSync(this.#fd, octets, 0, length);
    } catch {
      // The system has no room, or the peer is gone: the stream, asked next, waits or says so.
      return 0;
    }
  }
}

const HANDLE = "_handle";

function handleOf(socket: Socket): object | null {
  const handle: unknown = Reflect.get(socket, HANDLE);
  const isHandle = typeof handle === "object" && handle !== null && "useUserBuffer" in handle;
  return isHandle ? handle : null;
}

function fdOf(socket: Socket): number | null {
  const handle = handleOf(socket);
  const fd: unknown = handle === null ? null : Reflect.get(handle, "fd");
  return typeof fd === "number" && fd >= 0 ? fd : null;
}
