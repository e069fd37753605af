/**
 * A vif for frames of the user's own: a test, a real machine, another stack stands where the
 * simulated domU would.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Device, Stack } from "../wire/device.ts";
import type { Packet, PacketPool } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";

/** Gets each frame that the domU receives; the octets are borrowed until return. */
export type FrameReceiver = (frame: Uint8Array, now: Instant) => void;

/** What a frame may leave to Dom0, as the flags of its request say. */
export interface FrameOffload {
  /** The transport checksum is the pseudo-header's sum alone; false. */
  readonly hasBlankChecksum?: boolean;
  /** Payload octets of each TCP segment that it is to be cut into; 0 for a frame that is one. */
  readonly segmentSize?: number;
}

/** The most that a request of the ring can say. */
const LARGEST_FRAME = 65_535;

/** The domU's end of its vif. */
export class ExternalVif implements Stack {
  readonly #device: Device;
  readonly #pool: PacketPool;
  readonly #now: () => Instant;
  #receiver: FrameReceiver | null = null;
  #isHeld = false;

  constructor(device: Device, pool: PacketPool, now: () => Instant) {
    this.#device = device;
    this.#pool = pool;
    this.#now = now;
    device.attachStack(this);
  }

  /** Hear what the domU gets from now on; `null` for nobody. */
  onReceive(receiver: FrameReceiver | null): void {
    this.#receiver = receiver;
  }

  /**
   * Send a copy of `frame` as the domU: Ethernet header and payload, no checksum sequence.
   * @param offload what it leaves to Dom0; nothing. A large segment may be longer than the MTU.
   * @returns false if it was not taken: shorter than a header, longer than the MTU allows (a driver
   * sends neither), no packet buffer is free, or the domain does not run.
   */
  transmit(frame: Uint8Array, offload: FrameOffload = {}): boolean {
    const { hasBlankChecksum = false, segmentSize = 0 } = offload;
    const longest = segmentSize > 0 ? LARGEST_FRAME : ETHERNET_LENGTH + this.#device.mtu;
    if (this.#isHeld || frame.length < ETHERNET_LENGTH || frame.length > longest) return false;
    const packet = this.#pool.copyIn(frame);
    if (packet === null) return false;
    packet.hasBlankChecksum = hasBlankChecksum;
    packet.segmentSize = segmentSize;
    this.#device.transmit(packet, this.#now());
    return true;
  }

  /** For its host: the domain does not run, so that nothing is sent; or it does again. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  /**
   * The vif as a pair of Web Streams of frames, which then takes the place of `onReceive`.
   * @param limit frames that wait for a slow reader; the next ones are dropped, as netback drops.
   */
  streams(limit = 256): {
    readable: ReadableStream<Uint8Array>;
    writable: WritableStream<Uint8Array>;
  } {
    const readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.onReceive((frame) => {
            if ((controller.desiredSize ?? 0) > 0) controller.enqueue(frame.slice());
          });
        },
        cancel: () => this.onReceive(null),
      },
      { highWaterMark: limit },
    );
    const writable = new WritableStream<Uint8Array>({
      write: (frame) => {
        this.transmit(frame);
      },
    });
    return { readable, writable };
  }

  receive(_device: Device, packet: Packet, now: Instant): void {
    this.#receiver?.(packet.octets(), now);
    packet.pool.end(packet, "delivered", "vif/delivered", now);
  }
}
