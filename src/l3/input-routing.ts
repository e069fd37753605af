/**
 * The routing decision about a packet that came in: RFC 1812 section 5.2, martians as section 5.3.7
 * (Linux `ip_route_input_slow` and `fib_validate_source`).
 * @module
 */
import {
  IPV4_ANY,
  IPV4_BROADCAST,
  type Ipv4Addr,
  isLoopback,
  isMulticast,
  isZeroNetwork,
} from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Reason } from "../wire/packet.ts";
import type { RouterBehaviour } from "./behaviour.ts";
import { Unreachable } from "./icmp.ts";
import type { Interface } from "./interface.ts";
import { type Fib, type Route, RouteKind } from "./route-table.ts";

/** All-hosts, 224.0.0.1: every stack is a member (RFC 1112 section 4). */
const ALL_HOSTS = 0xe000_0001;
const LOCALHOST = 0x7f00_0001;

/** The decision about one packet. One object serves a stack: `decide` fills it anew. */
export class InputRouting {
  /** What becomes of the packet; {@link RouteKind.None} with a `reason` if nothing. */
  kind: RouteKind = RouteKind.None;
  /** True if the routes refuse the packet: its options are judged before it ends. */
  isRefused = false;
  /** The code of the unreachable message that a refused sender gets; -1 for none. */
  refusal = -1;
  /** The route that decided; `null` for broadcasts and where there is none. */
  route: Route | null = null;
  /** True if the sender should hear of a better way. */
  isDetour = false;
  /** Why the packet cannot be used; `null` if it can. */
  reason: Reason | null = null;
  readonly #fib: Fib;
  readonly #behaviour: RouterBehaviour;
  readonly #interfaces: ReadonlyMap<Device, Interface>;

  constructor(fib: Fib, behaviour: RouterBehaviour, interfaces: ReadonlyMap<Device, Interface>) {
    this.#fib = fib;
    this.#behaviour = behaviour;
    this.#interfaces = interfaces;
  }

  /** Decide about a packet from `src` to `dst` that came in by `via`. */
  decide(via: Interface, src: Ipv4Addr, dst: Ipv4Addr): void {
    this.#reset();
    if (isMulticast(dst)) this.#toMulticast(via, src, dst);
    else if (isMulticast(src) || src === IPV4_BROADCAST) this.reason = "route/martian-source";
    else if (dst === IPV4_BROADCAST || (src === IPV4_ANY && dst === IPV4_ANY)) {
      this.#toBroadcast(via, src);
    } else if (this.#isMartian(via, src)) this.reason = "route/martian-source";
    else if (this.#isMartian(via, dst)) this.reason = "route/martian-destination";
    else this.#byTable(via, src, dst);
  }

  /** Decide about a packet that this host sent to itself: its route was known on the way out. */
  toSelf(): void {
    this.#reset();
    this.kind = RouteKind.Local;
  }

  #reset(): void {
    this.kind = RouteKind.None;
    this.route = null;
    this.isRefused = false;
    this.refusal = -1;
    this.isDetour = false;
    this.reason = null;
  }

  #byTable(via: Interface, src: Ipv4Addr, dst: Ipv4Addr): void {
    const route = this.#fib.find(dst);
    if (route?.kind === RouteKind.Broadcast) this.#toBroadcast(via, src);
    else if (route?.kind === RouteKind.Local) {
      if (this.#isSourceSound(via, src, null) >= 0) this.#take(RouteKind.Local, route);
    } else if (!via.settings.isForwarding) this.#refuse("route/not-forwarding", -1);
    else if (route?.kind === RouteKind.Unicast) this.#onward(via, src, route);
    else if (route?.kind === RouteKind.Blackhole) this.#refuse("route/blackhole", -1);
    else this.#refuse("route/unreachable", refusalOf(route?.kind ?? RouteKind.None));
  }

  #refuse(reason: Reason, code: number): void {
    this.isRefused = true;
    this.reason = reason;
    this.refusal = code;
  }

  #onward(via: Interface, src: Ipv4Addr, route: Route): void {
    const soundness = this.#isSourceSound(via, src, route.device);
    if (soundness < 0) return;
    this.#take(RouteKind.Unicast, route);
    this.isDetour = route.device === via.device && soundness > 0 && via.settings.sendsRedirects;
  }

  #toBroadcast(via: Interface, src: Ipv4Addr): void {
    if (!this.#isZero(src) && this.#isSourceSound(via, src, null) < 0) return;
    this.#take(RouteKind.Broadcast, null);
  }

  #toMulticast(via: Interface, src: Ipv4Addr, dst: Ipv4Addr): void {
    const isStray = isLoopback(src) && !via.settings.routesLocalnet;
    if (isMulticast(src) || src === IPV4_BROADCAST || isStray || this.#isClassE(src)) {
      this.reason = "route/martian-source";
    } else if (dst !== ALL_HOSTS) this.reason = "route/not-a-member";
    else if (this.#isZero(src) || this.#isSourceSound(via, src, null) >= 0) {
      this.#take(RouteKind.Multicast, null);
    }
  }

  /**
   * @returns -1 for a martian (`reason` is set), 1 if the source is on the link of `via`, else 0.
   */
  #isSourceSound(via: Interface, src: Ipv4Addr, output: Device | null): number {
    const { rpFilter, sendsRedirects, acceptsLocal } = via.settings;
    const back = this.#fib.find(src);
    const isFull =
      rpFilter > 0 || (output === via.device && sendsRedirects) || this.#behaviour.checksSourceKind;
    const isLocal = back?.kind === RouteKind.Local;
    if (!isFull) {
      // Only the addresses themselves: 127.1.2.3 is nobody's (`inet_lookup_ifaddr_rcu`).
      const isOwn = isLocal && (back.prefix.length === 32 || src === LOCALHOST);
      return this.#judge(acceptsLocal || !isOwn, 0);
    }
    if (back === null) return this.#judge(rpFilter === 0, 0);
    if (back.kind !== RouteKind.Unicast && !(isLocal && acceptsLocal)) {
      const mayPass = !isLocal && back.kind !== RouteKind.Broadcast;
      return this.#judge(mayPass && rpFilter === 0, 0);
    }
    if (isLocal && this.#bearer(src) === via) return 1;
    if (back.device === via.device) return isOnLink(back);
    if (via.addresses.length === 0) return this.#judge(rpFilter === 0, 0);
    // Where another interface had the own address first, the route of this one is found now.
    const isHere = isLocal && via.addresses.some(({ address }) => address === src);
    return this.#judge(rpFilter !== 1, isHere ? 0 : isOnLink(this.#fib.findBy(src, via.device)));
  }

  /** The interface that an own address was given to first. */
  #bearer(own: Ipv4Addr): Interface | null {
    for (const one of this.#interfaces.values()) {
      if (one.addresses.some(({ address }) => address === own)) return one;
    }
    return null;
  }

  #judge(isSound: boolean, result: number): number {
    if (isSound) return result;
    this.reason = "route/martian-source";
    return -1;
  }

  #isMartian({ settings }: Interface, address: Ipv4Addr): boolean {
    const isStray = isLoopback(address) && !settings.routesLocalnet;
    return isStray || this.#isZero(address) || this.#isClassE(address);
  }

  #isZero(address: Ipv4Addr): boolean {
    return this.#behaviour.routesZeroNetwork ? address === IPV4_ANY : isZeroNetwork(address);
  }

  #isClassE(address: Ipv4Addr): boolean {
    return !this.#behaviour.routesClassE && address >>> 28 === 15;
  }

  #take(kind: RouteKind, route: Route | null): void {
    this.kind = kind;
    this.route = route;
  }

  /** True if `via` should answer `sender` for `target`, whose route is the current decision. */
  mayProxy(via: Interface, sender: Ipv4Addr, target: Ipv4Addr): boolean {
    const output = this.kind === RouteKind.Unicast ? (this.route?.device ?? null) : null;
    if (output === via.device) return via.settings.hasProxyArpPvlan && sender !== target;
    if (output === null || !via.settings.hasProxyArp) return false;
    const own = via.settings.mediumId;
    const other = this.#interfaces.get(output)?.settings.mediumId ?? 0;
    return own === 0 || (own !== -1 && own !== other && other !== -1);
  }
}

/** 1 if `route` leads to a neighbor without a gateway, else 0. */
function isOnLink(route: Route | null): number {
  return route?.kind === RouteKind.Unicast && route.gateway === null ? 1 : 0;
}

function refusalOf(kind: RouteKind): number {
  if (kind === RouteKind.Unreachable) return Unreachable.Host;
  return kind === RouteKind.Prohibit ? Unreachable.AdministrativelyProhibited : Unreachable.Net;
}
