/** Who watches a zone's packets: a capture of chosen devices, a trace, or both. @module */
import type { Instant } from "../base/time.ts";
import type { Device } from "../wire/device.ts";
import type { Fate, Observer, Packet, Reason } from "../wire/packet.ts";

/** Passes on what happens at some devices alone. */
export class DeviceFilter implements Observer {
  readonly #observer: Observer;
  readonly #devices = new Set<Device>();

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  add(device: Device): void {
    this.#devices.add(device);
  }

  received(device: Device, packet: Packet, now: Instant): void {
    if (this.#devices.has(device)) this.#observer.received(device, packet, now);
  }

  transmitted(device: Device, packet: Packet, now: Instant): void {
    if (this.#devices.has(device)) this.#observer.transmitted(device, packet, now);
  }

  ended(packet: Packet, fate: Fate, reason: Reason, now: Instant): void {
    const { input, output } = packet;
    const isKnown =
      (input !== null && this.#devices.has(input)) ||
      (output !== null && this.#devices.has(output));
    if (isKnown) this.#observer.ended(packet, fate, reason, now);
  }

  step(): void {}
}

/** Tells several observers, in the order of their addition. */
export class FanOut implements Observer {
  readonly #observers: readonly Observer[];

  constructor(observers: readonly Observer[]) {
    this.#observers = observers;
  }

  received(device: Device, packet: Packet, now: Instant): void {
    for (const observer of this.#observers) observer.received(device, packet, now);
  }

  transmitted(device: Device, packet: Packet, now: Instant): void {
    for (const observer of this.#observers) observer.transmitted(device, packet, now);
  }

  ended(packet: Packet, fate: Fate, reason: Reason, now: Instant): void {
    for (const observer of this.#observers) observer.ended(packet, fate, reason, now);
  }

  step(packet: Packet, place: string, what: string, now: Instant): void {
    for (const observer of this.#observers) observer.step(packet, place, what, now);
  }
}
