/** The xenbus half of netfront (Linux drivers/net/xen-netfront.c, and 2.6.18's). @module */
import type { Instant } from "../../base/time.ts";
import type { FrontendBus, FrontendDevice, FrontendDriver } from "./frontend-bus.ts";
import { XenbusState } from "./xenbus-state.ts";

/** The rings that a front end offers. */
export interface OfferedVifRings {
  readonly txRingRef: number;
  readonly rxRingRef: number;
  readonly eventChannel: number;
}

/** The rings of one domU's vifs: {@link VifFrontend} opens and closes them. */
export interface GuestVifPorts {
  /** Allocate and grant rings for domain `backendId`. @returns `null` if memory is short. */
  open(devid: number, backendId: number, now: Instant): OfferedVifRings | null;
  /** The back end is there: the interface has a carrier. */
  connected(devid: number, now: Instant): void;
  /** Ask and take nothing more: what is asked for already may still be answered. */
  stop(devid: number, now: Instant): void;
  /** Take everything back; nothing if it was not open. */
  close(devid: number, now: Instant): void;
}

/** The driver of a domU's vifs. */
export class VifFrontend implements FrontendDriver {
  readonly #bus: FrontendBus;
  readonly #ports: GuestVifPorts;
  readonly #features: readonly (readonly [string, string])[];

  /** @param features written with the rings, in their transaction. */
  constructor(
    bus: FrontendBus,
    ports: GuestVifPorts,
    features: readonly (readonly [string, string])[],
  ) {
    this.#bus = bus;
    this.#ports = ports;
    this.#features = features;
  }

  backendChanged(device: FrontendDevice, state: XenbusState, now: Instant): void {
    if (state === XenbusState.Connected) {
      if (device.state === XenbusState.Connected) this.#ports.connected(device.devid, now);
      return;
    }
    if (device.state !== XenbusState.Initialising) return;
    const rings = this.#ports.open(device.devid, device.backendId, now);
    if (rings === null) return;
    this.#bus.client.transaction((client) => {
      const write = (key: string, value: number | string): void =>
        client.write(`${device.node}/${key}`, String(value));
      write("tx-ring-ref", rings.txRingRef);
      write("rx-ring-ref", rings.rxRingRef);
      write("event-channel", rings.eventChannel);
      for (const [key, value] of this.#features) write(key, value);
    });
    this.#bus.switchState(device, XenbusState.Connected);
  }

  stop({ devid }: FrontendDevice, now: Instant): void {
    this.#ports.stop(devid, now);
  }

  close({ devid }: FrontendDevice, now: Instant): void {
    this.#ports.close(devid, now);
  }
}
