/** xl of Xen 4.17: how it makes, changes and ends a domain (libxl_*.c). @module */
import { type Duration, MILLISECOND, SECOND } from "../../base/time.ts";
import type { StoreClient } from "../xenstore/client.ts";
import { domainPath } from "./device-path.ts";
import { type Task, unlessRefused } from "./task.ts";
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
import { scanInteger, XenbusState } from "./xenbus-state.ts";
import {
  writeXlBuild,
  writeXlDevice,
  writeXlDom0,
  writeXlDomain,
  xlConsole,
  type XlDevice,
  xlDisk,
  xlNic,
  xlPath,
} from "./xl-tree.ts";

/** `LIBXL_INIT_TIMEOUT`: until a back end waits for its front end. */
const INIT_TIMEOUT = 10 * SECOND;
/** `LIBXL_HOTPLUG_TIMEOUT`. */
const HOTPLUG_TIMEOUT = 40 * SECOND;
/** `LIBXL_DESTROY_TIMEOUT`. */
const DESTROY_TIMEOUT = 10 * SECOND;

type OnFailure = (failure: DeviceFailure) => void;

/** xl. It starts the scripts itself. */
export class Xl implements Toolstack {
  readonly #parts: ToolstackParts;
  #watches = 0;

  constructor(parts: ToolstackParts) {
    this.#parts = parts;
  }

  get client(): StoreClient {
    return this.#parts.client;
  }

  prepare(): void {
    writeXlDom0(this.#parts.client);
  }

  *build(domain: ToolstackDomain, onFailure: OnFailure): Task {
    const { client, clock, now } = this.#parts;
    const { domid } = domain.info;
    writeXlDomain(client, domain);
    writeXlBuild(client, domain, clock(now()));
    client.introduce(domid, domain.storeGfn, domain.storePort);
    client.write(`/libxl/${domid}/dm-version`, "qemu_xen");
    yield* this.#addAll(
      domid,
      domain.disks.map((disk) => xlDisk(domid, disk)),
      onFailure,
    );
    writeXlDevice(client, domid, xlConsole(domain));
    const nics = domain.nics.map((nic, index) => xlNic(domid, nic, index));
    yield* this.#addAll(domid, nics, onFailure);
    const tty = `${domainPath(domid)}/console/tty`;
    yield* this.#watching(tty, () => client.find(tty) !== "", INIT_TIMEOUT);
  }

  *attach(domain: ToolstackDomain, device: DiskConfig | NicConfig, onFailure: OnFailure): Task {
    const { domid } = domain.info;
    const made = isDisk(device)
      ? xlDisk(domid, device)
      : xlNic(domid, device, this.#freeVif(domid));
    if (this.#parts.client.exists(made.backend)) {
      onFailure(failureOf(made, "device already exists in xenstore"));
      return;
    }
    yield* this.#addAll(domid, [made], onFailure);
  }

  *detach({ info }: ToolstackDomain, { type, devid }: DeviceName): Task {
    const path = xlPath(info.domid, { type, devid });
    yield* this.#remove(info.domid, { type, devid }, path, false);
  }

  /** libxl__destroy_domid: paused, its devices by force, its directories, then the domain. */
  *destroy({ info }: ToolstackDomain): Task {
    const { client, killScripts, pauseDomain, destroyDomain, now } = this.#parts;
    const { domid, config } = info;
    killScripts(domid);
    pauseDomain(domid, now());
    for (const type of ["vbd", "vif"] as const) {
      for (const devid of listOf(client, `/libxl/${domid}/device/${type}`)) {
        const device = { type, devid: Number(devid) };
        yield* unlessRefused(this.#remove(domid, device, xlPath(domid, device), true));
      }
    }
    if (client.find(xlPath(domid, { type: "console", devid: 0 })) !== null) {
      client.transaction((t) => {
        removeTidily(t, `${domainPath(domid)}/console`);
        removeTidily(t, `${domainPath(0)}/backend/console/${domid}/0`);
        removeTidily(t, xlPath(domid, { type: "console", devid: 0 }));
      });
    }
    client.rmIfThere(`/vm/${config.uuid}`);
    client.rmIfThere(domainPath(domid));
    client.rmIfThere(`/libxl/${domid}`);
    destroyDomain(domid, now());
  }

  /** libxl__domain_pvcontrol. */
  requestShutdown({ info }: ToolstackDomain, request: string): void {
    this.client.write(`${domainPath(info.domid)}/control/shutdown`, request);
  }

  /** xl's preserve_domain: "dom_32504936-20100201T0000Z". */
  nameOfPreserved({ info }: ToolstackDomain, _uuid: string): string {
    const { clock, now } = this.#parts;
    const time = new Date(clock(now()) / MILLISECOND).toISOString();
    const minute = time.slice(0, "2010-02-01T00:00".length).replaceAll(/[-:]/g, "");
    return `${info.config.name}-${minute}Z`;
  }

  /**
   * libxl_domain_preserve: another VM's directory, while its devices stay. Deviation: xl leaves the
   * old directory to the next domain, which may not come to be.
   */
  preserve({ info }: ToolstackDomain, renamed: { name: string; uuid: string } | null): void {
    if (renamed === null) return;
    const { client } = this.#parts;
    const { domid, config } = info;
    const [home, vm] = [domainPath(domid), `/vm/${renamed.uuid}`];
    client.transaction((t) => {
      t.rmIfThere(`/vm/${config.uuid}`);
      t.rmIfThere(vm);
      t.mkdir(vm);
      t.setPermissions(vm, ["n0", `r${domid}`]);
      t.write(`${home}/vm`, vm);
      t.write(`${home}/name`, renamed.name);
      t.write(`${vm}/name`, renamed.name);
    });
  }

  /** Devices of one kind, their back ends and scripts side by side. */
  *#addAll(domid: number, devices: readonly XlDevice[], onFailure: OnFailure): Task {
    const { client, runScript, now } = this.#parts;
    const waits = devices.map((device) => {
      writeXlDevice(client, domid, device);
      const path = `${device.backend}/state`;
      return { device, path, unwatch: this.#watch(path) };
    });
    const ready: XlDevice[] = [];
    for (const { device, path, unwatch } of waits) {
      const isMet = (): boolean => scanInteger(client.find(path)) === XenbusState.InitWait;
      const isReady = yield { isMet, until: now() + INIT_TIMEOUT };
      unwatch();
      if (isReady) ready.push(device);
      else onFailure(failureOf(device, "unable to add device: its back end does not wait"));
    }
    const jobs = ready.map((device) => {
      const { type, devid } = device;
      if (type === "console") return { device, isDone: () => true };
      const script = type === "vbd" ? "block-add" : "vif-online";
      return { device, isDone: runScript(script, { type, domid, devid }, now()) };
    });
    for (const { device, isDone } of jobs) {
      const hasEnded = yield { isMet: isDone, until: now() + HOTPLUG_TIMEOUT };
      const status = client.find(`${device.backend}/hotplug-status`);
      if (hasEnded && status === "connected") continue;
      const reason = client.find(`${device.backend}/hotplug-error`) ?? "hotplug script timed out";
      onFailure(failureOf(device, reason));
    }
  }

  /** libxl__initiate_device_generic_remove, the script, and libxl__device_destroy. */
  *#remove(domid: number, device: DeviceName, copy: string, isForced: boolean): Task {
    const { client, runScript, now } = this.#parts;
    const backend = client.find(`${copy}/backend`);
    const frontend = client.find(`${copy}/frontend`);
    if (backend === null || frontend === null) return;
    const state = `${backend}/state`;
    client.transaction((t) => {
      if (isForced) removeTidily(t, frontend);
      const current = scanInteger(t.find(state));
      if (current === null || current === XenbusState.Closed) return;
      t.write(`${backend}/online`, "0");
      t.write(state, String(XenbusState.Closing));
    });
    const isClosed = (): boolean => {
      const current = scanInteger(client.find(state));
      return current === null || current === XenbusState.Closed;
    };
    yield* this.#watching(state, isClosed, DESTROY_TIMEOUT);
    const script = device.type === "vbd" ? "block-remove" : "vif-offline";
    const isDone = runScript(script, { ...device, domid }, now());
    yield { isMet: isDone, until: now() + HOTPLUG_TIMEOUT };
    client.transaction((t) => {
      for (const path of [backend, frontend, copy]) removeTidily(t, path);
    });
    const node = `${device.type}/${domid}/${device.devid}`;
    removeTidily(client, `${domainPath(0)}/error/backend/${node}`);
  }

  *#watching(path: string, isMet: () => boolean, time: Duration): Task {
    const unwatch = this.#watch(path);
    yield { isMet, until: this.#parts.now() + time };
    unwatch();
  }

  #watch(path: string): () => void {
    this.#watches += 1;
    return this.#parts.watch(path, `1/${(this.#watches - 1).toString(16)}`);
  }

  #freeVif(domid: number): number {
    const taken = listOf(this.#parts.client, `/libxl/${domid}/device/vif`).map(Number);
    let devid = 0;
    while (taken.includes(devid)) devid += 1;
    return devid;
  }
}

const failureOf = ({ type, devid }: XlDevice, reason: string): DeviceFailure => ({
  device: { type: type === "vif" ? "vif" : "vbd", devid },
  reason,
});

const listOf = (client: StoreClient, path: string): string[] =>
  client.find(path) === null ? [] : client.list(path);
