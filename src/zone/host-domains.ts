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
import type { Dom0 } from "../xen/dom0.ts";
import { DomainError } from "../xen/hypervisor/domain-error.ts";
import { type DomainIo, Hypervisor } from "../xen/hypervisor/hypervisor.ts";
import { Netback } from "../xen/io/netback.ts";
import { Netfront } from "../xen/io/netfront.ts";
import type { GuestPorts } from "../xen/toolstack/guest-kernel.ts";
import type { DomainRequest, ManagedDomain } from "../xen/toolstack/managed-domain.ts";
import type { BackendName } from "../xen/toolstack/toolstack.ts";
import { type GuestDisk, GuestVbdRings, HostVbdRings } from "../xen/toolstack/vbd-rings.ts";
import { GuestVifRings, HostVifRings } from "../xen/toolstack/vif-rings.ts";
import { XenHost } from "../xen/toolstack/xen-host.ts";
import type { Vif } from "../xen/vif.ts";
import { CPU_PRICES, type CpuPrices, CpuWork } from "./cpu-work.ts";
import { InstanceStore } from "./instance-store.ts";
import {
  type DomainPlan,
  newVm,
  type OnlineVif,
  onlineOf,
  type SavedVm,
  type Vm,
  type VmListener,
  type VmState,
  type VolumeOptions,
  withAddress,
} from "./vm.ts";
import type { ZoneServices } from "./zone-services.ts";

/** Pages for input and output: every slot of a vif's rings, and those of ten disks. */
const IO_PAGES = 1024;
/** 4 TiB: more than a zone can use, so that only who asks for less meets the end of it. */
const TOTAL_KIB = 2 ** 32;
const DOM0_KIB = 2 ** 20;
/** Of the one vif of a domain. */
const HANDLE = 0;
const SCRIPT = "/etc/xen/scripts/ec2-vif-route-dhcpd";

/** What a host may be told of itself. */
export interface HostDomainsOptions {
  /** Memory of the host; more than enough. */
  readonly memoryKib?: number;
  /** What work costs; {@link CPU_PRICES}. */
  readonly cpuPrices?: Partial<CpuPrices>;
}

/** The toolstack of one host, and what it set up. */
export class HostDomains {
  readonly xen: XenHost;
  readonly store: InstanceStore;
  readonly #dom0: Dom0;
  readonly #services: ZoneServices;
  readonly #listener: VmListener;
  readonly #vifRings = new HostVifRings();
  readonly #vbdRings: HostVbdRings;
  readonly #work: CpuWork;
  readonly #vms = new Map<string, Vm>();
  /** Whose vif is online, by domid. */
  readonly #online = new Map<number, Vm>();

  constructor(
    dom0: Dom0,
    services: ZoneServices,
    listener: VmListener,
    options: HostDomainsOptions = {},
  ) {
    const { toolstack, blocks, events } = dom0.profile;
    const hypervisor = new Hypervisor(events);
    const reschedule = (machine: Machine): void => services.reschedule(machine);
    this.#dom0 = dom0;
    this.#services = services;
    this.#listener = listener;
    this.store = new InstanceStore(dom0.name, services.disks);
    this.#vbdRings = new HostVbdRings(hypervisor, blocks, reschedule);
    const prices = { ...CPU_PRICES, ...options.cpuPrices };
    this.#work = new CpuWork(prices, (domid) => this.#vbdRings.requestsOf(domid));
    this.xen = new XenHost({
      profile: toolstack,
      hypervisor,
      memory: { totalKib: options.memoryKib ?? TOTAL_KIB, dom0Kib: DOM0_KIB },
      work: this.#work,
      devices: this.store.devices,
      vifPorts: this.#vifRings,
      vbdPorts: this.#vbdRings,
      vifScript: {
        online: (device, now) => this.#bringOnline(device, now),
        offline: (device, now) => this.#bringOffline(device, now),
      },
      chance: new Prng(services.seed, `${dom0.name}/uuid`),
      listener: {
        started: (domain, now) => this.#started(domain, now),
        paused: ({ name }, isPaused, now) => listener.paused(name, isPaused, now),
        halted: ({ name }, now) => listener.halted(name, now),
        gone: ({ domid }) => {
          this.#work.delete(domid);
          this.#vbdRings.forget(domid);
        },
        ended: (domain, now) => this.#ended(domain, now),
        dumped: ({ name }, path, { bytes }, now) => listener.dumped(name, path, bytes, now),
      },
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
  launch(plan: DomainPlan, now: Instant): OnlineVif {
    const store = plan.hasInstanceStore ? this.store.take() : null;
    const vm = newVm(plan, store, null);
    this.#vms.set(plan.name, vm);
    try {
      const online = this.#run(vm, () => this.xen.create(this.#requestOf(vm), now));
      vm.isLaunched = true;
      return online;
    } catch (error) {
      this.#forget(vm, now);
      if (store !== null) this.store.giveBack(store);
      throw error;
    }
  }

  /** End a VM, whatever it is doing: nothing of it is left. Nothing if there is none. */
  destroy(name: string, now: Instant): void {
    const vm = this.#vms.get(name);
    if (vm === undefined) return;
    const { managed } = vm;
    vm.image = null;
    if (managed !== null && managed.status !== "gone") this.xen.destroy(managed.domid, now);
    if (managed !== null) this.xen.giveUp(managed);
    this.#end(vm, now);
  }

  /**
   * Make an image of a running VM; its domain is gone then (`xm save`).
   * @throws {DomainError} if it does not run.
   */
  save(name: string, now: Instant): void {
    const vm = this.#get(name);
    vm.image = this.xen.save(this.#domainOf(vm).domid, now);
  }

  /**
   * Let a saved VM go on in a new domain (`xm restore`).
   * @throws {DomainError} if it is not saved, or there is no room: it is saved then as before.
   */
  restore(name: string, now: Instant): OnlineVif {
    const vm = this.#get(name);
    const { image } = vm;
    if (image === null) throw new DomainError("domain-state", name, "a saved domain");
    const { disks, uuid } = image.request;
    const request = { ...this.#requestOf(vm), domid: null, disks: disks ?? [] };
    const again = { ...image, request: uuid === undefined ? request : { ...request, uuid } };
    const online = this.#run(vm, () => this.xen.restore(again, now));
    vm.image = null;
    return online;
  }

  /**
   * Hand over a saved VM, which is another host's from now on.
   * @throws {DomainError} if it is not saved, or has disks: those of this host cannot follow it.
   */
  release(name: string, now: Instant): SavedVm {
    const vm = this.#get(name);
    const { plan, image } = vm;
    if (image === null) throw new DomainError("domain-state", name, "a saved domain");
    if (vm.store !== null || vm.volumes.length > 0) {
      throw new DomainError("domain-state", name, "a domain without disks on its host");
    }
    this.#forget(vm, now);
    return { plan: withAddress(plan, vm.vif?.publicAddress), image };
  }

  /** Take over a saved VM of another host. */
  adopt({ plan, image }: SavedVm): void {
    this.#vms.set(plan.name, { ...newVm(plan, null, image), isLaunched: true });
  }

  /** How a VM stands; `gone` if there is none of that name. */
  stateOf(name: string): VmState {
    const vm = this.#vms.get(name);
    if (vm === undefined) return "gone";
    if (vm.image !== null) return "saved";
    const { status = "building", domid = 0 } = vm.managed ?? {};
    if (status === "gone") return "restarting";
    if (status === "building" || status === "shutdown") return status;
    if (status === "closing") return "shutdown";
    return this.xen.table.find(domid)?.isPaused === true ? "paused" : "running";
  }

  /** The number of its domain, as it is or was last; 0 for a name that is not known. */
  domidOf(name: string): number {
    return this.#vms.get(name)?.managed?.domid ?? 0;
  }

  /** A disk of a domain as its guest has it; `null` if it has none of that number. */
  diskOf(name: string, devid: number): GuestDisk | null {
    return this.#vms.get(name)?.disks?.find(devid) ?? null;
  }

  /**
   * Attach a network block device to a running domain: it is imported until the domain is
   * destroyed.
   * @throws {OptionError} or {EmulatorError} if that cannot be: nothing is imported then.
   */
  attachVolume(name: string, volume: VolumeOptions, now: Instant): void {
    const { dev, path, sectors } = volume;
    const vm = this.#get(name);
    const { domid } = this.#domainOf(vm);
    this.store.importVolume(path, sectors);
    try {
      this.xen.attach(domid, { dev, type: "phy", params: path, mode: "w" }, now);
      const failure = this.xen.find(domid)?.failure ?? null;
      if (failure !== null) throw new EmulatorError("domain", name, failure);
    } catch (error) {
      this.store.dropVolume(path);
      throw error;
    }
    vm.volumes.push(path);
  }

  #get(name: string): Vm {
    const vm = this.#vms.get(name);
    if (vm === undefined) throw new DomainError("no-domain", name, "the domid of a domain");
    return vm;
  }

  #domainOf({ plan, managed }: Vm): ManagedDomain {
    if (managed !== null) return managed;
    throw new DomainError("no-domain", plan.name, "the domid of a domain");
  }

  /** @throws what its vif or the toolstack failed with. */
  #run(vm: Vm, make: () => ManagedDomain): OnlineVif {
    vm.error = null;
    const managed = make();
    const online = onlineOf(vm);
    if (managed.status === "running" && online !== null) return online;
    throw vm.error ?? new EmulatorError("domain", managed.name, managed.failure ?? "not built");
  }

  #requestOf(vm: Vm): DomainRequest {
    const { plan, store } = vm;
    const isXl = this.xen.profile.toolstack === "xl";
    const nic = {
      mac: formatMac(plan.vif.mac).toUpperCase(),
      script: SCRIPT,
      ip: isXl ? plan.vif.addresses.map(formatIpv4).join(" ") : null,
      rate: plan.rate,
    };
    return {
      name: plan.name,
      domid: plan.domid,
      ...plan.actions,
      disks: store?.disks ?? [],
      nics: [nic],
      pages: IO_PAGES,
      guest: (io, isResumed) => this.#boot(vm, io, isResumed),
    };
  }

  #boot(vm: Vm, io: DomainIo, isResumed: boolean): GuestPorts {
    const { hypervisor, profile } = this.xen;
    const { netfront: behaviour } = this.#dom0.profile;
    const device = vm.plan.boot(isResumed);
    if (!isResumed) this.#work.boot(io.memory.domid);
    const { pool } = this.#services;
    const netfront = new Netfront({ device, pool, grants: io.grants, behaviour });
    const host = this.#vifRings;
    const ownVif = (handle: number): Netfront | null => (handle === HANDLE ? netfront : null);
    const vif = new GuestVifRings({ io, hypervisor, host, netfront: ownVif });
    const vbd = new GuestVbdRings(io, hypervisor, profile.vbdProtocol, this.#vbdRings);
    vm.disks = vbd;
    return { vif, vbd };
  }

  #started(domain: ManagedDomain, now: Instant): void {
    const vm = this.#vms.get(domain.name);
    const online = vm === undefined ? null : onlineOf(vm);
    if (vm?.isLaunched === true && online !== null) {
      this.#listener.started(domain.name, online, now);
    }
  }

  /** Its VM may live on: under way to be launched or restored, it is told by an error instead. */
  #ended(domain: ManagedDomain, now: Instant): void {
    const vm = this.#vms.get(domain.name);
    if (vm === undefined) return;
    if (vm.managed?.status === "gone" && vm.isLaunched && vm.image === null) this.#end(vm, now);
  }

  #end(vm: Vm, now: Instant): void {
    const { name } = vm.plan;
    if (this.#vms.get(name) !== vm) return;
    this.#forget(vm, now);
    if (vm.store !== null) this.store.release(vm.store);
    this.#listener.ended(name, now);
  }

  /** The script of vifs: Dom0 sets up what the domain's configuration says. */
  #bringOnline({ domid, devid }: BackendName, now: Instant): string | null {
    const managed = this.xen.find(domid);
    const vm = this.#vms.get(managed?.name ?? "");
    if (managed === null || vm === undefined || devid !== HANDLE) return `no vif${domid}.${devid}`;
    // What somebody's hand on the store kept from going.
    if (vm.managed?.status === "gone") this.#removeVif(vm, now);
    if (vm.netback !== null) return "RTNETLINK answers: File exists";
    const { plan } = vm;
    try {
      const publicAddress = vm.vif === null ? plan.vif.publicAddress : vm.vif.publicAddress;
      const config = { ...plan.vif, publicAddress: publicAddress ?? null, domid };
      const vif = this.#dom0.addVif({ ...config, domain: plan.name }, now);
      vm.managed = managed;
      vm.vif = vif;
      vm.netback = this.#newNetback(vif, now);
      this.#online.set(domid, vm);
      this.#work.addVif(domid, vif.device);
      this.#vifRings.add(devid, vm.netback);
      return null;
    } catch (error) {
      if (!(error instanceof EmulatorError)) throw error;
      vm.error = error;
      return error.message;
    }
  }

  #bringOffline({ domid, devid }: BackendName, now: Instant): void {
    this.#vifRings.remove(domid, devid);
    const vm = this.#online.get(domid);
    if (vm !== undefined && devid === HANDLE) this.#removeVif(vm, now);
  }

  #removeVif(vm: Vm, now: Instant): void {
    const { netback, vif, plan } = vm;
    if (netback === null || vif === null) return;
    vm.netback = null;
    this.#online.delete(vif.domid);
    this.#work.removeVif(vif.domid);
    vif.device.attachCarrier(null);
    this.#services.drive(netback, false);
    this.#dom0.removeVif(vif, now);
    this.#listener.offline(plan.name, vif, now);
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
        onCarrier: (isOn, at) => {
          // `neigh_carrier_down`
          if (!isOn) this.#dom0.router.neighbors.flush(device, at);
        },
      },
      now,
    );
    this.#services.drive(netback, true);
    return netback;
  }

  /** Its vif goes even where the toolstack lost sight of it, for somebody changed its nodes. */
  #forget(vm: Vm, now: Instant): void {
    this.#vms.delete(vm.plan.name);
    vm.netback?.disconnect(now);
    this.#removeVif(vm, now);
    for (const path of vm.volumes) this.store.dropVolume(path);
  }
}
