/** The zone of a scenario: its machines by name. @module */
import { EmulatorError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type Duration, type Instant, MILLISECOND } from "../../base/time.ts";
import { formatIpv4, formatMac, type Ipv4Addr, parseIpv4 } from "../../wire/addr.ts";
import type { Device } from "../../wire/device.ts";
import type { Host } from "../../guest/host.ts";
import type { WayOptions } from "../../sim/link.ts";
import type { DiskSource } from "../../storage/disk-source.ts";
import type { Domain } from "../../zone/domain.ts";
import { Zone } from "../../zone/zone.ts";
import type { NamedOptions, ZoneHost } from "../../zone/zone-host.ts";
import { faultAt, InputError } from "../failure.ts";
import { isAddress } from "./address-text.ts";
import type { EventOf } from "./events.ts";
import { type DomainPlan, type LinkPlan, type Plan, plannedDomains } from "./plan.ts";
import { faultsOf } from "./read.ts";

/** Of 512 octets. */
const SECTORS_OF_GIB = 2 ** 21;

/** Of links that the scenario says something about, but no delay: as the zone has it. */
const VIF_DELAY: Duration = 20;
const UPLINK_DELAY: Duration = 150;
const INTERNET_DELAY: Duration = 10 * MILLISECOND;

/** What a run decides over the scenario. */
export interface WorldOptions {
  readonly plan: Plan;
  readonly seed: number;
  /** Packets whose way is remembered; 0 for none. */
  readonly traceLimit: number;
  readonly log: Logger;
  /** Microseconds since 1970 at the start of the run; the zone's. */
  readonly epoch?: number | undefined;
  /** Where disks lie; in memory. */
  readonly disks?: DiskSource | undefined;
}

/** A domain and the host that runs it. */
export interface Running {
  readonly host: ZoneHost;
  readonly domain: Domain;
  /** Where the file lets its vif be reached; `null` if it does not say. */
  readonly listen: string | null;
}

/** A zone with everything that the scenario starts with, except its domains. */
export class World {
  readonly zone: Zone;
  readonly #plan: Plan;
  readonly #domains = new Map<string, Running>();
  readonly #internet = new Map<string, Host>();
  readonly #hosts = new Map<string, ZoneHost>();

  /** @throws {InputError} for what only the zone can refuse, with the line. */
  constructor({ plan, seed, traceLimit, log, epoch, disks }: WorldOptions) {
    this.#plan = plan;
    const { profile } = plan;
    this.zone = new Zone({
      seed,
      profile,
      traceLimit,
      log,
      ...(epoch === undefined ? {} : { epoch }),
      ...(disks === undefined ? {} : { disks }),
    });
    this.#blame(1, "securityGroups", () => {
      const { securityGroups: groups } = this.zone;
      for (const name of plan.securityGroups.keys()) if (!groups.has(name)) groups.create(name);
      for (const [name, permissions] of plan.securityGroups) {
        this.zone.setSecurityGroup(name, permissions);
      }
    });
    this.zone.reserve(namedAddresses(plan));
    for (const [index, host] of plan.hosts.entries()) {
      const { name, privateAddress, externalAddress, link, ebtables } = host;
      const options = {
        name,
        ...(privateAddress === undefined ? {} : { privateAddress }),
        ...(externalAddress === undefined ? {} : { externalAddress }),
        ...(plan.vifMac === null ? {} : { vifMac: plan.vifMac }),
        ...(ebtables === undefined ? {} : { ebtables }),
        ...(link === undefined ? {} : { link: wayOf(link, UPLINK_DELAY) }),
      };
      const added = this.#blame(plan.lineOf(index), `hosts[${index}]`, () =>
        this.zone.addHost(options),
      );
      this.#hosts.set(name, added);
    }
    for (const { host, domain } of plannedDomains(plan)) {
      const { name = "" } = plan.hosts[host] ?? {};
      this.#hosts.get(name)?.reserve(namesOf(domain));
    }
    for (const { name, address, serves, link } of plan.internet) {
      const options = {
        name,
        address,
        echoPorts: serves === undefined || serves.includes("echo") ? [7] : [],
        ...(link === undefined ? {} : { link: wayOf(link, INTERNET_DELAY) }),
      };
      this.#internet.set(name, this.zone.addInternetHost(options));
    }
  }

  get hosts(): Iterable<ZoneHost> {
    return this.#hosts.values();
  }

  get internet(): Iterable<[string, Host]> {
    return this.#internet;
  }

  /** The domains that run, in the order of their launch. */
  get running(): Iterable<Running> {
    return this.#domains.values();
  }

  /** Start the domains of the hosts. @throws {InputError} as the constructor. */
  launchAll(onLaunch: (running: Running) => void): void {
    for (const [index, { name, domains }] of this.#plan.hosts.entries()) {
      for (const [at, domain] of domains.entries()) {
        const key = `hosts[${index}].domains[${at}]`;
        onLaunch(this.#blame(this.#plan.lineOf(index, at), key, () => this.launch(name, domain)));
      }
    }
  }

  /** Start a domain on the host called `name`. @throws {EmulatorError} if it cannot be. */
  launch(name: string, plan: DomainPlan): Running {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new EmulatorError("host", name, `there is no host "${name}"`);
    const { securityGroups, guest, onReboot, onCrash, link, rate, instanceStore } = plan;
    const domain = host.launch({
      ...namesOf(plan),
      ...(securityGroups === undefined ? {} : { securityGroups }),
      ...(guest === undefined ? {} : { guest }),
      ...(onReboot === undefined ? {} : { onReboot }),
      ...(onCrash === undefined ? {} : { onCrash }),
      ...(link === undefined ? {} : { link: wayOf(link, VIF_DELAY) }),
      ...(rate === undefined ? {} : { rate }),
      ...(instanceStore === undefined ? {} : { hasInstanceStore: instanceStore }),
    });
    for (const { device, path, gib } of plan.volumes ?? []) {
      host.attachVolume(domain, { dev: device, path, sectors: gib * SECTORS_OF_GIB });
    }
    const running = { host, domain, listen: plan.vif?.listen ?? null };
    this.#domains.set(domain.name, running);
    return running;
  }

  /**
   * Let a saved domain go on, on another host from now on.
   * @throws {EmulatorError} as {@link ZoneHost.restore}.
   */
  restore(name: string, hostName: string): void {
    const running = this.domain(name);
    const host = this.#hosts.get(hostName);
    if (host === undefined) throw new EmulatorError("host", hostName, `there is no "${hostName}"`);
    // Its listeners ask where it is as soon as it runs.
    this.#domains.set(name, { ...running, host });
    try {
      host.restore(running.domain, running.host);
    } catch (error) {
      const isMoved = [...host.domains].includes(running.domain);
      if (!isMoved) this.#domains.set(name, running);
      throw error;
    }
  }

  /** A domain ended: it is known no more. */
  forget(domain: Domain): void {
    if (this.#domains.get(domain.name)?.domain === domain) this.#domains.delete(domain.name);
  }

  /** Stop a domain: its guest gives the address back, its vif goes. @throws {EmulatorError} */
  shutdown(name: string, now: Instant): void {
    const { host, domain } = this.domain(name);
    domain.guest?.shutDown(now);
    host.destroy(domain);
    this.forget(domain);
  }

  /**
   * Map a public address to a domain, whoever had it before; `null` takes its own away.
   * @throws {EmulatorError} if the domain does not run.
   */
  associate(name: string, address: Ipv4Addr | null): void {
    const { host, domain } = this.domain(name);
    if (address !== null && address === domain.publicAddress) return;
    for (const other of this.#domains.values()) {
      const { publicAddress } = other.domain;
      if (publicAddress === null || publicAddress !== address) continue;
      other.host.associate(other.domain, null);
    }
    host.associate(domain, address);
  }

  /** @throws {EmulatorError} if the domain does not run. */
  domain(name: string): Running {
    const running = this.#domains.get(name);
    if (running !== undefined) return running;
    throw new EmulatorError("domain", name, `${name} is not running`);
  }

  /** The simulated host behind a name. @throws {EmulatorError} if it does not run. */
  machine(name: string): Host {
    const machine = this.#internet.get(name) ?? this.domain(name).domain.guest?.host;
    if (machine !== undefined) return machine;
    throw new EmulatorError("domain", name, `${name} is external: it runs no programs of ours`);
  }

  /**
   * The address that `name` has for `from`: between domUs the private one, for the outside the
   * public one, as EC2's names had it (docs/sources.md).
   * @throws {EmulatorError} if there is none.
   */
  addressOf(name: string, from: string): Ipv4Addr {
    if (isAddress(name)) return parseIpv4(name);
    const isOutside = this.#internet.has(from);
    const host = this.#hosts.get(name)?.dom0;
    if (host !== undefined) return isOutside ? host.externalAddress : host.privateAddress;
    const configured = this.#internet.get(name)?.configuration;
    if (configured !== undefined && configured !== null) return configured.address;
    const { domain } = this.domain(name);
    if (!isOutside) return domain.privateAddress;
    if (domain.publicAddress !== null) return domain.publicAddress;
    throw new EmulatorError("domain", name, `${name} has no public address`);
  }

  /** How people call the place of `device`: a vif, an uplink, a machine, or else its router. */
  nameOf(device: Device): string {
    for (const { host, domain } of this.#domains.values()) {
      if (device === domain.backend.device) return this.#prefixed(host, domain.backend.name);
      if (device === domain.guest?.host.device) return domain.name;
    }
    for (const host of this.#hosts.values()) {
      const { uplink, router, gateway } = host.dom0;
      if (device === uplink) return this.#prefixed(host, device.name);
      if (router.addressing.interfaces.has(device)) return this.#prefixed(host, "dom0");
      if (gateway.addressing.interfaces.has(device)) return this.#prefixed(host, "gateway");
    }
    for (const [name, host] of this.#internet) if (device === host.device) return name;
    return this.zone.fabric.router.addressing.interfaces.has(device) ? "fabric" : device.name;
  }

  /** A line of `explain` and of captures names the host only where there is more than one. */
  #prefixed(host: ZoneHost, name: string): string {
    return this.#hosts.size > 1 ? `${host.name}/${name}` : name;
  }

  /** Do `work`; what it refuses is wrong on that line. */
  #blame<T>(line: number, key: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof EmulatorError)) throw error;
      throw new InputError([faultAt({ file: this.#plan.file, line }, key, error.message)]);
    }
  }
}

/** Every address that a host, a domain or a step names: nobody else may be given it. */
function* namedAddresses({ hosts, internet, steps }: Plan): Iterable<Ipv4Addr> {
  for (const { privateAddress, externalAddress } of hosts) {
    if (privateAddress !== undefined) yield privateAddress;
    if (externalAddress !== undefined) yield externalAddress.address;
  }
  for (const { address } of internet) yield address;
  for (const { action } of steps) if (action.kind === "associate") yield action.address;
  for (const { domain } of plannedDomains({ hosts, steps })) {
    const { privateAddress, publicAddress = null } = domain;
    if (privateAddress !== undefined) yield privateAddress.address;
    if (publicAddress !== null) yield publicAddress;
  }
}

/** What of a domain is its alone, as far as the scenario names it. */
function namesOf({ name, domid, mac, privateAddress, publicAddress }: DomainPlan): NamedOptions {
  return {
    ...(name === undefined ? {} : { name }),
    ...(domid === undefined ? {} : { domid }),
    ...(mac === undefined ? {} : { mac }),
    ...(privateAddress === undefined ? {} : { privateAddress: privateAddress.address }),
    ...(publicAddress === undefined ? {} : { publicAddress }),
  };
}

/** A link as the scenario gives it; what it leaves out is as in the zone. */
function wayOf({ delay, bitsPerSecond, ...faults }: LinkPlan, usual: Duration): WayOptions {
  const rateBps = bitsPerSecond ?? null;
  return { delay: delay ?? usual, rateBps, faults: faultsOf(faults) };
}

/** What is told of a domain that was launched. */
export function domainEvent(
  { host, domain }: Running,
  step: number | null,
  at: Instant,
): EventOf<"domain"> {
  const { backend, publicAddress } = domain;
  return {
    event: "domain",
    at,
    step,
    host: host.name,
    name: domain.name,
    instanceId: domain.instanceId,
    vif: backend.name,
    mac: formatMac(domain.mac),
    privateAddress: formatIpv4(domain.privateAddress),
    publicAddress: publicAddress === null ? null : formatIpv4(publicAddress),
    securityGroups: backend.securityGroups,
    guest: domain.guest === null ? "external" : "simulated",
  };
}
