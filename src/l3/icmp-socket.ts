/** The socket by which a stack sends ICMP messages of its own (Linux `icmp_xmit_lock`). @module */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";

/** Sends a stack's packet; takes ownership. */
type Send = (packet: Packet, now: Instant) => void;

/** One socket: while a message is on its way out, there is no other, least of all about it. */
export class IcmpSocket {
  readonly #send: Send;
  #isBusy = false;

  constructor(send: Send) {
    this.#send = send;
  }

  /** True while a message is on its way out. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Send a message; takes ownership. Whoever makes it asks first whether the socket is busy. */
  send(message: Packet, now: Instant): void {
    const wasBusy = this.#isBusy;
    this.#isBusy = true;
    this.#send(message, now);
    this.#isBusy = wasBusy;
  }

  /**
   * A frame comes in while a message goes out: a kernel would look at it later.
   * @returns what {@link resume} needs when the frame is dealt with.
   */
  pause(): boolean {
    const wasBusy = this.#isBusy;
    this.#isBusy = false;
    return wasBusy;
  }

  /** Go on where {@link pause} stopped. */
  resume(wasBusy: boolean): void {
    this.#isBusy = wasBusy;
  }
}
