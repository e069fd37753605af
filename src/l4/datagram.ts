/**
 * Datagrams of sockets, UDP and raw ICMP alike: which IP header they get (Linux `ip_make_skb` and
 * `ip_select_ident`; IP_MTU_DISCOVER of ip(7)).
 * @module
 */
import type { Chance } from "../base/prng.ts";
import type { Instant } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr, isMulticast } from "../wire/addr.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { IPV4_MAX_PACKET, IPV4_MIN_LENGTH, writeIpv4 } from "../l3/ipv4.ts";
import type { Router } from "../l3/router.ts";

/**
 * What a socket does about the size of its packets, as `ping -M` names it: "want" sets DF on what
 * fits the route and cuts up the rest, "do" sets DF and refuses the rest, "dont" never sets it.
 */
export type MtuDiscovery = "want" | "do" | "dont";

/** What differs between kernels. */
export interface SocketBehaviour {
  /** True: DF alone saves no identification if the host may cut the packet (since 3.12). */
  readonly identifiesFragmentable: boolean;
  /** True: a connected socket counts all its packets, not only those with DF (since 5.17). */
  readonly countsConnected: boolean;
  /** True: UDP-Lite is known, and an error about the port answers it (since 2.6.20). */
  readonly hasUdpLite: boolean;
  /** True: checksums of UDP and TCP are left to what stands below, as a PV guest's kernel does. */
  readonly leavesChecksums: boolean;
}

/** What a socket sets for its packets. */
export interface DatagramOptions {
  /** 1 to 255; 64, for groups 1. */
  readonly ttl?: number;
  /** The whole octet; 0. */
  readonly tos?: number;
  /** "want", as Linux has it. */
  readonly mtuDiscovery?: MtuDiscovery;
}

/** Why a datagram was not sent: ENETUNREACH, EMSGSIZE, or no packet buffer was free (ENOBUFS). */
export type SendFailure = "no-route" | "too-big" | "no-room";

/** The identifications of a connected socket's packets: they count up from a random start. */
export class PacketCounter {
  #next: number;

  constructor(chance: Chance) {
    this.#next = chance.below(0x1_0000);
  }

  /** The next one. */
  take(): number {
    const id = this.#next;
    this.#next = (id + 1) & 0xffff;
    return id;
  }
}

/** Where a datagram goes, and what it carries. */
export interface DatagramOrigin extends DatagramOptions {
  readonly protocol: number;
  /** 0.0.0.0 lets the route choose. */
  readonly src: Ipv4Addr;
  readonly dst: Ipv4Addr;
  /** Octets behind the IP header. */
  readonly length: number;
  /** Of a connected socket; `null` for others. */
  readonly counter: PacketCounter | null;
}

/** Makes the packets of one host's sockets. */
export class DatagramMaker {
  readonly #router: Router;
  readonly #behaviour: SocketBehaviour;

  constructor(router: Router, behaviour: SocketBehaviour) {
    this.#router = router;
    this.#behaviour = behaviour;
  }

  /**
   * A packet for `origin`, its IP header written with the source that the route gives it; what
   * follows `transport` is the caller's to write, and the packet to send or end.
   * @returns the packet, or why there is none.
   */
  make(origin: DatagramOrigin, now: Instant): Packet | SendFailure {
    const { addressing, pool, settings } = this.#router;
    const { protocol, dst, length, tos = 0, mtuDiscovery = "want" } = origin;
    const route = addressing.routeTo(dst);
    if (route === null) return "no-route";
    const total = IPV4_MIN_LENGTH + length;
    const fits = total <= addressing.mtuOf(route);
    if (total > IPV4_MAX_PACKET || (mtuDiscovery === "do" && !fits)) return "too-big";
    const packet = pool.allocate(ETHERNET_LENGTH + total);
    if (packet === null) return "no-room";
    packet.network = packet.frame + ETHERNET_LENGTH;
    const dontFragment = mtuDiscovery !== "dont" && fits;
    writeIpv4(packet, {
      protocol,
      src: origin.src === IPV4_ANY ? addressing.sourceFor(route) : origin.src,
      dst,
      tos,
      ttl: origin.ttl ?? (isMulticast(dst) ? 1 : settings.ttl),
      id: this.#identify(origin, dontFragment, now),
      dontFragment,
    });
    return packet;
  }

  /** `ip_select_ident`: what can never be cut into fragments needs no identification. */
  #identify(origin: DatagramOrigin, dontFragment: boolean, now: Instant): number {
    const { counter, dst, mtuDiscovery } = origin;
    const { identifiesFragmentable, countsConnected } = this.#behaviour;
    const mayBeCut = !dontFragment || (identifiesFragmentable && mtuDiscovery !== "do");
    if (counter !== null && (countsConnected || !mayBeCut)) return counter.take();
    return mayBeCut ? this.#router.peers.nextId(dst, now) : 0;
  }
}
