/**
 * `/etc/xen/scripts/block`: what runs in Dom0 when a vbd's back end comes or goes. It finds the
 * device, sees that nobody else has it, and tells the back end its numbers.
 * @module
 */
import type { StoreClient } from "../xenstore/client.ts";
import { type HostBlockDevice, type HostBlockDevices, numbersText } from "./host-block-devices.ts";
import { XenbusState } from "./xenbus-state.ts";

/** What differs between the script of Xen 3.1 and that of 4.17. */
export interface BlockScriptStyle {
  /** True: `physical-device-path` is written too. */
  readonly writesPath: boolean;
  /** True: what the parameters name decides between file and device, not `type`. */
  readonly looksAtPath: boolean;
}

/** Xen 3.1. */
export const BLOCK_SCRIPT_3_1: BlockScriptStyle = { writesPath: false, looksAtPath: false };
/** Xen 4.17. */
export const BLOCK_SCRIPT_4_17: BlockScriptStyle = { writesPath: true, looksAtPath: true };

/** Why a script gave up: `error` or `busy`, and the sentence for people. */
interface Failure {
  readonly status: "error" | "busy";
  readonly reason: string;
}

const fail = (reason: string, status: "error" | "busy" = "error"): Failure => ({ status, reason });

/** The script, for the back ends of one host. */
export class BlockScript<Disk> {
  readonly #devices: HostBlockDevices<Disk>;
  readonly #style: BlockScriptStyle;
  /** Back ends that were given a device, by its numbers: where to look, instead of everywhere. */
  readonly #given = new Map<string, Set<string>>();

  constructor(devices: HostBlockDevices<Disk>, style: BlockScriptStyle) {
    this.#devices = devices;
    this.#style = style;
  }

  /** `block add`. @param node the back end's, such as "/local/domain/0/backend/vbd/3/2049". */
  add(client: StoreClient, node: string): void {
    if (client.find(`${node}/physical-device`) !== null) return;
    const found = this.#prepare(client, node);
    if ("status" in found) {
      if (client.find(`${node}/state`) === null) return;
      client.write(`${node}/hotplug-error`, found.reason);
      client.write(`${node}/hotplug-status`, found.status);
      return;
    }
    const numbers = numbersText(found);
    const given = this.#given.get(numbers) ?? new Set();
    this.#given.set(numbers, given.add(node));
    client.write(`${node}/physical-device`, numbers);
    if (this.#style.writesPath) client.write(`${node}/physical-device-path`, found.node);
    client.write(`${node}/hotplug-status`, "connected");
  }

  /** `block remove`: the file's loop device is free again. */
  remove(client: StoreClient, node: string): void {
    const loop = client.find(`${node}/node`);
    if (loop !== null) this.#devices.detachLoop(loop);
    const numbers = client.find(`${node}/physical-device`) ?? "";
    const given = this.#given.get(numbers);
    if (given?.delete(node) === true && given.size === 0) this.#given.delete(numbers);
  }

  #prepare(client: StoreClient, node: string): HostBlockDevice<Disk> | Failure {
    const params = client.find(`${node}/params`) ?? "";
    const mode = (client.find(`${node}/mode`) ?? "r").replace("w!", "!");
    const isFile = this.#style.looksAtPath
      ? this.#devices.hasFile(params)
      : client.find(`${node}/type`) === "file";
    return isFile
      ? this.#prepareFile(client, node, params, mode)
      : this.#prepareDevice(client, node, params, mode);
  }

  #prepareDevice(
    client: StoreClient,
    node: string,
    params: string,
    mode: string,
  ): HostBlockDevice<Disk> | Failure {
    const path = params.startsWith("/") ? params : `/dev/${params}`;
    const device = this.#devices.find(path);
    if (device === null) return fail(`${path} does not exist.`);
    const user = mode === "!" ? null : this.#userOf(client, node, [device], mode);
    if (user === null) return device;
    return fail(`Device ${device.node} is mounted ${busyText(mode)}`, "busy");
  }

  #prepareFile(
    client: StoreClient,
    node: string,
    path: string,
    mode: string,
  ): HostBlockDevice<Disk> | Failure {
    if (!this.#devices.hasFile(path)) return fail(`${path} does not exist.`);
    const state = client.find(`${node}/state`) ?? "unknown";
    if (state !== String(XenbusState.InitWait)) {
      return fail(`Path closed or removed during hotplug add: ${node} state: ${state}`);
    }
    const shared = this.#devices.loopsOf(path);
    const user = mode === "!" ? null : this.#userOf(client, node, shared, mode);
    if (user !== null) {
      const text = `File ${path} is loopback-mounted through ${user},\nwhich is mounted `;
      return fail(`${text}${busyText(mode)}`, "busy");
    }
    const loop = this.#devices.attachLoop(path);
    if (loop === null) return fail("Failed to find an unused loop device");
    client.write(`${node}/node`, loop.node);
    return loop;
  }

  /**
   * Who uses one of the devices so that it cannot be given out in `mode`: anybody if it is to be
   * written, a writer if it is to be read. The VM itself may have it again.
   * @returns the device's numbers, or `null`.
   */
  #userOf(
    client: StoreClient,
    node: string,
    devices: readonly HostBlockDevice<Disk>[],
    mode: string,
  ): string | null {
    const vmOf = (backend: string): string | null =>
      client.find(`/local/domain/${client.find(`${backend}/frontend-id`) ?? "0"}/vm`);
    for (const numbers of devices.map(numbersText)) {
      for (const other of this.#given.get(numbers) ?? []) {
        if (client.find(`${other}/physical-device`) !== numbers) continue;
        const isWriter = (client.find(`${other}/mode`) ?? "r").startsWith("w");
        if ((mode === "w" || isWriter) && vmOf(other) !== vmOf(node)) return numbers;
      }
    }
    return null;
  }
}

/** The words of `do_ebusy` for a device that another guest has. */
function busyText(mode: string): string {
  const [held, wanted] = mode === "w" ? ["", ""] : ["read-write ", "read-only "];
  return `${held}in a guest domain,\nand so cannot be mounted ${wanted}now.`;
}
