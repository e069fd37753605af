/** Packets that wait, first in, first out, each with a time in its owner's units. @module */
import { NEVER } from "../../base/time.ts";
import type { Packet } from "../../wire/packet.ts";

/** Owns what waits. Whoever fills it sets the bound. */
export class PacketQueue {
  /** Octets of the frames that wait. */
  octets = 0;
  readonly #packets: Packet[] = [];
  readonly #times: number[] = [];

  get size(): number {
    return this.#packets.length;
  }

  /** The packet that comes next; `null` if none waits. It stays. */
  get first(): Packet | null {
    return this.#packets[0] ?? null;
  }

  /** The time of the packet that comes next; `NEVER` if none waits. */
  get firstTime(): number {
    return this.#times[0] ?? NEVER;
  }

  /** Takes ownership. */
  push(packet: Packet, time: number): void {
    this.#packets.push(packet);
    this.#times.push(time);
    this.octets += packet.end - packet.frame;
  }

  /** @returns the next packet, the caller's now; `null` if none waits. */
  shift(): Packet | null {
    const packet = this.#packets.shift() ?? null;
    this.#times.shift();
    if (packet !== null) this.octets -= packet.end - packet.frame;
    return packet;
  }
}
