/** A host of a zone: its Dom0, its link to the fabric, and the domains that it runs. @module */
import { OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { Device } from "../wire/device.ts";
import type { WayOptions } from "../sim/link.ts";
import type { Dom0 } from "../xen/dom0.ts";
import { Hypervisor } from "../xen/hypervisor/hypervisor.ts";
import { joinVif } from "../xen/io/join-vif.ts";
import { Netback } from "../xen/io/netback.ts";
import { Netfront } from "../xen/io/netfront.ts";
import { parseRate } from "../xen/io/tx-credit.ts";
import type { Vif } from "../xen/vif.ts";
import { macFor } from "./address-plan.ts";
import { Domain } from "./domain.ts";
import { ExternalVif } from "./external-vif.ts";
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
  /** The vif's node `rate`, "bytes,usec"; none, which is no limit, as what cannot be read is. */
  readonly rate?: string;
}

/** A domain's vif behind its device. */
interface VifEnds {
  readonly netback: Netback;
  readonly netfront: Netfront;
}

/** Pages for input and output: every slot of a vif's rings, and those of ten disks. */
const IO_PAGES = 1024;

/** What a frame takes from a domU's ring to Dom0, about. */
const VIF_DELAY = 20;
/** EC2 2010: Xen's domids wrap before this. */
const DOMID_LIMIT = 32_752;

/** One host. {@link Zone.addHost} makes it. */
export class ZoneHost {
  readonly name: string;
  readonly dom0: Dom0;
  /** Memory, grants and events of the domains. */
  readonly hypervisor = new Hypervisor();
  readonly #services: ZoneServices;
  readonly #domains = new Map<string, Domain>();
  readonly #ends = new Map<Domain, VifEnds>();
  #nextDomid = 1;

  constructor(dom0: Dom0, services: ZoneServices) {
    this.name = dom0.name;
    this.dom0 = dom0;
    this.#services = services;
  }

  /** The running domains, in the order of their launch. */
  get domains(): Iterable<Domain> {
    return this.#domains.values();
  }

  /**
   * Start a domain: its vif comes online, then the domU boots.
   * @throws {OptionError} if a name, number, address or group cannot be used.
   */
  launch(options: LaunchOptions = {}): Domain {
    const services = this.#services;
    const now = services.now();
    const serial = services.serial(
      options.name === undefined ? null : serialOfDomain(options.name),
    );
    const address = services.privateAddress(options.privateAddress ?? null);
    const publicAddress =
      options.publicAddress === null ? null : services.publicAddress(options.publicAddress ?? null);
    const mac = options.mac ?? macFor(address);
    const vif = this.dom0.addVif(
      {
        domid: options.domid ?? this.#takeDomid(),
        domain: domainName(serial),
        mac,
        addresses: [address],
        publicAddress,
        securityGroups: options.securityGroups ?? ["default"],
        hostName: hostNameOf(mac),
      },
      now,
    );
    vif.device.machine = this.dom0;
    const isExternal = options.guest === "external";
    const guest = isExternal ? null : services.newGuest(domainName(serial), mac);
    const device = guest?.host.device ?? new Device({ name: "eth0", mac });
    const external = isExternal
      ? new ExternalVif(device, services.pool, () => services.now())
      : null;
    const ends = this.#plugVif(vif, device, options);
    const { netback } = ends;
    netback.device.machine = guest;
    const way = options.link ?? { delay: VIF_DELAY };
    services.connect(vif.device, netback.device, way, domainName(serial));
    const domain = new Domain({ serial, vif, guest, external });
    this.#domains.set(domain.name, domain);
    this.#ends.set(domain, ends);
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
    this.#unplugVif(domain, now);
    this.hypervisor.destroyDomain(domid);
    domain.guest?.host.device.attachCarrier(null);
    domain.guest?.host.router.removeInterface(domain.guest.host.device, now);
    this.dom0.removeVif(domain.backend, now);
    this.#services.onDestroy(this, domain);
    this.#services.reschedule(this.dom0);
  }

  /**
   * Map a public address to a domain instead of the one that it has: `address`, the plan's next, or
   * `null` for none.
   * @throws {OptionError} if the address is taken.
   */
  associate(domain: Domain, address?: Ipv4Addr | null): void {
    const services = this.#services;
    const taken = address === null ? null : services.publicAddress(address ?? null);
    services.onDisassociate(domain);
    this.dom0.associate(domain.backend, taken, services.now());
    services.onAssociate(this, domain);
    services.reschedule(this.dom0);
  }

  /** A new domain's memory, and both ends of its vif joined by rings. */
  #plugVif({ domid, device: vif }: Vif, device: Device, { rate }: LaunchOptions): VifEnds {
    const { hypervisor, dom0 } = this;
    const services = this.#services;
    const { pool } = services;
    const { netback: behaviour, netfront: frontBehaviour } = dom0.profile;
    const now = services.now();
    const { grants } = hypervisor.createDomain({ domid, pages: IO_PAGES });
    const onChange = (machine: Machine): void => services.reschedule(machine);
    const netback = new Netback({ domid, vif, pool, hypervisor, behaviour, onChange }, now);
    const netfront = new Netfront({ device, pool, grants, behaviour: frontBehaviour });
    services.drive(netback, true);
    joinVif({ hypervisor, netback, netfront, rate: parseRate(rate ?? "") }, now);
    return { netback, netfront };
  }

  #unplugVif(domain: Domain, now: Instant): void {
    const { netback, netfront } = this.#ends.get(domain) ?? {};
    this.#ends.delete(domain);
    netback?.disconnect(now);
    netfront?.close(now);
    if (netback !== undefined) this.#services.drive(netback, false);
  }

  #takeDomid(): number {
    const used = new Set([...this.#domains.values()].map(({ domid }) => domid));
    for (let tried = 1; tried < DOMID_LIMIT; tried += 1) {
      const domid = this.#nextDomid;
      this.#nextDomid = domid + 1 === DOMID_LIMIT ? 1 : domid + 1;
      if (!used.has(domid)) return domid;
    }
    throw new OptionError("domid", used.size, "a domid that is free");
  }
}
