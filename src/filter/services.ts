/** What rules need from the host that they stand in; each is handed in. @module */
import { Jiffies } from "../base/jiffies.ts";
import type { Chance } from "../base/prng.ts";
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Connections } from "../l3/connections.ts";
import { NamedLists } from "./named-lists.ts";
import type { RateTable } from "./rate-table.ts";
import type { RecentList } from "./recent-list.ts";
import type { Packet } from "../wire/packet.ts";

/** Knows what an address is to this host (`inet_dev_addr_type`). */
export interface AddressClassifier {
  /**
   * @param device look only at the addresses and routes of this device; `null` for all.
   * @returns a `RouteKind`: the number of Linux's `RTN_*`.
   */
  typeOf(address: Ipv4Addr, device: Device | null): number;
}

/** Knows the addresses that a device has. */
export interface InterfaceAddresses {
  /** @returns the first address of `device`; `null` if it has none. */
  first(device: Device): Ipv4Addr | null;
  /** @returns the address that `device` uses towards `target` (`inet_select_addr`), or `null`. */
  select(device: Device, target: Ipv4Addr): Ipv4Addr | null;
}

/** What `REJECT` sends back, as `--reject-with` names it. */
export const REJECT_WITH = [
  "icmp-net-unreachable",
  "icmp-host-unreachable",
  "icmp-proto-unreachable",
  "icmp-port-unreachable",
  "icmp-net-prohibited",
  "icmp-host-prohibited",
  "tcp-reset",
  "icmp-admin-prohibited",
] as const;
/** One of {@link REJECT_WITH}. */
export type RejectWith = (typeof REJECT_WITH)[number];

/** Answers packets that a rule rejects. */
export interface Rejecter {
  /**
   * Tell the sender of `packet`, which is borrowed and will be dropped. A later fragment, or a
   * packet whose checksum does not hold, gets no answer (`nf_send_unreach`, `nf_send_reset`).
   */
  reject(packet: Packet, how: RejectWith, now: Instant): void;
}

/** Takes the kernel log's lines. Must not send packets. */
export interface LogSink {
  /**
   * @param level as syslog counts: 0 is an emergency, 7 is for debugging.
   * @param line without time and newline; a space ends it, as in the kernel's own.
   * @param packet borrowed.
   */
  log(level: number, line: string, packet: Packet, now: Instant): void;
}

/** What rules share by name; each rule set has its own. */
export interface RuleLists {
  readonly recents: NamedLists<RecentList>;
  readonly rates: NamedLists<RateTable>;
}

/** How `NFLOG` wants a packet to be passed on. */
export interface PacketCopy {
  /** The netlink group, from 0 to 65,535. */
  readonly group: number;
  /** Up to 63 characters; may be empty. */
  readonly prefix: string;
  /** Packets that the kernel would gather before it wakes a listener; 0 leaves it to that one. */
  readonly threshold: number;
}

/** Takes copies of packets (`nfnetlink_log`). Must not send packets. */
export interface PacketLog {
  /**
   * @param packet borrowed.
   * @param octets how many of it are wanted, from its IP header on.
   */
  copy(how: PacketCopy, packet: Packet, octets: number, now: Instant): void;
}

/** All that rules may need. What is `null` refuses the rules that need it; logs go nowhere. */
export interface RuleServices {
  /** For `-m limit`. */
  readonly jiffies: Jiffies;
  /** For `-m statistic --mode random`. */
  readonly chance: Chance | null;
  /** For `-m addrtype`. */
  readonly addressTypes: AddressClassifier | null;
  /** For `MASQUERADE` and `REDIRECT`. */
  readonly interfaceAddresses: InterfaceAddresses | null;
  /**
   * For `TCPMSS --clamp-mss-to-pmtu`: the largest packet on the way to an address, in octets.
   * `null` where the way back does not count (before 2.6.25).
   */
  readonly pathMtu: ((address: Ipv4Addr) => number) | null;
  /** For `REJECT`. */
  readonly rejecter: Rejecter | null;
  /** For `LOG` and `TRACE`. */
  readonly log: LogSink | null;
  /** For `NFLOG`. */
  readonly packetLog: PacketLog | null;
  /** For `-m connmark`, `connlimit`, `conntrack` but for plain states, and `CONNMARK`. */
  readonly connections: Connections | null;
  /** For `-m recent` and `hashlimit`. */
  readonly lists: RuleLists;
}

/** `given`, and none of what is left out. */
export const completeServices = (given: Partial<RuleServices>): RuleServices => ({
  jiffies: new Jiffies(),
  chance: null,
  addressTypes: null,
  interfaceAddresses: null,
  pathMtu: null,
  rejecter: null,
  log: null,
  packetLog: null,
  connections: null,
  lists: { recents: new NamedLists(), rates: new NamedLists() },
  ...given,
});
