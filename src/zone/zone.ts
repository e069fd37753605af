/**
 * A zone: hosts, the fabric between them, the internet behind it, in one virtual time. Same seed,
 * same calls: the same frames, octet for octet.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type Logger, SILENT } from "../base/log.ts";
import type { Machine } from "../base/machine.ts";
import { Prng } from "../base/prng.ts";
import { DAY, type Duration, type Instant, parseDuration } from "../base/time.ts";
import {
  formatIpv4,
  type Ipv4Addr,
  ipv4Of,
  type Mac,
  macOf,
  parseIpv4,
  parsePrefix,
  type Prefix,
} from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import { type Observer, PacketPool } from "../wire/packet.ts";
import { Guest } from "../guest/guest.ts";
import { Host, type HostBehaviour } from "../guest/host.ts";
import type { FaultOptions } from "../sim/faults.ts";
import { Lanes } from "../sim/lane.ts";
import { Link, type WayOptions } from "../sim/link.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { type DiskSource, MemoryDisks } from "../storage/disk-source.ts";
import { Dom0 } from "../xen/dom0.ts";
import { EC2_2010, LINUX, type Profile, profileOf } from "../xen/profile.ts";
import type { Permission } from "../xen/permission.ts";
import { type SecurityGroupLimits, SecurityGroups } from "../xen/security-group.ts";
import { AddressPlan, blocksBeside } from "./address-plan.ts";
import { DHCP_SERVER, dhcpdText } from "./dhcpd-text.ts";
import type { Domain } from "./domain.ts";
import { Fabric } from "./fabric.ts";
import type { PacketStory } from "./packet-trace.ts";
import { ZoneCapture } from "./zone-capture.ts";
import { ZoneHost } from "./zone-host.ts";
import type { ZoneServices } from "./zone-services.ts";

/** What a zone may be told; every part has a default. */
export interface ZoneOptions {
  /** Decides every draw of chance: any integer below 2^53; 1. */
  readonly seed?: number;
  /** "ec2-2010" or "linux", or a profile of your own. */
  readonly profile?: "ec2-2010" | "linux" | Profile;
  /** Packets whose way is remembered for {@link Zone.explain}; 4,096, 0 for none. */
  readonly traceLimit?: number;
  /** Frames that may be alive at once; 4,096. */
  readonly packetSlots?: number;
  /** How many groups and permissions there may be; those of 2008. */
  readonly securityGroupLimits?: SecurityGroupLimits;
  /** Hears what Dom0 does; silent. */
  readonly log?: Logger;
  /** Microseconds since 1970 at instant 0, for captures and timestamps; 2010-02-01T00:00:00Z. */
  readonly epoch?: number;
  /** Where disks lie; in memory. */
  readonly disks?: DiskSource;
}

/** What a host may decide; the zone's plan decides the rest. */
export interface HostOptions {
  readonly name?: string;
  readonly privateAddress?: Ipv4Addr;
  /** With its prefix length; 216.182.232.10/20 for the first host. */
  readonly externalAddress?: Prefix;
  /** 2. */
  readonly routers?: 1 | 2;
  /** The vifs' address instead of the profile's. */
  readonly vifMac?: Mac;
  readonly hasAntiSpoof?: boolean;
  readonly hasSecurityGroups?: boolean;
  /** Rules about the vifs' frames as `ebtables-save` prints them; none. */
  readonly ebtables?: string;
  /** How long dhcpd is deaf when it is restarted; a second. */
  readonly dhcpdStartTime?: Duration;
  /** Of the whole host, Dom0's gigabyte among it; more than enough. */
  readonly memoryKib?: number;
  /** The way to the fabric; 150 microseconds each way. */
  readonly link?: WayOptions;
}

/** What an internet host does. */
export interface InternetHostOptions {
  readonly name: string;
  readonly address: Ipv4Addr;
  /** UDP ports that echo; port 7. */
  readonly echoPorts?: readonly number[];
  /** The way to the fabric; 10 ms each way. */
  readonly link?: WayOptions;
}

/** 2010-02-01T00:00:00Z, the day of the seed document. */
const DEFAULT_EPOCH = 1_264_982_400_000_000;
/** The seed document's domain; the next ones count up from it. */
const FIRST_SERIAL = 32_504_936;
const FABRIC_ADDRESS = parseIpv4("216.182.232.1");
const FIRST_EXTERNAL = parseIpv4("216.182.232.10");
const EXTERNAL_LENGTH = 20;
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
  readonly #lanes = new Lanes(this.#scheduler);
  readonly #log: Logger;
  readonly #epoch: number;
  readonly #disks: DiskSource;
  readonly #plan = new AddressPlan(parsePrefix("10.254.168.0/21"), parsePrefix("75.101.160.0/20"));
  readonly #serials = new Set<number>();
  /** By the name of the domain, the host (its uplink) or the internet host. */
  readonly #links = new Map<string, Link>();
  readonly #hosts = new Map<string, ZoneHost>();
  readonly #internet = new Map<string, Host>();
  #nextSerial = FIRST_SERIAL;

  constructor(options: ZoneOptions = {}) {
    const { seed = 1, traceLimit = 4096, packetSlots = 4096, log = SILENT } = options;
    this.seed = seed;
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
    const name =
      options.name ?? `host-${String.fromCharCode(97 + (index % 26))}${index < 26 ? "" : index}`;
    if (this.#hosts.has(name)) throw new OptionError("name", name, "a name that no other host has");
    const privateAddress = this.#take("privateAddress", options.privateAddress, () =>
      this.#plan.nextHost(),
    );
    const external = options.externalAddress ?? {
      address: ipv4Of(FIRST_EXTERNAL + index),
      length: EXTERNAL_LENGTH,
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
    this.#connect(dom0.uplink, far, options.link ?? { delay: UPLINK_DELAY }, name);
    this.fabric.route({ address: privateAddress, length: 32 }, external.address);
    this.#scheduler.add(dom0);
    const host = new ZoneHost(dom0, this.#services(), options.memoryKib);
    this.#hosts.set(name, host);
    this.capture.addDevice(dom0.uplink, this.now, {
      description: `uplink of ${name}`,
      addresses: [{ address: external.address, length: external.length }],
    });
    this.capture.name(privateAddress, `${name}.internal`);
    this.capture.name(external.address, `${name}.external`);
    return host;
  }

  /** Add a host to the simulated internet. @throws {OptionError} if its address is taken. */
  addInternetHost(options: InternetHostOptions): Host {
    const { name, address } = options;
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
    const { device, gateway } = this.fabric.addInternetHost(address, name);
    device.machine = this.fabric.router;
    host.device.machine = host;
    this.#connect(host.device, device, options.link ?? { delay: INTERNET_DELAY }, name);
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
    const link = this.#links.get(name);
    if (link === undefined) throw new OptionError("name", name, [...this.#links.keys()].join(", "));
    link.toRight.setFaults(faults);
    link.toLeft.setFaults(faults);
  }

  /** Let `observer` see every frame and every end, beside captures. */
  observe(observer: Observer): void {
    this.capture.observe(observer);
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
      serial: (wanted) => this.#takeSerial(wanted),
      privateAddress: (wanted) =>
        this.#take("privateAddress", wanted ?? undefined, () => this.#plan.nextGuest()),
      publicAddress: (wanted) =>
        this.#take("publicAddress", wanted ?? undefined, () => this.#plan.nextPublic()),
      newGuest: (name, mac) => this.#newGuest(name, mac),
      connect: (left, right, way, name) => this.#connect(left, right, way, name),
      drive: (machine, isDriven) =>
        isDriven ? this.#scheduler.add(machine) : this.#scheduler.remove(machine),
      reschedule: (machine) => this.#scheduler.reschedule(machine),
      onLaunch: (host, domain) => this.#onLaunch(host, domain),
      onAssociate: (host, domain) => this.#onAssociate(host, domain),
      onDisassociate: (domain) => this.#onDisassociate(domain),
      onDestroy: (_host, domain) => this.#onDestroy(domain),
    };
  }

  #newGuest(name: string, mac: Mac): Guest {
    const reschedule = (machine: Machine): void => this.#scheduler.reschedule(machine);
    const guest = new Guest({
      name,
      mac,
      pool: this.pool,
      behaviour: hostBehaviour(this.profile),
      client: this.profile.dhcpClient,
      chance: new Prng(this.seed, name),
      epoch: this.#epoch,
      onChange: reschedule,
    });
    guest.host.device.machine = guest;
    this.#scheduler.add(guest);
    return guest;
  }

  #onLaunch(host: ZoneHost, domain: Domain): void {
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

  #onAssociate({ dom0 }: ZoneHost, { publicAddress, name }: Domain): void {
    if (publicAddress === null) return;
    this.capture.name(publicAddress, `${name}.public`);
    this.fabric.route({ address: publicAddress, length: 32 }, dom0.externalAddress);
  }

  #onDisassociate({ publicAddress }: Domain): void {
    if (publicAddress === null) return;
    this.#plan.release(publicAddress);
    this.fabric.unroute({ address: publicAddress, length: 32 });
  }

  #onDestroy(domain: Domain): void {
    if (domain.guest !== null) this.#scheduler.remove(domain.guest);
    this.#plan.release(domain.privateAddress);
    this.fabric.unroute({ address: domain.privateAddress, length: 32 });
    this.#links.delete(domain.name);
    this.#onDisassociate(domain);
  }

  #connect(left: Device, right: Device, way: WayOptions, name: string): void {
    const { seed } = this;
    this.#links.set(name, new Link({ lanes: this.#lanes, left, right, toRight: way, name, seed }));
  }

  #take(option: string, wanted: Ipv4Addr | undefined, next: () => Ipv4Addr): Ipv4Addr {
    if (wanted === undefined) return next();
    if (this.#plan.reserve(wanted)) return wanted;
    throw new OptionError(option, formatIpv4(wanted), "an address that nobody else has");
  }

  #takeSerial(wanted: number | null): number {
    const serial = wanted ?? this.#nextSerial;
    if (this.#serials.has(serial)) {
      throw new OptionError("name", serial, "a number that no other domain has");
    }
    this.#serials.add(serial);
    this.#nextSerial = Math.max(this.#nextSerial, serial + 1);
    return serial;
  }
}

/** A domU, or a host outside, with the kernel of a profile. */
const hostBehaviour = ({ router, sockets, echoesEcnInResets }: Profile): HostBehaviour => ({
  router,
  sockets,
  echoesEcn: echoesEcnInResets,
});
