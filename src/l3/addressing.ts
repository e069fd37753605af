/**
 * Devices, addresses and routes of one stack, and the choices that follow from them: the source of
 * an own packet (RFC 1122 section 3.3.4.3), the address that a peer knows this host by.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { OptionError } from "../base/errors.ts";
import {
  IPV4_ANY,
  IPV4_BROADCAST,
  type Ipv4Addr,
  ipv4Of,
  isLoopback,
  isMulticast,
  MAC_ZERO,
  maskOf,
} from "../wire/addr.ts";
import { Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import {
  DEFAULT_SETTINGS,
  Interface,
  type InterfaceAddress,
  type InterfaceOwner,
  type InterfaceSettings,
  networkOf,
} from "./interface.ts";
import { Fib, newRoute, type Route, RouteKind } from "./route-table.ts";

/** Where a stack stands in its networks. */
export class Addressing {
  readonly fib: Fib;
  /** `lo`: what this host sends to itself. */
  readonly loopback: Interface;
  readonly #owner: InterfaceOwner;
  readonly #isLowestBroadcast: boolean;
  readonly #interfaces = new Map<Device, Interface>();

  /** @param onChange hears of every change of addresses and routes. */
  constructor(owner: InterfaceOwner, isLowestBroadcast: boolean, onChange: () => void) {
    this.fib = new Fib(onChange);
    this.#owner = owner;
    this.#isLowestBroadcast = isLowestBroadcast;
    const device = new Device({ name: "lo", mac: MAC_ZERO, mtu: 65_535 });
    device.attachCarrier({ carry: (_from, packet, now) => comeBack(device, packet, now) });
    this.loopback = new Interface(owner, device, DEFAULT_SETTINGS, true);
    this.#interfaces.set(device, this.loopback);
    device.attachStack(this.loopback);
    this.addAddress(this.loopback, ipv4Of(0x7f00_0001), 8);
  }

  /** Every interface by its device, the loopback first, in the order of their addition. */
  get interfaces(): ReadonlyMap<Device, Interface> {
    return this.#interfaces;
  }

  /**
   * Make `device` one of this stack's.
   * @throws {OptionError} if it is one already.
   */
  addInterface(device: Device, settings: Partial<InterfaceSettings> = {}): Interface {
    if (this.#interfaces.has(device)) throw new OptionError("device", device.name, "a new device");
    const added = new Interface(this.#owner, device, { ...DEFAULT_SETTINGS, ...settings }, false);
    this.#interfaces.set(device, added);
    device.attachStack(added);
    return added;
  }

  /** Take `device` out of the stack, with its addresses and routes. */
  removeInterface(device: Device): void {
    const removed = this.#interfaces.get(device);
    if (removed === undefined) return;
    for (const own of [...removed.addresses]) this.removeAddress(removed, own);
    device.attachStack(null);
    this.#interfaces.delete(device);
    this.fib.remove((route) => route.device === device);
  }

  /**
   * Hold an address on `via`, with the routes that `ip addr add` makes.
   * @returns what was added, for {@link removeAddress}.
   */
  addAddress(
    via: Interface,
    address: Ipv4Addr,
    length: number,
    broadcast: Ipv4Addr | null = null,
  ): InterfaceAddress {
    const own: InterfaceAddress = { address, length, broadcast };
    via.hold(own);
    for (const route of this.#routesOf(via, own)) this.fib.add(route);
    return own;
  }

  /** Give an address up, and the routes that only it had. */
  removeAddress(via: Interface, own: InterfaceAddress): void {
    const kin = via.addresses.filter((one) => isKin(one, own));
    const all = kin.flatMap((one) => this.#routesOf(via, one));
    via.drop(own);
    for (const made of all) {
      if (this.fib.remove((route) => isSameRoute(made, route)) > 0) this.#restore(made);
    }
  }

  /**
   * `ip link set` down or up. What is down loses all routes but those to its own addresses; what
   * comes up gets those of its addresses again (`fib_disable_ip`, `fib_netdev_event`).
   */
  setUp(via: Interface, isUp: boolean): void {
    if (via.isUp === isUp) return;
    via.isUp = isUp;
    via.device.attachStack(isUp ? via : null);
    if (isUp) {
      for (const own of via.addresses) {
        for (const route of this.#routesOf(via, own)) this.fib.add(route);
      }
      return;
    }
    const lost = [...this.fib.local, ...this.fib.main].filter(
      ({ device }) => device === via.device,
    );
    this.fib.remove(({ device }) => device === via.device);
    for (const route of lost) if (route.origin === "kernel") this.#restore(route);
  }

  /** True if `address` is this host's own, on whichever device. */
  isLocal(address: Ipv4Addr): boolean {
    return this.fib.kindOf(address) === RouteKind.Local;
  }

  /** The route of this host's own packets to `dst`; `device` decides where no route can. */
  routeTo(dst: Ipv4Addr, device: Device | null = null): Route | null {
    if (dst === IPV4_BROADCAST || isMulticast(dst)) return this.#routeToMany(dst, device);
    const route = this.fib.find(dst);
    if (route === null || route.device === null) return null;
    const { kind } = route;
    const isUsable =
      kind === RouteKind.Unicast || kind === RouteKind.Local || kind === RouteKind.Broadcast;
    return isUsable ? route : null;
  }

  /** The source address that `route` gives to this host's own packets. */
  sourceFor(route: Route): Ipv4Addr {
    return route.source ?? this.select(route.device, route.gateway);
  }

  /**
   * The address that suits a talk with `peer`, or with anybody, over `device`: one of that device,
   * else the first of another (`inet_select_addr`); 0.0.0.0 if there is none.
   */
  select(device: Device | null, peer: Ipv4Addr | null): Ipv4Addr {
    const via = device === null ? undefined : this.#interfaces.get(device);
    const onDevice = via?.select(peer) ?? null;
    if (onDevice !== null) return onDevice;
    for (const one of this.#interfaces.values()) {
      const [first] = one.addresses;
      if (!one.isLoopback && first !== undefined) return first.address;
    }
    return IPV4_ANY;
  }

  /** True for a source of 127.0.0.0/8 on a way out that must not bear it (`__mkroute_output`). */
  isStray(source: Ipv4Addr, { device }: Route): boolean {
    if (!isLoopback(source) || device === null || device === this.loopback.device) return false;
    return this.#interfaces.get(device)?.settings.routesLocalnet !== true;
  }

  /** Largest packet on `route` in octets. */
  mtuOf(route: Route): number {
    return route.mtu ?? route.device?.mtu ?? this.loopback.device.mtu;
  }

  /** The address of this host that `peer`, who is behind `via`, knows it by. */
  specificAddress(via: Interface, peer: Ipv4Addr): Ipv4Addr {
    const route = peer === IPV4_ANY ? null : this.fib.find(peer);
    const isRefused = route?.device === null;
    return route === null || isRefused ? this.select(via.device, peer) : this.sourceFor(route);
  }

  /** Let the first address that makes a route in the place of `removed` make it again. */
  #restore(removed: Route): void {
    for (const one of this.#interfaces.values()) {
      for (const kept of one.addresses) {
        const routes = this.#routesOf(one, kept).filter((other) => hasSamePlace(other, removed));
        if (routes.some((route) => this.fib.add(route))) return;
      }
    }
  }

  #routeToMany(dst: Ipv4Addr, device: Device | null): Route | null {
    const leaving = device ?? this.fib.find(dst)?.device ?? null;
    if (leaving === null) return null;
    const kind = isMulticast(dst) ? RouteKind.Multicast : RouteKind.Broadcast;
    return newRoute({ prefix: { address: dst, length: 32 }, kind, device: leaving });
  }

  /**
   * The routes that come with an address (`fib_add_ifaddr`); their source is the first address in
   * its network, the primary one.
   */
  #routesOf(via: Interface, own: InterfaceAddress): Route[] {
    const { address, length, broadcast } = own;
    const network = networkOf(own);
    const primary = via.addresses.find((one) => isKin(one, own)) ?? own;
    const made = { source: primary.address, origin: "kernel" } as const;
    const local = newRoute({
      ...made,
      kind: RouteKind.Local,
      prefix: via.isLoopback ? network : { address, length: 32 },
      device: this.loopback.device,
      scope: "host",
    });
    const routes = [local];
    if (!via.isUp) return routes;
    const addBroadcast = (to: Ipv4Addr): void => {
      const prefix = { address: to, length: 32 };
      routes.push(newRoute({ ...made, kind: RouteKind.Broadcast, prefix, device: via.device }));
    };
    if (broadcast !== null && broadcast !== IPV4_BROADCAST) addBroadcast(broadcast);
    if (via.isLoopback || length === 32) return routes;
    routes.push(newRoute({ ...made, prefix: network, device: via.device }));
    if (length < 31) {
      addBroadcast(ipv4Of(network.address | ~maskOf(length)));
      if (this.#isLowestBroadcast) addBroadcast(network.address);
    }
    return routes;
  }
}

/** True for addresses of one device that are in one network. */
const isKin = (left: InterfaceAddress, right: InterfaceAddress): boolean =>
  left.length === right.length && networkOf(left).address === networkOf(right).address;

/** Of one prefix in one table: all that come with addresses have the metric 0. */
const hasSamePlace = (left: Route, right: Route): boolean =>
  left.prefix.address === right.prefix.address &&
  left.prefix.length === right.prefix.length &&
  (left.kind === RouteKind.Unicast) === (right.kind === RouteKind.Unicast);

/** What a host sends itself keeps its mark and its connection (`loopback_xmit`). */
function comeBack(loopback: Device, packet: Packet, now: Instant): void {
  packet.output = null;
  packet.largestFragment = 0;
  packet.pieces = null;
  loopback.pass(packet, now);
}

function isSameRoute(left: Route, right: Route): boolean {
  return (
    left.kind === right.kind &&
    left.device === right.device &&
    left.source === right.source &&
    left.prefix.address === right.prefix.address &&
    left.prefix.length === right.prefix.length &&
    left.origin === right.origin
  );
}
