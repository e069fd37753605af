/**
 * The IP stack of one host: a router as RFC 1812 section 5.2 wants it, in the order of Linux
 * (net/ipv4). With forwarding off it is a host (RFC 1122 section 3.1); a simulated domU runs on
 * the same class.
 * @module
 */
import { assert } from "../base/assert.ts";
import { Jiffies } from "../base/jiffies.ts";
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { DAY, type Duration, type Instant, MILLISECOND } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr, type Mac, MAC_ZERO } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import { Cast, type Packet, type PacketPool } from "../wire/packet.ts";
import { ArpOp } from "../l2/arp.ts";
import { ArpResponder } from "../l2/arp-responder.ts";
import {
  castOf,
  checkEthernet,
  ETHERNET,
  ETHERNET_LENGTH,
  EthernetTemplate,
  EtherType,
  skipPriorityTags,
  unknownType,
} from "../l2/ethernet.ts";
import { NeighborCache, type NeighborHost } from "../l2/neighbor-cache.ts";
import { Addressing } from "./addressing.ts";
import { ArpPolicy } from "./arp-policy.ts";
import type { RouterBehaviour } from "./behaviour.ts";
import { Egress } from "./egress.ts";
import { gatherTcp, precut } from "./fragment.ts";
import { Hook, Hooks } from "./hooks.ts";
import { Unreachable } from "./icmp.ts";
import { IcmpReporter, type ReportHost } from "./icmp-reporter.ts";
import { IcmpResponder } from "./icmp-responder.ts";
import { IcmpSocket } from "./icmp-socket.ts";
import { InputRouting } from "./input-routing.ts";
import type { Interface, InterfaceOwner } from "./interface.ts";
import {
  checkIpv4,
  decrementTtl,
  headerLengthOf,
  IPV4,
  isFragment,
  Protocol,
  sealHeader,
} from "./ipv4.ts";
import { linkAddressOf } from "./link-address.ts";
import { hearOwn } from "./own-broadcast.ts";
import { PacketOptions } from "./packet-options.ts";
import { Peers } from "./peers.ts";
import { Reassembler } from "./reassembly.ts";
import { describeRoute, type Route, RouteKind } from "./route-table.ts";
import type { Segmenter } from "./segmenter.ts";
import { DEFAULT_STACK_SETTINGS, type StackSettings } from "./stack-settings.ts";

/** Takes the packets of one protocol that came to this host; owns each. */
export interface ProtocolHandler {
  deliver(packet: Packet, now: Instant): void;
}

/** What a {@link Router} works with. */
export interface RouterOptions {
  /** For people, in traces. */
  readonly name: string;
  readonly pool: PacketPool;
  readonly behaviour: RouterBehaviour;
  readonly chance: Chance;
  /** Linux's defaults. */
  readonly settings?: StackSettings;
  /** Time of day at instant 0, since midnight UTC, for timestamps; 0. */
  readonly midnightOffset?: Duration;
}

/** One stack: its devices, routes, neighbors, hooks and local protocols. */
export class Router implements Machine, InterfaceOwner, NeighborHost, ReportHost {
  readonly name: string;
  readonly pool: PacketPool;
  /** May be replaced; `icmpInterval` and `reassemblyTime` are what they were at the start. */
  settings: StackSettings;
  readonly addressing: Addressing;
  readonly hooks = new Hooks();
  readonly jiffies: Jiffies;
  readonly neighbors: NeighborCache;
  readonly arp: ArpResponder;
  readonly icmp: IcmpResponder;
  readonly icmpSocket = new IcmpSocket((message, now) => this.send(message, now));
  readonly peers: Peers;
  readonly options: PacketOptions;
  readonly #behaviour: RouterBehaviour;
  readonly #midnightOffset: Duration;
  readonly #protocols = new Map<number, ProtocolHandler>();
  readonly #reporter: IcmpReporter;
  readonly #egress: Egress;
  readonly #reassembler: Reassembler;
  readonly #routing: InputRouting;
  readonly #arpPolicy: ArpPolicy;

  constructor(options: RouterOptions) {
    const { name, pool, behaviour, chance, midnightOffset = 0 } = options;
    this.name = name;
    this.pool = pool;
    this.settings = options.settings ?? DEFAULT_STACK_SETTINGS;
    this.#behaviour = behaviour;
    this.#midnightOffset = midnightOffset;
    const jiffies = new Jiffies(behaviour.jiffies);
    this.jiffies = jiffies;
    this.addressing = new Addressing(this, behaviour.isLowestBroadcast, () =>
      this.hooks.paths.invalidate(),
    );
    const { fib, interfaces } = this.addressing;
    this.#routing = new InputRouting(fib, behaviour, interfaces);
    this.peers = new Peers(jiffies, chance, this.settings.icmpInterval);
    this.options = new PacketOptions(this.addressing, (now) => this.timeOfDay(now));
    const { neighbor, arp } = behaviour;
    const neighbors = new NeighborCache({ host: this, behaviour: neighbor, jiffies, chance });
    this.neighbors = neighbors;
    const parts = { pool, neighbors, jiffies, chance };
    this.#arpPolicy = new ArpPolicy(this.addressing, this.#routing);
    this.arp = new ArpResponder({ ...parts, routing: this.#arpPolicy, behaviour: arp });
    this.#reporter = new IcmpReporter(this, chance, behaviour);
    this.#egress = new Egress(behaviour, this.#reporter);
    this.icmp = new IcmpResponder(this, this.#reporter);
    this.#protocols.set(Protocol.Icmp, this.icmp);
    this.#reassembler = new Reassembler({
      behaviour: behaviour.reassembly,
      jiffies,
      timeout: this.settings.reassemblyTime,
      onTimeout: (first, now) => this.#reporter.reassemblyTimeExceeded(first, now),
    });
  }

  /** Packets of `protocol` that come to this host go to `handler`. */
  setProtocol(protocol: number, handler: ProtocolHandler): void {
    this.#protocols.set(protocol, handler);
  }

  /** Large segments that leave by a device which takes none are cut by `segmenter`. */
  setSegmenter(segmenter: Segmenter): void {
    this.#egress.segmenter = segmenter;
  }

  /** Take `device` out of the stack; what waits for it is dropped. */
  removeInterface(device: Device, now: Instant): void {
    this.addressing.removeInterface(device);
    this.neighbors.removeDevice(device, now);
    this.arp.removeDevice(device, now);
  }

  /** A frame came in by `via`: Ethernet, then ARP or IPv4. Takes ownership. */
  receiveFrame(via: Interface, packet: Packet, now: Instant): void {
    if (this.hooks.paths.forward(via, packet, now)) return;
    const { view } = this.pool;
    const wrong = checkEthernet(view, packet.frame, packet.end);
    if (wrong !== null) {
      this.pool.end(packet, "discarded", wrong, now);
      return;
    }
    packet.cast = castOf(view, packet.frame, via.device.mac);
    packet.network = this.#behaviour.takesPriorityTags
      ? skipPriorityTags(view, packet.frame, packet.end)
      : packet.frame + ETHERNET_LENGTH;
    const reason = via.judge(packet, now);
    if (reason !== null) {
      this.pool.end(packet, "dropped", reason, now);
      return;
    }
    const wasSending = this.icmpSocket.pause();
    const type = ETHERNET.type.get(view, packet.network - ETHERNET_LENGTH);
    if (type === EtherType.Ipv4) this.#receiveIpv4(via, packet, now);
    else if (type === EtherType.Arp && !via.isLoopback) this.arp.receive(via.device, packet, now);
    else this.pool.end(packet, "discarded", unknownType(type), now);
    this.icmpSocket.resume(wasSending);
  }

  /** RFC 1812 section 5.2.1 in Linux's order, from the header check to the routing decision. */
  #receiveIpv4(via: Interface, packet: Packet, now: Instant): void {
    const { view } = this.pool;
    const at = packet.network;
    const wrong =
      packet.cast === Cast.OtherHost ? "ethernet/other-host" : checkIpv4(view, at, packet.end);
    if (wrong !== null) {
      this.pool.end(packet, "discarded", wrong, now);
      return;
    }
    packet.end = at + IPV4.totalLength.get(view, at);
    packet.transport = at + headerLengthOf(view, at);
    const passed = this.hooks.pass(Hook.Prerouting, packet, via.device, null, now);
    if (passed !== null) this.#route(via, passed, now);
  }

  #route(via: Interface, packet: Packet, now: Instant): void {
    const { view } = this.pool;
    const routing = this.#routing;
    const at = packet.network;
    if (this.#behaviour.looksForSocketsEarly) gatherTcp(packet);
    if (via.isLoopback) routing.toSelf();
    else routing.decide(via, IPV4.src.get(view, at), IPV4.dst.get(view, at));
    const { kind, route, isDetour, isRefused, refusal, reason } = routing;
    packet.routeKind = kind;
    if (reason !== null && !isRefused) {
      this.pool.end(packet, "discarded", reason, now);
      return;
    }
    const wrong = this.options.read(via, packet, now);
    if (wrong >= 0) {
      this.#reporter.parameterProblem(packet, wrong, now);
      this.pool.end(packet, "discarded", "ipv4/options", now);
    } else if (this.options.current.sourceRoute > 0) {
      this.pool.end(packet, "discarded", "ipv4/source-route", now);
    } else if (reason !== null) {
      if (refusal >= 0) this.#reporter.refused(packet, refusal, now);
      this.pool.end(packet, "discarded", reason, now);
    } else if (kind === RouteKind.Unicast && route !== null) {
      this.#forward(via, packet, route, isDetour, now);
    } else this.#deliver(via, packet, now);
  }

  /** TTL, size, redirect, FORWARD: `ip_forward`. */
  #forward(via: Interface, packet: Packet, route: Route, isDetour: boolean, now: Instant): void {
    const { view } = this.pool;
    const at = packet.network;
    if (packet.cast !== Cast.Host) {
      this.pool.end(packet, "discarded", "route/link-broadcast", now);
      return;
    }
    if (IPV4.ttl.get(view, at) <= 1) {
      this.#reporter.timeExceeded(packet, now);
      this.pool.end(packet, "discarded", "ipv4/ttl", now);
      return;
    }
    this.#setRoute(packet, route);
    if (this.#behaviour.checksMtuBeforeForward && this.#egress.isTooBig(packet)) {
      this.#reporter.tooBig(packet, now);
      this.pool.end(packet, "discarded", "ipv4/too-big", now);
      return;
    }
    decrementTtl(view, at);
    if (isDetour) {
      packet.path?.spoil();
      // It may be for this host, and come in at once.
      this.options.keep(() => this.#reporter.redirect(packet, now));
    }
    if (this.pool.isTracing) {
      this.pool.observer?.step(packet, `${this.name} route`, describeRoute(route), now);
    }
    const passed = this.hooks.pass(Hook.Forward, packet, via.device, packet.output, now);
    if (passed === null) return;
    if (this.options.current.length > 0) this.options.finish(passed, route);
    this.#output(passed, now);
  }

  /** INPUT, then the protocol: `ip_local_deliver`. */
  #deliver(via: Interface, packet: Packet, now: Instant): void {
    const whole = isFragment(this.pool.view, packet.network)
      ? this.#reassembler.receive(packet, now)
      : packet;
    if (whole === null) return;
    const passed = this.hooks.pass(Hook.Input, whole, via.device, null, now);
    if (passed === null) return;
    const protocol = IPV4.protocol.get(this.pool.view, passed.network);
    const handler = this.#protocols.get(protocol);
    if (handler !== undefined) handler.deliver(passed, now);
    else if (protocol === Protocol.Igmp) this.pool.end(passed, "consumed", "igmp/ignored", now);
    else {
      this.#reporter.unreachable(passed, Unreachable.Protocol, now);
      this.pool.end(passed, "discarded", "ipv4/protocol", now);
    }
  }

  /** POSTROUTING, size, neighbor: `ip_output`. */
  #output(packet: Packet, now: Instant): void {
    if (packet.routeKind === RouteKind.Broadcast) this.#hear(packet, now);
    const passed = this.hooks.pass(Hook.Postrouting, packet, packet.input, packet.output, now);
    if (passed !== null) this.#egress.fit(passed, this.#resolve, now);
  }

  /** What this host tells all on a link comes in to itself by the same device (`ip_mc_output`). */
  #hear(packet: Packet, now: Instant): void {
    const { output } = packet;
    const via = output === null ? undefined : this.addressing.interfaces.get(output);
    const heard = via === undefined ? null : hearOwn(packet, via, this.hooks, this.options, now);
    if (via !== undefined && heard !== null) this.#deliver(via, heard, now);
  }

  /** Find the link-layer address: `ip_finish_output2`. */
  readonly #resolve = (packet: Packet, now: Instant): void => {
    const device = packet.output;
    assert(device !== null, "a routed packet has a device to leave by");
    if (packet.routeKind === RouteKind.Unicast) {
      if (packet.path !== null) {
        this.hooks.paths.commit(packet, this.neighbors.find(device, packet.nextHop));
      }
      this.neighbors.send(device, packet, now);
    } else {
      const dst = linkAddressOf(packet);
      this.output(device, packet, new EthernetTemplate(dst, device.mac, EtherType.Ipv4), now);
    }
  };

  /** Send `packet` in a new frame that begins with `header`. Takes ownership. */
  output(device: Device, packet: Packet, header: EthernetTemplate, now: Instant): void {
    this.#egress.transmit(device, packet, header, now);
  }

  /**
   * Send a packet of this host: `network` lies at a header written by `writeIpv4`, unsealed. An
   * absent source is chosen by the route. Takes ownership.
   * @param device where broadcasts and multicasts leave; `null` lets the routes decide.
   */
  send(packet: Packet, now: Instant, device: Device | null = null): void {
    const { view } = this.pool;
    const at = packet.network;
    const dst = IPV4.dst.get(view, at);
    const route = this.addressing.routeTo(dst, device);
    if (route === null) {
      this.pool.end(packet, "discarded", "route/none", now);
      return;
    }
    this.#setRoute(packet, route);
    if (IPV4.src.get(view, at) === IPV4_ANY) {
      IPV4.src.set(view, at, this.addressing.sourceFor(route));
    }
    if (this.addressing.isStray(IPV4.src.get(view, at), route)) {
      this.pool.end(packet, "discarded", "route/loopback-source", now);
      return;
    }
    sealHeader(view, at);
    const passed = this.hooks.pass(Hook.Output, packet, null, packet.output, now);
    if (passed === null) return;
    const changed = IPV4.dst.get(view, passed.network);
    const again = changed === dst ? route : this.addressing.routeTo(changed, device);
    if (again === null) this.pool.end(passed, "discarded", "route/none", now);
    else {
      if (again !== route) precut(passed);
      this.#setRoute(passed, again);
      this.#output(passed, now);
    }
  }

  /** Milliseconds since midnight UTC at `now`. */
  timeOfDay(now: Instant): number {
    return Math.floor(((now + this.#midnightOffset) % DAY) / MILLISECOND);
  }

  /** Tell the sender of `packet`, which is borrowed, that it cannot be delivered. */
  reportUnreachable(packet: Packet, code: number, now: Instant): void {
    this.#reporter.unreachable(packet, code, now);
  }

  nextDeadline(): Instant {
    return Math.min(
      this.neighbors.nextDeadline(),
      this.arp.nextDeadline(),
      this.#reassembler.nextDeadline(),
    );
  }

  expire(now: Instant): void {
    this.neighbors.expire(now);
    this.arp.expire(now);
    this.#reassembler.expire(now);
  }

  /** Ask who has `target`, from the waiting packet's source if it is ours (`arp_solicit`). */
  solicit(device: Device, target: Ipv4Addr, dst: Mac, packet: Packet | null, now: Instant): void {
    const src = packet === null ? IPV4_ANY : IPV4.src.get(this.pool.view, packet.network);
    const spa = this.#arpPolicy.senderOf(device, target, src);
    this.arp.transmit(device, ArpOp.Request, dst, spa, MAC_ZERO, target, now);
  }

  unreachable(packet: Packet, now: Instant): void {
    this.#reporter.hostUnreachable(packet, now);
    this.pool.end(packet, "discarded", "neighbor/failed", now);
  }

  #setRoute(packet: Packet, route: Route): void {
    packet.routeKind = route.kind;
    packet.output = route.device;
    packet.nextHop = route.gateway ?? IPV4.dst.get(this.pool.view, packet.network);
    packet.pathMtu = this.addressing.mtuOf(route);
  }
}
