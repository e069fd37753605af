/**
 * Network address translation of UDP with selectable behaviour: RFC 4787 section 3 and the
 * following, for people who test programs that talk to each other through it.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, MINUTE } from "../base/time.ts";
import { type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import { FlowState, isReply } from "../l3/flow-state.ts";
import {
  Hook,
  type HookContext,
  type HookFunction,
  HookPriority,
  type Hooks,
  Verdict,
} from "../l3/hooks.ts";
import { IPV4, Protocol } from "../l3/ipv4.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { NatRules } from "../l3/nat-rules.ts";
import { UDP } from "../l4/udp.ts";
import type { Conntrack } from "./conntrack.ts";
import {
  type EndpointDependence,
  type EndpointMapping,
  EndpointMappings,
  type PortAssignment,
} from "./endpoint-mapping.ts";
import { Scratch } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { TUPLE, TUPLE_LENGTH } from "./tuple.ts";

/** Why UDP is dropped. */
export type EndpointNatDrop =
  /** The mapping does not let this peer in (RFC 4787 section 5). */
  | "nat/filtered"
  /** An inner host sends to an outer endpoint of this translation, and that is switched off. */
  | "nat/hairpin"
  /** No outer port is left. */
  | "nat/no-port"
  /** The connection's mapping has ended, and its outer port is another one's now. */
  | "nat/expired";

/** What an {@link EndpointNat} is made of. */
export interface EndpointNatOptions extends Partial<PortAssignment> {
  readonly conntrack: Conntrack;
  /** Packets that leave by it are translated. */
  readonly device: Device;
  /** Outer addresses, at least one. */
  readonly addresses: readonly Ipv4Addr[];
  /** When an inner endpoint keeps its outer one (RFC 4787 section 4.1). */
  readonly mapping: EndpointDependence;
  /** Who is let in (RFC 4787 section 5). */
  readonly filtering: EndpointDependence;
  /** "paired", the default: an inner host keeps its outer address; "arbitrary": it does not. */
  readonly pooling?: "paired" | "arbitrary";
  /** How long a mapping lives without a packet (RFC 4787 section 4.3); 5 minutes. */
  readonly timeout?: Duration;
  /** Packets that come in keep a mapping alive too (RFC 4787 section 4.3); false. */
  readonly refreshesInbound?: boolean;
  /** Inner hosts reach each other by their outer endpoints (RFC 4787 section 6); true. */
  readonly hairpins?: boolean;
  /** Most mappings, and most peers that one remembers; 65,536. */
  readonly limit?: number;
  /** Draws ports where they are random. */
  readonly chance: Chance;
  /** Asked for whatever is not this translation's; nobody. */
  readonly rules?: NatRules | null;
}

/**
 * Rules for a `Nat`, and functions on the hooks beside it. UDP that leaves by the outer device
 * gets an endpoint of the chosen behaviour instead of Linux's; the rest is left to other rules.
 */
export class EndpointNat implements NatRules {
  readonly #table: FlowTable;
  readonly #device: Device;
  readonly #addresses: readonly Ipv4Addr[];
  readonly #mappings: EndpointMappings;
  readonly #isPaired: boolean;
  readonly #refreshesInbound: boolean;
  readonly #hairpins: boolean;
  readonly #rules: NatRules | null;
  /** Which outer address an inner host has. */
  readonly #pairs = new Map<number, Ipv4Addr>();
  readonly #pairLimit: number;
  #turn = 0;
  /** The connection that goes back inside, and its mapping, while its first packet passes. */
  #hairpin = -1;
  #hairpinMapping: EndpointMapping | null = null;
  readonly #entering: HookFunction = {
    name: "endpoint filter",
    onHook: (packet, context) => this.#enter(packet, context),
  };
  readonly #leaving: HookFunction = {
    name: "endpoint refresh",
    onHook: (packet, context) => this.#leave(packet, context),
  };

  constructor(options: EndpointNatOptions) {
    const { conntrack, device, addresses, rules = null } = options;
    const { ports = "preserved", keepsParity = true, timeout = 5 * MINUTE } = options;
    const { limit = 65_536, mapping, filtering, chance } = options;
    if (addresses.length === 0) throw new OptionError("addresses", "none", "at least one address");
    if (!(timeout > 0)) throw new OptionError("timeout", timeout, "a duration above 0");
    if (!Number.isInteger(limit) || limit < 1) {
      throw new OptionError("limit", limit, "a whole number from 1");
    }
    this.#table = conntrack.table;
    this.#device = device;
    this.#addresses = addresses;
    const behaviour = { mapping, filtering, ports, keepsParity, timeout, limit, chance };
    const isTaken = this.#isTaken.bind(this);
    this.#mappings = new EndpointMappings({ ...behaviour, isTaken });
    this.#pairLimit = limit;
    this.#isPaired = options.pooling !== "arbitrary";
    this.#refreshesInbound = options.refreshesInbound ?? false;
    this.#hairpins = options.hairpins ?? true;
    this.#rules = rules;
  }

  /** Hang on the hooks of the stack; the `Nat` that asks these rules hangs there too. */
  attach(hooks: Hooks): void {
    hooks.register(Hook.Prerouting, HookPriority.NatDestination - 1, this.#entering);
    hooks.register(Hook.Postrouting, HookPriority.NatSource + 1, this.#leaving);
  }

  /** Leave the hooks. */
  detach(hooks: Hooks): void {
    hooks.unregister(this.#entering);
    hooks.unregister(this.#leaving);
  }

  /** The mappings that live at `now`. */
  mappings(now: Instant): EndpointMapping[] {
    return this.#mappings.list(now);
  }

  selectNat(packet: Packet, context: HookContext): NatRange | null | "drop" {
    const { pool, network, transport } = packet;
    const { view } = pool;
    if (IPV4.protocol.get(view, network) !== Protocol.Udp) return this.#ask(packet, context);
    const src = IPV4.src.get(view, network);
    const dst = IPV4.dst.get(view, network);
    const srcPort = UDP.srcPort.get(view, transport);
    const dstPort = UDP.dstPort.get(view, transport);
    if (context.hook === Hook.Prerouting) {
      const seen = this.#hairpin === packet.flow ? this.#hairpinMapping : null;
      const peer = seen?.outer ?? src;
      const peerPort = seen?.outerPort ?? srcPort;
      const found = this.#mappings.admit(dst, dstPort, peer, peerPort, context.now);
      if (found === null) return this.#ask(packet, context);
      return rangeOf("destination", found.inner, found.innerPort);
    }
    if (context.hook !== Hook.Postrouting) return this.#ask(packet, context);
    const isHairpin = packet.flow === this.#hairpin;
    const isFromInside = context.input !== null && context.input !== this.#device;
    const isOutward = isFromInside && context.output === this.#device;
    if (!isHairpin && !isOutward) return this.#ask(packet, context);
    const mapping = isHairpin
      ? this.#hairpinMapping
      : this.#map(src, srcPort, dst, dstPort, context.now);
    if (mapping !== null) return rangeOf("source", mapping.outer, mapping.outerPort);
    context.reason = "nat/no-port" satisfies EndpointNatDrop;
    return "drop";
  }

  #ask(packet: Packet, context: HookContext): NatRange | null | "drop" {
    return this.#rules?.selectNat(packet, context) ?? null;
  }

  /** A packet to an outer endpoint: it must be let in. */
  #enter(packet: Packet, context: HookContext): Verdict {
    const { pool, network, transport, flowState } = packet;
    const { view } = pool;
    this.#hairpin = -1;
    const isTracked = flowState >= FlowState.New && flowState <= FlowState.EstablishedReply;
    if (!isTracked || IPV4.protocol.get(view, network) !== Protocol.Udp) return Verdict.Accept;
    const { now } = context;
    const dst = IPV4.dst.get(view, network);
    const dstPort = UDP.dstPort.get(view, transport);
    if (!this.#mappings.has(dst, dstPort)) return Verdict.Accept;
    let peer = IPV4.src.get(view, network);
    let peerPort = UDP.srcPort.get(view, transport);
    if (context.input !== this.#device) {
      if (!this.#hairpins) return drop(context, "nat/hairpin");
      const own = this.#outerOf(packet, peer, peerPort, dst, dstPort, now);
      if (own === null) return drop(context, "nat/no-port");
      this.#mappings.refresh(own, dst, dstPort, now);
      this.#hairpin = packet.flow;
      this.#hairpinMapping = own;
      peer = own.outer;
      peerPort = own.outerPort;
    }
    const admitting = this.#mappings.admit(dst, dstPort, peer, peerPort, now);
    if (admitting === null) return drop(context, "nat/filtered");
    if (!this.#isOf(packet, admitting)) return this.#forget(packet, context);
    if (this.#refreshesInbound) this.#mappings.refresh(admitting, peer, peerPort, now);
    return Verdict.Accept;
  }

  /** True if the connection of a packet that comes in has the mapping's inner endpoint. */
  #isOf({ flow: handle, flowState }: Packet, { inner, innerPort }: EndpointMapping): boolean {
    const { view } = this.#table;
    const flow = this.#table.flowOf(handle);
    if (flow < 0 || flowState === FlowState.New) return true;
    const from = isReply(flowState) ? flow : flow + TUPLE_LENGTH;
    return TUPLE.src.get(view, from) === inner && TUPLE.srcPort.get(view, from) === innerPort;
  }

  /** The mapping of a packet's connection ended, and its outer endpoint is another's by now. */
  #forget(packet: Packet, context: HookContext): Verdict {
    const flow = this.#table.flowOf(packet.flow);
    if (flow >= 0 && this.#table.isLive(flow)) this.#table.remove(flow);
    return drop(context, "nat/expired");
  }

  /** The outer endpoint of an inner sender: its connection's, or the one that it gets. */
  #outerOf(
    packet: Packet,
    inner: Ipv4Addr,
    innerPort: number,
    peer: Ipv4Addr,
    peerPort: number,
    now: Instant,
  ): EndpointMapping | null {
    const { view } = this.#table;
    const flow = this.#table.flowOf(packet.flow);
    if (flow >= 0 && packet.flowState !== FlowState.New) {
      const other = isReply(packet.flowState) ? flow : flow + TUPLE_LENGTH;
      const outer = ipv4Of(TUPLE.dst.get(view, other));
      const outerPort = TUPLE.dstPort.get(view, other);
      const known = this.#mappings.findBoth(inner, innerPort, outer, outerPort);
      if (known !== null) return known;
    }
    return this.#map(inner, innerPort, peer, peerPort, now);
  }

  /** A packet that leaves by the outer device keeps its mapping alive. */
  #leave(packet: Packet, context: HookContext): Verdict {
    const { output, now } = context;
    const { pool, network, transport, flowState } = packet;
    const isTracked = flowState >= FlowState.New && flowState <= FlowState.EstablishedReply;
    const isOurs = isTracked && output === this.#device;
    if (!isOurs || IPV4.protocol.get(pool.view, network) !== Protocol.Udp) return Verdict.Accept;
    const flow = this.#table.flowOf(packet.flow);
    if (flow < 0) return Verdict.Accept;
    const { view } = this.#table;
    const from = isReply(flowState) ? flow + TUPLE_LENGTH : flow;
    const inner = ipv4Of(TUPLE.src.get(view, from));
    const outer = IPV4.src.get(pool.view, network);
    const outerPort = UDP.srcPort.get(pool.view, transport);
    const innerPort = TUPLE.srcPort.get(view, from);
    const mapping = this.#mappings.findBoth(inner, innerPort, outer, outerPort);
    if (mapping === null) {
      const isAnothers = inner !== outer && this.#mappings.has(outer, outerPort);
      return isAnothers ? this.#forget(packet, context) : Verdict.Accept;
    }
    const peer = IPV4.dst.get(pool.view, network);
    this.#mappings.refresh(mapping, peer, UDP.dstPort.get(pool.view, transport), now);
    return Verdict.Accept;
  }

  /** The mapping of an inner endpoint for a peer, made if need be; `null` without a port. */
  #map(
    inner: Ipv4Addr,
    innerPort: number,
    peer: Ipv4Addr,
    peerPort: number,
    now: Instant,
  ): EndpointMapping | null {
    const found = this.#mappings.find(inner, innerPort, peer, peerPort, now);
    if (found !== null) return found;
    const outer = this.#outerAddressOf(inner);
    return this.#mappings.open(inner, innerPort, peer, peerPort, outer, now);
  }

  /** True if packets from the peer to that endpoint belong to a connection. */
  #isTaken(outer: Ipv4Addr, outerPort: number, peer: number, peerPort: number): boolean {
    const { view } = this.#table;
    TUPLE.src.set(view, Scratch.Probe, peer);
    TUPLE.dst.set(view, Scratch.Probe, outer);
    TUPLE.srcPort.set(view, Scratch.Probe, peerPort);
    TUPLE.dstPort.set(view, Scratch.Probe, outerPort);
    TUPLE.protocol.set(view, Scratch.Probe, Protocol.Udp);
    return this.#table.find() >= 0;
  }

  /** RFC 4787 section 4.1: pairs, or whichever address is next. */
  #outerAddressOf(inner: Ipv4Addr): Ipv4Addr {
    const known = this.#isPaired ? this.#pairs.get(inner | 0) : undefined;
    if (known !== undefined) return known;
    const next = this.#addresses[this.#turn % this.#addresses.length] ?? inner;
    this.#turn = (this.#turn + 1) % this.#addresses.length;
    if (this.#pairs.size >= this.#pairLimit) this.#pairs.clear();
    this.#pairs.set(inner | 0, next);
    return next;
  }
}

function rangeOf(side: NatRange["side"], address: Ipv4Addr, port: number): NatRange {
  const addresses = { lower: address, upper: address };
  const ports = { lower: port, upper: port };
  return { side, addresses, ports, isRandom: false, isPersistent: false };
}

function drop(context: HookContext, reason: EndpointNatDrop): Verdict {
  context.reason = reason;
  return Verdict.Drop;
}
