/**
 * Packets that go beside a vif's rings while their octets go through them, where both ends run in
 * one thread: so a packet keeps its id, and its place in the pool. Neither end trusts them: what a
 * frame is, the rings say.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import type { Packet, Reason } from "../../wire/packet.ts";
import { NETIF_SLOTS } from "./netif.ts";

/** Of one vif: those from the guest, and those to it. */
export interface VifCompanions {
  readonly tx: Companions;
  readonly rx: Companions;
}

const MASK = NETIF_SLOTS - 1;

/** By the slot of the frame's first request, or response. */
export class Companions {
  readonly #packets: (Packet | null)[] = Array.from({ length: NETIF_SLOTS }, () => null);
  #count = 0;

  /** True if nothing is under way. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** `packet` goes along with slot `index`; what was forgotten there has ended. */
  put(index: number, packet: Packet, now: Instant): void {
    const forgotten = this.#packets[index & MASK] ?? null;
    forgotten?.pool.end(forgotten, "discarded", "netif/lost", now);
    if (forgotten === null) this.#count += 1;
    this.#packets[index & MASK] = packet;
  }

  /** @returns the packet of slot `index`, which is the caller's now, or `null`. */
  take(index: number): Packet | null {
    const packet = this.#packets[index & MASK] ?? null;
    if (packet === null) return null;
    this.#packets[index & MASK] = null;
    this.#count -= 1;
    return packet;
  }

  /** The rings are gone: end what is under way. */
  clear(reason: Reason, now: Instant): void {
    for (let index = 0; index < NETIF_SLOTS; index += 1) {
      const packet = this.take(index);
      packet?.pool.end(packet, "dropped", reason, now);
    }
  }
}
