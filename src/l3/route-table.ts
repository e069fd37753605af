/**
 * Routes by longest prefix: RFC 1812 section 5.2.4, with Linux's two tables, local before main.
 * @module
 */
import {
  formatIpv4,
  formatPrefix,
  type Ipv4Addr,
  ipv4Of,
  maskOf,
  type Prefix,
} from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";

/** What a route does with a packet; the numbers are Linux's `RTN_*`. */
export const RouteKind = {
  None: 0,
  Unicast: 1,
  Local: 2,
  Broadcast: 3,
  Multicast: 5,
  Blackhole: 6,
  Unreachable: 7,
  Prohibit: 8,
} as const;
export type RouteKind = (typeof RouteKind)[keyof typeof RouteKind];

/** How far away the destinations of a route are; `ip route` prints it unless it is global. */
export type RouteScope = "global" | "link" | "host";

/** One route. Immutable: a change is a removal and an addition. */
export interface Route {
  readonly kind: RouteKind;
  readonly prefix: Prefix;
  /** Where packets leave; `null` for the kinds that send none. */
  readonly device: Device | null;
  /** The next hop; `null` if destinations are on the link. */
  readonly gateway: Ipv4Addr | null;
  /** True if `onlink` vouches that the gateway is on the device's link. */
  readonly isOnLink: boolean;
  /** Preferred source of this host's own packets; `null` lets the device's addresses decide. */
  readonly source: Ipv4Addr | null;
  /** Lower wins among equal prefixes. */
  readonly metric: number;
  readonly scope: RouteScope;
  /** Largest packet in octets; `null` takes the device's. */
  readonly mtu: number | null;
  readonly isMtuLocked: boolean;
  /** Who made it, as `ip route` names it. */
  readonly origin: "kernel" | "boot" | "static";
}

/** The parts of a route that differ from those of a plain unicast route. */
export type RouteOptions = Pick<Route, "prefix"> & Partial<Route>;

/** A route with `ip route add`'s defaults for what `options` leaves out. */
export function newRoute(options: RouteOptions): Route {
  const device = options.device ?? null;
  const gateway = options.gateway ?? null;
  const isDirect = device !== null && gateway === null;
  return {
    kind: RouteKind.Unicast,
    isOnLink: false,
    source: null,
    metric: 0,
    scope: isDirect ? "link" : "global",
    mtu: null,
    isMtuLocked: false,
    origin: "boot",
    ...options,
    device,
    gateway,
  };
}

/** Where `route` leads, as a step of a trace: "0.0.0.0/0 via 10.0.0.1 dev eth0". */
export function describeRoute({ prefix, gateway, device }: Route): string {
  const via = gateway === null ? "" : ` via ${formatIpv4(gateway)}`;
  return `${formatPrefix(prefix)}${via} dev ${device?.name ?? "none"}`;
}

/** One table. A look-up asks the lengths that occur, longest first. */
export class RouteTable {
  readonly #byLength = new Map<number, Map<number, Route[]>>();
  /** Lengths that occur, longest first. */
  #lengths: number[] = [];

  /** In the order of `ip route`: by address, the longest prefix first, then metric. */
  *[Symbol.iterator](): IterableIterator<Route> {
    const all = [...this.#byLength.values()].flatMap((routes) => [...routes.values()].flat());
    yield* all.toSorted(
      (left, right) =>
        left.prefix.address - right.prefix.address ||
        right.prefix.length - left.prefix.length ||
        left.metric - right.metric,
    );
  }

  /** @returns false if the table has a route of this prefix and metric already. */
  add(route: Route): boolean {
    const { address, length } = route.prefix;
    let routes = this.#byLength.get(length);
    if (routes === undefined) {
      routes = new Map();
      this.#byLength.set(length, routes);
      this.#lengths = [...this.#byLength.keys()].toSorted((left, right) => right - left);
    }
    const same = routes.get(address | 0) ?? [];
    if (same.some(({ metric }) => metric === route.metric)) return false;
    routes.set(
      address | 0,
      [...same, route].toSorted((left, right) => left.metric - right.metric),
    );
    return true;
  }

  /** Remove the routes that `matches` accepts. @returns how many there were. */
  remove(matches: (route: Route) => boolean): number {
    let removed = 0;
    for (const [length, routes] of this.#byLength) {
      for (const [key, same] of routes) {
        const kept = same.filter((route) => !matches(route));
        removed += same.length - kept.length;
        if (kept.length === 0) routes.delete(key);
        else routes.set(key, kept);
      }
      if (routes.size === 0) this.#byLength.delete(length);
    }
    this.#lengths = [...this.#byLength.keys()].toSorted((left, right) => right - left);
    return removed;
  }

  /** The best route to `dst`, or `null`. */
  find(dst: Ipv4Addr): Route | null {
    for (const length of this.#lengths) {
      const route = this.#byLength.get(length)?.get((dst & maskOf(length)) | 0)?.[0];
      if (route !== undefined) return route;
    }
    return null;
  }

  /** The best of the routes to `dst` that leave by `device` or refuse, or `null`. */
  findBy(dst: Ipv4Addr, device: Device): Route | null {
    for (const length of this.#lengths) {
      const same = this.#byLength.get(length)?.get((dst & maskOf(length)) | 0) ?? [];
      const route = same.find((one) => one.device === device || one.device === null);
      if (route !== undefined) return route;
    }
    return null;
  }
}

const CACHE_SIZE = 256;

/** Both tables, with a direct-mapped cache of decisions in front. */
export class Fib {
  readonly #local = new RouteTable();
  readonly #main = new RouteTable();
  readonly #cacheKeys = new Uint32Array(CACHE_SIZE);
  readonly #cache: (Route | null)[] = Array.from({ length: CACHE_SIZE }, () => null);

  readonly #onChange: () => void;

  /** @param onChange hears of every change. */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  /** The routes that `ip route` shows. */
  get main(): Iterable<Route> {
    return this.#main;
  }

  /** This host's own and its broadcast addresses (`ip route show table local`). */
  get local(): Iterable<Route> {
    return this.#local;
  }

  /** @returns false if there is one of the same prefix and metric. */
  add(route: Route): boolean {
    this.#cache.fill(null);
    this.#onChange();
    return this.#tableOf(route).add(route);
  }

  /** @returns how many routes `matches` accepted; they are gone. */
  remove(matches: (route: Route) => boolean): number {
    this.#cache.fill(null);
    this.#onChange();
    return this.#local.remove(matches) + this.#main.remove(matches);
  }

  /** The route that decides about packets to `dst`, or `null`. */
  find(dst: Ipv4Addr): Route | null {
    const slot = ((dst >>> 16) ^ dst) & (CACHE_SIZE - 1);
    const cached = this.#cache[slot] ?? null;
    if (cached !== null && this.#cacheKeys[slot] === dst) return cached;
    const route = this.#local.find(dst) ?? this.#main.find(dst);
    this.#cacheKeys[slot] = dst;
    this.#cache[slot] = route;
    return route;
  }

  /** The route to `dst` if `device` were the only one to leave by, or `null`. Not cached. */
  findBy(dst: Ipv4Addr, device: Device): Route | null {
    return this.#local.findBy(dst, device) ?? this.#main.findBy(dst, device);
  }

  /**
   * What kind of address `address` is (`inet_addr_type`): unicast unless the local table knows it.
   */
  kindOf(address: Ipv4Addr): RouteKind {
    if (address === 0 || address === 0xffff_ffff) return RouteKind.Broadcast;
    if (address >>> 28 === 0xe) return RouteKind.Multicast;
    return this.#local.find(ipv4Of(address))?.kind ?? RouteKind.Unicast;
  }

  #tableOf({ kind }: Route): RouteTable {
    return kind === RouteKind.Local || kind === RouteKind.Broadcast ? this.#local : this.#main;
  }
}
