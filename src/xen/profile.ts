/**
 * Profiles: every named behaviour with its value, once for EC2's hosts of 2010 and once for a
 * current
 * Linux. What only one profile has is a behaviour here, never a question for the profile's name.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type Mac, macOf } from "../wire/addr.ts";
import { EVENTS_3_1, EVENTS_4_17, type EventBehaviour } from "./hypervisor/event-behaviour.ts";
import { BLOCKS_2618, BLOCKS_6, type BlockBehaviour } from "./io/block-behaviour.ts";
import { PROXY_DELAY } from "../l2/arp-responder.ts";
import type { RouterBehaviour } from "../l3/behaviour.ts";
import { type ClientStyle, DHCLIENT_3_0, DHCLIENT_4_4_3 } from "../dhcp/client-style.ts";
import { type DhcpdProfile, ISC_3_0_5, ISC_4_4_3 } from "../dhcp/dhcpd-profile.ts";
import type { EbtablesBehaviour } from "../filter/ebtables/ebtables.ts";
import type { SocketBehaviour } from "../l4/datagram.ts";
import { type FlowBehaviour, FLOWS_2618, FLOWS_6 } from "../nat/behaviour.ts";
import {
  NETBACK_2618,
  NETBACK_6,
  type NetbackBehaviour,
  NETFRONT_2618,
  NETFRONT_6,
  type NetfrontBehaviour,
} from "./io/netif-behaviour.ts";
import { type ToolstackProfile, XEND_3_1, XL_4_17 } from "./toolstack/toolstack-profile.ts";

/** Every behaviour of a host. */
export interface Profile {
  readonly name: "ec2-2010" | "linux";
  readonly router: RouterBehaviour;
  readonly flows: FlowBehaviour;
  readonly ebtables: EbtablesBehaviour;
  /** True: connection tracking, with its defragmentation, runs whether a rule needs it or not. */
  readonly tracksAlways: boolean;
  readonly sockets: SocketBehaviour;
  readonly dhcpd: DhcpdProfile;
  /** What event channels Xen has, and kernels use. */
  readonly events: EventBehaviour;
  /** How virtual disks' back ends answer. */
  readonly blocks: BlockBehaviour;
  /** What a domU of the time asks for its address with. */
  readonly dhcpClient: ClientStyle;
  /** True: a TCP reset carries the congestion mark of what it answers (before 5.9). */
  readonly echoesEcnInResets: boolean;
  /** True: REJECT answers no packet whose checksum is wrong with an ICMP error (since 3.19). */
  readonly verifiesRejected: boolean;
  /** True: a connection that REJECT resets is closed to connection tracking too. */
  readonly closesRejected: boolean;
  /** True: TCPMSS clamps to the way back, too (since 2.6.25). */
  readonly clampsToWayBack: boolean;
  /** Dom0's half of a vif, and that of a domU of the time. */
  readonly netback: NetbackBehaviour;
  readonly netfront: NetfrontBehaviour;
  /** What makes the domains, and what their devices and the store do. */
  readonly toolstack: ToolstackProfile;
  /** The address of Dom0's end of every vif. */
  readonly vifMac: Mac;
  /** Metric of the vifs' host routes; 0 for none. */
  readonly vifRouteMetric: number;
}

const KIBIBYTE = 1024;

/** Linux 2.6.18-xen, as RHEL 5 built it: HZ 250, the timer wheel before 4.8. */
const ROUTER_2_6_18: RouterBehaviour = {
  arp: { echoesProbeTarget: true, proxyDelay: PROXY_DELAY },
  neighbor: { queueLimit: 3, probesAtOnce: false, collectsAbove: 0, firesLastFirst: false },
  reassembly: {
    onOverlap: "trim",
    keepsDontFragment: false,
    mergesEcn: false,
    memoryLimit: 256 * KIBIBYTE,
  },
  jiffies: { hz: 250, hasCoarseLevels: false },
  checksMtuBeforeForward: false,
  refragmentsToLargest: false,
  checksSegments: false,
  looksForSocketsEarly: false,
  isLowestBroadcast: true,
  routesClassE: false,
  routesZeroNetwork: false,
  hasDummyAddress: false,
  takesPriorityTags: false,
  checksSourceKind: true,
  hasLooseRpFilter: false,
  icmpGlobalLimit: null,
};

/** Linux 6.x, as Debian builds it. */
const ROUTER_6: RouterBehaviour = {
  arp: { echoesProbeTarget: false, proxyDelay: PROXY_DELAY },
  neighbor: { queueLimit: 101, probesAtOnce: true, collectsAbove: 128, firesLastFirst: true },
  reassembly: {
    onOverlap: "discard",
    keepsDontFragment: true,
    mergesEcn: true,
    memoryLimit: 4096 * KIBIBYTE,
  },
  jiffies: { hz: 250, hasCoarseLevels: true },
  checksMtuBeforeForward: true,
  refragmentsToLargest: true,
  checksSegments: true,
  looksForSocketsEarly: true,
  isLowestBroadcast: false,
  routesClassE: true,
  routesZeroNetwork: true,
  hasDummyAddress: true,
  takesPriorityTags: true,
  checksSourceKind: false,
  hasLooseRpFilter: true,
  icmpGlobalLimit: { perSecond: 1000, burst: 50 },
};
/** As the seed document reports it; a group address (docs/sources.md). */
export const VIF_MAC_REPORTED: Mac = macOf(0xefff_ffff_ffff);
/** As netback sets it. */
export const VIF_MAC_NETBACK: Mac = macOf(0xfeff_ffff_ffff);

/** EC2's hosts of 2008 to 2010: Linux 2.6.18-xen, ISC dhcpd 3.0.5, Xen 3.1. */
export const EC2_2010: Profile = {
  name: "ec2-2010",
  router: ROUTER_2_6_18,
  flows: FLOWS_2618,
  ebtables: { filtersOutputFirst: false },
  tracksAlways: true,
  sockets: {
    identifiesFragmentable: false,
    countsConnected: false,
    hasUdpLite: false,
    leavesChecksums: false,
  },
  dhcpd: ISC_3_0_5,
  dhcpClient: DHCLIENT_3_0,
  echoesEcnInResets: true,
  verifiesRejected: false,
  closesRejected: false,
  clampsToWayBack: false,
  netback: NETBACK_2618,
  netfront: NETFRONT_2618,
  events: EVENTS_3_1,
  blocks: BLOCKS_2618,
  toolstack: XEND_3_1,
  vifMac: VIF_MAC_REPORTED,
  vifRouteMetric: 0,
};

/** A current kernel, ISC dhcpd 4.4.3, Xen 4.17. */
export const LINUX: Profile = {
  name: "linux",
  router: ROUTER_6,
  flows: FLOWS_6,
  ebtables: { filtersOutputFirst: true },
  tracksAlways: false,
  sockets: {
    identifiesFragmentable: true,
    countsConnected: true,
    hasUdpLite: true,
    leavesChecksums: false,
  },
  dhcpd: ISC_4_4_3,
  dhcpClient: DHCLIENT_4_4_3,
  echoesEcnInResets: false,
  verifiesRejected: true,
  closesRejected: true,
  clampsToWayBack: true,
  netback: NETBACK_6,
  netfront: NETFRONT_6,
  events: EVENTS_4_17,
  blocks: BLOCKS_6,
  toolstack: XL_4_17,
  vifMac: VIF_MAC_NETBACK,
  vifRouteMetric: 2,
};

/** The profiles by name. */
export const PROFILES: ReadonlyMap<string, Profile> = new Map([
  [EC2_2010.name, EC2_2010],
  [LINUX.name, LINUX],
]);

/** The profile called `wanted`, or itself. @throws {OptionError} if none has that name. */
export function profileOf(wanted: string | Profile): Profile {
  const profile = typeof wanted === "string" ? PROFILES.get(wanted) : wanted;
  if (profile === undefined) {
    throw new OptionError("profile", wanted, [...PROFILES.keys()].join(" or "));
  }
  return profile;
}
