/**
 * Where a packet leaves one router of a host and comes into the next by a cable without delay: what
 * knows its way on both sides need not be a frame in between.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { type Device, PatchCable } from "../wire/device.ts";
import type { Packet, PacketPool } from "../wire/packet.ts";
import type { EthernetTemplate } from "../l2/ethernet.ts";
import { Interface } from "./interface.ts";

/** A device, and the interface of another router at the other end of its cable. */
export class Crossing {
  readonly #from: Device;
  readonly #cable: PatchCable;
  readonly #to: Interface;

  private constructor(from: Device, cable: PatchCable, to: Interface) {
    this.#from = from;
    this.#cable = cable;
    this.#to = to;
  }

  /** @returns `null` if what `device` sends does not come to a router at once. */
  static find(device: Device): Crossing | null {
    const { carrier } = device;
    if (!(carrier instanceof PatchCable)) return null;
    const { stack } = carrier.peerOf(device);
    return stack instanceof Interface && !stack.isLoopback
      ? new Crossing(device, carrier, stack)
      : null;
  }

  /** Where packets come in. */
  get via(): Interface {
    return this.#to;
  }

  /** True if it is as it was found, and nobody looks at the frames there. */
  isClear(pool: PacketPool): boolean {
    return (
      pool.observer === null &&
      this.#from.carrier === this.#cable &&
      this.#to.device.stack === this.#to &&
      !this.#to.device.hasTaps
    );
  }

  /** `packet` goes over, in a frame that begins with `header`. Takes ownership. */
  take(packet: Packet, header: EthernetTemplate, now: Instant): void {
    this.count(packet);
    this.#to.paths.enter(this.#to, packet, header, now);
  }

  /** As {@link take}, but the packet is asked for its whole way. */
  takeAsked(packet: Packet, header: EthernetTemplate, now: Instant): void {
    this.count(packet);
    header.write(packet.pool.view, packet.frame);
    this.#to.receive(this.#to.device, packet, now);
  }

  /** Both devices count `packet`, and it is one that came in on the other side. */
  count(packet: Packet): void {
    this.countAll(1, packet.end - packet.frame);
    packet.input = this.#to.device;
    packet.output = null;
    packet.isNoted = true;
  }

  /** Both devices count `frames` of together `octets`. */
  countAll(frames: number, octets: number): void {
    const { device } = this.#to;
    this.#from.txFrames += frames;
    this.#from.txOctets += octets;
    device.rxFrames += frames;
    device.rxOctets += octets;
  }
}
