/**
 * Dom0: composition of what a host's network is made of. Two routers, as the seed document's
 * traceroute shows them: one with the private address, where the vifs are, and a NAT gateway with
 * the external address; or one router alone, as an ordinary Linux Dom0 has it.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type Logger, SILENT } from "../base/log.ts";
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import type { Duration, Instant } from "../base/time.ts";
import {
  formatIpv4,
  type Ipv4Addr,
  ipv4Of,
  type Mac,
  macOf,
  maskOf,
  type Prefix,
} from "../wire/addr.ts";
import { Device, PatchCable } from "../wire/device.ts";
import type { PacketPool } from "../wire/packet.ts";
import { Ebtables } from "../filter/ebtables/ebtables.ts";
import type { LogSink, PacketLog } from "../filter/services.ts";
import { Protocol } from "../l3/ipv4.ts";
import { newRoute, type RouteOptions } from "../l3/route-table.ts";
import { Router } from "../l3/router.ts";
import { TcpReset } from "../l4/tcp-reset.ts";
import { TCP_SEGMENTER } from "../l4/tcp-segmentation.ts";
import { UdpLayer } from "../l4/udp-layer.ts";
import { UdpLiteRefusal } from "../l4/udp-lite-refusal.ts";
import { DhcpdService } from "./dhcpd-service.ts";
import { Firewall } from "./firewall.ts";
import { HostRules } from "./host-rules.ts";
import { Hotplug } from "./hotplug.ts";
import type { Profile } from "./profile.ts";
import { ownerOf, SecurityGroups } from "./security-group.ts";
import { Vif, type VifConfig } from "./vif.ts";

/** Where a host is plugged into the world. */
export interface UplinkOptions {
  /** `peth0`, the name that Xen's bridge scripts gave the physical device. */
  readonly name?: string;
  readonly mac: Mac;
  readonly address: Ipv4Addr;
  /** Prefix length of the link. */
  readonly length: number;
  /** The next router; `null` for no default route. */
  readonly gateway: Ipv4Addr | null;
  /** Answer ARP for the domUs on the uplink, as Xen's `network-route` sets it; false. */
  readonly hasProxyArp?: boolean;
}

/** What a {@link Dom0} is made of. */
export interface Dom0Options {
  /** For people. */
  readonly name: string;
  readonly pool: PacketPool;
  readonly profile: Profile;
  readonly chance: Chance;
  /** `main_ip`: borne by every vif, and the first hop of a domU's traceroute. */
  readonly privateAddress: Ipv4Addr;
  readonly uplink: UplinkOptions;
  /** 2: Dom0 and its NAT gateway; 1: one Linux. */
  readonly routers?: 1 | 2;
  /** Public addresses are mapped 1:1; true. */
  readonly hasNat?: boolean;
  /** Where packets keep their private addresses: 10.0.0.0/8; `null` for nowhere. */
  readonly privateNetwork?: Prefix | null;
  /** Each vif is kept to its own addresses; true. */
  readonly hasAntiSpoof?: boolean;
  /** Packets to domUs need a permission; true. */
  readonly hasSecurityGroups?: boolean;
  /**
   * Rules about the vifs' frames as `ebtables-save` prints them: each vif then is the one port of a
   * bridge. `null`, the default, for no bridges.
   */
  readonly ebtables?: string | null;
  /** The groups; a host's own by default. */
  readonly securityGroups?: SecurityGroups;
  /** The text of dhcpd.conf before the first domU; `null` for no DHCP server. */
  readonly dhcpdConf?: string | null;
  /** What dhcpd calls itself, if not Dom0: Dom0 then has this address too. */
  readonly dhcpServerAddress?: Ipv4Addr;
  /** How long dhcpd is deaf when it is restarted; a second. */
  readonly dhcpdStartTime?: Duration;
  /** The vifs' address instead of the profile's. */
  readonly vifMac?: Mac;
  /** Time of day at instant 0, since midnight UTC. */
  readonly midnightOffset?: Duration;
  /** Hears each command of the hotplug script, and the lines of LOG; silent. */
  readonly log?: Logger;
  /** Takes what NFLOG copies; without it, rules with NFLOG are refused. */
  readonly packetLog?: PacketLog;
}

/** EC2's private network. */
const PRIVATE: Prefix = { address: ipv4Of(0x0a00_0000), length: 8 };
/** One host. */
export class Dom0 implements Machine {
  readonly name: string;
  readonly profile: Profile;
  readonly privateAddress: Ipv4Addr;
  readonly externalAddress: Ipv4Addr;
  /** Where the vifs are. */
  readonly router: Router;
  /** Where the uplink is: a router of its own, or the same. */
  readonly gateway: Router;
  readonly uplink: Device;
  /** UDP of Dom0 itself. */
  readonly udp: UdpLayer;
  readonly securityGroups: SecurityGroups;
  /** Of the router with the vifs: anti-spoofing and security groups. */
  readonly firewall: Firewall;
  /** Of the router with the uplink: 1:1 NAT; the same where there is one router. */
  readonly gatewayFirewall: Firewall;
  /** `null` for a host without dhcpd. */
  readonly dhcpd: DhcpdService | null;
  /** Rules about the vifs' frames; `null` for a host whose vifs stand on no bridges. */
  readonly ebtables: Ebtables | null;
  readonly #vifMac: Mac;
  readonly #rules: HostRules;
  readonly #hotplug: Hotplug;
  readonly #logger: Logger;
  readonly #vifs = new Map<string, Vif>();
  readonly #machines: readonly Machine[];

  constructor(options: Dom0Options) {
    const { name, pool, profile, chance, privateAddress, uplink, midnightOffset = 0 } = options;
    this.name = name;
    this.profile = profile;
    this.privateAddress = privateAddress;
    this.externalAddress = uplink.address;
    this.securityGroups = options.securityGroups ?? new SecurityGroups();
    this.#vifMac = options.vifMac ?? profile.vifMac;
    this.#logger = options.log ?? SILENT;
    const stack = { pool, behaviour: profile.router, chance, midnightOffset };
    const isSplit = (options.routers ?? 2) === 2;
    this.router = new Router({ ...stack, name: `${name}/dom0` });
    this.gateway = isSplit ? new Router({ ...stack, name: `${name}/gateway` }) : this.router;
    this.uplink = this.#plugUplink(uplink);
    const inward = isSplit ? this.#joinRouters() : null;
    this.udp = this.#addTransports(this.router, chance);
    if (isSplit) this.#addTransports(this.gateway, chance);
    const firewallOf = (router: Router): Firewall =>
      new Firewall(router, profile, chance, {
        log: { log: (level, line, _packet, at) => this.#logger.info({ at, level }, line) },
        packetLog: options.packetLog ?? null,
      });
    this.firewall = firewallOf(this.router);
    this.gatewayFirewall = isSplit ? firewallOf(this.gateway) : this.firewall;
    this.ebtables = this.#readEbtables(options.ebtables ?? null);
    const rules = new HostRules({
      inside: this.firewall,
      outside: this.gatewayFirewall,
      uplink: this.uplink.name,
      inward: inward?.name ?? null,
      hasAntiSpoof: options.hasAntiSpoof ?? true,
      groups: (options.hasSecurityGroups ?? true) ? this.securityGroups : null,
      hasNat: options.hasNat ?? true,
      privateNetwork: options.privateNetwork === undefined ? PRIVATE : options.privateNetwork,
    });
    this.dhcpd = this.#startDhcpd(options);
    this.#hotplug = new Hotplug({
      router: this.router,
      mainAddress: privateAddress,
      routeMetric: profile.vifRouteMetric,
      rules,
      dhcpd: this.dhcpd,
      inward: inward === null ? null : { router: this.gateway, device: inward },
      filtersArp: options.hasAntiSpoof ?? true,
    });
    this.#rules = rules;
    this.#machines = [
      this.router,
      ...(isSplit ? [this.gateway] : []),
      ...(this.dhcpd === null ? [] : [this.dhcpd]),
    ];
  }

  /** The vifs that are online, in the order of their coming. */
  get vifs(): Iterable<Vif> {
    return this.#vifs.values();
  }

  /** Every device of the host that a capture may show, the uplink last. */
  get devices(): Device[] {
    return [...[...this.#vifs.values()].map(({ device }) => device), this.uplink];
  }

  /**
   * Bring a domain's interface online: what xend and the hotplug script do before the domU runs.
   * @throws {OptionError} if the vif is there already, or its groups are not defined or not of one
   *   account.
   */
  addVif(config: VifConfig, now: Instant): Vif {
    const vif = new Vif(config, this.#vifMac, this.ebtables);
    if (this.#vifs.has(vif.name)) throw new OptionError("domid", vif.domid, "a domid that is free");
    this.#checkGroups(vif);
    this.#vifs.set(vif.name, vif);
    for (const address of vif.addresses) this.securityGroups.join(vif.securityGroups, address);
    this.#log(this.#hotplug.online(vif, now), now);
    return vif;
  }

  /** Take a domain's interface offline. */
  removeVif(vif: Vif, now: Instant): void {
    if (!this.#vifs.delete(vif.name)) return;
    for (const address of vif.addresses) this.securityGroups.leave(vif.securityGroups, address);
    this.#log(this.#hotplug.offline(vif, now), now);
  }

  /**
   * Map `address` to the vif's domU from now on, instead of what it had; `null` for none. No rule
   * speaks of a vif that is offline.
   */
  associate(vif: Vif, address: Ipv4Addr | null, now: Instant): void {
    if (this.#vifs.get(vif.name) !== vif) vif.publicAddress = address;
    else this.#log(this.#hotplug.associate(vif, address), now);
  }

  /** Add a route to the router that has the uplink, as `ip route add` does. */
  addRoute(options: Omit<RouteOptions, "device">): void {
    const device = options.gateway == null ? null : this.uplink;
    this.gateway.addressing.fib.add(newRoute({ ...options, device }));
  }

  nextDeadline(): Instant {
    let soonest = Number.POSITIVE_INFINITY;
    for (const machine of this.#machines) soonest = Math.min(soonest, machine.nextDeadline());
    for (const machine of this.#rules.machines) soonest = Math.min(soonest, machine.nextDeadline());
    return soonest;
  }

  expire(now: Instant): void {
    for (const machine of this.#machines) machine.expire(now);
    for (const machine of this.#rules.machines) machine.expire(now);
  }

  #checkGroups({ securityGroups }: Vif): void {
    for (const group of securityGroups) {
      if (!this.securityGroups.has(group)) {
        throw new OptionError("securityGroups", group, "a defined group");
      }
      if (ownerOf(group) !== ownerOf(securityGroups[0] ?? group)) {
        throw new OptionError("securityGroups", group, "groups of one account");
      }
    }
  }

  #log(commands: readonly string[], now: Instant): void {
    for (const command of commands) this.#logger.info({ at: now, command }, "hotplug");
  }

  /** UDP and, as nothing listens, TCP's refusals of one of the routers. */
  #addTransports(router: Router, chance: Chance): UdpLayer {
    const { sockets, echoesEcnInResets } = this.profile;
    const udp = new UdpLayer({ router, behaviour: sockets, chance });
    router.setProtocol(Protocol.Udp, udp);
    if (sockets.hasUdpLite) router.setProtocol(Protocol.UdpLite, new UdpLiteRefusal(router));
    router.setProtocol(Protocol.Tcp, new TcpReset({ router, echoesEcn: echoesEcnInResets }));
    router.setSegmenter(TCP_SEGMENTER);
    return udp;
  }

  #readEbtables(text: string | null): Ebtables | null {
    if (text === null) return null;
    const { jiffies } = this.router;
    const log: LogSink = {
      log: (level, line, _packet, at) => this.#logger.info({ at, level }, line),
    };
    const ebtables = new Ebtables({ jiffies, log }, this.profile.ebtables);
    ebtables.restore(text);
    return ebtables;
  }

  #startDhcpd(options: Dom0Options): DhcpdService | null {
    const { dhcpdConf = null, dhcpdStartTime, dhcpServerAddress } = options;
    if (dhcpdConf === null) return null;
    const { addressing } = this.router;
    if (dhcpServerAddress !== undefined) {
      addressing.addAddress(addressing.loopback, dhcpServerAddress, 32);
    }
    return new DhcpdService({
      router: this.router,
      udp: this.udp,
      profile: this.profile.dhcpd,
      conf: dhcpdConf,
      ...(dhcpdStartTime === undefined ? {} : { startTime: dhcpdStartTime }),
    });
  }

  #plugUplink(uplink: UplinkOptions): Device {
    const { name = "peth0", mac, address, length, gateway, hasProxyArp = false } = uplink;
    const device = new Device({ name, mac, description: `uplink of ${this.name}` });
    const { addressing } = this.gateway;
    const via = addressing.addInterface(device, { isForwarding: true, hasProxyArp });
    const broadcast = length < 31 ? ipv4Of(address | ~maskOf(length)) : null;
    addressing.addAddress(via, address, length, broadcast);
    if (gateway !== null) {
      addressing.fib.add(newRoute({ prefix: { address: ipv4Of(0), length: 0 }, device, gateway }));
    }
    return device;
  }

  /**
   * Join the routers by an internal link. Each end bears its router's own address, as the vifs do:
   * the gateway speaks to domUs from the external one, which is why a traceroute shows it.
   * @returns the gateway's device towards Dom0.
   */
  #joinRouters(): Device {
    const { router, gateway, privateAddress, externalAddress } = this;
    const eth0 = new Device({
      name: "eth0",
      mac: macOf(0x02_00_00_00_00_0a),
      description: "Dom0's side of the internal link",
    });
    const gw0 = new Device({
      name: "gw0",
      mac: macOf(0x02_00_00_00_00_0b),
      description: "the NAT gateway's side of it",
    });
    new PatchCable(eth0, gw0);
    // No wire is between them: checksums stay blank and segments large until the uplink.
    for (const device of [eth0, gw0]) {
      device.takesBlankChecksums = true;
      device.takesLargeSegments = true;
    }
    const join = (from: Router, device: Device, own: Ipv4Addr, peer: Ipv4Addr, mac: Mac): void => {
      const { addressing, neighbors } = from;
      const settings = { isForwarding: true, sendsRedirects: false };
      addressing.addAddress(addressing.addInterface(device, settings), own, 32);
      addressing.fib.add(newRoute({ prefix: { address: peer, length: 32 }, device, source: own }));
      neighbors.addPermanent(device, peer, mac, 0);
    };
    join(router, eth0, privateAddress, externalAddress, gw0.mac);
    join(gateway, gw0, externalAddress, privateAddress, eth0.mac);
    const prefix = { address: ipv4Of(0), length: 0 };
    router.addressing.fib.add(newRoute({ prefix, device: eth0, gateway: externalAddress }));
    return gw0;
  }

  toString(): string {
    return `${this.name} (${formatIpv4(this.privateAddress)})`;
  }
}
