/** The xenbus half of blkback (Linux drivers/block/xen-blkback/xenbus.c, and 2.6.18's). @module */
import type { Instant } from "../../base/time.ts";
import type { BlockDevice } from "../../storage/block-device.ts";
import {
  type BackendBus,
  type BackendDevice,
  type BackendDriver,
  LinuxError,
} from "./backend-bus.ts";
import type { HostBlockDevices } from "./host-block-devices.ts";
import type { WatchQueue, Watching } from "./watch-queue.ts";
import { scanInteger, XenbusState } from "./xenbus-state.ts";

/** What a guest's front end wrote; each number as it stands there, and nothing of it believed. */
export interface VbdRings<Disk> {
  readonly domid: number;
  readonly devid: number;
  readonly ringRef: number;
  readonly eventChannel: number;
  readonly protocol: "x86_32-abi" | "x86_64-abi";
  readonly disk: Disk;
  readonly isReadonly: boolean;
  /** It uses the same grants again and again. */
  readonly isPersistent: boolean;
}

/** The rings of a host's vbds: {@link VbdBackend} opens and closes them. */
export interface VbdPorts<Disk> {
  /**
   * Map the ring, bind the event channel, serve requests.
   * @returns false if the guest's numbers name nothing that Dom0 may use.
   */
  connect(rings: VbdRings<Disk>, now: Instant): boolean;
  /** Finish what was asked, let go of the ring; nothing if it was not connected. */
  disconnect(domid: number, devid: number, now: Instant): void;
}

/** What differs between blkbacks. */
export interface VbdBackendStyle {
  /** Written when a device is new. */
  readonly probeFeatures: readonly (readonly [string, string])[];
  /** Written when it is connected, before `sectors`; "discard" stands for what the disk says. */
  readonly features: readonly (readonly [string, string] | "discard")[];
  /** True: `physical-sector-size` is written too. */
  readonly tellsPhysicalSectors: boolean;
  /** What a front end without `protocol` speaks. */
  readonly nativeProtocol: "x86_32-abi" | "x86_64-abi";
}

const VDISK_READONLY = 4;

/** What stands behind a vbd. */
export type VbdDisk = Pick<BlockDevice, "sectors" | "isReadonly" | "discardUnit">;

interface Vbd<Disk> {
  watching: Watching;
  disk: Disk | null;
  isReadonly: boolean;
  hasRing: boolean;
}

/** The driver of vbds. @typeParam Disk what stands behind them. */
export class VbdBackend<Disk extends VbdDisk> implements BackendDriver {
  readonly #bus: BackendBus;
  readonly #queue: WatchQueue;
  readonly #ports: VbdPorts<Disk>;
  readonly #devices: HostBlockDevices<Disk>;
  readonly #style: VbdBackendStyle;
  readonly #vbds = new Map<string, Vbd<Disk>>();

  constructor(
    bus: BackendBus,
    queue: WatchQueue,
    ports: VbdPorts<Disk>,
    devices: HostBlockDevices<Disk>,
    style: VbdBackendStyle,
  ) {
    this.#bus = bus;
    this.#queue = queue;
    this.#ports = ports;
    this.#devices = devices;
    this.#style = style;
  }

  probe(device: BackendDevice): void {
    for (const [key, value] of this.#style.probeFeatures) {
      this.#bus.client.write(`${device.node}/${key}`, value);
    }
    const path = `${device.node}/physical-device`;
    const watching = this.#queue.watch(path, (_, now) => this.#found(device, now));
    this.#vbds.set(device.node, { watching, disk: null, isReadonly: false, hasRing: false });
  }

  frontendChanged(device: BackendDevice, state: XenbusState, now: Instant): void {
    if (state === XenbusState.Closing) this.#close(device, now);
    else this.#connect(device, now);
  }

  remove(device: BackendDevice, now: Instant): void {
    this.#close(device, now);
    const vbd = this.#vbds.get(device.node);
    this.#vbds.delete(device.node);
    if (vbd !== undefined) this.#queue.unwatch(vbd.watching);
  }

  /** The hotplug script says which device it is. */
  #found(device: BackendDevice, now: Instant): void {
    const vbd = this.#vbds.get(device.node);
    const text = this.#bus.client.find(`${device.node}/physical-device`) ?? "";
    const [, major = "", minor = ""] = /^([\da-f]+):([\da-f]+)/i.exec(text) ?? [];
    if (vbd === undefined || vbd.disk !== null || minor === "") return;
    const numbers = [Number.parseInt(major, 16), Number.parseInt(minor, 16)] as const;
    const found = this.#devices.findByNumber(...numbers);
    if (found === null) {
      this.#bus.fatal(device, LinuxError.noEntry, "creating vbd structure");
      return;
    }
    const mode = this.#bus.client.find(`${device.node}/mode`) ?? "";
    vbd.disk = found.disk;
    vbd.isReadonly = !mode.includes("w") || found.disk.isReadonly;
    const state = scanInteger(this.#bus.client.find(`${device.frontend}/state`));
    if (state === XenbusState.Initialised || state === XenbusState.Connected) {
      this.#connect(device, now);
    }
  }

  #connect(device: BackendDevice, now: Instant): void {
    const vbd = this.#vbds.get(device.node);
    if (vbd === undefined || vbd.disk === null || vbd.hasRing) return;
    const read = (key: string): string | null => this.#bus.client.find(`${device.frontend}/${key}`);
    const ringRef = scanInteger(read("ring-ref"));
    const eventChannel = scanInteger(read("event-channel"));
    if (ringRef === null || eventChannel === null) {
      const message = `reading ${device.frontend}/ring-ref and event-channel`;
      this.#bus.fatal(device, LinuxError.noEntry, message);
      return;
    }
    const protocol = read("protocol") ?? this.#style.nativeProtocol;
    if (protocol !== "x86_32-abi" && protocol !== "x86_64-abi") {
      this.#bus.fatal(device, LinuxError.invalid, `unknown fe protocol ${protocol.slice(0, 63)}`);
      return;
    }
    const { domid, devid } = device;
    const { disk, isReadonly } = vbd;
    const isPersistent = (scanInteger(read("feature-persistent")) ?? 0) !== 0;
    const guests = { domid, devid, ringRef, eventChannel, protocol, isPersistent } as const;
    const rings = { ...guests, disk, isReadonly };
    if (!this.#ports.connect(rings, now)) {
      const message = `mapping ring-ref ${ringRef} port ${eventChannel}`;
      this.#bus.fatal(device, LinuxError.invalid, message);
      return;
    }
    vbd.hasRing = true;
    this.#describe(device, disk, isReadonly);
    this.#bus.switchState(device, XenbusState.Connected);
  }

  #describe({ node }: BackendDevice, disk: VbdDisk, isReadonly: boolean): void {
    const { features, tellsPhysicalSectors } = this.#style;
    const isEnabled = scanInteger(this.#bus.client.find(`${node}/discard-enable`)) !== 0;
    const discard = isEnabled ? discardNodes(disk) : [];
    const nodes = features.flatMap((feature) => (feature === "discard" ? discard : [feature]));
    this.#bus.client.transaction((client) => {
      for (const [key, value] of nodes) client.write(`${node}/${key}`, value);
      client.write(`${node}/sectors`, String(disk.sectors));
      client.write(`${node}/info`, String(isReadonly ? VDISK_READONLY : 0));
      client.write(`${node}/sector-size`, "512");
      if (tellsPhysicalSectors) client.write(`${node}/physical-sector-size`, "512");
    });
  }

  #close(device: BackendDevice, now: Instant): void {
    const vbd = this.#vbds.get(device.node);
    if (vbd !== undefined) vbd.hasRing = false;
    this.#ports.disconnect(device.domid, device.devid, now);
  }
}

/** `xen_blkbk_discard`: no device here erases securely. */
function discardNodes({ discardUnit }: VbdDisk): readonly (readonly [string, string])[] {
  if (discardUnit === null) return [["feature-discard", "0"]];
  return [
    ["discard-granularity", String(discardUnit.granularity)],
    ["discard-alignment", String(discardUnit.alignment)],
    ["discard-secure", "0"],
    ["feature-discard", "1"],
  ];
}
