/**
 * The front ends as a domU's kernel keeps them (Linux drivers/xen/xenbus): each directory below
 * `device` is a device whose driver follows the state of the back end that the directory names.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import type { StoreClient } from "../xenstore/client.ts";
import type { DeviceClass } from "./device-path.ts";
import type { WatchQueue, Watching } from "./watch-queue.ts";
import { scanState, XenbusState } from "./xenbus-state.ts";

/** One front end. Owned by its bus. */
export interface FrontendDevice {
  readonly type: DeviceClass;
  readonly devid: number;
  /** "device/vbd/2049", from the domain's home. */
  readonly node: string;
  /** Where the other half lives. */
  readonly backend: string;
  readonly backendId: number;
  readonly state: XenbusState;
}

/** What a driver of front ends does. */
export interface FrontendDriver {
  /** The other half is in `state`, `InitWait` or `Connected`. */
  backendChanged(device: FrontendDevice, state: XenbusState, now: Instant): void;
  /** The back end closes: ask and take nothing more. It maps the rings until this end is closed. */
  stop(device: FrontendDevice, now: Instant): void;
  /** The device is gone: take its rings back. */
  close(device: FrontendDevice, now: Instant): void;
}

/** What a domU's kernel does when it boots, besides its devices. */
export interface FrontendBusStyle {
  /** What it watches for the toolstack's sake, before its devices. */
  readonly watches: readonly string[];
  /** What it writes then. */
  readonly writes: readonly (readonly [string, string])[];
  /** What it watches before its devices, and after them. */
  readonly earlyWatches: readonly string[];
  readonly lateWatches: readonly string[];
}

interface Entry extends FrontendDevice {
  state: XenbusState;
  otherEnd: Watching | null;
}

/** A domU's bus of front ends. */
export class FrontendBus {
  readonly #queue: WatchQueue;
  readonly #drivers = new Map<DeviceClass, FrontendDriver>();
  readonly #devices = new Map<string, Entry>();
  readonly #style: FrontendBusStyle;
  #hasBooted = false;

  constructor(queue: WatchQueue, style: FrontendBusStyle) {
    this.#queue = queue;
    this.#style = style;
  }

  get client(): StoreClient {
    return this.#queue.client;
  }

  get devices(): Iterable<FrontendDevice> {
    return this.#devices.values();
  }

  /** A driver takes the devices of a class; in the order of registration when the kernel boots. */
  register(type: DeviceClass, driver: FrontendDriver): void {
    this.#drivers.set(type, driver);
  }

  /** The kernel boots. @param onShutdown told what `control/shutdown` asks for. */
  boot(now: Instant, onShutdown: (request: string, now: Instant) => void): void {
    const { watches, writes, earlyWatches, lateWatches } = this.#style;
    for (const path of watches) {
      this.#queue.watch(path, (changed, at) => {
        if (path === "control/shutdown") this.#asked(changed, at, onShutdown);
      });
    }
    for (const [key, value] of writes) this.client.write(key, value);
    for (const path of earlyWatches) this.#queue.watch(path, () => undefined);
    this.#queue.watch("device", (path, at) => this.#changed(path, at));
    for (const path of lateWatches) this.#queue.watch(path, () => undefined);
    this.#hasBooted = true;
    for (const type of this.#drivers.keys()) {
      const root = `device/${type}`;
      if (this.client.find(root) === null) continue;
      for (const devid of this.client.list(root)) this.#changed(`${root}/${devid}`, now);
      this.#queue.drain(now);
    }
  }

  /** `xenbus_switch_state`: a directory that is gone is not written to. */
  switchState(device: FrontendDevice, state: XenbusState): void {
    const entry = this.#devices.get(device.node);
    if (entry === undefined || entry.state === state) return;
    if (this.client.find(`${device.node}/state`) === null) return;
    entry.state = state;
    this.client.write(`${device.node}/state`, String(state));
  }

  /** The domain dies or suspends: every device lets go. */
  stop(now: Instant): void {
    for (const entry of this.#devices.values()) this.#drivers.get(entry.type)?.close(entry, now);
    this.#devices.clear();
  }

  #asked(path: string, now: Instant, onShutdown: (request: string, now: Instant) => void): void {
    const request = this.client.find(path) ?? "";
    if (request === "") return;
    this.client.write(path, "");
    onShutdown(request, now);
  }

  #changed(path: string, now: Instant): void {
    const [, type = "", devid = ""] = path.split("/");
    if (!this.#hasBooted || (type !== "vif" && type !== "vbd") || !/^\d{1,9}$/.test(devid)) return;
    const node = `device/${type}/${devid}`;
    const entry = this.#devices.get(node);
    if (entry !== undefined && this.client.find(node) === null) this.#remove(entry, now);
    else if (entry === undefined) this.#probe(type, Number(devid), node);
  }

  #probe(type: DeviceClass, devid: number, node: string): void {
    const { client } = this;
    if (!this.#drivers.has(type)) return;
    if (scanState(client.find(`${node}/state`)) !== XenbusState.Initialising) return;
    const backend = client.find(`${node}/backend`);
    const backendId = Number(client.find(`${node}/backend-id`) ?? Number.NaN);
    if (backend === null || !Number.isInteger(backendId)) return;
    const state = XenbusState.Initialising;
    const entry: Entry = { type, devid, node, backend, backendId, state, otherEnd: null };
    this.#devices.set(node, entry);
    const act = (_: string, at: Instant): void => this.#otherEndChanged(entry, at);
    entry.otherEnd = this.#queue.watch(`${backend}/state`, act);
  }

  #otherEndChanged(entry: Entry, now: Instant): void {
    const driver = this.#drivers.get(entry.type);
    if (this.#devices.get(entry.node) !== entry || driver === undefined) return;
    const state = scanState(this.client.find(`${entry.backend}/state`));
    if (state === XenbusState.InitWait || state === XenbusState.Connected) {
      driver.backendChanged(entry, state, now);
    } else if (state === XenbusState.Closing) {
      driver.stop(entry, now);
      this.switchState(entry, XenbusState.Closed);
    } else if (state === XenbusState.Unknown) {
      this.#remove(entry, now);
    }
  }

  #remove(entry: Entry, now: Instant): void {
    this.#devices.delete(entry.node);
    if (entry.otherEnd !== null) this.#queue.unwatch(entry.otherEnd);
    this.#drivers.get(entry.type)?.close(entry, now);
  }
}
