/** A host of a zone: its Dom0, its link to the fabric, and the domains that it runs. @module */
import { OptionError } from "../base/errors.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { Device } from "../wire/device.ts";
import type { Guest } from "../guest/guest.ts";
import type { WayOptions } from "../sim/link.ts";
import type { Dom0 } from "../xen/dom0.ts";
import type { Hypervisor } from "../xen/hypervisor/hypervisor.ts";
import { virtualDevice } from "../xen/toolstack/device-path.ts";
import { checkRates } from "../xen/toolstack/vif-rate.ts";
import type { GuestDisk } from "../xen/toolstack/vbd-rings.ts";
import type { XenHost } from "../xen/toolstack/xen-host.ts";
import type { XenStore } from "../xen/xenstore/store.ts";
import { macFor } from "./address-plan.ts";
import { Domain } from "./domain.ts";
import { ExternalVif } from "./external-vif.ts";
import {
  type BuiltDomain,
  type DomainPlan,
  HostDomains,
  type VolumeOptions,
} from "./host-domains.ts";
import { domainName, hostNameOf, serialOfDomain } from "./naming.ts";
import type { ZoneServices } from "./zone-services.ts";

/** What a launch may decide; the zone's plan decides the rest. */
export interface LaunchOptions {
  /** "dom_32504936"; the zone's next number. */
  readonly name?: string;
  /** 1 to 32,751; the host's next. */
  readonly domid?: number;
  readonly mac?: Mac;
  readonly privateAddress?: Ipv4Addr;
  /** `null` for none. */
  readonly publicAddress?: Ipv4Addr | null;
  /** ["default"]. */
  readonly securityGroups?: readonly string[];
  /** "simulated" boots a domU of this library; "external" leaves the vif to the user. */
  readonly guest?: "simulated" | "external";
  /** The way between domU and Dom0; 20 microseconds each way. */
  readonly link?: WayOptions;
  /**
   * The image, the ephemeral and the swap disk of an m1.small; true. Dom0 has 4,096 event channels,
   * of which a domain takes two, and one for each disk.
   */
  readonly hasInstanceStore?: boolean;
  /** What the vif takes from the domU, as xm and xl read it: "10Mb/s@50ms"; no limit. */
  readonly rate?: string;
}

/** What a frame takes from a domU's ring to Dom0, about. */
const VIF_DELAY = 20;

/** One host. {@link Zone.addHost} makes it. */
export class ZoneHost {
  readonly name: string;
  readonly dom0: Dom0;
  readonly #services: ZoneServices;
  /** Hypervisor, store, toolstack and disks. */
  readonly #below: HostDomains;
  readonly #domains = new Map<string, Domain>();

  /** @param memoryKib of the whole host; `null` for more than enough. */
  constructor(dom0: Dom0, services: ZoneServices, memoryKib: number | null = null) {
    this.name = dom0.name;
    this.dom0 = dom0;
    this.#services = services;
    this.#below = new HostDomains(dom0, services, memoryKib);
  }

  /** The host below its network: domains as the toolstack knows them, and their devices. */
  get xen(): XenHost {
    return this.#below.xen;
  }

  /** What Dom0 and its domains tell each other everything by. */
  get xenstore(): XenStore {
    return this.xen.store;
  }

  /** Memory, grants and events of the domains. */
  get hypervisor(): Hypervisor {
    return this.xen.hypervisor;
  }

  /** The running domains, in the order of their launch. */
  get domains(): Iterable<Domain> {
    return this.#domains.values();
  }

  /**
   * Start a domain: its vif comes online, then the domU boots.
   * @throws {OptionError} if a name, number, address, group or rate cannot be used.
   */
  launch(options: LaunchOptions = {}): Domain {
    const services = this.#services;
    const now = services.now();
    const { domid = null, rate = null } = options;
    checkRates(this.xen.profile, [{ rate }]);
    if (domid !== null && this.xen.find(domid) !== null) {
      throw new OptionError("domid", domid, "a domid that is free");
    }
    const serial = services.serial(
      options.name === undefined ? null : serialOfDomain(options.name),
    );
    const address = services.privateAddress(options.privateAddress ?? null);
    const publicAddress =
      options.publicAddress === null ? null : services.publicAddress(options.publicAddress ?? null);
    const mac = options.mac ?? macFor(address);
    const isExternal = options.guest === "external";
    const name = domainName(serial);
    const guest = isExternal ? null : services.newGuest(name, mac);
    const device = guest?.host.device ?? new Device({ name: "eth0", mac });
    const external = isExternal
      ? new ExternalVif(device, services.pool, () => services.now())
      : null;
    const { vif, netback } = this.#build(guest, {
      name,
      domid,
      vif: {
        mac,
        addresses: [address],
        publicAddress,
        securityGroups: options.securityGroups ?? ["default"],
        hostName: hostNameOf(mac),
      },
      device,
      hasInstanceStore: options.hasInstanceStore ?? true,
      rate,
    });
    vif.device.machine = this.dom0;
    netback.device.machine = guest;
    const way = options.link ?? { delay: VIF_DELAY };
    services.connect(vif.device, netback.device, way, name);
    const domain = new Domain({ serial, vif, guest, external });
    this.#domains.set(domain.name, domain);
    services.onLaunch(this, domain);
    services.reschedule(this.dom0);
    guest?.start(now);
    return domain;
  }

  /** Stop a domain at once: its vif goes offline, its addresses are free again. */
  destroy(domain: Domain): void {
    if (!this.#domains.delete(domain.name)) return;
    const now = this.#services.now();
    const { device, domid } = domain.backend;
    device.attachCarrier(null);
    this.#below.destroy(domain.name, domid, now);
    domain.guest?.host.device.attachCarrier(null);
    domain.guest?.host.router.removeInterface(domain.guest.host.device, now);
    this.#services.onDestroy(this, domain);
    this.#services.reschedule(this.dom0);
  }

  /**
   * Attach an EBS volume to a running domain, as the network block device that Dom0 imported.
   * @throws {OptionError} or {EmulatorError} if a name is none, or taken, or the domain ended.
   */
  attachVolume(domain: Domain, volume: VolumeOptions): void {
    this.#below.attachVolume(domain.name, domain.domid, volume, this.#services.now());
  }

  /** A disk of a domain as its guest has it; `null` if it has none by that name. */
  diskOf(domain: Domain, dev: string): GuestDisk | null {
    return this.#below.diskOf(domain.name, virtualDevice(dev));
  }

  /** What `xm list` or `xl list` prints in Dom0. */
  listText(): string {
    return this.xen.lists.domains(this.#services.now());
  }

  /**
   * Map a public address to a domain instead of the one that it has: `address`, the plan's next, or
   * `null` for none.
   * @throws {OptionError} if the address is taken, or the domain was destroyed.
   */
  associate(domain: Domain, address?: Ipv4Addr | null): void {
    if (this.#domains.get(domain.name) !== domain) {
      throw new OptionError("domain", domain.name, "a domain of this host");
    }
    const services = this.#services;
    const taken = address === null ? null : services.publicAddress(address ?? null);
    services.onDisassociate(domain);
    this.dom0.associate(domain.backend, taken, services.now());
    services.onAssociate(this, domain);
    services.reschedule(this.dom0);
  }

  #build(guest: Guest | null, plan: DomainPlan): BuiltDomain {
    try {
      return this.#below.launch(plan, this.#services.now());
    } catch (error) {
      if (guest !== null) this.#services.drive(guest, false);
      throw error;
    }
  }
}
