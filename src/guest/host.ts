/**
 * A simulated IP host: one device, one stack that forwards nothing (RFC 1122 section 3.3.1), and
 * the programs that run on it.
 * @module
 */
import { EmulatorError, OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { DAY, type Instant } from "../base/time.ts";
import { type Ipv4Addr, ipv4Of, type Mac, maskOf } from "../wire/addr.ts";
import { Device, type Stack } from "../wire/device.ts";
import type { Packet, PacketPool } from "../wire/packet.ts";
import type { RouterBehaviour } from "../l3/behaviour.ts";
import type { Interface, InterfaceAddress } from "../l3/interface.ts";
import { Protocol } from "../l3/ipv4.ts";
import { newRoute } from "../l3/route-table.ts";
import { Router } from "../l3/router.ts";
import { DatagramMaker, type SocketBehaviour } from "../l4/datagram.ts";
import { TcpReset } from "../l4/tcp-reset.ts";
import { UdpLayer } from "../l4/udp-layer.ts";
import { UdpLiteRefusal } from "../l4/udp-lite-refusal.ts";
import { Ping, type PingOptions } from "./ping.ts";
import type { Tool, ToolHost } from "./tool.ts";
import { Traceroute, type TracerouteOptions } from "./traceroute.ts";
import { ECHO_PORT, serveUdpEcho } from "./udp-echo.ts";

/** What differs between the kernels of hosts. */
export interface HostBehaviour {
  readonly router: RouterBehaviour;
  readonly sockets: SocketBehaviour;
  /** As TcpResetOptions has it. */
  readonly echoesEcn: boolean;
}

/** What a {@link Host} is made from. */
export interface HostOptions {
  /** For people. */
  readonly name: string;
  readonly mac: Mac;
  readonly pool: PacketPool;
  readonly behaviour: HostBehaviour;
  readonly chance: Chance;
  /** When the run started, in microseconds since 1970; 0. */
  readonly epoch?: number;
  /** The device's name; "eth0". */
  readonly deviceName?: string;
  /** Largest IP packet in octets; 1,500. */
  readonly mtu?: number;
  /** UDP ports that echo; port 7 if left out. */
  readonly echoPorts?: readonly number[];
  /** Tools that may run at once; 64. */
  readonly toolLimit?: number;
  /** Told when the host's deadline may have moved: the place of a scheduler's `reschedule`. */
  readonly onChange?: (host: Machine) => void;
}

/** An address of a host and its way out. */
export interface HostConfiguration {
  readonly address: Ipv4Addr;
  /** Prefix length, 0 to 32. */
  readonly length: number;
  /** The default route's next hop; `null` for no default route. */
  readonly gateway: Ipv4Addr | null;
  /** `null` takes the last address of the block. */
  readonly broadcast?: Ipv4Addr | null;
}

/** One host. Plug its {@link device} into a link; a scheduler drives it. */
export class Host implements Machine, Stack, ToolHost {
  readonly name: string;
  readonly device: Device;
  readonly router: Router;
  readonly udp: UdpLayer;
  readonly datagrams: DatagramMaker;
  readonly chance: Chance;
  readonly epoch: number;
  readonly #interface: Interface;
  readonly #toolLimit: number;
  readonly #onChange: ((host: Machine) => void) | null;
  readonly #tools = new Set<Tool>();
  #configuration: HostConfiguration | null = null;
  #held: InterfaceAddress | null = null;

  constructor(options: HostOptions) {
    const { name, mac, pool, behaviour, chance, epoch = 0, mtu = 1500, toolLimit = 64 } = options;
    if (!Number.isInteger(epoch) || epoch < 0) {
      throw new OptionError("epoch", epoch, "whole microseconds since 1970");
    }
    if (!Number.isInteger(toolLimit) || toolLimit < 1) {
      throw new OptionError("toolLimit", toolLimit, "a whole number from 1");
    }
    this.name = name;
    this.device = new Device({ name: options.deviceName ?? "eth0", mac, mtu, description: name });
    const midnightOffset = epoch % DAY;
    this.router = new Router({ name, pool, behaviour: behaviour.router, chance, midnightOffset });
    const { router } = this;
    const onSent = (): void => this.#onChange?.(this);
    this.udp = new UdpLayer({ router, behaviour: behaviour.sockets, chance, onSent });
    this.datagrams = new DatagramMaker(router, behaviour.sockets);
    this.chance = chance;
    this.epoch = epoch;
    this.#interface = router.addressing.addInterface(this.device);
    this.#toolLimit = toolLimit;
    this.#onChange = options.onChange ?? null;
    this.device.attachStack(this);
    router.setProtocol(Protocol.Udp, this.udp);
    const { echoesEcn, sockets } = behaviour;
    if (sockets.hasUdpLite) router.setProtocol(Protocol.UdpLite, new UdpLiteRefusal(router));
    router.setProtocol(Protocol.Tcp, new TcpReset({ router, echoesEcn }));
    for (const port of options.echoPorts ?? [ECHO_PORT]) serveUdpEcho(this.udp, port);
  }

  /** What {@link configure} was called with last; `null` if the host has no address. */
  get configuration(): HostConfiguration | null {
    return this.#configuration;
  }

  /** Tools that run. */
  get toolCount(): number {
    return this.#tools.size;
  }

  /** Take an address and a default route instead of those before, as `ip` sets them. */
  configure(configuration: HostConfiguration, now: Instant): void {
    const { address, length, gateway } = configuration;
    if (!Number.isInteger(length) || length < 0 || length > 32) {
      throw new OptionError("length", length, "a prefix length from 0 to 32");
    }
    this.unconfigure(now);
    const broadcast = configuration.broadcast ?? lastAddress(address, length);
    const { addressing } = this.router;
    this.#held = addressing.addAddress(this.#interface, address, length, broadcast);
    this.#configuration = configuration;
    if (gateway === null) return;
    const { device } = this;
    const isOnLink = ((address ^ gateway) & maskOf(length)) === 0;
    // A gateway outside the block needs a route of its own (dhclient-script of Debian).
    if (!isOnLink) {
      addressing.fib.add(newRoute({ prefix: { address: gateway, length: 32 }, device }));
    }
    const everywhere = { address: ipv4Of(0), length: 0 };
    addressing.fib.add(newRoute({ prefix: everywhere, gateway, device }));
  }

  /** Give up address, routes and neighbors, as Linux does when a device's last address goes. */
  unconfigure(now: Instant): void {
    const held = this.#held;
    if (held === null) return;
    const { addressing } = this.router;
    addressing.removeAddress(this.#interface, held);
    addressing.fib.remove(({ device }) => device === this.device);
    this.router.neighbors.flush(this.device, now);
    this.#held = null;
    this.#configuration = null;
  }

  /** Run `ping`. @throws {OptionError} as {@link Ping}, {@link EmulatorError} at the limit. */
  ping(options: PingOptions, now: Instant): Ping {
    this.#requireRoom();
    return this.#run(new Ping(this, options, now));
  }

  /** Run `traceroute`. @throws as {@link ping}. */
  traceroute(options: TracerouteOptions, now: Instant): Traceroute {
    this.#requireRoom();
    return this.#run(new Traceroute(this, options, now));
  }

  /** A frame came in. Takes ownership. */
  receive(device: Device, packet: Packet, now: Instant): void {
    this.#interface.receive(device, packet, now);
    if (this.#tools.size > 0) this.#sweep();
    this.#onChange?.(this);
  }

  nextDeadline(): Instant {
    let next = this.router.nextDeadline();
    for (const tool of this.#tools) next = Math.min(next, tool.nextDeadline());
    return next;
  }

  expire(now: Instant): void {
    this.router.expire(now);
    for (const tool of this.#tools) tool.expire(now);
    this.#sweep();
  }

  toString(): string {
    return this.name;
  }

  #run<T extends Tool>(tool: T): T {
    this.#tools.add(tool);
    this.#onChange?.(this);
    return tool;
  }

  #sweep(): void {
    for (const tool of this.#tools) if (tool.isDone) this.#tools.delete(tool);
  }

  #requireRoom(): void {
    this.#sweep();
    const { size } = this.#tools;
    if (size < this.#toolLimit) return;
    throw new EmulatorError("host-tools", size, `${this.name}: ${size} tools run already`);
  }
}

function lastAddress(address: Ipv4Addr, length: number): Ipv4Addr | null {
  return length > 30 ? null : ipv4Of(address | ~maskOf(length));
}
