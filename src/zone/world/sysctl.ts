/**
 * The settings of a world's router by their names under `/proc/sys`: those that decide about
 * packets here. Any other is refused, lest a file say what the router does not do.
 * @module
 */
import { ParseError } from "../../base/errors.ts";
import { type Duration, MILLISECOND, SECOND } from "../../base/time.ts";
import type { RouterBehaviour } from "../../l3/behaviour.ts";
import type { InterfaceSettings } from "../../l3/interface.ts";
import { DEFAULT_STACK_SETTINGS, type StackSettings } from "../../l3/stack-settings.ts";
import type { FlowBehaviour } from "../../nat/behaviour.ts";
import type { Profile } from "../../xen/profile.ts";
import { type ConfKey, InterfaceConf } from "./interface-conf.ts";

/** What a number may be, both ends included. */
type Range = readonly [least: number, most: number];

const FLAG: Range = [0, 1];
const COUNT: Range = [0, 2 ** 31 - 1];
/** Seconds whose ticks the kernel can count. */
const TIMEOUT: Range = [0, 2 ** 31 / 1000];
const IPV4 = "net.ipv4.";
const NEIGHBOR = "net.ipv4.neigh.default.";
const FLOWS = "net.netfilter.nf_conntrack_";

/** Settings of the whole router. A range of one value: nothing else is emulated. */
const RANGES: ReadonlyMap<string, Range> = new Map([
  [`${IPV4}ip_forward`, FLAG],
  [`${IPV4}ip_default_ttl`, [1, 255]],
  [`${IPV4}icmp_ratelimit`, COUNT],
  [`${IPV4}icmp_ratemask`, COUNT],
  [`${IPV4}icmp_msgs_per_sec`, COUNT],
  [`${IPV4}icmp_msgs_burst`, COUNT],
  [`${IPV4}icmp_echo_ignore_all`, FLAG],
  [`${IPV4}icmp_echo_ignore_broadcasts`, FLAG],
  [`${IPV4}icmp_errors_use_inbound_ifaddr`, [0, 0]],
  [`${IPV4}icmp_ignore_bogus_error_responses`, FLAG],
  [`${IPV4}ip_forward_use_pmtu`, [0, 0]],
  [`${IPV4}ipfrag_high_thresh`, COUNT],
  [`${IPV4}ipfrag_time`, TIMEOUT],
  [`${NEIGHBOR}unres_qlen`, COUNT],
  [`${NEIGHBOR}proxy_delay`, COUNT],
  [`${NEIGHBOR}gc_thresh1`, COUNT],
  [`${FLOWS}max`, [1, COUNT[1]]],
  [`${FLOWS}acct`, FLAG],
  [`${FLOWS}checksum`, FLAG],
  [`${FLOWS}log_invalid`, [0, 0]],
  [`${FLOWS}helper`, [0, 0]],
  [`${FLOWS}tcp_loose`, [0, 255]],
  [`${FLOWS}tcp_be_liberal`, FLAG],
  [`${FLOWS}tcp_max_retrans`, [0, 255]],
  [`${FLOWS}tcp_ignore_invalid_rst`, FLAG],
  ...[
    "generic_timeout",
    "icmp_timeout",
    "udp_timeout",
    "udp_timeout_stream",
    "gre_timeout",
    "gre_timeout_stream",
    "tcp_timeout_syn_sent",
    "tcp_timeout_syn_recv",
    "tcp_timeout_established",
    "tcp_timeout_fin_wait",
    "tcp_timeout_close_wait",
    "tcp_timeout_last_ack",
    "tcp_timeout_time_wait",
    "tcp_timeout_close",
    "tcp_timeout_max_retrans",
    "tcp_timeout_unacknowledged",
  ].map((key): [string, Range] => [FLOWS + key, TIMEOUT]),
]);

/** Settings of the whole router that it heeds when they change; the others hold from the start. */
const CHANGEABLE: ReadonlySet<string> = new Set(
  [
    "ip_forward",
    "ip_default_ttl",
    "icmp_ratemask",
    "icmp_echo_ignore_all",
    "icmp_echo_ignore_broadcasts",
  ].map((name) => IPV4 + name),
);

/** Settings of each interface; those of one value are as harmless as they are unchangeable here. */
const CONF_RANGES: Readonly<Record<ConfKey, Range>> = {
  forwarding: FLAG,
  proxy_arp: FLAG,
  medium_id: [-1, COUNT[1]],
  rp_filter: [0, 2],
  send_redirects: FLAG,
  accept_redirects: [0, 0],
  secure_redirects: FLAG,
  shared_media: [1, 1],
  accept_source_route: FLAG,
  accept_local: FLAG,
  route_localnet: FLAG,
  log_martians: FLAG,
  bootp_relay: [0, 0],
  src_valid_mark: [0, 0],
  proxy_arp_pvlan: FLAG,
  arp_accept: [0, 0],
  arp_announce: [0, 2],
  arp_filter: FLAG,
  arp_ignore: [0, 8],
};
const CONF = /^net\.ipv4\.conf\.(.+)\.([a-z_]+)$/;

/** The names that a router with these interfaces has. */
export function sysctlNames(interfaces: readonly string[]): string[] {
  const devices = ["all", "default", ...interfaces];
  const own = Object.keys(CONF_RANGES);
  return [
    ...RANGES.keys(),
    ...devices.flatMap((device) => own.map((key) => `${IPV4}conf.${device}.${key}`)),
  ];
}

/** The settings of one router. Written in order, as `sysctl -p` does. */
export class Sysctls {
  readonly #profile: Profile;
  readonly #conf: InterfaceConf;
  readonly #values = new Map<string, number>();

  /** @param interfaces names of all interfaces; forwarding is on from the start. */
  constructor(profile: Profile, interfaces: readonly string[]) {
    this.#profile = profile;
    this.#conf = new InterfaceConf(interfaces);
    this.#conf.set("all", "forwarding", 1);
  }

  /** @throws {ParseError} if the name is not known, or the value is not one that it can have. */
  set(name: string, value: number | string): void {
    const [, device = "", key = ""] = CONF.exec(name) ?? [];
    if (isConfKey(key)) this.#setConf(name, device, key, value);
    else {
      const range = RANGES.get(name);
      if (range === undefined) refuse(name, "is not emulated");
      const number = readNumber(name, value, range);
      if (name === `${IPV4}ip_forward`) this.#conf.set("all", "forwarding", number);
      else this.#values.set(name, number);
    }
  }

  /**
   * {@link set} for a router at work. Forwarding of all that is what it was leaves each interface
   * alone (`devinet_sysctl_forward`).
   * @throws {ParseError} also if it cannot be changed then.
   */
  change(name: string, value: number | string): void {
    if (!CONF.test(name) && !CHANGEABLE.has(name)) refuse(name, "cannot be changed at work");
    const isOfAll = name === `${IPV4}ip_forward` || name === `${IPV4}conf.all.forwarding`;
    if (isOfAll && readNumber(name, value, FLAG) === this.#conf.forwardingOfAll) return;
    this.set(name, value);
  }

  /** The whole stack's. */
  get stack(): StackSettings {
    const is = DEFAULT_STACK_SETTINGS;
    return {
      ttl: this.#get(`${IPV4}ip_default_ttl`, is.ttl),
      icmpInterval: this.#time(`${IPV4}icmp_ratelimit`, MILLISECOND, is.icmpInterval),
      icmpLimitedTypes: this.#get(`${IPV4}icmp_ratemask`, is.icmpLimitedTypes),
      ignoresEcho: this.#flag(`${IPV4}icmp_echo_ignore_all`, is.ignoresEcho),
      ignoresBroadcastEcho: this.#flag(
        `${IPV4}icmp_echo_ignore_broadcasts`,
        is.ignoresBroadcastEcho,
      ),
      reassemblyTime: this.#time(`${IPV4}ipfrag_time`, SECOND, is.reassemblyTime),
    };
  }

  /** The profile, but for what was set. */
  get profile(): Profile {
    return { ...this.#profile, router: this.#router, flows: this.#flows };
  }

  /** An interface's, joined with those of all. */
  settingsOf(device: string): InterfaceSettings {
    return this.#conf.settingsOf(device, this.#profile.router.hasLooseRpFilter);
  }

  get #router(): RouterBehaviour {
    const is = this.#profile.router;
    const { icmpGlobalLimit: limit } = is;
    return {
      ...is,
      arp: {
        ...is.arp,
        proxyDelay: this.#time(`${NEIGHBOR}proxy_delay`, SECOND / 100, is.arp.proxyDelay),
      },
      neighbor: {
        ...is.neighbor,
        queueLimit: this.#get(`${NEIGHBOR}unres_qlen`, is.neighbor.queueLimit),
        collectsAbove: this.#get(`${NEIGHBOR}gc_thresh1`, is.neighbor.collectsAbove),
      },
      reassembly: {
        ...is.reassembly,
        memoryLimit: this.#get(`${IPV4}ipfrag_high_thresh`, is.reassembly.memoryLimit),
      },
      icmpGlobalLimit:
        limit === null
          ? null
          : {
              perSecond: this.#get(`${IPV4}icmp_msgs_per_sec`, limit.perSecond),
              burst: this.#get(`${IPV4}icmp_msgs_burst`, limit.burst),
            },
    };
  }

  get #flows(): FlowBehaviour {
    const { conntrack: is, nat } = this.#profile.flows;
    const { tcp } = is.timeouts;
    const get = (key: string, otherwise: number): number => this.#get(FLOWS + key, otherwise);
    const flag = (key: string, otherwise: boolean): boolean => this.#flag(FLOWS + key, otherwise);
    const time = (key: string, otherwise: Duration): Duration =>
      this.#time(FLOWS + key, SECOND, otherwise);
    return {
      nat,
      conntrack: {
        ...is,
        limit: get("max", is.limit),
        countsTraffic: flag("acct", is.countsTraffic),
        verifiesChecksums: flag("checksum", is.verifiesChecksums),
        tcpLoose: get("tcp_loose", is.tcpLoose),
        isTcpLiberal: flag("tcp_be_liberal", is.isTcpLiberal),
        tcpMaxRepeats: get("tcp_max_retrans", is.tcpMaxRepeats),
        ignoresInvalidReset: flag("tcp_ignore_invalid_rst", is.ignoresInvalidReset),
        timeouts: {
          generic: time("generic_timeout", is.timeouts.generic),
          icmp: time("icmp_timeout", is.timeouts.icmp),
          udp: time("udp_timeout", is.timeouts.udp),
          udpStream: time("udp_timeout_stream", is.timeouts.udpStream),
          gre: time("gre_timeout", is.timeouts.gre),
          greStream: time("gre_timeout_stream", is.timeouts.greStream),
          tcp: {
            ...tcp,
            synSent: time("tcp_timeout_syn_sent", tcp.synSent),
            synReceived: time("tcp_timeout_syn_recv", tcp.synReceived),
            established: time("tcp_timeout_established", tcp.established),
            finWait: time("tcp_timeout_fin_wait", tcp.finWait),
            closeWait: time("tcp_timeout_close_wait", tcp.closeWait),
            lastAck: time("tcp_timeout_last_ack", tcp.lastAck),
            timeWait: time("tcp_timeout_time_wait", tcp.timeWait),
            close: time("tcp_timeout_close", tcp.close),
            repeated: time("tcp_timeout_max_retrans", tcp.repeated),
            unacknowledged: time("tcp_timeout_unacknowledged", tcp.unacknowledged),
          },
        },
      },
    };
  }

  #setConf(name: string, device: string, key: ConfKey, value: number | string): void {
    if (!this.#conf.has(device)) refuse(name, `there is no interface "${device}"`);
    const number = readNumber(name, value, CONF_RANGES[key]);
    // Linux takes source routes where both say so; `all` is 0 from the start, and must stay so.
    if (key === "accept_source_route" && device === "all" && number !== 0) {
      refuse(name, "expected 0, which is all that is emulated, got 1");
    }
    this.#conf.set(device, key, number);
  }

  #get(name: string, otherwise: number): number {
    return this.#values.get(name) ?? otherwise;
  }

  #flag(name: string, otherwise: boolean): boolean {
    const value = this.#values.get(name);
    return value === undefined ? otherwise : value === 1;
  }

  #time(name: string, unit: Duration, otherwise: Duration): Duration {
    const value = this.#values.get(name);
    return value === undefined ? otherwise : value * unit;
  }
}

const isConfKey = (key: string): key is ConfKey => Object.hasOwn(CONF_RANGES, key);

function readNumber(name: string, value: number | string, [least, most]: Range): number {
  const number = typeof value === "number" || /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  const expected =
    least === most ? `${least}, which is all that is emulated` : `${least} to ${most}`;
  return refuse(name, `expected ${expected}, got ${value}`);
}

function refuse(name: string, message: string): never {
  throw new ParseError("sysctl", name, message);
}
