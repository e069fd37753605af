/** What differs between kernels in connection tracking and address translation. @module */
import { DAY, type Duration, MINUTE, SECOND } from "../base/time.ts";
import { Protocol } from "../l3/ipv4.ts";
import type { TcpTimeouts, TcpTracking } from "./tcp-record.ts";
import { TCP_TRACKING_2618 } from "./tcp-tracking-2618.ts";
import { TCP_TRACKING_6 } from "./tcp-tracking-6.ts";

/** How long entries live without a packet. */
export interface ConntrackTimeouts {
  readonly generic: Duration;
  readonly icmp: Duration;
  readonly udp: Duration;
  /** Of UDP that goes both ways. */
  readonly udpStream: Duration;
  readonly gre: Duration;
  /** Of GRE that goes both ways. */
  readonly greStream: Duration;
  readonly tcp: TcpTimeouts;
}

/** Named behaviours of connection tracking. */
export interface ConntrackBehaviour {
  /** Most entries (`nf_conntrack_max`). */
  readonly limit: number;
  readonly timeouts: ConntrackTimeouts;
  readonly tcp: TcpTracking;
  /** Protocols beside TCP, UDP and ICMP that are told from the rest: GRE and UDP-Lite. */
  readonly trackers: ReadonlySet<number>;
  /** `nf_conntrack_tcp_loose`: segments each way until a connection met midway is believed. */
  readonly tcpLoose: number;
  /** True: an ICMP entry ends when all its queries are answered; false: when its time is over. */
  readonly endsAnsweredQueries: boolean;
  /** UDP is a stream once it goes both ways and is this old; `null`: however old it is. */
  readonly udpStreamAge: Duration | null;
  /** Octets of TCP or UDP that an ICMP error must quote to be believed. */
  readonly quotedPortOctets: number;
  /** True: an ICMP error must go to where the packet that it quotes came from (since 5.1). */
  readonly checksErrorTarget: boolean;
  /** True: errors of this host are also known by a quoted packet that no answer belongs to. */
  readonly findsOwnErrorsUnmapped: boolean;
  /**
   * Chains of the hash table (`nf_conntrack_buckets`), up to {@link limit} by the kernel's own
   * choice. A full table gives up an entry of the new one's chain: of fewer chains, more likely.
   */
  readonly buckets: number;
  /** True: the oldest one of that chain; false: all of the first chain of eight that has any. */
  readonly dropsOldestEarly: boolean;
  /**
   * When, after it refused a new entry, the table is pruned to 95 %; `null` for never. Linux prunes
   * with its next collection of garbage, at most a minute later.
   */
  readonly prunesAfter: Duration | null;
  /** True: packets whose new entry clashes with another are saved where they can be. */
  readonly resolvesClashes: boolean;
  /** True: packets and octets are counted and shown (`nf_conntrack_acct`). */
  readonly countsTraffic: boolean;
  /** True: packets that come in with a wrong checksum are invalid (`nf_conntrack_checksum`). */
  readonly verifiesChecksums: boolean;
  /** True: segments out of window are believed (`nf_conntrack_tcp_be_liberal`). */
  readonly isTcpLiberal: boolean;
  /** Repeated segments until TCP's timeout is cut (`nf_conntrack_tcp_max_retrans`). */
  readonly tcpMaxRepeats: number;
  /** True: no reset is invalid (`nf_conntrack_tcp_ignore_invalid_rst`). */
  readonly ignoresInvalidReset: boolean;
}

/** Named behaviours of address translation. */
export interface NatBehaviour {
  /** Protocols whose ports or ids are translated too. */
  readonly portProtocols: ReadonlySet<number>;
  /** True: GRE too short for a call, or to go elsewhere in no version there is, cannot pass. */
  readonly wantsGreCall: boolean;
  /** True: a masqueraded connection ends when it is to leave by another device (since 3.7). */
  readonly endsWhereDeviceChanges: boolean;
  /** True: the nat table has rules for INPUT (since 2.6.36). */
  readonly hasInputRules: boolean;
  /**
   * True: rules are asked of new packets of a connection that was confirmed past them, such as one
   * of which the first packet to leave was an error; they decide nothing any more.
   */
  readonly asksOfConfirmed: boolean;
  /** True: an invalid ICMP redirect is dropped, lest it lead past a translation. */
  readonly dropsStrayRedirects: boolean;
  /** True: a UDP checksum that comes out as 0 is sent as 0xFFFF; false: as 0, which means none. */
  readonly sendsZeroAsFfff: boolean;
  /** True: a source that the rule allows is kept before another connection's mapping is reused. */
  readonly triesSourceFirst: boolean;
  /** True: a clash that connection tracking will resolve is no reason for another port. */
  readonly toleratesClashes: boolean;
  /** True: the only port of a range is taken without a look for others that have it. */
  readonly takesOnlyPort: boolean;
  /** Where the search for a free port begins: where the last one ended, or anywhere. */
  readonly portSearch: "counter" | "random";
  /** How many ICMP ids there are to choose from. */
  readonly icmpIds: number;
  /** True: at the last, a port of a connection in TIME_WAIT is taken from it. */
  readonly takesTimeWaitPorts: boolean;
  /** Which of Jenkins' hashes spreads connections over many addresses. */
  readonly addressHash: "lookup2" | "lookup3";
}

/** One kernel's connection tracking and address translation. */
export interface FlowBehaviour {
  readonly conntrack: ConntrackBehaviour;
  readonly nat: NatBehaviour;
}

const TCP_TIMEOUTS: TcpTimeouts = {
  synSent: 2 * MINUTE,
  synReceived: MINUTE,
  established: 5 * DAY,
  finWait: 2 * MINUTE,
  closeWait: MINUTE,
  lastAck: 30 * SECOND,
  timeWait: 2 * MINUTE,
  close: 10 * SECOND,
  synSent2: 2 * MINUTE,
  repeated: 5 * MINUTE,
  unacknowledged: 5 * MINUTE,
};

/** Linux 2.6.18 (`ip_conntrack`) with 1 GB of memory or more, as RHEL 5 configures it. */
export const FLOWS_2618: FlowBehaviour = {
  conntrack: {
    limit: 65_536,
    timeouts: {
      generic: 10 * MINUTE,
      icmp: 30 * SECOND,
      udp: 30 * SECOND,
      udpStream: 3 * MINUTE,
      gre: 30 * SECOND,
      greStream: 3 * MINUTE,
      tcp: TCP_TIMEOUTS,
    },
    tcp: TCP_TRACKING_2618,
    trackers: new Set(),
    tcpLoose: 3,
    endsAnsweredQueries: true,
    udpStreamAge: null,
    quotedPortOctets: 8,
    checksErrorTarget: false,
    findsOwnErrorsUnmapped: true,
    buckets: 8192,
    dropsOldestEarly: true,
    prunesAfter: null,
    resolvesClashes: false,
    countsTraffic: true,
    verifiesChecksums: true,
    isTcpLiberal: false,
    tcpMaxRepeats: 3,
    ignoresInvalidReset: false,
  },
  nat: {
    portProtocols: new Set([Protocol.Tcp, Protocol.Udp, Protocol.Icmp]),
    wantsGreCall: false,
    endsWhereDeviceChanges: false,
    hasInputRules: false,
    asksOfConfirmed: false,
    dropsStrayRedirects: true,
    sendsZeroAsFfff: false,
    triesSourceFirst: false,
    toleratesClashes: false,
    takesOnlyPort: false,
    portSearch: "counter",
    icmpIds: 65_535,
    takesTimeWaitPorts: false,
    addressHash: "lookup2",
  },
};

/** A current Linux (`nf_conntrack` of 6.x). */
export const FLOWS_6: FlowBehaviour = {
  conntrack: {
    limit: 262_144,
    timeouts: {
      generic: 10 * MINUTE,
      icmp: 30 * SECOND,
      udp: 30 * SECOND,
      udpStream: 2 * MINUTE,
      gre: 30 * SECOND,
      greStream: 3 * MINUTE,
      tcp: TCP_TIMEOUTS,
    },
    tcp: TCP_TRACKING_6,
    trackers: new Set([Protocol.Gre, Protocol.UdpLite]),
    tcpLoose: 1,
    endsAnsweredQueries: false,
    udpStreamAge: 2 * SECOND,
    quotedPortOctets: 4,
    checksErrorTarget: true,
    findsOwnErrorsUnmapped: false,
    buckets: 262_144,
    dropsOldestEarly: false,
    prunesAfter: MINUTE,
    resolvesClashes: true,
    countsTraffic: false,
    verifiesChecksums: true,
    isTcpLiberal: false,
    tcpMaxRepeats: 3,
    ignoresInvalidReset: false,
  },
  nat: {
    portProtocols: new Set([Protocol.Tcp, Protocol.Udp, Protocol.Icmp, Protocol.UdpLite]),
    wantsGreCall: true,
    endsWhereDeviceChanges: true,
    hasInputRules: true,
    asksOfConfirmed: true,
    dropsStrayRedirects: false,
    sendsZeroAsFfff: true,
    triesSourceFirst: true,
    toleratesClashes: true,
    takesOnlyPort: true,
    portSearch: "random",
    icmpIds: 65_536,
    takesTimeWaitPorts: true,
    addressHash: "lookup3",
  },
};
