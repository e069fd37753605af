/**
 * Frames on a byte stream as QEMU's `-netdev stream` sends them: each behind its length, 32 bits,
 * big-endian (QEMU net/stream.c).
 * @module
 */
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { viewOf } from "../wire/field.ts";

/** Octets of a length. */
const PREFIX_LENGTH = 4;
/** The longest frame: the largest IP packet with its Ethernet and 802.1Q headers. */
export const LONGEST_FRAME = 65_535 + ETHERNET_LENGTH + 4;

/** A length that no frame has: whoever sent it cannot be followed any further. */
export type StreamFault = `${number} octets are no frame`;

/** Finds the frames of a stream in whatever pieces it comes. Holds at most one frame. */
export class FrameDecoder {
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #prefix = new Uint8Array(PREFIX_LENGTH);
  readonly #prefixView = viewOf(this.#prefix);
  /** A frame of which some is there, once its length is known. */
  #frame: Uint8Array | null = null;
  /** Octets of the length, or of the frame, that are there. */
  #filled = 0;

  /** @param onFrame gets each frame; borrowed until it returns. */
  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  /** True where a stream may end: after a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#frame === null && this.#filled === 0;
  }

  /**
   * Take the next octets.
   * @returns what is wrong with a length, after which nothing more may be pushed; or `null`.
   */
  push(chunk: Uint8Array): StreamFault | null {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame === null) {
        at += this.#fill(this.#prefix, chunk, at);
        if (this.#filled < PREFIX_LENGTH) return null;
        this.#filled = 0;
        const length = this.#prefixView.getUint32(0);
        if (length < ETHERNET_LENGTH || length > LONGEST_FRAME) {
          return `${length} octets are no frame`;
        }
        if (chunk.length - at >= length) {
          this.#onFrame(chunk.subarray(at, at + length));
          at += length;
        } else {
          this.#frame = new Uint8Array(length);
        }
        continue;
      }
      const frame = this.#frame;
      at += this.#fill(frame, chunk, at);
      if (this.#filled < frame.length) return null;
      this.#filled = 0;
      this.#frame = null;
      this.#onFrame(frame);
    }
    return null;
  }

  /** Copy what `into` still wants. @returns how many octets those were. */
  #fill(into: Uint8Array, chunk: Uint8Array, at: number): number {
    const count = Math.min(into.length - this.#filled, chunk.length - at);
    into.set(chunk.subarray(at, at + count), this.#filled);
    this.#filled += count;
    return count;
  }
}

/** `frame` behind its length: a copy. */
export function encodeFrame(frame: Uint8Array): Uint8Array {
  const octets = new Uint8Array(PREFIX_LENGTH + frame.length);
  viewOf(octets).setUint32(0, frame.length);
  octets.set(frame, PREFIX_LENGTH);
  return octets;
}
