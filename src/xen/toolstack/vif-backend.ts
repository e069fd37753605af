/** The xenbus half of netback (Linux drivers/net/xen-netback/xenbus.c, and 2.6.18's). @module */
import type { Instant } from "../../base/time.ts";
import {
  type BackendBus,
  type BackendDevice,
  type BackendDriver,
  LinuxError,
} from "./backend-bus.ts";
import type { Watching, WatchQueue } from "./watch-queue.ts";
import { scanInteger, XenbusState } from "./xenbus-state.ts";

/** What a guest's front end wrote; each number as it stands there, and nothing of it believed. */
export interface VifRings {
  readonly domid: number;
  readonly handle: number;
  readonly txRingRef: number;
  readonly rxRingRef: number;
  readonly eventChannel: number;
  /** The guest counts the frames that it takes out, and wants to hear of each. */
  readonly isRxNotified: boolean;
  /** It takes frames of several slots. */
  readonly hasScatterGather: boolean;
  /** It takes large TCP segments. */
  readonly hasTcpOffload: boolean;
  /** It wants checksums complete. */
  readonly lacksChecksumOffload: boolean;
  /** Dom0's node `rate`, "bytes,microseconds"; `null` without. */
  readonly rate: string | null;
}

/** The rings of a host's vifs: {@link VifBackend} opens and closes them. */
export interface VifPorts {
  /**
   * Map the rings, bind the event channel, let frames flow.
   * @returns false if the guest's numbers name nothing that Dom0 may use.
   */
  connect(rings: VifRings, now: Instant): boolean;
  /** The node `rate` is another, `null` without; nothing if the rings are not connected. */
  changeRate(domid: number, handle: number, rate: string | null, now: Instant): void;
  /** Let go of the rings; nothing if they were not connected. */
  disconnect(domid: number, handle: number, now: Instant): void;
}

/** What differs between netbacks. */
export interface VifBackendStyle {
  /** Written when a device is new. */
  readonly features: readonly (readonly [string, string])[];
  /** True: the interface comes up when the device is new (2.6.18's `online`). */
  readonly goesOnlineAtOnce: boolean;
  /** True: it waits for `hotplug-status` before it is connected. */
  readonly waitsForHotplug: boolean;
  /** True: a `rate` that changes counts at once (since 4.1), not from the next connection. */
  readonly watchesRate: boolean;
}

/** The driver of vifs. */
export class VifBackend implements BackendDriver {
  readonly #bus: BackendBus;
  readonly #queue: WatchQueue;
  readonly #ports: VifPorts;
  readonly #style: VifBackendStyle;
  readonly #waiting = new Map<string, Watching>();
  readonly #rates = new Map<string, Watching>();

  constructor(bus: BackendBus, queue: WatchQueue, ports: VifPorts, style: VifBackendStyle) {
    this.#bus = bus;
    this.#queue = queue;
    this.#ports = ports;
    this.#style = style;
  }

  probe(device: BackendDevice, now: Instant): void {
    const { features, goesOnlineAtOnce } = this.#style;
    this.#bus.client.transaction((client) => {
      for (const [key, value] of features) client.write(`${device.node}/${key}`, value);
    });
    if (goesOnlineAtOnce) this.#bus.uevent("online", device, now);
  }

  frontendChanged(device: BackendDevice, state: XenbusState, now: Instant): void {
    if (state === XenbusState.Closing) this.#close(device, now);
    else if (state === XenbusState.Connected) this.#connect(device, now);
  }

  remove(device: BackendDevice, now: Instant): void {
    this.#close(device, now);
    this.#bus.uevent("offline", device, now);
  }

  #connect(device: BackendDevice, now: Instant): void {
    if (this.#style.watchesRate && !this.#rates.has(device.node)) this.#watchRate(device);
    if (!this.#style.waitsForHotplug) {
      this.#connectRings(device, now);
      return;
    }
    if (this.#waiting.has(device.node)) return;
    const path = `${device.node}/hotplug-status`;
    const act = (_: string, at: Instant): void => this.#hotplugChanged(device, at);
    this.#waiting.set(device.node, this.#queue.watch(path, act));
  }

  #watchRate({ node, domid, devid }: BackendDevice): void {
    const path = `${node}/rate`;
    const act = (_: string, at: Instant): void =>
      this.#ports.changeRate(domid, devid, this.#bus.client.find(path), at);
    this.#rates.set(node, this.#queue.watch(path, act));
  }

  #hotplugChanged(device: BackendDevice, now: Instant): void {
    if (this.#bus.client.find(`${device.node}/hotplug-status`) !== "connected") return;
    this.#connectRings(device, now);
    this.#unwatch(this.#waiting, device);
  }

  #connectRings(device: BackendDevice, now: Instant): void {
    const read = (key: string): number | null =>
      scanInteger(this.#bus.client.find(`${device.frontend}/${key}`));
    const txRingRef = read("tx-ring-ref");
    const rxRingRef = read("rx-ring-ref");
    const eventChannel = read("event-channel");
    if (txRingRef === null || rxRingRef === null || eventChannel === null) {
      const message = `reading ${device.frontend}/ring-ref and event-channel`;
      this.#bus.fatal(device, LinuxError.noEntry, message);
      return;
    }
    if (read("request-rx-copy") !== 1) {
      this.#bus.fatal(device, LinuxError.notSupported, `${device.frontend} flips pages`);
      return;
    }
    const rings: VifRings = {
      domid: device.domid,
      handle: device.devid,
      txRingRef,
      rxRingRef,
      eventChannel,
      isRxNotified: read("feature-rx-notify") === 1,
      hasScatterGather: read("feature-sg") === 1,
      hasTcpOffload: read("feature-gso-tcpv4") === 1,
      lacksChecksumOffload: read("feature-no-csum-offload") === 1,
      rate: this.#bus.client.find(`${device.node}/rate`),
    };
    if (this.#ports.connect(rings, now)) {
      this.#bus.switchState(device, XenbusState.Connected);
    } else {
      const refs = `${txRingRef}/${rxRingRef}`;
      const message = `mapping shared-frames ${refs} port ${eventChannel}`;
      this.#bus.fatal(device, LinuxError.invalid, message);
    }
  }

  #close(device: BackendDevice, now: Instant): void {
    this.#unwatch(this.#rates, device);
    this.#unwatch(this.#waiting, device);
    this.#ports.disconnect(device.domid, device.devid, now);
  }

  #unwatch(watches: Map<string, Watching>, { node }: BackendDevice): void {
    const watching = watches.get(node);
    if (watching === undefined) return;
    watches.delete(node);
    this.#queue.unwatch(watching);
  }
}
