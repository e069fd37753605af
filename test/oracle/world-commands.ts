/**
 * Random changes of a router at work: of rules, connections, routes, addresses, neighbors,
 * links, settings.
 * @module
 */
import fc from "fast-check";
import { MAC_NEIGHBOR } from "./rule-words.ts";
import type { Site } from "./world-arbitrary.ts";
import type { StepSpec } from "./world-talk.ts";

const nat = fc.nat({ max: 255 });
const pick = <T>(all: readonly T[], by: number): T | null => all[by % all.length] ?? null;

/**
 * Rules whose state a kernel forgets when their table changes (docs/deviations.md), or that share
 * what they count.
 */
const FORGETS = / -m (limit|connlimit|statistic|hashlimit) /;

/** A change of one rule or chain that the router has. */
const ruleChange = fc
  .record({
    verb: fc.constantFrom("-D", "-D", "-I", "-I", "-A", "-R", "-F", "-P", "-Z"),
    rule: nat,
    number: fc.constantFrom(1, 1, 2, 3),
    policy: fc.constantFrom("ACCEPT", "ACCEPT", "DROP"),
  })
  .map(({ verb, rule, number, policy }) => ({ rules }: Site): string | null => {
    if (FORGETS.test(rules)) return null;
    const lines = rules.split("\n");
    const at = pick(
      lines.flatMap((line, index) => (line.startsWith("-A") ? [index] : [])),
      rule,
    );
    if (at === null) return null;
    const [, chain = "", ...words] = (lines[at] ?? "").split(" ");
    const table = lines.slice(0, at).findLast((line) => line.startsWith("*"));
    const what = {
      "-D": `${chain} ${number}`,
      "-I": `${chain} ${number} ${words.join(" ")}`,
      "-A": `${chain} ${words.join(" ")}`,
      "-R": `${chain} ${number} ${words.join(" ")}`,
      "-F": chain,
      "-P": `${chain} ${policy}`,
      "-Z": chain,
    }[verb];
    return `iptables -t ${table?.slice(1)} ${verb} ${what}`;
  });

const connectionChange = fc
  .record({
    kind: fc.constantFrom("-F", "-p", "-p", "-s", "-d"),
    protocol: fc.constantFrom("udp", "tcp", "icmp"),
    on: nat,
    host: nat,
  })
  .map(({ kind, protocol, on, host }) => ({ onLink, own }: Site): string | null => {
    if (kind === "-F") return "conntrack -F";
    if (kind === "-p") return `conntrack -D -p ${protocol}`;
    const address = pick([...(pick(onLink, on) ?? []), ...own], host);
    return address === null ? null : `conntrack -D ${kind} ${address}`;
  });

const routeChange = fc
  .record({ verb: fc.constantFrom("add", "del", "del"), route: nat, on: nat, host: nat })
  .map(({ verb, route, on, host }) => ({ world, onLink }: Site): string | null => {
    const gateway = pick(pick(onLink, on) ?? [], host);
    const fresh = gateway === null ? [] : [`8.8.0.0/16 via ${gateway} dev e${on % onLink.length}`];
    const words = pick([...world.routes, ...fresh], route);
    return words === null ? null : `ip route ${verb} ${words}`;
  });

const addressChange = fc
  .record({ verb: fc.constantFrom("add", "del"), on: nat, address: nat })
  .map(({ verb, on, address }) => ({ world }: Site): string | null => {
    const at = on % Object.keys(world.interfaces).length;
    const own = world.interfaces[`e${at}`]?.addresses ?? [];
    const words = pick([...own, `10.${at + 1}.2.6/24`, `10.77.${at}.1/24 brd +`], address);
    return words === null ? null : `ip addr ${verb} ${words} dev e${at}`;
  });

const neighborChange = fc
  .record({ verb: fc.constantFrom("replace", "del"), on: nat, host: nat })
  .map(({ verb, on, host }) => ({ onLink }: Site): string | null => {
    const at = on % onLink.length;
    const address = pick(onLink[at] ?? [], host);
    if (address === null) return null;
    const to = verb === "del" ? "" : `lladdr ${MAC_NEIGHBOR} `;
    const state = verb === "del" ? "" : " nud permanent";
    return `ip neigh ${verb} ${address} ${to}dev e${at}${state}`;
  });

const linkChange = fc
  .record({ state: fc.constantFrom("down", "up", "up"), on: nat })
  .map(({ state, on }) => ({ world }: Site): string => {
    const name = pick(Object.keys(world.interfaces), on);
    return `ip link set ${name} ${state}`;
  });

/** Settings of an interface, or of all, and what they may become. */
const CONF: Readonly<Record<string, readonly number[]>> = {
  forwarding: [1, 1, 0],
  proxy_arp: [0, 1],
  rp_filter: [0, 1, 2],
  send_redirects: [0, 1],
  accept_local: [0, 1],
  route_localnet: [0, 1],
  arp_ignore: [0, 1, 2, 3, 8],
  arp_announce: [0, 1, 2],
  arp_filter: [0, 1],
  proxy_arp_pvlan: [0, 1],
};
/** A kernel that stops forwarding begins to heed redirects, which nothing here does. */
const NO_REDIRECTS = "net.ipv4.conf.all.accept_redirects=0";

const confChange = fc
  .record({ key: fc.constantFrom(...Object.keys(CONF)), value: nat, on: nat })
  .map(({ key, value, on }) => ({ world }: Site): string => {
    const names = [...Object.keys(world.interfaces), ...(key === "forwarding" ? [] : ["all"])];
    return `sysctl -w net.ipv4.conf.${pick(names, on)}.${key}=${pick(CONF[key] ?? [], value)}`;
  });

const settingChange = fc
  .constantFrom(
    `ip_forward=0 ${NO_REDIRECTS}`,
    "ip_forward=1",
    `conf.all.forwarding=1`,
    "ip_default_ttl=64",
    "ip_default_ttl=3",
    "icmp_ratemask=6168",
    "icmp_ratemask=0",
    "icmp_echo_ignore_all=1",
    "icmp_echo_ignore_all=0",
    "icmp_echo_ignore_broadcasts=0",
    "icmp_echo_ignore_broadcasts=1",
  )
  .map((words) => (): string => `sysctl -w net.ipv4.${words}`);

/** Any such change. */
export const commandSpec: fc.Arbitrary<StepSpec> = fc
  .oneof(
    { arbitrary: ruleChange, weight: 4 },
    { arbitrary: connectionChange, weight: 3 },
    { arbitrary: routeChange, weight: 2 },
    { arbitrary: addressChange, weight: 1 },
    { arbitrary: neighborChange, weight: 1 },
    { arbitrary: linkChange, weight: 2 },
    { arbitrary: confChange, weight: 2 },
    { arbitrary: settingChange, weight: 1 },
  )
  .map((commandOf) => (site) => {
    const command = commandOf(site);
    return command === null ? [] : [{ interface: "", octets: new Uint8Array(0), command }];
  });
