/** The frames of a world, and what a kernel must be told to be its router. @module */
import type { World } from "../../src/zone/world/world.ts";

/** A frame that reaches the router. */
export interface InputFrame {
  /** Microseconds after the start; frames are in the order of their times. */
  readonly at: number;
  readonly interface: string;
  /** Hexadecimal. */
  readonly octets: string;
  /** A command line that is run instead; interface and octets are then empty. */
  readonly command?: string;
  /** True if the kernel refused it. */
  readonly isRefused?: boolean;
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

/**
 * Settings under which kernel and emulated router can be compared. What the kernel joins with the
 * setting of all interfaces is left to the interface; ICMP has no limit for the whole host;
 * redirects are not heeded, as on any router. Packets that wait for a neighbor are as many as come:
 * the kernel counts the memory of their buffers, which no frame shows.
 */
const COMPARABLE: NonNullable<World["sysctl"]> = {
  "net.ipv4.ip_forward": 1,
  "net.ipv4.icmp_msgs_per_sec": 1_000_000,
  "net.ipv4.icmp_msgs_burst": 1_000_000,
  "net.ipv4.neigh.default.proxy_delay": 0,
  "net.ipv4.neigh.default.unres_qlen": 4096,
  "net.ipv4.conf.all.accept_redirects": 0,
  "net.ipv4.conf.default.accept_redirects": 0,
  "net.ipv4.conf.all.rp_filter": 0,
  "net.ipv4.conf.default.rp_filter": 0,
  "net.ipv4.conf.all.send_redirects": 0,
};

/** `world` with these settings before its own. */
export const comparableWorld = (world: World): World => ({
  ...world,
  sysctl: { ...COMPARABLE, ...world.sysctl },
});

/** The lines for `ip -batch` that give the router of `world` its addresses, neighbors, routes. */
export function ipWords({ interfaces, routes = [] }: World): string[] {
  const all = Object.entries(interfaces);
  return [
    ...all.flatMap(([name, { addresses = [] }]) =>
      addresses.map((words) => `addr add ${words} dev ${name}`),
    ),
    ...all.flatMap(([name, { neighbors = {} }]) =>
      Object.entries(neighbors).map(
        ([address, mac]) => `neigh add ${address} lladdr ${mac} dev ${name} nud permanent`,
      ),
    ),
    ...routes.map((words) => `route add ${words}`),
  ];
}

/**
 * Rules of ebtables with the names of ports that the kernel has: a bridge and its port cannot both
 * have that of the interface there.
 */
export const withPorts = ({ interfaces }: World, text: string): string =>
  Object.keys(interfaces).reduce(
    (rules, name) => rules.replaceAll(new RegExp(`( -[io] (?:! )?)${name}\\b`, "g"), `$1${name}p`),
    text,
  );

const NEIGHBOR_DEFAULT = "net.ipv4.neigh.default.";

/**
 * The settings of a comparable `world` in the order in which they must be written. Defaults of
 * neighbors belong to the whole computer: each interface gets its own instead.
 */
export function sysctls(world: World): [string, number | string][] {
  const proxies = Object.entries(world.interfaces).filter(([, { proxyArp }]) => proxyArp === true);
  return [
    ...proxies.map(([name]): [string, number] => [`net.ipv4.conf.${name}.proxy_arp`, 1]),
    ...Object.entries(comparableWorld(world).sysctl ?? {}).flatMap(
      ([key, value]): [string, number | string][] => {
        if (!key.startsWith(NEIGHBOR_DEFAULT)) return [[key, value]];
        const own = key.slice(NEIGHBOR_DEFAULT.length);
        return Object.keys(world.interfaces).map((name) => [
          `net.ipv4.neigh.${name}.${own}`,
          value,
        ]);
      },
    ),
  ];
}
