/** Packets that wait, first in, first out, each with an instant. @module */
import { type Instant, NEVER } from "../../base/time.ts";
import type { Packet } from "../../wire/packet.ts";

/** Owns what waits. Whoever fills it sets the bound. */
export class PacketQueue {
  /** Octets of the frames that wait. */
  octets = 0;
  readonly #packets: Packet[] = [];
  readonly #times: Instant[] = [];

  get size(): number {
    return this.#packets.length;
  }

  /** The packet that comes next; `null` if none waits. It stays. */
  get first(): Packet | null {
    return this.#packets[0] ?? null;
  }

  /** The instant of the packet that comes next; `NEVER` if none waits. */
  get firstTime(): Instant {
    return this.#times[0] ?? NEVER;
  }

  /** Takes ownership. */
  push(packet: Packet, time: Instant): void {
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
