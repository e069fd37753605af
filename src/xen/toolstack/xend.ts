/** xend of Xen 3.1: how it makes, changes and ends a domain (xend/XendDomainInfo.py). @module */
import { type Instant, SECOND } from "../../base/time.ts";
import type { StoreClient } from "../xenstore/client.ts";
import { backendPath, type DeviceClass, domainPath, virtualDevice } from "./device-path.ts";
import type { Task } from "./task.ts";
import {
  type DeviceFailure,
  type DeviceName,
  type DiskConfig,
  isDisk,
  type NicConfig,
  removeTidily,
  type Toolstack,
  type ToolstackDomain,
  type ToolstackParts,
} from "./toolstack.ts";
import { XenbusState } from "./xenbus-state.ts";
import {
  diskDetails,
  nicDetails,
  pythonFloat,
  vmPath,
  writeDetailsOf,
  writeDevice,
  writeDom0,
  writeHome,
  writeVm,
} from "./xend-tree.ts";

/** `DEVICE_CREATE_TIMEOUT`. */
const DEVICE_CREATE_TIMEOUT = 100 * SECOND;

/** xend. Dom0's kernel starts the scripts, by udev. */
export class Xend implements Toolstack {
  readonly #parts: ToolstackParts;

  constructor(parts: ToolstackParts) {
    this.#parts = parts;
  }

  get client(): StoreClient {
    return this.#parts.client;
  }

  prepare(memoryKib: number): void {
    writeDom0(this.#parts.client, memoryKib);
  }

  *build(domain: ToolstackDomain, onFailure: (failure: DeviceFailure) => void): Task {
    const { client, clock, now } = this.#parts;
    const { info } = domain;
    writeHome(client, info.domid, vmPath(info.config));
    client.introduce(info.domid, domain.storeGfn, domain.storePort);
    const devices = [...domain.nics, ...domain.disks].map((one) => this.#create(domain, one));
    writeVm(client, domain, clock(now()));
    writeDetailsOf(client, domain);
    for (const device of devices) yield* this.#waitFor(domain, device, onFailure);
  }

  *attach(
    domain: ToolstackDomain,
    device: DiskConfig | NicConfig,
    onFailure: (failure: DeviceFailure) => void,
  ): Task {
    const taken = isDisk(device) ? this.#taken(domain, device) : null;
    if (taken === null) yield* this.#waitFor(domain, this.#create(domain, device), onFailure);
    else onFailure(taken);
  }

  /** `xm block-detach`: the back end closes, and its hotplug script removes what is left. */
  *detach({ info }: ToolstackDomain, device: DeviceName): Task {
    const { client } = this.#parts;
    this.#close(info.domid, device);
    const path = backendPath(device.type, info.domid, device.devid);
    yield { isMet: () => client.find(path) === null, until: this.#deadline() };
  }

  /** XendDomainInfo.destroy: the VM, the domain, its devices' front ends, its home. */
  *destroy({ info }: ToolstackDomain, isRestarting: boolean): Task {
    const { client, clock, destroyDomain, now } = this.#parts;
    const { domid } = info;
    const home = domainPath(domid);
    const vm = vmPath(info.config);
    if (isRestarting) {
      client.write(`${vm}/xend/previous_restart_time`, pythonFloat(clock(now())));
      const count = Number(client.find(`${vm}/xend/restart_count`) ?? 0);
      client.write(`${vm}/xend/restart_count`, String(count + 1));
    } else {
      client.rmIfThere(vm);
    }
    destroyDomain(domid, now());
    this.#releaseDevices({ info });
    client.rmIfThere(home);
    const backends = ["vbd", "vif"].map((type) => `${domainPath(0)}/backend/${type}/${domid}`);
    const isGone = (): boolean => backends.every((path) => client.find(path) === null);
    yield { isMet: isGone, until: this.#deadline() };
    for (const path of backends) removeTidily(client, path);
  }

  /** XendDomainInfo.shutdown, and what its watch on the node does: it begins to wait. */
  requestShutdown({ info }: ToolstackDomain, request: string, now: Instant): void {
    const { client, clock } = this.#parts;
    const home = domainPath(info.domid);
    client.write(`${home}/control/shutdown`, request);
    if (request === "suspend") return;
    client.write(`${home}/xend/shutdown_start_time`, pythonFloat(clock(now)));
  }

  nameOfPreserved(_domain: ToolstackDomain, uuid: string): string {
    return `Domain-${uuid}`;
  }

  /** XendDomainInfo._preserve, and ._preserveForRestart with a new name: its devices go then. */
  preserve(domain: ToolstackDomain, renamed: { name: string; uuid: string } | null): void {
    const { client, clock, now } = this.#parts;
    if (renamed !== null) {
      this.#releaseDevices(domain);
      const info = { ...domain.info, config: { ...domain.info.config, ...renamed } };
      writeVm(client, { ...domain, info }, clock(now()));
    }
    client.write(`${domainPath(domain.info.domid)}/xend/shutdown_completed`, "True");
  }

  #releaseDevices({ info }: Pick<ToolstackDomain, "info">): void {
    const home = domainPath(info.domid);
    this.#parts.client.transaction((t) => {
      for (const type of ["vbd", "vif"]) {
        const root = `${home}/device/${type}`;
        if (t.find(root) === null) continue;
        for (const devid of t.list(root)) t.rm(`${root}/${devid}`);
      }
    });
  }

  #create({ info }: ToolstackDomain, device: DiskConfig | NicConfig): DeviceName {
    const details = isDisk(device)
      ? diskDetails(device)
      : nicDetails(device, this.#nextDevice(info.domid, "vif"));
    writeDevice(this.#parts.client, info, details);
    return { type: details.type, devid: details.devid };
  }

  /** DevController.createDevice: a disk by that name is there already. */
  #taken({ info }: ToolstackDomain, { dev }: DiskConfig): DeviceFailure | null {
    const devid = virtualDevice(dev);
    if (!this.#parts.client.exists(backendPath("vbd", info.domid, devid))) return null;
    const reason = `Device ${dev} (${devid}, vbd) is already connected.`;
    return { device: { type: "vbd", devid }, reason };
  }

  /** DevController.allocateDeviceID. */
  #nextDevice(domid: number, type: DeviceClass): number {
    const path = `${domainPath(domid)}/device-misc/${type}/nextDeviceID`;
    return this.#parts.client.transaction((t) => {
      const next = Number(t.find(path) ?? 0);
      t.write(path, String(next + 1));
      return next;
    });
  }

  /** DevController.waitForDevice: its script says that it is connected, or why not. */
  *#waitFor(
    { info }: ToolstackDomain,
    device: DeviceName,
    onFailure: (failure: DeviceFailure) => void,
  ): Task {
    const { client, watch } = this.#parts;
    const { type, devid } = device;
    const backend = backendPath(type, info.domid, devid);
    const text = `Device ${devid} (${type}) could not be connected.`;
    if (!client.exists(backend)) {
      onFailure({ device, reason: `${text} Device not found.` });
      return;
    }
    const path = `${backend}/hotplug-status`;
    const unwatch = watch(path, `${type}${devid}`);
    const isMet = yield { isMet: () => client.find(path) !== null, until: this.#deadline() };
    unwatch();
    const status = client.find(path);
    if (status !== "error" && status !== "busy" && isMet) return;
    const busy = status === "busy" ? `\n${client.find(`${backend}/hotplug-error`) ?? "Busy."}` : "";
    this.#close(info.domid, device);
    if (!isMet) onFailure({ device, reason: `${text} Hotplug scripts not working.` });
    else onFailure({ device, reason: text + (busy === "" ? " Backend device not found." : busy) });
  }

  /**
   * DevController.destroyDevice: `online` first, as the state is what drivers look at.
   * Deviation: xend took the back end's path from the guest's own directory (CVE-2008-5716).
   */
  #close(domid: number, { type, devid }: DeviceName): void {
    const { client } = this.#parts;
    const backend = backendPath(type, domid, devid);
    if (client.find(`${backend}/state`) === null) return;
    client.transaction((t) => t.write(`${backend}/online`, "0"));
    client.transaction((t) => t.write(`${backend}/state`, String(XenbusState.Closing)));
  }

  #deadline(): Instant {
    return this.#parts.now() + DEVICE_CREATE_TIMEOUT;
  }
}
