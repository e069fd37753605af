/** A Xen host whose rings are notes of who connected to what. */
import { MemoryDisk } from "../../../src/storage/block-device.ts";
import { Prng } from "../../../src/base/prng.ts";
import type { BlockDevice } from "../../../src/storage/block-device.ts";
import { Hypervisor } from "../../../src/xen/hypervisor/hypervisor.ts";
import { HostBlockDevices } from "../../../src/xen/toolstack/host-block-devices.ts";
import type { GuestPorts } from "../../../src/xen/toolstack/guest-kernel.ts";
import type { DiskConfig, NicConfig } from "../../../src/xen/toolstack/toolstack.ts";
import type { ToolstackProfile } from "../../../src/xen/toolstack/toolstack-profile.ts";
import { XenHost, type XenHostOptions } from "../../../src/xen/toolstack/xen-host.ts";
import type { DomainIo } from "../../../src/xen/hypervisor/hypervisor.ts";
import { GrantMap } from "../../../src/xen/hypervisor/grant-operations.ts";

/** The seed document's disks. */
export const EC2_DISKS: readonly DiskConfig[] = [
  { dev: "sda1", type: "file", params: "/mnt/instance_image_store_3/262768", mode: "w" },
  {
    dev: "sda2",
    type: "phy",
    params: "/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_3",
    mode: "w",
  },
  { dev: "sda3", type: "phy", params: "/dev/VolGroupDomU/instance_swap_store_3", mode: "w" },
];
export const EBS: DiskConfig = { dev: "sdf", type: "phy", params: "/dev/gnbd89", mode: "w" };
export const EC2_NIC: NicConfig = {
  mac: "12:31:39:00:A1:B2",
  script: "/etc/xen/scripts/ec2-vif-route-dhcpd",
  ip: null,
};

/** Dom0's devices of the seed document's host, of the sizes that consoles of the time show. */
export function ec2Devices(): HostBlockDevices<BlockDevice> {
  const devices = new HostBlockDevices<BlockDevice>({ busy: 13 });
  const disk = (sectors: number): BlockDevice => new MemoryDisk({ sectors });
  devices.addFile("/mnt/instance_image_store_3/262768", disk(20_971_520));
  const add = (path: string, major: number, minor: number, sectors: number): void =>
    devices.add(path, { node: path, major, minor, disk: disk(sectors) });
  add("/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_3", 0xfd, 9, 312_705_024);
  add("/dev/VolGroupDomU/instance_swap_store_3", 0xfd, 5, 1_835_008);
  add("/dev/gnbd89", 0xfb, 0x59, 20_971_520);
  return devices;
}

/** A front end that grants a page for each ring, and a back end that maps it. */
export class World {
  readonly host: XenHost;
  readonly log: string[] = [];
  readonly hypervisor = new Hypervisor();
  readonly #mapped = new Map<string, { readonly handles: number[]; readonly port: number }>();

  constructor(profile: ToolstackProfile, options: Partial<XenHostOptions> = {}) {
    const say = (text: string): void => {
      this.log.push(text);
    };
    this.host = new XenHost({
      profile,
      hypervisor: this.hypervisor,
      memory: { totalKib: 2 ** 33, dom0Kib: 2 ** 20 },
      devices: ec2Devices(),
      vifPorts: {
        connect: ({ domid, handle, txRingRef, rxRingRef, eventChannel }) =>
          this.#map(`vif${domid}.${handle}`, domid, [txRingRef, rxRingRef], eventChannel),
        changeRate: (domid, handle, rate) => say(`vif${domid}.${handle} rate ${rate}`),
        disconnect: (domid, handle) => this.#unmap(`vif${domid}.${handle}`),
      },
      vbdPorts: {
        connect: ({ domid, devid, ringRef, eventChannel }) =>
          this.#map(`vbd${domid}.${devid}`, domid, [ringRef], eventChannel),
        disconnect: (domid, devid) => this.#unmap(`vbd${domid}.${devid}`),
      },
      vifScript: {
        online: ({ domid, devid }) => {
          say(`vif${domid}.${devid} online`);
          return null;
        },
        offline: ({ domid, devid }) => say(`vif${domid}.${devid} offline`),
      },
      chance: new Prng(1, "uuid"),
      ...options,
    });
  }

  /** A file in Dom0 that holds a disk. */
  addFile(path: string): void {
    this.host.devices.addFile(path, new MemoryDisk({ sectors: 2048 }));
  }

  /** Rings that Dom0 has mapped. */
  get connected(): string[] {
    return [...this.#mapped.keys()].sort();
  }

  /** What is left of domains anywhere outside the store. */
  get leftovers(): Record<string, unknown> {
    const { host, hypervisor } = this;
    return {
      domains: [...host.domains].map(({ domid }) => domid),
      backends: [...host.backends].map(({ node }) => node),
      rings: this.connected,
      mappings: hypervisor.dom0.table.mappings,
      loops: host.devices.loops,
      table: host.table.size,
      freeKib: host.table.memory.freeKib,
    };
  }

  /** What runs in a domain: pages for rings. */
  readonly guest = (io: DomainIo): GuestPorts => {
    const held = new Map<string, { refs: number[]; gfns: number[]; port: number }>();
    const { events } = this.hypervisor;
    const { domid } = io.memory;
    const open = (name: string, rings: number): { refs: number[]; port: number } => {
      const gfns = Array.from({ length: rings }, () => io.memory.allocate());
      const refs = gfns.map((gfn) => io.grants.grant(0, gfn, false));
      const port = events.allocUnbound(domid, 0);
      held.set(name, { refs, gfns, port });
      this.log.push(`${domid} opens ${name}`);
      return { refs, port };
    };
    const close = (name: string): void => {
      const one = held.get(name);
      if (one === undefined) return;
      held.delete(name);
      events.close(domid, one.port);
      for (const ref of one.refs) io.grants.revoke(ref);
      for (const gfn of one.gfns) io.memory.free(gfn);
    };
    return {
      vif: {
        open: (devid) => {
          const { refs, port } = open(`vif${devid}`, 2);
          const [txRingRef = -1, rxRingRef = -1] = refs;
          return { txRingRef, rxRingRef, eventChannel: port };
        },
        connected: (devid) => this.log.push(`${domid} has vif${devid}`),
        stop: (devid) => this.log.push(`${domid} stops vif${devid}`),
        close: (devid) => close(`vif${devid}`),
      },
      vbd: {
        open: (devid) => {
          const { refs, port } = open(`vbd${devid}`, 1);
          return { ringRef: refs[0] ?? -1, eventChannel: port };
        },
        connected: (devid, { sectors }) => this.log.push(`${domid} has vbd${devid}: ${sectors}`),
        stop: (devid) => this.log.push(`${domid} stops vbd${devid}`),
        suspend: () => new Map(),
        resume: () => undefined,
        close: (devid) => close(`vbd${devid}`),
      },
    };
  };

  #map(name: string, domid: number, refs: readonly number[], remote: number): boolean {
    const { dom0, events } = this.hypervisor;
    const handles = refs.map((ref) => dom0.table.map(domid, ref, GrantMap.host));
    const port = handles.every((handle) => handle >= 0)
      ? events.bindInterdomain(0, domid, remote)
      : -1;
    if (port < 0) {
      for (const handle of handles) if (handle >= 0) dom0.table.unmap(handle);
      return false;
    }
    this.#mapped.set(name, { handles, port });
    return true;
  }

  #unmap(name: string): void {
    const mapped = this.#mapped.get(name);
    if (mapped === undefined) return;
    this.#mapped.delete(name);
    const { dom0, events } = this.hypervisor;
    events.close(0, mapped.port);
    for (const handle of mapped.handles) dom0.table.unmap(handle);
  }
}

/** Every node below `path` as Dom0 sees it: `path = "value" (n0,r1)`. */
export function dump(host: XenHost, path = ""): string[] {
  const session = host.store.connect();
  if (session === null) throw new Error("the store takes a client");
  const lines: string[] = [];
  const walk = (at: string): void => {
    const names = session.list(at === "" ? "/" : at);
    if (typeof names === "string") throw new Error(`${at}: ${names}`);
    for (const name of names) {
      const node = `${at}/${name}`;
      const value = session.read(node);
      const permissions = session.permissions(node);
      if (typeof value === "string" || typeof permissions === "string") throw new Error(node);
      const text = new TextDecoder("latin1").decode(value);
      const rights = permissions.map(({ rights: bits, domid }) => `${"nrwb"[bits]}${domid}`);
      lines.push(`${node} = "${text}"   (${rights.join(",")})`);
      walk(node);
    }
  };
  walk(path);
  session.close();
  return lines;
}
