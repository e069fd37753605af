/**
 * What xl of Xen 4.17 writes of a domain and its devices, as a real host's store and its log show
 * it (captures/real-xen/handshake-create-and-boot-d2.txt; libxl_create.c, libxl_device.c).
 * @module
 */
import type { StoreClient } from "../xenstore/client.ts";
import { backendPath, domainPath, frontendPath, virtualDevice } from "./device-path.ts";
import type { DiskConfig, NicConfig, ToolstackDomain } from "./toolstack.ts";
import { xlRate } from "./vif-rate.ts";

/** A key, its value, and who owns it: the guest, Dom0, or as its directory (`null`). */
type FrontEntry = readonly [key: string, value: string, owner: "guest" | "dom0" | null];
type Entry = readonly [key: string, value: string];

/** Both halves of a device before they are written. */
export interface XlDevice {
  readonly type: "vif" | "vbd" | "console";
  readonly devid: number;
  readonly frontend: string;
  readonly backend: string;
  /** True: the guest owns the front end's directory. */
  readonly isGuests: boolean;
  readonly front: readonly FrontEntry[];
  readonly back: readonly Entry[];
}

const STATE: Entry = ["state", "1"];

/** libxl__device_disk_add. */
export function xlDisk(domid: number, disk: DiskConfig): XlDevice {
  const devid = virtualDevice(disk.dev);
  const backend = backendPath("vbd", domid, devid);
  return {
    type: "vbd",
    devid,
    frontend: frontendPath("vbd", domid, devid),
    backend,
    isGuests: true,
    front: [
      ["backend", backend, null],
      ["backend-id", "0", "guest"],
      ["state", "1", "guest"],
      ["virtual-device", String(devid), "guest"],
      ["device-type", "disk", "guest"],
      ["trusted", "1", "guest"],
      ["protocol", "x86_64-abi", "guest"],
    ],
    back: [
      ["params", disk.params],
      ["script", "/etc/xen/scripts/block"],
      ["frontend-id", String(domid)],
      ["online", "1"],
      ["removable", "0"],
      ["bootable", "1"],
      STATE,
      ["dev", disk.dev],
      ["type", "phy"],
      ["mode", disk.mode === "r" ? "r" : "w"],
      ["device-type", "disk"],
      ["discard-enable", (disk.discard ?? disk.mode !== "r") ? "1" : "0"],
      ["specification", "xen"],
    ],
  };
}

/** libxl__device_nic_add. */
export function xlNic(domid: number, nic: NicConfig, devid: number): XlDevice {
  const backend = backendPath("vif", domid, devid);
  return {
    type: "vif",
    devid,
    frontend: frontendPath("vif", domid, devid),
    backend,
    isGuests: true,
    front: [
      ["backend", backend, null],
      ["backend-id", "0", "guest"],
      ["state", "1", "guest"],
      ["handle", String(devid), "guest"],
      ["mac", nic.mac.toLowerCase(), "guest"],
      ["trusted", "1", "guest"],
      ["mtu", "1500", "dom0"],
    ],
    back: [
      ["frontend-id", String(domid)],
      ["online", "1"],
      STATE,
      ["script", nic.script],
      ["mac", nic.mac.toLowerCase()],
      ...(nic.ip === null ? [] : [["ip", nic.ip] as const]),
      ...(nic.rate == null ? [] : [["rate", xlRate(nic.rate)] as const]),
      ["bridge", "xenbr0"],
      ["handle", String(devid)],
      ["type", "vif"],
      ["hotplug-status", ""],
    ],
  };
}

/** libxl__device_console_add: the first console, which xenconsoled serves. */
export function xlConsole({ info, consolePort, consoleGfn }: ToolstackDomain): XlDevice {
  const { domid } = info;
  const backend = `${domainPath(0)}/backend/console/${domid}/0`;
  return {
    type: "console",
    devid: 0,
    frontend: `${domainPath(domid)}/console`,
    backend,
    isGuests: false,
    front: [
      ["backend", backend, null],
      ["backend-id", "0", "guest"],
      ["limit", "1048576", "dom0"],
      ["type", "xenconsoled", "dom0"],
      ["output", "pty", "dom0"],
      ["tty", "", "dom0"],
      ["port", String(consolePort), "dom0"],
      ["ring-ref", String(consoleGfn), "dom0"],
    ],
    back: [["frontend-id", String(domid)], ["online", "1"], STATE, ["protocol", "vt100"]],
  };
}

/** "/libxl/3/device/vbd/2049": xl's own copy. */
export const xlPath = (domid: number, { type, devid }: Pick<XlDevice, "type" | "devid">): string =>
  `/libxl/${domid}/device/${type}/${devid}`;

/** libxl__device_generic_add: both halves and xl's copy, in one transaction. */
export function writeXlDevice(client: StoreClient, domid: number, device: XlDevice): void {
  const { frontend, backend, isGuests, front, back } = device;
  const copy = xlPath(domid, device);
  const guests = [`n${domid}`, "r0"];
  const dom0s = ["n0", `r${domid}`];
  client.transaction((t) => {
    t.rmIfThere(copy);
    t.write(`${copy}/frontend`, frontend);
    t.write(`${copy}/backend`, backend);
    t.rmIfThere(frontend);
    t.mkdir(frontend);
    t.setPermissions(frontend, isGuests ? guests : dom0s);
    for (const [key, value, owner] of front) {
      t.write(`${frontend}/${key}`, value);
      if (owner === null) continue;
      t.setPermissions(`${frontend}/${key}`, owner === "guest" ? guests : dom0s);
    }
    t.rmIfThere(backend);
    t.mkdir(backend);
    t.setPermissions(backend, dom0s);
    t.write(`${backend}/frontend`, frontend);
    for (const [key, value] of back) t.write(`${backend}/${key}`, value);
    for (const [key, value] of back) t.write(`${copy}/${key}`, value);
  });
}

/** libxl__domain_make: the domain's three directories, before it has memory. */
export function writeXlDomain(client: StoreClient, { info }: ToolstackDomain): void {
  const { domid, config } = info;
  const [home, vm, own] = [domainPath(domid), `/vm/${config.uuid}`, `/libxl/${domid}`];
  const guestReads = ["n0", `r${domid}`];
  const make = (t: StoreClient, path: string, permissions: readonly string[]): void => {
    t.write(path, "");
    t.setPermissions(path, permissions);
  };
  client.transaction((t) => {
    for (const path of [home, vm, own]) {
      t.rmIfThere(path);
      make(t, path, path === own ? ["n0"] : guestReads);
    }
    make(t, `${own}/device`, ["n0"]);
    t.write(`${home}/vm`, vm);
    t.write(`${home}/name`, config.name);
    t.write(`${vm}/name`, config.name);
    for (const name of ["cpu", "memory", "device"]) make(t, `${home}/${name}`, guestReads);
    make(t, `${home}/device/suspend/event-channel`, [`n${domid}`]);
    make(t, `${home}/control`, guestReads);
    for (const name of GUEST_NODES) make(t, `${home}/${name}`, [`n${domid}`]);
    t.write(`${vm}/uuid`, config.uuid);
    t.write(`${vm}/name`, config.name);
    t.write(`${home}/control/platform-feature-multiprocessor-suspend`, "1");
    t.write(`${home}/control/platform-feature-xs_reset_watches`, "1");
    t.write(`${own}/type`, "pv");
  });
  client.write(`${own}/dm-version`, "qemu_xen");
}

/** What the guest owns in its home. */
const GUEST_NODES = [
  "control/shutdown",
  "control/feature-poweroff",
  "control/feature-reboot",
  "control/feature-suspend",
  "control/sysrq",
  "data",
  "drivers",
  "feature",
  "attr",
  "error",
];

/** libxl__build_post: what is known when its kernel is in memory. @param startTime microseconds. */
export function writeXlBuild(
  client: StoreClient,
  domain: ToolstackDomain,
  startTime: number,
): void {
  const { domid, config } = domain.info;
  const home = domainPath(domid);
  const vm = `/vm/${config.uuid}`;
  const centiseconds = Math.floor(startTime / 10_000);
  const seconds = Math.floor(centiseconds / 100);
  const kib = String(config.memoryKib);
  client.transaction((t) => {
    t.write(`${home}/memory/static-max`, kib);
    t.write(`${home}/memory/target`, kib);
    t.write(`${home}/memory/videoram`, "0");
    t.write(`${home}/domid`, String(domid));
    t.write(`${home}/store/port`, String(domain.storePort));
    t.write(`${home}/store/ring-ref`, String(domain.storeGfn));
    for (let cpu = 0; cpu < config.vcpus; cpu += 1) {
      t.write(`${home}/cpu/${cpu}/availability`, "online");
    }
    t.write(`${vm}/image/ostype`, "linux");
    t.write(`${vm}/image/kernel`, domain.kernel.path);
    t.write(`${vm}/start_time`, `${seconds}.${String(centiseconds % 100).padStart(2, "0")}`);
    t.write(`${vm}/image/ramdisk`, domain.kernel.ramdisk);
    t.write(`${vm}/image/cmdline`, domain.kernel.commandLine);
  });
}

/** xen-init-dom0, and what Dom0's kernel says of itself. */
export function writeXlDom0(client: StoreClient): void {
  for (const feature of ["poweroff", "reboot", "suspend"]) {
    client.write(`${domainPath(0)}/control/feature-${feature}`, "1");
  }
  client.write(`${domainPath(0)}/domid`, "0");
  client.write(`${domainPath(0)}/name`, "Domain-0");
  client.write("/local/pool/0/name", "Pool-0");
}
