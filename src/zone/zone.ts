/**
 * A zone: hosts, the fabric between them, the internet behind it, in one virtual time. Same seed,
 * same calls: the same frames, octet for octet.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type Logger, SILENT } from "../base/log.ts";
import type { Machine } from "../base/machine.ts";
import { Prng } from "../base/prng.ts";
import { DAY, type Instant, parseDuration } from "../base/time.ts";
import { type Ipv4Addr, ipv4Of, type Mac, macOf, maskOf, parseIpv4 } from "../wire/addr.ts";
import { type Observer, PacketPool } from "../wire/packet.ts";
import { Guest } from "../guest/guest.ts";
import { Host, type HostBehaviour } from "../guest/host.ts";
import type { FaultOptions } from "../sim/faults.ts";
import { Lanes } from "../sim/lane.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { type DiskSource, MemoryDisks } from "../storage/disk-source.ts";
import { Dom0 } from "../xen/dom0.ts";
import { EC2_2010, LINUX, type Profile, profileOf } from "../xen/profile.ts";
import type { Permission } from "../xen/permission.ts";
import { SecurityGroups } from "../xen/security-group.ts";
import { blocksBeside, ZONE_ADDRESSES } from "./address-plan.ts";
import { DHCP_SERVER, dhcpdText } from "./dhcpd-text.ts";
import type { Domain } from "./domain.ts";
import type { DomainEvent } from "./domain-event.ts";
import { Fabric, FABRIC_ADDRESS } from "./fabric.ts";
import { Identities } from "./identities.ts";
import { nextHostName } from "./naming.ts";
import type { PacketStory } from "./packet-trace.ts";
import { ZoneCapture } from "./zone-capture.ts";
import { ZoneHost } from "./zone-host.ts";
import { ZoneLinks } from "./zone-links.ts";
import type { HostOptions, InternetHostOptions, ZoneOptions } from "./zone-options.ts";
import type { ZoneServices } from "./zone-services.ts";

/** 2010-02-01T00:00:00Z, the day of the seed document. */
const DEFAULT_EPOCH = 1_264_982_400_000_000;
const FIRST_EXTERNAL = parseIpv4("216.182.232.10");
const EXTERNAL_LENGTH = 20;
/** Hosts that find an address on the fabric. */
const EXTERNALS = 4000;
const UPLINK_MAC = 0x0200_0000_0002;
const INTERNET_MAC = 0x0200_0000_8000;
const UPLINK_DELAY = 150;
const INTERNET_DELAY = 10_000;

/** Hosts, fabric and internet, and the time that they share. */
export class Zone {
  readonly seed: number;
  readonly profile: Profile;
  readonly pool: PacketPool;
  readonly securityGroups: SecurityGroups;
  readonly fabric: Fabric;
  readonly capture: ZoneCapture;
  readonly #scheduler = new Scheduler();
  readonly #log: Logger;
  readonly #epoch: number;
  readonly #disks: DiskSource;
  readonly #identities = new Identities(ZONE_ADDRESSES);
  readonly #links: ZoneLinks;
  readonly #hosts = new Map<string, ZoneHost>();
  readonly #internet = new Map<string, Host>();
  /** The fabric's addresses, by the block of internet hosts that they are the gateways of. */
  readonly #gateways = new Map<Ipv4Addr, Ipv4Addr>();
  readonly #listeners: ((event: DomainEvent) => void)[] = [];

  constructor(options: ZoneOptions = {}) {
    const { seed = 1, traceLimit = 4096, packetSlots = 4096, log = SILENT } = options;
    this.seed = seed;
    this.#links = new ZoneLinks(new Lanes(this.#scheduler), seed);
    this.profile = profileOf(options.profile ?? EC2_2010);
    this.#epoch = options.epoch ?? DEFAULT_EPOCH;
    this.#disks = options.disks ?? new MemoryDisks();
    this.#log = log;
    this.securityGroups = new SecurityGroups(options.securityGroupLimits);
    this.pool = new PacketPool({ slots: packetSlots });
    this.capture = new ZoneCapture(this.pool, this.#epoch, traceLimit);
    this.fabric = new Fabric({
      pool: this.pool,
      behaviour: LINUX.router,
      chance: new Prng(seed, "fabric"),
      address: FABRIC_ADDRESS,
    });
    this.#identities.addresses.take(FABRIC_ADDRESS);
    this.#scheduler.add(this.fabric.router);
  }

  /** Microseconds since the zone began. */
  get now(): Instant {
    return this.#scheduler.now;
  }

  /** What drives everything here; an outside clock may drive it instead of {@link Zone.run}. */
  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  get hosts(): Iterable<ZoneHost> {
    return this.#hosts.values();
  }

  /** The simulated internet's hosts. */
  get internetHosts(): Iterable<Host> {
    return this.#internet.values();
  }

  /**
   * Add a host with its Dom0, plugged into the fabric.
   * @throws {OptionError} if a name or an address is taken.
   */
  addHost(options: HostOptions = {}): ZoneHost {
    const index = this.#hosts.size;
    const name = options.name ?? nextHostName(index, (one) => this.#hasName(one));
    this.#checkName(name);
    const identities = this.#identities;
    const { addresses } = identities;
    const privateAddress = identities.address("privateAddress", options.privateAddress, () =>
      addresses.nextHost(),
    );
    const { externalAddress } = options;
    const external = {
      address: identities.address("externalAddress", externalAddress?.address, () =>
        addresses.nextFrom(ipv4Of(FIRST_EXTERNAL + index), EXTERNALS - index),
      ),
      length: externalAddress?.length ?? EXTERNAL_LENGTH,
    };
    const guestBlocks = blocksBeside(privateAddress);
    const { routers, vifMac, hasAntiSpoof, hasSecurityGroups, ebtables, dhcpdStartTime } = options;
    const dom0 = new Dom0({
      name,
      pool: this.pool,
      profile: this.profile,
      chance: new Prng(this.seed, name),
      privateAddress,
      uplink: {
        mac: macOf(UPLINK_MAC + index * 0x100),
        address: external.address,
        length: external.length,
        gateway: FABRIC_ADDRESS,
      },
      securityGroups: this.securityGroups,
      dhcpServerAddress: DHCP_SERVER,
      dhcpdConf: dhcpdText(privateAddress, guestBlocks),
      midnightOffset: this.#epoch % DAY,
      log: this.#log.child({ host: name }),
      ...(routers === undefined ? {} : { routers }),
      ...(vifMac === undefined ? {} : { vifMac }),
      ...(hasAntiSpoof === undefined ? {} : { hasAntiSpoof }),
      ...(hasSecurityGroups === undefined ? {} : { hasSecurityGroups }),
      ...(ebtables === undefined ? {} : { ebtables }),
      ...(dhcpdStartTime === undefined ? {} : { dhcpdStartTime }),
    });
    const far = this.fabric.addHost(external.address, name);
    dom0.uplink.machine = dom0;
    far.machine = this.fabric.router;
    this.#links.connect(dom0.uplink, far, options.link ?? { delay: UPLINK_DELAY }, name);
    this.fabric.route({ address: privateAddress, length: 32 }, external.address);
    this.#scheduler.add(dom0);
    const host = new ZoneHost(dom0, this.#services(), options);
    this.#hosts.set(name, host);
    this.capture.addDevice(dom0.uplink, this.now, {
      description: `uplink of ${name}`,
      addresses: [{ address: external.address, length: external.length }],
    });
    this.capture.name(privateAddress, `${name}.internal`);
    this.capture.name(external.address, `${name}.external`);
    return host;
  }

  /**
   * Keep addresses for hosts, domains and associations that will name them: nobody else is given
   * them, whatever comes first. {@link ZoneHost.reserve} does it for all that a launch names.
   */
  reserve(addresses: Iterable<Ipv4Addr>): void {
    for (const address of addresses) this.#identities.addresses.keep(address);
  }

  /**
   * Add a host to the simulated internet.
   * @throws {OptionError} if its name or its address is taken.
   */
  addInternetHost(options: InternetHostOptions): Host {
    const { name, address } = options;
    this.#checkName(name);
    this.#identities.address("address", address, () => address);
    const host = new Host({
      name,
      mac: macOf(INTERNET_MAC + this.#internet.size),
      pool: this.pool,
      behaviour: hostBehaviour(LINUX),
      chance: new Prng(this.seed, name),
      epoch: this.#epoch,
      onChange: (machine) => this.#scheduler.reschedule(machine),
      ...(options.echoPorts === undefined ? {} : { echoPorts: options.echoPorts }),
    });
    const gateway = this.#gatewayOf(address);
    const device = this.fabric.addInternetHost(address, gateway, name);
    device.machine = this.fabric.router;
    host.device.machine = host;
    this.#links.connect(host.device, device, options.link ?? { delay: INTERNET_DELAY }, name);
    this.#scheduler.add(host);
    host.configure({ address, length: 24, gateway }, this.now);
    this.#internet.set(name, host);
    this.capture.name(address, name);
    return host;
  }

  /**
   * Define or change a security group; running domains meet it at once.
   * @throws {SecurityGroupError} as {@link SecurityGroups.define}.
   */
  setSecurityGroup(name: string, permissions: readonly Permission[]): void {
    this.securityGroups.define(name, permissions);
  }

  /**
   * Let things go wrong, both ways, on the link of a domain, a host (its uplink) or an internet
   * host, from now on; `null` for nothing.
   * @throws {OptionError} if nobody has that name, or a fault is out of range.
   */
  setFaults(name: string, faults: FaultOptions | null): void {
    this.#links.setFaults(name, faults);
  }

  /** Let `observer` see every frame and every end, beside captures. */
  observe(observer: Observer): void {
    this.capture.observe(observer);
  }

  /** Hear what becomes of domains from now on; domains that are launched later among them. */
  onDomain(listener: (event: DomainEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** Call `callback` at an instant of the run. */
  at(when: Instant | string, callback: (now: Instant) => void): void {
    this.#scheduler.at(typeof when === "string" ? parseDuration(when) : when, callback);
  }

  /**
   * Run until an instant, given as microseconds or as "5s", in virtual time.
   * @throws {ParseError} or {RangeFault} if the instant cannot be read, or is past.
   */
  async run({ until }: { readonly until: Instant | string }): Promise<void> {
    this.#scheduler.runUntil(typeof until === "string" ? parseDuration(until) : until);
    await Promise.resolve();
  }

  /** The way of a packet, step by step; `null` if nothing is remembered of it. */
  explain(packetId: number): PacketStory | null {
    return this.capture.trace?.find(packetId) ?? null;
  }

  /** End the capture. The zone can go on without it. */
  close(): void {
    this.capture.close(this.now);
  }

  #services(): ZoneServices {
    return {
      now: () => this.now,
      pool: this.pool,
      seed: this.seed,
      epoch: this.#epoch,
      disks: this.#disks,
      identify: (wanted, beside) => this.#identities.take(wanted, beside),
      unidentify: (identity) => this.#identities.release(identity, true),
      keep: (wanted) => this.#identities.keep(wanted),
      publicAddress: (wanted) => this.#identities.publicAddress(wanted),
      newGuest: (name, mac, stream) => this.#newGuest(name, mac, stream),
      connect: (left, right, way, name) => this.#links.connect(left, right, way, name),
      drive: (machine, isDriven) =>
        isDriven ? this.#scheduler.add(machine) : this.#scheduler.remove(machine),
      reschedule: (machine) => this.#scheduler.reschedule(machine),
      onOnline: (host, domain) => this.#onOnline(host, domain),
      onOffline: (domain) => this.#onOffline(domain),
      onAssociate: (host, domain) => this.#onAssociate(host, domain),
      onDisassociate: (domain) => this.#onDisassociate(domain),
      onDestroy: (domain) => this.#onDestroy(domain),
      onEvent: (event) => {
        for (const listener of this.#listeners) listener(event);
      },
    };
  }

  #hasName(name: string): boolean {
    return this.#hosts.has(name) || this.#internet.has(name);
  }

  #checkName(name: string): void {
    if (this.#hasName(name)) throw new OptionError("name", name, "a name that nobody else has");
  }

  /** The fabric's address for an internet host: one for each /24, the first that is nobody's. */
  #gatewayOf(address: Ipv4Addr): Ipv4Addr {
    const block = ipv4Of(address & maskOf(24));
    const known = this.#gateways.get(block);
    if (known !== undefined) return known;
    const gateway = this.#identities.addresses.nextFrom(ipv4Of(block + 1), 254);
    this.#gateways.set(block, gateway);
    return gateway;
  }

  #newGuest(name: string, mac: Mac, stream: string): Guest {
    const reschedule = (machine: Machine): void => this.#scheduler.reschedule(machine);
    const guest = new Guest({
      name,
      mac,
      pool: this.pool,
      behaviour: hostBehaviour(this.profile),
      client: this.profile.dhcpClient,
      chance: new Prng(this.seed, stream),
      epoch: this.#epoch,
      onChange: reschedule,
    });
    guest.host.device.machine = guest;
    this.#scheduler.add(guest);
    return guest;
  }

  #onOnline(host: ZoneHost, domain: Domain): void {
    const { backend, name, privateAddress } = domain;
    this.capture.addDevice(backend.device, this.now, {
      name: this.#hosts.size > 1 ? `${host.name}/${backend.name}` : backend.name,
      description: `Dom0's end of ${name}`,
      addresses: [{ address: host.dom0.privateAddress, length: 32 }],
    });
    this.capture.name(privateAddress, name);
    this.fabric.route({ address: privateAddress, length: 32 }, host.dom0.externalAddress);
    this.#onAssociate(host, domain);
  }

  #onOffline({ backend, privateAddress, publicAddress }: Domain): void {
    this.capture.removeDevice(backend.device);
    this.fabric.unroute({ address: privateAddress, length: 32 });
    if (publicAddress !== null) this.fabric.unroute({ address: publicAddress, length: 32 });
  }

  #onAssociate({ dom0 }: ZoneHost, { publicAddress, name, isOnline }: Domain): void {
    if (publicAddress === null) return;
    this.capture.name(publicAddress, `${name}.public`);
    if (!isOnline) return;
    this.fabric.route({ address: publicAddress, length: 32 }, dom0.externalAddress);
  }

  #onDisassociate({ publicAddress }: Domain): void {
    if (publicAddress === null) return;
    this.#identities.addresses.release(publicAddress);
    this.capture.forgetName(publicAddress);
    this.fabric.unroute({ address: publicAddress, length: 32 });
  }

  #onDestroy(domain: Domain): void {
    const { name, serial, mac, privateAddress } = domain;
    this.#onDisassociate(domain);
    this.#identities.release({ serial, mac, privateAddress, publicAddress: null }, false);
    this.capture.forgetName(privateAddress);
    this.#links.delete(name);
  }
}

/** A domU, or a host outside, with the kernel of a profile. */
const hostBehaviour = ({ router, sockets, echoesEcnInResets }: Profile): HostBehaviour => ({
  router,
  sockets,
  echoesEcn: echoesEcnInResets,
});
