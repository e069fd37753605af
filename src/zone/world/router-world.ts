/**
 * A {@link World} at work: one router whose links are in the user's hands. Frames go in by the name
 * of an interface, at times that only go forward; what the router sends comes out with its time.
 * @module
 */
import { OptionError } from "../../base/errors.ts";
import type { JiffiesOptions } from "../../base/jiffies.ts";
import type { Machine } from "../../base/machine.ts";
import { type Chance, Prng } from "../../base/prng.ts";
import { DAY, type Instant } from "../../base/time.ts";
import { parseIpv4, parseMac } from "../../wire/addr.ts";
import { type Carrier, Device } from "../../wire/device.ts";
import { type Packet, PacketPool } from "../../wire/packet.ts";
import { Ebtables, type EbtablesBehaviour } from "../../filter/ebtables/ebtables.ts";
import type { LogSink, PacketLog } from "../../filter/services.ts";
import { bridgeOver } from "../../l2/bridge.ts";
import { ipAddrText, ipNeighText, ipRouteText } from "../../l3/ip-text.ts";
import { Protocol } from "../../l3/ipv4.ts";
import { Router } from "../../l3/router.ts";
import { TcpReset } from "../../l4/tcp-reset.ts";
import { UdpLayer } from "../../l4/udp-layer.ts";
import { UdpLiteRefusal } from "../../l4/udp-lite-refusal.ts";
import type { Sink } from "../../pcap/block-buffer.ts";
import { Firewall } from "../../xen/firewall.ts";
import { LINUX, profileOf } from "../../xen/profile.ts";
import type { PacketStory } from "../packet-trace.ts";
import { ZoneCapture } from "../zone-capture.ts";
import { Sysctls } from "./sysctl.ts";
import { addRoute, type CommandPlace, holdAddress, runCommand } from "./world-command.ts";
import { type World, type WorldInterface, within } from "./world.ts";

/** What a {@link RouterWorld} may be told besides its world. */
export interface RouterWorldOptions {
  /** Decides every draw of chance: any integer below 2^53; 1. */
  readonly seed?: number;
  /** Microseconds since 1970 at instant 0, for captures and timestamps; 2010-02-01T00:00:00Z. */
  readonly epoch?: number;
  /** Packets whose way is remembered for {@link RouterWorld.explain}; 4,096, 0 for none. */
  readonly traceLimit?: number;
  /** Frames sent that wait for {@link RouterWorld.sent}; 4,096, the oldest are forgotten. */
  readonly sentLimit?: number;
  /** Frames that may be alive at once; 4,096. */
  readonly packetSlots?: number;
  /** Draws for rules and address translation; by the seed. */
  readonly chance?: Chance;
  /** How the kernel's ticks lie. */
  readonly jiffies?: Pick<JiffiesOptions, "hz" | "age">;
  /** Hears what rules LOG; nobody. */
  readonly log?: LogSink;
  /** Takes what NFLOG copies; nobody. */
  readonly packetLog?: PacketLog;
}

/** A frame that the router sent. */
export interface SentFrame {
  readonly interface: string;
  /** A copy: the caller's own. */
  readonly octets: Uint8Array;
  readonly at: Instant;
  /** The packet's, for {@link RouterWorld.explain}; a forwarded one keeps the one it came with. */
  readonly id: number;
}

/** 2010-02-01T00:00:00Z, as a zone begins. */
const DEFAULT_EPOCH = 1_264_982_400_000_000;

/** The router of one world. Same world, seed, frames and times: the same frames out. */
export class RouterWorld implements Machine, Carrier {
  readonly pool: PacketPool;
  readonly router: Router;
  readonly firewall: Firewall;
  /** Rules about frames; `null` for a world whose interfaces stand on no bridges. */
  readonly ebtables: Ebtables | null;
  /** What has the links. */
  readonly #devices = new Map<string, Device>();
  /** What the router has: the same, or the bridges over them. */
  readonly #stackDevices = new Map<string, Device>();
  readonly #capture: ZoneCapture;
  readonly #sentLimit: number;
  readonly #sysctls: Sysctls;
  #sent: SentFrame[] = [];
  #now: Instant = 0;

  /** @throws a `WorldError` with the part of `world` that is wrong; {@link OptionError}. */
  constructor(world: World, options: RouterWorldOptions = {}) {
    const { seed = 1, epoch = DEFAULT_EPOCH, traceLimit = 4096, packetSlots = 4096 } = options;
    this.#sentLimit = options.sentLimit ?? 4096;
    this.pool = new PacketPool({ slots: packetSlots });
    this.#capture = new ZoneCapture(this.pool, epoch, traceLimit);
    const sysctls = readSysctls(world);
    this.#sysctls = sysctls;
    const { profile } = sysctls;
    const chance = new Prng(seed, "router");
    this.router = new Router({
      name: "router",
      pool: this.pool,
      behaviour: {
        ...profile.router,
        jiffies: { ...profile.router.jiffies, ...options.jiffies },
      },
      settings: sysctls.stack,
      chance,
      midnightOffset: epoch % DAY,
    });
    const { router } = this;
    router.setProtocol(Protocol.Udp, new UdpLayer({ router, behaviour: profile.sockets, chance }));
    if (profile.sockets.hasUdpLite) {
      router.setProtocol(Protocol.UdpLite, new UdpLiteRefusal(router));
    }
    router.setProtocol(
      Protocol.Tcp,
      new TcpReset({ router, echoesEcn: profile.echoesEcnInResets }),
    );
    const log = this.#logTo(options.log ?? null);
    this.ebtables = this.#readEbtables(world, log, profile.ebtables);
    for (const [name, one] of Object.entries(world.interfaces)) {
      this.#addInterface(name, one, sysctls);
    }
    for (const [index, words] of (world.routes ?? []).entries()) {
      within(["routes", index], () => addRoute(this.#place, words));
    }
    this.firewall = new Firewall(router, profile, options.chance ?? chance, {
      log,
      packetLog: options.packetLog ?? { copy: () => {} },
    });
    const { iptables } = world;
    if (iptables !== undefined) within(["iptables"], () => this.firewall.restore(iptables));
  }

  /** Microseconds since the start. */
  get now(): Instant {
    return this.#now;
  }

  /** The names of the interfaces, in the world's order. */
  get interfaces(): readonly string[] {
    return [...this.#devices.keys()];
  }

  /**
   * A frame reaches the interface `name`; all that was due before happens first.
   * @param octets from the Ethernet header on, without check sequence; borrowed until return.
   * @param at when, at the earliest {@link now}, which it is if left out.
   * @returns the packet's id, for {@link explain}; 0 if the router has no room for the frame.
   * @throws {OptionError} if there is no such interface, or time would go backwards.
   */
  receive(name: string, octets: Uint8Array, at: Instant = this.#now): number {
    const device = this.#devices.get(name);
    if (device === undefined) {
      throw new OptionError("name", name, `one of ${this.interfaces.join(", ")}`);
    }
    this.expire(at);
    const packet = this.pool.copyIn(octets);
    if (packet === null) return 0;
    const { id } = packet;
    device.receive(packet, at);
    return id;
  }

  /** Let time pass until `at`. @throws {OptionError} if that is past. */
  expire(at: Instant): void {
    if (!(at >= this.#now)) throw new OptionError("at", at, `an instant from ${this.#now} on`);
    for (let due = this.nextDeadline(); due <= at; due = this.nextDeadline()) {
      this.#now = Math.max(due, this.#now);
      this.router.expire(this.#now);
      for (const machine of this.firewall.machines) machine.expire(this.#now);
    }
    this.#now = at;
  }

  nextDeadline(): Instant {
    let soonest = this.router.nextDeadline();
    for (const machine of this.firewall.machines) {
      soonest = Math.min(soonest, machine.nextDeadline());
    }
    return soonest;
  }

  /**
   * Change the router as a command of Linux does: "iptables -t nat -F", "conntrack -D -p udp",
   * "ip route del 10.0.0.0/8", "ip addr add 10.1.0.9/24 dev e0", "ip neigh del 10.1.0.2 dev e0",
   * "ip link set e0 down", "sysctl -w net.ipv4.conf.e0.rp_filter=1".
   * All that is due before happens first.
   * @param at when, at the earliest {@link now}, which it is if left out.
   * @throws {ParseError} with the word that is wrong, or as the kernel refuses the change;
   * {@link RuleError}; {@link OptionError} if time would go backwards.
   */
  command(text: string, at: Instant = this.#now): void {
    this.expire(at);
    runCommand(this.#place, text, at);
  }

  /**
   * The frames that left since this was asked last, oldest first; asked by interface, those of the
   * others keep waiting.
   */
  sent(name: string | null = null): readonly SentFrame[] {
    const taken = this.#sent.filter((frame) => name === null || frame.interface === name);
    this.#sent = name === null ? [] : this.#sent.filter((frame) => frame.interface !== name);
    return taken;
  }

  /** The way of a packet, step by step; `null` if nothing is remembered of it. */
  explain(id: number): PacketStory | null {
    return this.#capture.trace?.find(id) ?? null;
  }

  /** The observers: a capture of all interfaces, the ways of packets. */
  get capture(): ZoneCapture {
    return this.#capture;
  }

  /** Write a pcapng to `sink` from now on: all interfaces, all frames, both directions. */
  writeTo(sink: Sink): void {
    this.#capture.writeTo(sink, this.#now);
  }

  /** End the capture. */
  close(): void {
    this.#capture.close(this.#now);
  }

  /** `iptables-save -c`. */
  rules(): string {
    return this.firewall.rules.save({ hasCounters: true });
  }

  /** `ebtables-save -c`; nothing for a world without bridges. */
  frameRules(): string {
    return this.ebtables?.save({ hasCounters: true }) ?? "";
  }

  /** `conntrack -L`; nothing while no rule needs connections. */
  connections(): string {
    return this.firewall.conntrack?.text(this.#now) ?? "";
  }

  /** `ip addr`. */
  addresses(): string {
    return ipAddrText(this.router);
  }

  /** `ip route`. */
  routes(): string {
    return ipRouteText(this.router);
  }

  /** `ip neigh`. */
  neighbors(): string {
    return ipNeighText(this.router);
  }

  /** A frame leaves: whoever is on the link has it now. */
  carry({ name }: Device, packet: Packet, now: Instant): void {
    if (this.#sentLimit > 0) {
      if (this.#sent.length >= this.#sentLimit) this.#sent.shift();
      this.#sent.push({ interface: name, octets: packet.octets().slice(), at: now, id: packet.id });
    }
    this.pool.end(packet, "delivered", "world/sent", now);
  }

  #addInterface(name: string, one: WorldInterface, sysctls: Sysctls): void {
    const path = ["interfaces", name];
    const mac = within([...path, "mac"], () => parseMac(one.mac));
    const device = within(path, () => new Device({ name, mac, mtu: one.mtu ?? 1500 }));
    device.attachCarrier(this);
    this.#devices.set(name, device);
    const stackDevice = this.ebtables === null ? device : bridgeOver(device, this.ebtables);
    this.#stackDevices.set(name, stackDevice);
    const { addressing, neighbors } = this.router;
    const via = addressing.addInterface(stackDevice, sysctls.settingsOf(name));
    for (const [index, words] of (one.addresses ?? []).entries()) {
      within([...path, "addresses", index], () => holdAddress(this.router, via, words));
    }
    for (const [address, to] of Object.entries(one.neighbors ?? {})) {
      within([...path, "neighbors", address], () => {
        neighbors.addPermanent(stackDevice, parseIpv4(address), parseMac(to), 0);
      });
    }
    const shown = via.addresses.map(({ address, length }) => ({ address, length }));
    this.#capture.addDevice(device, 0, { addresses: shown });
  }

  #readEbtables(
    { ebtables: text }: World,
    log: LogSink,
    behaviour: EbtablesBehaviour,
  ): Ebtables | null {
    if (text === undefined) return null;
    const ebtables = new Ebtables({ jiffies: this.router.jiffies, log }, behaviour);
    within(["ebtables"], () => ebtables.restore(text));
    return ebtables;
  }

  /** What commands change. */
  get #place(): CommandPlace {
    return {
      router: this.router,
      firewall: this.firewall,
      devices: this.#stackDevices,
      sysctls: this.#sysctls,
    };
  }

  /** What rules LOG is a step of the packet's way, too. */
  #logTo(heard: LogSink | null): LogSink {
    return {
      log: (level, line, packet, now) => {
        if (this.pool.isTracing) this.pool.observer?.step(packet, "log", line.trimEnd(), now);
        heard?.log(level, line, packet, now);
      },
    };
  }
}

function readSysctls({ profile: name = LINUX.name, interfaces, sysctl = {} }: World): Sysctls {
  const profile = within(["profile"], () => profileOf(name));
  const sysctls = new Sysctls(profile, Object.keys(interfaces));
  for (const [device, { proxyArp = false }] of Object.entries(interfaces)) {
    if (proxyArp) sysctls.set(`net.ipv4.conf.${device}.proxy_arp`, 1);
  }
  for (const [key, value] of Object.entries(sysctl)) {
    within(["sysctl", key], () => sysctls.set(key, value));
  }
  return sysctls;
}
