/** Random worlds: routers with links, guests, gateways and routes of every kind. @module */
import fc from "fast-check";
import { formatIpv4, ipv4Of, maskOf, parseIpv4 } from "../../src/wire/addr.ts";
import type { World, WorldInterface } from "../../src/zone/world/world.ts";

/** A world, and the addresses in it that frames may name. */
export interface Site {
  readonly world: Required<Pick<World, "interfaces" | "routes" | "sysctl">>;
  /** The router's own addresses. */
  readonly own: readonly string[];
  /** For each interface the addresses that its neighbors have. */
  readonly onLink: readonly (readonly string[])[];
  /** Addresses that routes lead to, or refuse. */
  readonly routed: readonly string[];
  /** Broadcast and network addresses of the router's blocks. */
  readonly blockEnds: readonly string[];
  /** True if SCTP may be spoken: no rule makes the router track connections of it. */
  readonly hasSctp: boolean;
  /** For `iptables-restore`; empty until they are known. */
  readonly rules: string;
}

/** One interface with what lies on its link. */
interface Plot {
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
  /** Neighbors; the first `known` of them are permanent entries. */
  readonly hosts: readonly string[];
  readonly known: number;
  readonly blockEnds: readonly string[];
}

const MAC_ROUTER = "02:00:00:00:00";
const PREFIXES = [
  "0.0.0.0/0",
  "8.0.0.0/7",
  "8.8.8.0/24",
  "10.1.2.77",
  "10.2.2.77",
  "10.254.170.99",
  "172.16.0.0/12",
  "192.0.2.0/24",
  "192.0.2.128/25",
  "198.51.100.0/24",
  "203.0.113.7",
  "240.0.0.0/8",
];

const mtu = fc.oneof(
  { arbitrary: fc.constant(1500), weight: 5 },
  { arbitrary: fc.constantFrom(68, 69, 296, 576, 577, 1006, 1280, 1491), weight: 2 },
);

const sysctl: fc.Arbitrary<Readonly<Record<string, number>>> = fc.record(
  {
    forwarding: fc.constantFrom(1, 1, 1, 1, 1, 0),
    medium_id: fc.constantFrom(0, 0, 0, 1, 2, -1),
    proxy_arp: fc.constantFrom(1, 1, 0),
    rp_filter: fc.constantFrom(0, 0, 0, 1, 2),
    send_redirects: fc.constantFrom(0, 1),
    accept_local: fc.constantFrom(0, 0, 0, 1),
    route_localnet: fc.constantFrom(0, 0, 1),
    arp_ignore: fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 5, 8),
    arp_announce: fc.constantFrom(0, 0, 1, 2),
    arp_filter: fc.constantFrom(0, 0, 0, 1),
    proxy_arp_pvlan: fc.constantFrom(0, 0, 1),
  },
  { requiredKeys: [] },
);

/** A subnet of its own, 10.`index + 1`.2.0. */
function lan(index: number): fc.Arbitrary<Plot> {
  const more = fc.constantFrom<readonly ("same" | "other" | "shared")[]>(
    [],
    [],
    ["same"],
    ["other"],
    ["shared"],
    ["same", "other", "shared"],
  );
  return fc
    .record({
      length: fc.constantFrom(16, 23, 24, 24, 25, 29, 30, 31),
      isFirst: fc.boolean(),
      broadcast: fc.constantFrom(null, "+", "10.255.255.255"),
      known: fc.constantFrom(9, 9, 9, 2, 0),
      more,
    })
    .map(({ length, isFirst, broadcast, known, more: kinds }) => {
      const base = ipv4Of(parseIpv4(`10.${index + 1}.2.0`) & maskOf(length));
      const last = ipv4Of(base | ~maskOf(length));
      const at = (host: number): string => formatIpv4(ipv4Of(base + host));
      const numbers = length === 31 ? [0, 1] : [1, 2, 3, 4, 5].filter((n) => base + n < last);
      const own = isFirst ? (numbers[0] ?? 0) : (numbers.at(-1) ?? 0);
      const end = formatIpv4(last);
      const brd = broadcast === null ? "" : ` brd ${broadcast === "+" ? end : broadcast}`;
      const addresses = [`${at(own)}/${length}${length > 30 ? "" : brd}`];
      const free = numbers.filter((n) => n !== own);
      const hasOther = kinds.includes("other");
      const taken = kinds.includes("same") && free.length > 2 ? free.pop() : undefined;
      if (taken !== undefined) addresses.push(`${at(taken)}/${length}`);
      if (hasOther) addresses.push(`10.${index + 1}.200.1/24`);
      if (kinds.includes("shared")) addresses.push("10.254.168.2/32");
      return {
        addresses,
        routes: [],
        hosts: [...free.map(at), ...(hasOther ? [`10.${index + 1}.200.9`] : [])],
        known,
        blockEnds: [formatIpv4(base), end, "10.255.255.255"],
      };
    });
}

/** A guest behind a host route, as EC2's vifs are. */
function vif(index: number): fc.Arbitrary<Plot> {
  return fc
    .record({
      address: fc.constantFrom("10.254.168.2/32", "10.254.168.2/32 brd 10.255.255.255", null),
      hasSource: fc.boolean(),
      known: fc.constantFrom(1, 1, 1, 0),
    })
    .map(({ address, hasSource, known }) => {
      const guest = `10.254.170.${10 + index}`;
      const src = hasSource && address !== null ? " src 10.254.168.2" : "";
      return {
        addresses: address === null ? [] : [address],
        routes: [`${guest} dev e${index}${src}`],
        hosts: [guest],
        known,
        blockEnds: ["10.255.255.255"],
      };
    });
}

type RouteAction =
  | { readonly kind: "refuse"; readonly word: string }
  | { readonly kind: "link"; readonly on: number }
  | { readonly kind: "gateway"; readonly on: number; readonly host: number };

interface RouteChoice {
  readonly prefix: string;
  readonly action: RouteAction;
  readonly metric: number;
  readonly mtu: string;
  readonly src: number;
}

const index = fc.nat({ max: 255 });
const route: fc.Arbitrary<RouteChoice> = fc.record({
  prefix: fc.constantFrom(...PREFIXES),
  action: fc.oneof(
    {
      arbitrary: fc.record({ kind: fc.constant("gateway" as const), on: index, host: index }),
      weight: 4,
    },
    { arbitrary: fc.record({ kind: fc.constant("link" as const), on: index }), weight: 2 },
    {
      arbitrary: fc.record({
        kind: fc.constant("refuse" as const),
        word: fc.constantFrom("unreachable", "prohibit", "blackhole"),
      }),
      weight: 3,
    },
  ),
  metric: fc.constantFrom(0, 0, 5),
  mtu: fc.constantFrom("", "", "", " mtu 576", " mtu 1005", " mtu lock 1400"),
  src: fc.oneof(fc.constant(-1), index),
});

const routes = fc.uniqueArray(route, {
  maxLength: 7,
  selector: ({ prefix, metric }) => `${prefix} ${metric}`,
});

/** The words of a route, or none if this world cannot have it. */
function wordsOf(choice: RouteChoice, plots: readonly Plot[], own: readonly string[]): string[] {
  const { prefix, action, metric } = choice;
  const source = choice.src < 0 || own.length === 0 ? "" : own[choice.src % own.length];
  const rank = metric === 0 ? "" : ` metric ${metric}`;
  const src = source === "" ? "" : ` src ${source}`;
  if (action.kind === "refuse") return [`${action.word} ${prefix}${rank}`];
  const on = action.on % plots.length;
  const dev = ` dev e${on}`;
  if (action.kind === "link") return [`${prefix}${dev}${src}${rank}${choice.mtu}`];
  const hosts = plots[on]?.hosts ?? [];
  const gateway = hosts[action.host % Math.max(hosts.length, 1)];
  if (gateway === undefined) return [];
  return [`${prefix} via ${gateway}${dev}${src}${rank}${choice.mtu}`];
}

/** Some address inside a prefix that is not its first. */
function inside(prefix: string): string {
  const [address = "", length = "32"] = prefix.split("/");
  const step = length === "32" ? 0 : length === "0" ? 0x09090909 : 9;
  return formatIpv4(ipv4Of(parseIpv4(address) + step));
}

/** Any world of two to four interfaces. */
export const site: fc.Arbitrary<Site> = fc
  .integer({ min: 2, max: 4 })
  .chain((count) => {
    const plots = Array.from({ length: count }, (_, at) =>
      fc.record({
        plot: fc.oneof({ arbitrary: lan(at), weight: 3 }, { arbitrary: vif(at), weight: 1 }),
        mtu,
        sysctl,
      }),
    );
    return fc.record({ plots: fc.tuple(...plots), routes });
  })
  .map(({ plots, routes: choices }) => {
    const interfaces = plots.map(({ plot, mtu: size }, at): WorldInterface => ({
      mac: `${MAC_ROUTER}:0${at}`,
      mtu: size,
      addresses: plot.addresses,
      neighbors: Object.fromEntries(
        plot.hosts.slice(0, plot.known).map((host, n) => [host, `12:31:39:00:0${at}:0${n}`]),
      ),
    }));
    const settings = plots.flatMap(({ sysctl: own }, at) =>
      Object.entries(own).map(([key, value]): [string, number] => [
        `net.ipv4.conf.e${at}.${key}`,
        value,
      ]),
    );
    const all = plots.map(({ plot }) => plot);
    const addresses = all.flatMap((plot) => plot.addresses);
    const own = [...new Set(addresses.map((words) => words.split("/")[0] ?? ""))];
    return {
      world: {
        interfaces: Object.fromEntries(interfaces.map((one, at) => [`e${at}`, one])),
        sysctl: Object.fromEntries(settings),
        routes: [
          ...all.flatMap((plot) => plot.routes),
          ...choices.flatMap((choice) => wordsOf(choice, all, own)),
        ],
      },
      own,
      onLink: all.map(({ hosts }) => hosts),
      routed: [...choices.map(({ prefix }) => inside(prefix)), "8.8.8.8"],
      blockEnds: all.flatMap(({ blockEnds }) => blockEnds),
      hasSctp: true,
      rules: "",
    };
  });
