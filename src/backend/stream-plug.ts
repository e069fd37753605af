/**
 * A plug for programs that speak QEMU's stream framing on a unix socket:
 * `-netdev stream,id=n0,addr.type=unix,addr.path=PATH`.
 *
 * A vif has one plug: while a peer is connected, the next one is turned away. A peer that does not
 * read as fast as its frames come loses the newest, as netback drops when the guest posts no
 * buffers; one that cannot be followed is disconnected.
 * @module
 */
import type { Socket } from "node:net";
import type { Logger } from "../base/log.ts";
import { encodeFrame, FrameDecoder } from "./frame-stream.ts";
import { plainOctets } from "./octets.ts";
import type { Jack, Plug, PlugCounters, PlugSetup } from "./plug.ts";
import { systemCode } from "./system-error.ts";
import { openUnixListener, type UnixListener } from "./unix-listener.ts";

/** Octets that wait for a peer beside what the system holds; the next frame is dropped. */
const QUEUE_OCTETS = 2 ** 20;
/** Octets that are handed to the system at once. */
const BATCH_OCTETS = 2 ** 16;

/** @throws {SocketError} if the socket cannot be opened. */
export async function openStreamPlug({ rest: path, jack, log }: PlugSetup): Promise<Plug> {
  const counters = { sent: 0, refused: 0, received: 0, dropped: 0 };
  let peer: Peer | null = null;
  const listener = await openUnixListener({
    path,
    onConnection: (socket) => {
      if (peer !== null) {
        log.warn({ vif: jack.name }, "a second peer was turned away: the vif has one plug");
        socket.destroy();
        return;
      }
      peer = new Peer({ socket, jack, log, counters });
      socket.on("close", () => {
        peer = null;
      });
    },
  });
  return new StreamPlug(listener, counters);
}

class StreamPlug implements Plug {
  readonly address: string;
  readonly counters: PlugCounters;
  readonly #listener: UnixListener;

  constructor(listener: UnixListener, counters: PlugCounters) {
    this.address = `unix:${listener.path}`;
    this.counters = counters;
    this.#listener = listener;
  }

  async close(): Promise<void> {
    await this.#listener.close();
  }
}

interface PeerSetup {
  readonly socket: Socket;
  readonly jack: Jack;
  readonly log: Logger;
  readonly counters: { -readonly [key in keyof PlugCounters]: number };
}

/** One connected program. */
class Peer {
  readonly #setup: PeerSetup;
  readonly #decoder: FrameDecoder;
  /** Octets since the socket was corked; -1 while it is not. */
  #corked = -1;
  #reason = "it hung up";

  constructor(setup: PeerSetup) {
    this.#setup = setup;
    const { socket, jack, log, counters } = setup;
    this.#decoder = new FrameDecoder((frame) => {
      if (jack.transmit(frame)) counters.sent += 1;
      else counters.refused += 1;
    });
    log.info({ vif: jack.name }, "a peer connected");
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => {
      this.#reason = systemCode(error);
    });
    socket.on("close", () => this.#leave());
    jack.onReceive((frame) => this.#send(frame));
  }

  #receive(chunk: Uint8Array): void {
    const { socket, jack } = this.#setup;
    jack.together(() => {
      const fault = this.#decoder.push(plainOctets(chunk));
      if (fault !== null) this.#disconnect(fault);
    });
    // Whoever sends without end has his turn, not the whole time.
    if (chunk.length < BATCH_OCTETS || socket.destroyed) return;
    socket.pause();
    setImmediate(() => socket.resume());
  }

  #send(frame: Uint8Array): void {
    const { socket, counters } = this.#setup;
    if (socket.writableLength + frame.length > QUEUE_OCTETS || !socket.writable) {
      counters.dropped += 1;
      return;
    }
    counters.received += 1;
    if (this.#corked < 0) this.#cork();
    this.#corked += frame.length;
    socket.write(encodeFrame(frame));
    if (this.#corked > BATCH_OCTETS) this.#uncork();
  }

  /** Frames of one moment go to the system together. */
  #cork(): void {
    this.#corked = 0;
    this.#setup.socket.cork();
    process.nextTick(() => this.#uncork());
  }

  #uncork(): void {
    if (this.#corked < 0) return;
    this.#corked = -1;
    this.#setup.socket.uncork();
  }

  #disconnect(reason: string): void {
    const { jack, log, socket } = this.#setup;
    this.#reason = reason;
    log.warn({ vif: jack.name, reason }, "a peer was disconnected: it does not speak the framing");
    socket.destroy();
  }

  #leave(): void {
    const { jack, log } = this.#setup;
    jack.onReceive(null);
    const isWhole = this.#decoder.isBetweenFrames;
    log.info({ vif: jack.name, reason: this.#reason, isWhole }, "a peer left");
  }
}
