/**
 * The back ends as Dom0's kernel keeps them (Linux drivers/xen/xenbus): a directory below `backend`
 * becomes a device, its driver follows the state of the other half, and it goes when the directory
 * or the other half is gone.
 *
 * The other half's nodes belong to a guest: nothing of them is believed before it is checked, and
 * what is wrong in them ends that one device.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import type { StoreClient } from "../xenstore/client.ts";
import { StoreError } from "../xenstore/errno.ts";
import type { DeviceClass } from "./device-path.ts";
import type { WatchQueue, Watching } from "./watch-queue.ts";
import { scanInteger, scanState, XenbusState } from "./xenbus-state.ts";

/** Numbers of Linux's errors, as the texts of `error` nodes begin. */
export const LinuxError = { noEntry: 2, invalid: 22, notSupported: 95 } as const;

/** What Dom0's hotplug scripts are told. */
export type Uevent = "add" | "online" | "offline" | "remove";

/** One back end. Owned by its bus. */
export interface BackendDevice {
  readonly type: DeviceClass;
  /** Of the domain of the other half. */
  readonly domid: number;
  readonly devid: number;
  /** "backend/vbd/171/2049", from Dom0's home. */
  readonly node: string;
  /** Where the other half lives: Dom0 wrote it. */
  readonly frontend: string;
  readonly state: XenbusState;
}

/** What a driver of back ends does. */
export interface BackendDriver {
  /** A device is new; state 2 comes next. */
  probe(device: BackendDevice, now: Instant): void;
  /** The other half is in `state`, one of `Initialising`, `Initialised`, `Connected`, `Closing`. */
  frontendChanged(device: BackendDevice, state: XenbusState, now: Instant): void;
  /** The device is gone: let go of all that is the guest's. */
  remove(device: BackendDevice, now: Instant): void;
}

/** What a bus stands on. */
export interface BackendBusOptions {
  /** The kernel's connection: relative paths start at Dom0's home. */
  readonly queue: WatchQueue;
  readonly onUevent: (event: Uevent, device: BackendDevice, now: Instant) => void;
  /** True: a device that goes while a toolstack had it closing is marked closed (since 5.5). */
  readonly marksClosed: boolean;
}

interface Entry extends BackendDevice {
  state: XenbusState;
  otherEnd: Watching | null;
}

/** Dom0's bus of back ends. */
export class BackendBus {
  readonly #queue: WatchQueue;
  readonly #onUevent: BackendBusOptions["onUevent"];
  readonly #marksClosed: boolean;
  readonly #drivers = new Map<string, BackendDriver>();
  readonly #devices = new Map<string, Entry>();
  readonly #counts = new Map<number, number>();

  constructor({ queue, onUevent, marksClosed }: BackendBusOptions) {
    this.#marksClosed = marksClosed;
    this.#queue = queue;
    this.#onUevent = onUevent;
    queue.watch("backend", (path, now) => this.#changed(path, now));
  }

  get client(): StoreClient {
    return this.#queue.client;
  }

  /** Devices that are registered. */
  get devices(): Iterable<BackendDevice> {
    return this.#devices.values();
  }

  /** A driver takes the devices of a class from now on. */
  register(type: DeviceClass, driver: BackendDriver): void {
    this.#drivers.set(type, driver);
  }

  /** Back ends that a domain's pages are mapped for, or may be. */
  countOf(domid: number): number {
    return this.#counts.get(domid) ?? 0;
  }

  /** @returns `null` if there is none. */
  find(node: string): BackendDevice | null {
    return this.#devices.get(node) ?? null;
  }

  /** Tell the hotplug scripts. */
  uevent(event: Uevent, device: BackendDevice, now: Instant): void {
    this.#onUevent(event, device, now);
  }

  /** `xenbus_switch_state`: a directory that is gone is not written to. */
  switchState(device: BackendDevice, state: XenbusState): void {
    const entry = this.#devices.get(device.node);
    if (entry === undefined || entry.state === state) return;
    if (scanInteger(this.client.find(`${device.node}/state`)) === null) return;
    entry.state = state;
    this.client.write(`${device.node}/state`, String(state));
  }

  /** `xenbus_dev_fatal`: say why, and close. */
  fatal(device: BackendDevice, error: number, message: string): void {
    this.client.write(`error/${device.node}/error`, `${error} ${message}`);
    this.switchState(device, XenbusState.Closing);
  }

  #changed(path: string, now: Instant): void {
    const [root, type = "", domid = "", devid = ""] = path.split("/");
    if (root !== "backend") return;
    if (this.client.find(path) === null) this.#removeBelow(path, now);
    const driver = this.#drivers.get(type);
    if (driver === undefined || devid === "") return;
    const node = `backend/${type}/${domid}/${devid}`;
    if (!this.#devices.has(node)) this.#probe(driver, node, now);
  }

  /** The directory at `path`, or one above devices, is gone. */
  #removeBelow(path: string, now: Instant): void {
    const own = this.#devices.get(path);
    if (own !== undefined) this.#unregister(own, now);
    if (path.split("/").length >= 4) return;
    for (const entry of this.#devices.values()) {
      if (entry.node.startsWith(`${path}/`)) this.#unregister(entry, now);
    }
  }

  #probe(driver: BackendDriver, node: string, now: Instant): void {
    const { client } = this;
    if (scanState(client.find(`${node}/state`)) !== XenbusState.Initialising) return;
    const frontend = client.find(`${node}/frontend`);
    const domid = scanInteger(client.find(`${node}/frontend-id`));
    const [, type, , devid = ""] = node.split("/");
    if (frontend === null || domid === null || !/^\d+$/.test(devid)) return;
    const entry: Entry = {
      type: type === "vif" ? "vif" : "vbd",
      domid,
      devid: Number(devid),
      node,
      frontend,
      state: XenbusState.Initialising,
      otherEnd: null,
    };
    this.#devices.set(node, entry);
    this.#counts.set(domid, this.countOf(domid) + 1);
    this.#onUevent("add", entry, now);
    driver.probe(entry, now);
    this.switchState(entry, XenbusState.InitWait);
    try {
      const act = (_: string, at: Instant): void => this.#otherEndChanged(entry, at);
      entry.otherEnd = this.#queue.watch(`${frontend}/state`, act);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#unregister(entry, now);
    }
  }

  #otherEndChanged(entry: Entry, now: Instant): void {
    const driver = this.#drivers.get(entry.type);
    if (this.#devices.get(entry.node) !== entry || driver === undefined) return;
    const state = scanState(this.client.find(`${entry.frontend}/state`));
    switch (state) {
      case XenbusState.Initialising:
        if (entry.state === XenbusState.Closed) this.switchState(entry, XenbusState.InitWait);
        break;
      case XenbusState.Initialised:
      case XenbusState.Connected:
        if (entry.state !== XenbusState.Connected) driver.frontendChanged(entry, state, now);
        break;
      case XenbusState.Closing:
        driver.frontendChanged(entry, state, now);
        this.switchState(entry, XenbusState.Closing);
        break;
      case XenbusState.Closed:
        driver.frontendChanged(entry, XenbusState.Closing, now);
        this.switchState(entry, XenbusState.Closed);
        if (scanInteger(this.client.find(`${entry.node}/online`)) === 1) break;
        this.#unregister(entry, now);
        break;
      case XenbusState.Unknown:
        this.#unregister(entry, now);
        break;
      default:
        this.fatal(entry, LinuxError.invalid, `saw state ${state} at frontend`);
    }
  }

  #unregister(entry: Entry, now: Instant): void {
    if (entry.otherEnd !== null) this.#queue.unwatch(entry.otherEnd);
    this.#drivers.get(entry.type)?.remove(entry, now);
    const held = scanState(this.client.find(`${entry.node}/state`));
    if (this.#marksClosed && held === XenbusState.Closing) {
      this.switchState(entry, XenbusState.Closed);
    }
    this.#devices.delete(entry.node);
    const left = this.countOf(entry.domid) - 1;
    if (left > 0) this.#counts.set(entry.domid, left);
    else this.#counts.delete(entry.domid);
    this.#onUevent("remove", entry, now);
  }
}
