/**
 * A host's domains below their network: what joins a zone's launch to the toolstack, the store, the
 * rings and the disks of its host.
 * @module
 */
import { EmulatorError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import { Prng } from "../base/prng.ts";
import type { Instant } from "../base/time.ts";
import { formatIpv4, formatMac } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Dom0 } from "../xen/dom0.ts";
import { Hypervisor } from "../xen/hypervisor/hypervisor.ts";
import { Netback } from "../xen/io/netback.ts";
import { Netfront } from "../xen/io/netfront.ts";
import type { ManagedDomain } from "../xen/toolstack/managed-domain.ts";
import type { BackendName } from "../xen/toolstack/toolstack.ts";
import { type GuestDisk, GuestVbdRings, HostVbdRings } from "../xen/toolstack/vbd-rings.ts";
import { GuestVifRings, HostVifRings } from "../xen/toolstack/vif-rings.ts";
import { XenHost } from "../xen/toolstack/xen-host.ts";
import type { Vif, VifConfig } from "../xen/vif.ts";
import { type InstanceDisks, InstanceStore } from "./instance-store.ts";
import type { ZoneServices } from "./zone-services.ts";

/** What a domain is launched with. */
export interface DomainPlan {
  readonly name: string;
  /** `null` for the host's next. */
  readonly domid: number | null;
  /** All but what the toolstack knows. */
  readonly vif: Omit<VifConfig, "domid" | "domain">;
  /** The domU's own end of its network. */
  readonly device: Device;
  readonly hasInstanceStore: boolean;
  /** "bytes,usec"; `null` for no limit. */
  readonly rate: string | null;
}

/** A volume to attach. */
export interface VolumeOptions {
  /** What the domU is to call it: "sdf". */
  readonly dev: string;
  /** What Dom0 calls it: "/dev/gnbd89". */
  readonly path: string;
  /** Of 512 octets. */
  readonly sectors: number;
}

/** A domain that runs. */
export interface BuiltDomain {
  readonly managed: ManagedDomain;
  readonly vif: Vif;
  /** Dom0's end of its rings: to be joined to the vif. */
  readonly netback: Netback;
}

/** What is kept of a domain, by its name. */
interface Kept {
  readonly plan: DomainPlan;
  readonly store: InstanceDisks | null;
  /** Block devices that were imported for it. */
  readonly volumes: string[];
  vif: Vif | null;
  netback: Netback | null;
  disks: GuestVbdRings | null;
  /** What the vif's script failed with. */
  error: EmulatorError | null;
}

/** Pages for input and output: every slot of a vif's rings, and those of ten disks. */
const IO_PAGES = 1024;
/** 4 TiB: more than a zone can use, so that only who asks for less meets the end of it. */
const TOTAL_KIB = 2 ** 32;
const DOM0_KIB = 2 ** 20;
/** Of the one vif of a domain. */
const HANDLE = 0;
const SCRIPT = "/etc/xen/scripts/ec2-vif-route-dhcpd";

/** The toolstack of one host, and what it set up. */
export class HostDomains {
  readonly xen: XenHost;
  readonly store: InstanceStore;
  readonly #dom0: Dom0;
  readonly #services: ZoneServices;
  readonly #vifRings = new HostVifRings();
  readonly #vbdRings: HostVbdRings;
  readonly #kept = new Map<string, Kept>();

  /** @param memoryKib of the host; `null` for more than enough. */
  constructor(dom0: Dom0, services: ZoneServices, memoryKib: number | null = null) {
    const hypervisor = new Hypervisor();
    const { toolstack, blocks } = dom0.profile;
    const reschedule = (machine: Machine): void => services.reschedule(machine);
    this.#dom0 = dom0;
    this.#services = services;
    this.store = new InstanceStore(dom0.name, services.disks);
    this.#vbdRings = new HostVbdRings(hypervisor, blocks, reschedule);
    this.xen = new XenHost({
      profile: toolstack,
      hypervisor,
      memory: { totalKib: memoryKib ?? TOTAL_KIB, dom0Kib: DOM0_KIB },
      devices: this.store.devices,
      vifPorts: this.#vifRings,
      vbdPorts: this.#vbdRings,
      vifScript: {
        online: (device, now) => this.#online(device, now),
        offline: (device, now) => this.#offline(device, now),
      },
      chance: new Prng(services.seed, `${dom0.name}/uuid`),
      epoch: services.epoch,
      onChange: reschedule,
    });
    services.drive(this.xen, true);
    services.drive(this.#vbdRings, true);
  }

  /**
   * Build a domain and let it run: its store, its disks and its vif are there then.
   * @throws {DomainError} if the host has no room for it, {OptionError} if its vif cannot be.
   */
  launch(plan: DomainPlan, now: Instant): BuiltDomain {
    const store = plan.hasInstanceStore ? this.store.take() : null;
    const parts = { vif: null, netback: null, disks: null, error: null };
    const kept: Kept = { plan, store, volumes: [], ...parts };
    this.#kept.set(plan.name, kept);
    try {
      const managed = this.#create(kept, now);
      const { vif, netback } = kept;
      if (vif !== null && netback !== null && managed.status === "running") {
        return { managed, vif, netback };
      }
      throw kept.error ?? new EmulatorError("domain", plan.name, managed.failure ?? "not built");
    } catch (error) {
      this.#forget(plan.name, now);
      if (store !== null) this.store.giveBack(store);
      throw error;
    }
  }

  /** Destroy a domain: nothing of it is left in the store, in Dom0 or in the hypervisor. */
  destroy(name: string, domid: number, now: Instant): void {
    this.xen.destroy(domid, now);
    const store = this.#kept.get(name)?.store ?? null;
    this.#forget(name, now);
    if (store !== null) this.store.release(store);
  }

  /** A disk of a domain as its guest has it; `null` if it has none of that number. */
  diskOf(name: string, devid: number): GuestDisk | null {
    return this.#kept.get(name)?.disks?.find(devid) ?? null;
  }

  /**
   * Attach a network block device to a running domain: it is imported until the domain is
   * destroyed.
   * @throws {OptionError} or {EmulatorError} if that cannot be: nothing is imported then.
   */
  attachVolume(name: string, domid: number, volume: VolumeOptions, now: Instant): void {
    const { dev, path, sectors } = volume;
    this.store.importVolume(path, sectors);
    try {
      this.xen.attach(domid, { dev, type: "phy", params: path, mode: "w" }, now);
      const failure = this.xen.find(domid)?.failure ?? null;
      if (failure !== null) throw new EmulatorError("domain", name, failure);
    } catch (error) {
      this.store.dropVolume(path);
      throw error;
    }
    this.#kept.get(name)?.volumes.push(path);
  }

  #create(kept: Kept, now: Instant): ManagedDomain {
    const { plan, store } = kept;
    const { hypervisor, profile } = this.xen;
    const { pool } = this.#services;
    const { netfront: behaviour } = this.#dom0.profile;
    const isXl = profile.toolstack === "xl";
    const nic = {
      mac: formatMac(plan.vif.mac).toUpperCase(),
      script: SCRIPT,
      ip: isXl ? plan.vif.addresses.map(formatIpv4).join(" ") : null,
      rate: plan.rate,
    };
    return this.xen.create(
      {
        name: plan.name,
        domid: plan.domid,
        onReboot: "destroy",
        onCrash: "destroy",
        disks: store?.disks ?? [],
        nics: [nic],
        pages: IO_PAGES,
        guest: (io) => {
          const { device } = plan;
          const netfront = new Netfront({ device, pool, grants: io.grants, behaviour });
          const host = this.#vifRings;
          const ownVif = (handle: number): Netfront | null => (handle === HANDLE ? netfront : null);
          const vif = new GuestVifRings({ io, hypervisor, host, netfront: ownVif });
          const vbd = new GuestVbdRings(io, hypervisor, profile.vbdProtocol, this.#vbdRings);
          kept.disks = vbd;
          return { vif, vbd };
        },
      },
      now,
    );
  }

  /** The script of vifs: Dom0 sets up what the domain's configuration says. */
  #online({ domid, devid }: BackendName, now: Instant): string | null {
    const kept = this.#keptOf(domid);
    if (kept === null || devid !== HANDLE) return `no vif${domid}.${devid}`;
    const { plan } = kept;
    try {
      const vif = this.#dom0.addVif({ ...plan.vif, domid, domain: plan.name }, now);
      kept.vif = vif;
      kept.netback = this.#newNetback(vif, now);
      this.#vifRings.add(devid, kept.netback);
      return null;
    } catch (error) {
      if (!(error instanceof EmulatorError)) throw error;
      kept.error = error;
      return error.message;
    }
  }

  #offline({ domid, devid }: BackendName, now: Instant): void {
    this.#vifRings.remove(domid, devid);
    const kept = this.#keptOf(domid);
    if (kept !== null && devid === HANDLE) this.#removeVif(kept, now);
  }

  #removeVif(kept: Kept, now: Instant): void {
    const { netback, vif } = kept;
    kept.netback = null;
    kept.vif = null;
    if (netback !== null) this.#services.drive(netback, false);
    if (vif !== null) this.#dom0.removeVif(vif, now);
  }

  #newNetback({ domid, device }: Vif, now: Instant): Netback {
    const netback = new Netback(
      {
        domid,
        vif: device,
        pool: this.#services.pool,
        hypervisor: this.xen.hypervisor,
        behaviour: this.#dom0.profile.netback,
        onChange: (machine) => this.#services.reschedule(machine),
      },
      now,
    );
    this.#services.drive(netback, true);
    return netback;
  }

  #keptOf(domid: number): Kept | null {
    const managed = this.xen.find(domid);
    return managed === null ? null : (this.#kept.get(managed.name) ?? null);
  }

  /** Its vif goes even where the toolstack lost sight of it, for somebody changed its nodes. */
  #forget(name: string, now: Instant): void {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    this.#kept.delete(name);
    kept.netback?.disconnect(now);
    this.#removeVif(kept, now);
    for (const path of kept.volumes) this.store.dropVolume(path);
  }
}
