/**
 * A router and the frames it gets, in words that the kernel's own tools take: one description for
 * the kernel and for the emulated router.
 * @module
 */
import { type Prefix, parseInterfaceAddress, parseIpv4 } from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { newRoute, type Route, RouteKind } from "../../src/l3/route-table.ts";

/** One device of the router; the other end of its link plays all its neighbors. */
export interface WorldInterface {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** In the words of `ip addr add`: "10.1.0.1/24 brd 10.1.0.255". */
  readonly addresses: readonly string[];
  /** Permanent neighbors: address to MAC address. */
  readonly neighbors: Readonly<Record<string, string>>;
  /** By the names of `net.ipv4.conf.<interface>`. */
  readonly sysctl: Readonly<Partial<Record<InterfaceSysctl, number>>>;
}

export const INTERFACE_SYSCTLS = [
  "forwarding",
  "medium_id",
  "proxy_arp",
  "rp_filter",
  "send_redirects",
] as const;
export type InterfaceSysctl = (typeof INTERFACE_SYSCTLS)[number];

export interface World {
  readonly interfaces: readonly WorldInterface[];
  /** In the words of `ip route add`: "192.0.2.0/24 via 10.1.0.2 metric 5". */
  readonly routes: readonly string[];
}

/** A frame that reaches the router. */
export interface InputFrame {
  /** Microseconds after the start; frames are in the order of their times. */
  readonly at: number;
  readonly interface: string;
  /** Hexadecimal. */
  readonly octets: string;
}

/** A frame that the router sent. */
export interface OutputFrame {
  readonly interface: string;
  /** Hexadecimal. */
  readonly octets: string;
}

/** An {@link OutputFrame} and when it left, in microseconds after the start. */
export interface TimedFrame extends OutputFrame {
  readonly at: number;
}

/** The lines for `ip -batch` that give the router of `world` its addresses, neighbors, routes. */
export function ipWords({ interfaces, routes }: World): string[] {
  return [
    ...interfaces.flatMap(({ name, addresses }) =>
      addresses.map((words) => `addr add ${words} dev ${name}`),
    ),
    ...interfaces.flatMap(({ name, neighbors }) =>
      Object.entries(neighbors).map(
        ([address, mac]) => `neigh add ${address} lladdr ${mac} dev ${name} nud permanent`,
      ),
    ),
    ...routes.map((words) => `route add ${words}`),
  ];
}

/**
 * The settings of `world` in the order in which they must be written. What the kernel joins with
 * the setting of all interfaces is left to the interface; ICMP has no limit for the whole host;
 * redirects are not heeded, as on any router. Packets that wait for a neighbor are as many as come:
 * the kernel counts the memory of their buffers, which no frame shows.
 */
export function sysctls({ interfaces }: World): [string, number][] {
  return [
    ["net.ipv4.ip_forward", 1],
    ["net.ipv4.icmp_msgs_per_sec", 1_000_000],
    ["net.ipv4.icmp_msgs_burst", 1_000_000],
    ["net.ipv4.conf.all.send_redirects", 0],
    ...interfaces.flatMap(({ name, sysctl }): [string, number][] => [
      [`net.ipv4.neigh.${name}.proxy_delay`, 0],
      [`net.ipv4.neigh.${name}.unres_qlen_bytes`, 2 ** 30],
      [`net.ipv4.conf.${name}.accept_redirects`, 0],
      ...Object.entries(sysctl).map(([key, value]): [string, number] => [
        `net.ipv4.conf.${name}.${key}`,
        value,
      ]),
    ]),
  ];
}

/** `words` of `ip addr add`, read. */
export function parseAddressWords(words: string): Prefix & { broadcast: string | null } {
  const [address = "", key, broadcast = null, ...rest] = words.split(" ");
  if (rest.length > 0 || (key !== undefined && key !== "brd")) {
    throw new Error(`not the words of an address: ${words}`);
  }
  return { ...parseInterfaceAddress(address), broadcast };
}

const KINDS = new Map<string, RouteKind>([
  ["unreachable", RouteKind.Unreachable],
  ["prohibit", RouteKind.Prohibit],
  ["blackhole", RouteKind.Blackhole],
]);

/** `words` of `ip route add`, read; `find` knows devices by name and gateways by address. */
export function parseRouteWords(
  words: string,
  find: (name: string) => Device,
  deviceTo: (gateway: string) => Device,
): Route {
  const all = words.split(" ");
  const kind = KINDS.get(all[0] ?? "") ?? RouteKind.Unicast;
  const [destination = "", ...rest] = kind === RouteKind.Unicast ? all : all.slice(1);
  const prefix = parseInterfaceAddress(destination === "default" ? "0.0.0.0/0" : destination);
  const options = new Map<string, string>();
  while (rest.length > 0) {
    const key = rest.shift() ?? "";
    if (key === "mtu" && rest[0] === "lock") options.set("lock", rest.shift() ?? "");
    options.set(key, key === "onlink" ? "" : (rest.shift() ?? ""));
  }
  const { via, dev, src, metric, mtu } = Object.fromEntries(options);
  return newRoute({
    kind,
    prefix,
    device: dev === undefined ? (via === undefined ? null : deviceTo(via)) : find(dev),
    gateway: via === undefined ? null : parseIpv4(via),
    source: src === undefined ? null : parseIpv4(src),
    metric: Number(metric ?? 0),
    mtu: mtu === undefined ? null : Number(mtu),
    isMtuLocked: options.has("lock"),
  });
}
