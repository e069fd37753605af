/** A client of a xenstore's socket that does nothing but ask and count. @module */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const HEADER = 16;

/** A request as octets. */
export function request(type: number, payload: string, transaction = 0): Buffer {
  const octets = Buffer.alloc(HEADER + payload.length);
  octets.writeUInt32LE(type, 0);
  octets.writeUInt32LE(transaction, 8);
  octets.writeUInt32LE(payload.length, 12);
  octets.write(payload, HEADER, "latin1");
  return octets;
}

/** One connection. */
export class BenchClient {
  readonly #socket: Socket;
  /** Octets of an answer that has not come whole. */
  #rest: Buffer = Buffer.alloc(0);
  #awaited = 0;
  #hasFailed = false;
  #wake: () => void = () => {};
  /** Transactions begun so far: the number of the last one. */
  transactions = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
  }

  static async open(path: string): Promise<BenchClient> {
    const socket = connect(path);
    await once(socket, "connect");
    return new BenchClient(socket);
  }

  /** Send `octets` and wait for `count` answers. @throws {Error} if one is an error. */
  ask(octets: Uint8Array, count: number): Promise<void> {
    this.#awaited += count;
    this.#socket.write(octets);
    return new Promise((resolve, reject) => {
      this.#wake = (): void => {
        if (this.#hasFailed) reject(new Error("a request failed"));
        else resolve();
      };
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (octets.length - at >= HEADER) {
      const end = at + HEADER + octets.readUInt32LE(at + 12);
      if (end > octets.length) break;
      if (octets[at] === 16) this.#hasFailed = true;
      this.#awaited -= 1;
      at = end;
    }
    this.#rest = octets.subarray(at);
    if (this.#awaited === 0 || this.#hasFailed) this.#wake();
  }
}
