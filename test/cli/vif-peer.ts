/** A program on a vif's socket: asks by ARP for its gateway, and hears what comes. */
import { connect, type Socket } from "node:net";
import { encodeFrame, FrameDecoder } from "../../src/backend/frame-stream.ts";

/** Who it is: octets in hexadecimal. */
export interface PeerOptions {
  readonly path: string;
  readonly mac: string;
  readonly address: string;
  readonly gateway: string;
}

/** One connection. */
export class VifPeer {
  /** ARP replies that came. */
  answers = 0;
  isOver = false;
  readonly socket: Socket;
  readonly #question: Uint8Array;

  constructor({ path, mac, address, gateway }: PeerOptions) {
    const arp = `0001080006040001${mac}${address}000000000000${gateway}`;
    this.#question = encodeFrame(Buffer.from(`ffffffffffff${mac}0806${arp}`, "hex"));
    this.socket = connect(path);
    const decoder = new FrameDecoder((frame) => {
      if (frame[12] === 8 && frame[13] === 6 && frame[21] === 2) this.answers += 1;
    });
    this.socket.on("data", (chunk) => decoder.push(chunk));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isOver = true;
    });
  }

  /** Send octets of the question, by default all. */
  ask(from = 0, to = this.#question.length): void {
    this.socket.write(this.#question.slice(from, to));
  }

  /**
   * The next peer of a vif, which is answered: until the server knows that the one before has
   * left, it turns others away. @returns `null` if none is answered within some seconds.
   */
  static async next(options: PeerOptions): Promise<VifPeer | null> {
    for (let tried = 0; tried < 100; tried += 1) {
      const peer = new VifPeer(options);
      if (await peer.isAnswered()) return peer;
      if (!peer.isOver) return null;
    }
    return null;
  }

  /** Ask until one more answer comes. @returns false if none does within `seconds`. */
  async isAnswered(seconds = 20): Promise<boolean> {
    const before = this.answers;
    for (let tried = 0; tried < seconds * 5 && !this.isOver; tried += 1) {
      this.ask();
      await pause(200);
      if (this.answers > before) return true;
    }
    return false;
  }
}

export const pause = async (ms: number): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, ms));
};
