/** From a sink that must not wait to a Web Stream that may. @module */
import { OptionError, RangeFault } from "../base/errors.ts";
import type { Sink } from "./block-buffer.ts";

/** How much may wait. */
export interface StreamSinkOptions {
  /** Octets that may wait for the stream; 64 MiB. */
  readonly maxPendingOctets?: number;
}

/**
 * Feeds a `WritableStream` with copies of the chunks. The engine does not wait, so whoever runs it
 * awaits {@link ready} between its steps.
 */
export class StreamSink {
  /** What a writer of captures takes. Throws {@link RangeFault} beyond `maxPendingOctets`. */
  readonly sink: Sink;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #limit: number;
  #pendingOctets = 0;

  /** Locks `stream` until it is closed. @throws {OptionError} if the limit is below 1. */
  constructor(
    stream: WritableStream<Uint8Array>,
    { maxPendingOctets = 2 ** 26 }: StreamSinkOptions = {},
  ) {
    if (!Number.isSafeInteger(maxPendingOctets) || maxPendingOctets < 1) {
      throw new OptionError("maxPendingOctets", maxPendingOctets, "a whole number from 1");
    }
    this.#writer = stream.getWriter();
    this.#limit = maxPendingOctets;
    this.sink = (chunk) => this.#take(chunk);
  }

  /** Octets that the stream has not taken yet. */
  get pendingOctets(): number {
    return this.#pendingOctets;
  }

  /** Resolves when the stream wants more; rejects with its error if it failed. */
  async ready(): Promise<void> {
    await this.#writer.ready;
  }

  /** Resolves when all octets are written and the stream is closed; rejects if it failed. */
  async close(): Promise<void> {
    await this.#writer.close();
  }

  #take(chunk: Uint8Array): void {
    const { length } = chunk;
    if (this.#pendingOctets + length > this.#limit) {
      throw new RangeFault(
        "capture-backlog",
        this.#pendingOctets + length,
        `${this.#limit} octets`,
      );
    }
    this.#pendingOctets += length;
    const taken = (): void => {
      this.#pendingOctets -= length;
    };
    // A failure is told by `ready` and `close`; here it only must not count as unheard.
    void this.#writer.write(chunk.slice()).then(taken, taken);
  }
}
