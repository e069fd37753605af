/**
 * What xend of Xen 3.1 writes of a domain and its devices (xend/XendDomainInfo.py,
 * server/DevController.py, blkif.py, netif.py): dicts, in the order of CPython's table.
 * @module
 */
import type { DomainConfig, DomainInfo } from "../hypervisor/domain-table.ts";
import type { StoreClient } from "../xenstore/client.ts";
import {
  backendPath,
  type DeviceClass,
  domainPath,
  frontendPath,
  virtualDevice,
} from "./device-path.ts";
import { dictOrder } from "./python-dict.ts";
import type { DiskConfig, NicConfig, ToolstackDomain } from "./toolstack.ts";
import { xendRate } from "./vif-rate.ts";

/** A dict: its values, and its keys in the order in which Python set them. */
type Dict = Readonly<Record<string, string>>;

/** Both halves of a device before they are written. */
export interface DeviceDetails {
  readonly type: DeviceClass;
  readonly devid: number;
  /** What the device's class says, without what all devices have. */
  readonly back: Dict;
  readonly front: Dict;
}

const INITIALISING = "1";

/** BlkifController.getDeviceDetails. */
export function diskDetails({ dev, type, params, mode }: DiskConfig): DeviceDetails {
  const devid = virtualDevice(dev);
  return {
    type: "vbd",
    devid,
    back: { dev, type, params, mode },
    front: { "virtual-device": String(devid), "device-type": "disk" },
  };
}

/** NetifController.getDeviceDetails. */
export function nicDetails(nic: NicConfig, devid: number): DeviceDetails {
  const { mac, script, ip, rate = null } = nic;
  const handle = String(devid);
  return {
    type: "vif",
    devid,
    back: {
      script,
      mac,
      handle,
      type: "netfront",
      ...(ip === null ? {} : { ip }),
      ...(rate === null ? {} : { rate: xendRate(rate) }),
    },
    front: { handle, mac },
  };
}

/** DevController.createDevice: both halves, in one transaction. */
export function writeDevice(
  client: StoreClient,
  { domid, config }: DomainInfo,
  details: DeviceDetails,
): void {
  const { type, devid } = details;
  const front = frontendPath(type, domid, devid);
  const back = backendPath(type, domid, devid);
  const frontEntries = { backend: back, "backend-id": "0", state: INITIALISING };
  const backEntries = {
    domain: config.name,
    frontend: front,
    "frontend-id": String(domid),
    state: INITIALISING,
    online: "1",
  };
  client.transaction((t) => {
    for (const path of [front, back]) t.rmIfThere(path);
    t.mkdir(back);
    t.setPermissions(back, ["n0", `r${domid}`]);
    t.mkdir(front);
    t.setPermissions(front, [`n${domid}`, "r0"]);
    writeDict(t, front, details.front, frontEntries);
    writeDict(t, back, details.back, backEntries);
  });
}

/** XendDomainInfo._recreateDom. */
export function writeHome(client: StoreClient, domid: number, vm: string): void {
  const path = domainPath(domid);
  client.transaction((t) => {
    t.rmIfThere(path);
    t.mkdir(path);
    t.setPermissions(path, [`n${domid}`]);
    t.write(`${path}/vm`, vm);
  });
}

/** XendDomainInfo._storeVmDetails, and the one node that the guest may read. */
export function writeVm(
  client: StoreClient,
  { info, kernel }: Pick<ToolstackDomain, "info" | "kernel">,
  startTime: number,
): void {
  const { config, domid } = info;
  const vm = vmPath(config);
  const image = `(linux (kernel ${kernel.path}) (ramdisk ${kernel.ramdisk}) (args '${
    kernel.commandLine
  }'))`;
  writeDetails(client, vm, { ...vmDetails(config), start_time: pythonFloat(startTime), image });
  client.setPermissions(`${vm}/uuid`, [`r${domid}`]);
}

/** XendDomainInfo._storeDomDetails. */
export function writeDetailsOf(client: StoreClient, domain: ToolstackDomain): void {
  const { config, domid } = domain.info;
  const set = {
    ...homeDetails(domid, config),
    "console/limit": "1048576",
    "memory/target": String(config.memoryKib),
    "console/port": String(domain.consolePort),
    "console/ring-ref": String(domain.consoleGfn),
    "store/port": String(domain.storePort),
    "store/ring-ref": String(domain.storeGfn),
    "control/platform-feature-multiprocessor-suspend": "1",
  };
  client.transaction((t) => writeDict(t, domainPath(domid), set, availability(config.vcpus)));
}

/** Dom0's own home and VM, when xend starts. */
export function writeDom0(client: StoreClient, memoryKib: number): void {
  const config = {
    name: "Domain-0",
    uuid: "00000000-0000-0000-0000-000000000000",
    memoryKib,
    vcpus: 1,
    weight: 256,
    cap: 0,
    onPoweroff: "destroy",
    onReboot: "restart",
    onCrash: "restart",
  } as const;
  writeDetails(client, vmPath(config), vmDetails(config));
  const set = {
    ...homeDetails(0, config),
    "memory/target": String(memoryKib),
    "control/platform-feature-multiprocessor-suspend": "1",
  };
  client.transaction((t) => writeDict(t, domainPath(0), set, availability(1)));
}

/** "/vm/3c3b0d2e-5e5c-4c57-9d3f-0a7b1c2d3e4f". */
export const vmPath = ({ uuid }: Pick<DomainConfig, "uuid">): string => `/vm/${uuid}`;

const homeDetails = (domid: number, { name, uuid }: DomainConfig): Dict => ({
  domid: String(domid),
  vm: vmPath({ uuid }),
  name,
});

function vmDetails(config: DomainConfig): Dict {
  const mebibytes = String(Math.floor(config.memoryKib / 1024));
  return {
    uuid: config.uuid,
    name: config.name,
    vcpus: String(config.vcpus),
    vcpu_avail: String(2 ** config.vcpus - 1),
    memory: mebibytes,
    shadow_memory: "0",
    maxmem: mebibytes,
    on_poweroff: config.onPoweroff,
    on_crash: config.onCrash,
    on_reboot: config.onReboot,
    on_xend_start: "ignore",
    on_xend_stop: "ignore",
  };
}

/** As `_storeVmDetails`: a count of restarts stays. */
function writeDetails(client: StoreClient, vm: string, details: Dict): void {
  const count = client.find(`${vm}/xend/restart_count`);
  const all = { ...details, ...(count === null ? { "xend/restart_count": "0" } : {}) };
  client.transaction((t) => writeDict(t, vm, all));
}

const availability = (vcpus: number): Dict =>
  Object.fromEntries(
    Array.from({ length: vcpus }, (_, index) => [`cpu/${index}/availability`, "online"]),
  );

/** xstransact.write of a dict that was set key by key, then updated with another. */
function writeDict(client: StoreClient, path: string, set: Dict, update: Dict = {}): void {
  const values = { ...set, ...update };
  const order = dictOrder(Object.keys(set), Object.keys(update));
  for (const key of order) client.write(`${path}/${key}`, values[key] ?? "");
}

/** `str()` of a time in microseconds as seconds: twelve digits. */
export function pythonFloat(microseconds: number): string {
  const text = String(Number((microseconds / 1_000_000).toPrecision(12)));
  return text.includes(".") ? text : `${text}.0`;
}
