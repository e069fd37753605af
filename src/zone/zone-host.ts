/** A host of a zone: its Dom0, its link to the fabric, and the domains that it runs. @module */
import { OptionError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { type Ipv4Addr, type Mac, maskOf } from "../wire/addr.ts";
import type { WayOptions } from "../sim/link.ts";
import type { Dom0 } from "../xen/dom0.ts";
import { DomainError } from "../xen/hypervisor/domain-error.ts";
import { ShutdownReason } from "../xen/hypervisor/domain-table.ts";
import type { Hypervisor } from "../xen/hypervisor/hypervisor.ts";
import { virtualDevice } from "../xen/toolstack/device-path.ts";
import { checkRates } from "../xen/toolstack/vif-rate.ts";
import type { GuestDisk } from "../xen/toolstack/vbd-rings.ts";
import type { XenHost } from "../xen/toolstack/xen-host.ts";
import type { XenStore } from "../xen/xenstore/store.ts";
import { blocksBeside } from "./address-plan.ts";
import type { Domain } from "./domain.ts";
import type { DomainEvent } from "./domain-event.ts";
import { DomainLife } from "./domain-life.ts";
import type { Identity, WantedIdentity } from "./identities.ts";
import { HostDomains, type HostDomainsOptions } from "./host-domains.ts";
import { domainName, hostNameOf, serialOfDomain } from "./naming.ts";
import type { DomainPlan, OnlineVif, ShutdownActions, VmListener, VolumeOptions } from "./vm.ts";
import type { ZoneServices } from "./zone-services.ts";

/** What a launch may decide; the zone's plan decides the rest. */
export interface LaunchOptions extends ShutdownActions {
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

/** What of a launch is one domain's alone. */
export type NamedOptions = Pick<
  LaunchOptions,
  "name" | "domid" | "mac" | "privateAddress" | "publicAddress"
>;

/** What a frame takes from a domU's ring to Dom0, about. */
const VIF_DELAY = 20;

/** One host. {@link Zone.addHost} makes it. */
export class ZoneHost {
  readonly name: string;
  readonly dom0: Dom0;
  readonly #services: ZoneServices;
  /** Hypervisor, store, toolstack and disks. */
  readonly #below: HostDomains;
  readonly #lives = new Map<string, DomainLife>();

  constructor(dom0: Dom0, services: ZoneServices, options: HostDomainsOptions = {}) {
    this.name = dom0.name;
    this.dom0 = dom0;
    this.#services = services;
    this.#below = new HostDomains(dom0, services, this.#listener(), options);
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

  /** The domains that are not gone, in the order of their coming. */
  get domains(): Iterable<Domain> {
    return [...this.#lives.values()].map(({ domain }) => domain);
  }

  /**
   * Keep what later launches will name for them: others are not given it, whatever comes first.
   * What is not kept so is drawn in the order of the launches, and a launch that names what was
   * drawn before is refused.
   */
  reserve(options: NamedOptions): void {
    this.#services.keep(wantedOf(options));
    if (options.domid !== undefined) this.xen.table.keep(options.domid);
  }

  /**
   * Start a domain: its vif comes online, then the domU boots. It has what `options` names; the
   * rest is drawn, and is nobody else's.
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
    const identity = services.identify(wantedOf(options), this.dom0.privateAddress);
    const { serial, mac, privateAddress, publicAddress } = identity;
    const name = domainName(serial);
    const life = new DomainLife(
      {
        serial,
        mac,
        privateAddress,
        isExternal: options.guest === "external",
        way: options.link ?? { delay: VIF_DELAY },
        stateOf: () => this.#below.stateOf(name),
      },
      services,
    );
    const { onPoweroff, onReboot, onCrash } = options;
    const online = this.#build(life, identity, {
      name,
      domid,
      vif: {
        mac,
        addresses: [privateAddress],
        publicAddress,
        securityGroups: options.securityGroups ?? ["default"],
        hostName: hostNameOf(mac),
      },
      boot: (isResumed) => life.boot(isResumed),
      hasInstanceStore: options.hasInstanceStore ?? true,
      rate,
      actions: {
        ...(onPoweroff === undefined ? {} : { onPoweroff }),
        ...(onReboot === undefined ? {} : { onReboot }),
        ...(onCrash === undefined ? {} : { onCrash }),
      },
    });
    this.#lives.set(name, life);
    this.#join(life, online);
    life.start(now);
    return life.domain;
  }

  /** Stop a domain at once: its vif goes offline, its addresses are free again. */
  destroy(domain: Domain): void {
    if (this.#lives.get(domain.name)?.domain !== domain) return;
    this.#below.destroy(domain.name, this.#services.now());
  }

  /**
   * Ask the guest to shut down, by its node `control/shutdown` (`xm shutdown`, `xm reboot`). What
   * comes then is what the domain was launched with: `onPoweroff` or `onReboot`.
   * @throws {DomainError} if it does not run.
   */
  shutdown(domain: Domain, request: "poweroff" | "reboot"): void {
    this.#domidOf(domain);
    this.xen.requestShutdown(domain.domid, request, this.#services.now());
  }

  /** The guest crashes; what comes then is its `onCrash`. @throws as {@link shutdown}. */
  crash(domain: Domain): void {
    const domid = this.#domidOf(domain);
    this.xen.guestShutdown(domid, ShutdownReason.Crash, this.#services.now());
  }

  /** Hold a domain: nothing of its guest runs. Holds nest. @throws as {@link shutdown}. */
  pause(domain: Domain): void {
    this.xen.pause(this.#domidOf(domain), this.#services.now());
  }

  /** Let go of one hold. @throws as {@link shutdown}, and if it is not held. */
  unpause(domain: Domain): void {
    this.xen.unpause(this.#domidOf(domain), this.#services.now());
  }

  /**
   * Make an image of a domain, which keeps its addresses and its disks, and no more (`xm save`).
   * @throws as {@link shutdown}, and if it is paused.
   */
  save(domain: Domain): void {
    this.#domidOf(domain);
    this.#below.save(domain.name, this.#services.now());
  }

  /**
   * Let a saved domain go on, the same guest behind another vif (`xm restore`). One without disks
   * may have been saved on another host of the zone, beside which its address lies.
   * @throws {DomainError} if it is not saved, or there is no room: it is saved then as before.
   * @param from the host that saved it; this one.
   */
  restore(domain: Domain, from: ZoneHost = this): void {
    const now = this.#services.now();
    const { name } = domain;
    const life = from.#lives.get(name);
    if (life?.domain !== domain) throw new OptionError("domain", name, "a domain of the host");
    if (from !== this) this.#moveIn(life, from);
    this.#below.restore(name, now);
  }

  /**
   * Attach an EBS volume to a running domain, as the network block device that Dom0 imported.
   * @throws {OptionError} or {EmulatorError} if a name is none, or taken, or the domain ended.
   */
  attachVolume(domain: Domain, volume: VolumeOptions): void {
    this.#below.attachVolume(domain.name, volume, this.#services.now());
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
    if (this.#lives.get(domain.name)?.domain !== domain) {
      throw new OptionError("domain", domain.name, "a domain of this host");
    }
    const services = this.#services;
    const taken = address === null ? null : services.publicAddress(address);
    services.onDisassociate(domain);
    this.dom0.associate(domain.backend, taken, services.now());
    services.onAssociate(this, domain);
    services.reschedule(this.dom0);
  }

  #build(life: DomainLife, identity: Identity, plan: DomainPlan): OnlineVif {
    try {
      return this.#below.launch(plan, this.#services.now());
    } catch (error) {
      life.halt();
      this.#services.unidentify(identity);
      throw error;
    }
  }

  /** @throws {DomainError} if it is no domain of this host now. */
  #domidOf({ name }: Domain): number {
    const domid = this.#below.domidOf(name);
    if (this.xen.find(domid)?.name === name) return domid;
    throw new DomainError("domain-state", this.#below.stateOf(name), "a running domain");
  }

  /** A saved domain is this host's from now on. */
  #moveIn(life: DomainLife, from: ZoneHost): void {
    const { name, privateAddress } = life.domain;
    const isBeside = blocksBeside(this.dom0.privateAddress).some(
      ({ address, length }) => (address ^ (privateAddress & maskOf(length))) === 0,
    );
    if (!isBeside) throw new OptionError("host", this.name, "a host beside the domain's address");
    const saved = from.#below.release(name, this.#services.now());
    from.#lives.delete(name);
    this.#below.adopt(saved);
    this.#lives.set(name, life);
    life.move(() => this.#below.stateOf(name));
  }

  /** Plug the domU into its vif. */
  #join(life: DomainLife, { vif, netback }: OnlineVif): void {
    vif.device.machine = this.dom0;
    life.join(vif, netback);
    this.#services.onOnline(this, life.domain);
    this.#services.reschedule(this.dom0);
  }

  #listener(): VmListener {
    const tell = (name: string, now: Instant, what: EventParts): void => {
      const { domain } = this.#lives.get(name) ?? {};
      if (domain !== undefined) this.#services.onEvent({ host: this, domain, now, ...what });
    };
    return {
      started: (name, online, now) => {
        const life = this.#lives.get(name);
        if (life === undefined) return;
        this.#join(life, online);
        life.start(now);
        tell(name, now, { kind: "started" });
      },
      paused: (name, isPaused, now) => {
        if (this.#lives.get(name)?.pause(isPaused) !== true) return;
        tell(name, now, { kind: isPaused ? "paused" : "unpaused" });
      },
      halted: (name, now) => {
        this.#lives.get(name)?.halt();
        tell(name, now, { kind: "halted" });
      },
      offline: (name) => {
        const life = this.#lives.get(name);
        if (life === undefined) return;
        this.#services.onOffline(life.domain);
        life.unplug();
        this.#services.reschedule(this.dom0);
      },
      ended: (name, now) => {
        const life = this.#lives.get(name);
        if (life === undefined) return;
        this.#lives.delete(name);
        life.end(now);
        this.#services.onDestroy(life.domain);
        this.#services.reschedule(this.dom0);
        this.#services.onEvent({ host: this, domain: life.domain, now, kind: "ended" });
      },
      dumped: (name, path, memory, now) => tell(name, now, { kind: "dumped", path, memory }),
    };
  }
}

/** @throws {ParseError} if the name is none. */
function wantedOf({ name, mac, privateAddress, publicAddress }: NamedOptions): WantedIdentity {
  const serial = name === undefined ? undefined : serialOfDomain(name);
  return { serial, mac, privateAddress, publicAddress };
}

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;
/** What is told beside host, domain and time. */
type EventParts = Without<DomainEvent, "host" | "domain" | "now">;
