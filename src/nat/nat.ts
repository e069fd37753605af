/**
 * Network address translation on top of connection tracking: Linux's ip_nat and nf_nat
 * (nf_nat_core.c, nf_nat_proto.c); RFC 5508 section 4.2 for the ICMP errors.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Chance } from "../base/prng.ts";
import { type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import { onesSum } from "../wire/checksum.ts";
import type { Device } from "../wire/device.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { Packet } from "../wire/packet.ts";
import type { FlowTranslator } from "../wire/path-notes.ts";
import { FlowState, isReply } from "../l3/flow-state.ts";
import {
  Hook,
  HOOK_NAMES,
  type HookContext,
  type HookFunction,
  HookPriority,
  type Hooks,
  Verdict,
} from "../l3/hooks.ts";
import { ICMP, ICMP_LENGTH, IcmpType, sealIcmp } from "../l3/icmp.ts";
import { blankSumOf, mendBlankSum } from "../l3/blank-checksum.ts";
import { gather } from "../l3/fragment.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../l3/ipv4.ts";
import { TCP_MIN_LENGTH } from "../l4/tcp.ts";
import type { NatRules } from "../l3/nat-rules.ts";
import { UDP_LENGTH } from "../l4/udp.ts";
import { hasGreVersion, PPTP_GRE_LENGTH } from "../l4/gre.ts";
import type { NatBehaviour } from "./behaviour.ts";
import type { Conntrack } from "./conntrack.ts";
import { formatTuple } from "./flow-entry.ts";
import {
  ANY_DONE,
  ANY_MAPPED as ImportedANY_MAPPED,
  FLOW,
  FLOW_LENGTH,
  FlowWord as ImportedFlowWord,
  Status as ImportedStatus,
} from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { Mapper } from "./mapping.ts";
import {
  rewrite,
  rewriteAddress,
  rewriteWords as ImportedrewriteWords,
  type Side,
} from "./rewrite.ts";
import {
  dstPortOf as ImporteddstPortOf,
  srcPortOf as ImportedsrcPortOf,
  TUPLE,
  TUPLE_LENGTH,
  tupleAt,
  TupleWord as ImportedTupleWord,
} from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ANY_MAPPED = ImportedANY_MAPPED;
const FlowWord = ImportedFlowWord;
const Status = ImportedStatus;
const TupleWord = ImportedTupleWord;
const rewriteWords = ImportedrewriteWords;
const dstPortOf = ImporteddstPortOf;
const srcPortOf = ImportedsrcPortOf;
/** Words from a flow to the tuple of its answers. */
const REPLY = TUPLE_LENGTH / 4;

/** Why address translation drops a packet; a rule that forbids one has its own reasons. */
export type NatDrop =
  /** An ICMP redirect would make two hosts talk past the translation. */
  | "nat/redirect"
  /** Its masqueraded connection would leave by another device than before. */
  | "nat/device"
  /** Too short to be translated. */
  | "nat/truncated"
  /** An ICMP error whose checksum, which must be made anew, is wrong. */
  | "nat/checksum";

/** What a {@link Nat} is made of. */
export interface NatOptions {
  readonly conntrack: Conntrack;
  readonly behaviour: NatBehaviour;
  /** Asked once for each side of each new connection. */
  readonly rules: NatRules;
  /** Where a search for a free port begins. */
  readonly chance: Chance;
}

/**
 * Address translation of one router. Destinations are chosen at PREROUTING and OUTPUT, sources at
 * POSTROUTING and INPUT, both with a connection's first packet; every later packet of it is changed
 * alike, and those of the other direction back. Packets of no connection pass as they are.
 */
export class Nat implements FlowTranslator {
  readonly #table: FlowTable;
  readonly #behaviour: NatBehaviour;
  readonly #rules: NatRules;
  readonly #mapper: Mapper;
  /** Masqueraded connections and their devices, by the number of the entry's record. */
  readonly #masqueraded: { handle: number; device: Device }[] = [];
  readonly #destination: HookFunction = {
    name: "nat destination",
    notesPaths: true,
    onHook: (packet, context) => this.#translate(packet, context, "destination"),
  };
  readonly #source: HookFunction = {
    name: "nat source",
    notesPaths: true,
    onHook: (packet, context) => this.#translate(packet, context, "source"),
  };

  constructor({ conntrack, behaviour, rules, chance }: NatOptions) {
    this.#table = conntrack.table;
    this.#behaviour = behaviour;
    this.#rules = rules;
    this.#mapper = new Mapper(conntrack.table, behaviour, chance);
  }

  /** Hang on the hooks of the stack whose connections are tracked. */
  attach(hooks: Hooks): void {
    hooks.register(Hook.Prerouting, HookPriority.NatDestination, this.#destination);
    hooks.register(Hook.Output, HookPriority.NatDestination, this.#destination);
    hooks.register(Hook.Postrouting, HookPriority.NatSource, this.#source);
    hooks.register(Hook.Input, HookPriority.NatSource, this.#source);
  }

  /** Leave the hooks; mappings stay with their connections, and are applied no more. */
  detach(hooks: Hooks): void {
    hooks.unregister(this.#destination);
    hooks.unregister(this.#source);
  }

  #translate(packet: Packet, context: HookContext, side: Side): Verdict {
    const { flowState } = packet;
    if (flowState < FlowState.New) return this.#passStray(packet, context);
    const flow = this.#table.flowOf(packet.flow);
    if (flow < 0) return Verdict.Accept;
    const isRelated = flowState >= FlowState.Related;
    const protocol = IPV4.protocol.get(packet.pool.view, packet.network);
    if (isRelated && protocol === Protocol.Icmp) return this.#relate(packet, context, flow, side);
    if (flowState === FlowState.New || isRelated) {
      const done = side === "source" ? Status.SourceDone : Status.DestinationDone;
      const status = FLOW.status.get(this.#table.view, flow);
      const isConfirmed = (status & Status.Confirmed) !== 0;
      const isDecided = (status & done) !== 0 || (isConfirmed && !this.#behaviour.asksOfConfirmed);
      if (!isDecided && !this.#decide(packet, context, flow, side)) return Verdict.Drop;
    }
    if (this.#masqueraded.length > 0 && this.#hasMoved(packet, context, flow)) {
      if (this.#table.isLive(flow)) this.#table.remove(flow);
      return drop(context, "nat/device");
    }
    return this.#apply(packet, context, flow, side);
  }

  /** True if the packet would leave by another device than its masqueraded connection began on. */
  #hasMoved(
    { flow: handle, flowState }: Packet,
    { hook, output }: HookContext,
    flow: number,
  ): boolean {
    if (hook !== Hook.Postrouting || isReply(flowState)) return false;
    const known = this.#masqueraded[flow / FLOW_LENGTH];
    return known !== undefined && known.handle === handle && known.device !== output;
  }

  /** `device` loses `address`, or all: what it masqueraded as it ends (`masq_inet_event`). */
  endMasqueraded(device: Device, address: Ipv4Addr | null): void {
    const table = this.#table;
    this.#masqueraded.forEach((known, index) => {
      const flow = index * FLOW_LENGTH;
      const isLive = table.flowOf(known.handle) === flow && table.isLive(flow);
      if (!isLive || known.device !== device) return;
      const own = TUPLE.dst.get(table.view, flow + TUPLE_LENGTH);
      if (address === null || own === address) table.remove(flow);
    });
  }

  /** A packet of no connection passes as it is: the private source of one may leak. */
  #passStray(packet: Packet, context: HookContext): Verdict {
    const { pool, network, transport, end, flowState } = packet;
    const isStray = this.#behaviour.dropsStrayRedirects && flowState === FlowState.Invalid;
    if (!isStray || IPV4.protocol.get(pool.view, network) !== Protocol.Icmp) return Verdict.Accept;
    if (end - transport < ICMP_LENGTH) return Verdict.Accept;
    if (ICMP.type.get(pool.view, transport) !== IcmpType.Redirect) return Verdict.Accept;
    return drop(context, "nat/redirect");
  }

  /** Ask the rules, once for each side. @returns false if they forbid the packet. */
  #decide(packet: Packet, context: HookContext, flow: number, side: Side): boolean {
    const isAsked = context.hook !== Hook.Input || this.#behaviour.hasInputRules;
    const range = isAsked ? this.#rules.selectNat(packet, context) : null;
    if (range === "drop") return false;
    assert(range === null || range.side === side, "a rule changes the side of its hook");
    // Too late to translate it (`nf_nat_setup_info`).
    if ((FLOW.status.get(this.#table.view, flow) & Status.Confirmed) !== 0) return true;
    this.#mapper.map(flow, side, range);
    packet.path?.give(this, side, range);
    if (this.#rules.notesPaths !== true) packet.path?.spoilOpening();
    if (range?.device !== undefined && this.#behaviour.endsWhereDeviceChanges) {
      this.#masqueraded[flow / FLOW_LENGTH] = { handle: packet.flow, device: range.device };
    }
    return true;
  }

  give(flow: number, destination: NatRange | null, source: NatRange | null): void {
    this.#mapper.map(flow, "destination", destination);
    this.#mapper.map(flow, "source", source);
  }

  change(packet: Packet, flow: number): void {
    const { words } = this.#table;
    const at = flow >> 2;
    const status = words[at + FlowWord.Status] ?? 0;
    if ((status & ANY_MAPPED) === 0) return;
    const octets = packet.pool.words;
    const network = packet.network >> 2;
    const { sendsZeroAsFfff } = this.#behaviour;
    const ports = words[at + REPLY + TupleWord.Ports] ?? 0;
    if ((status & Status.DestinationMapped) !== 0) {
      const address = words[at + REPLY + TupleWord.Src] ?? 0;
      rewriteWords(octets, network, "destination", address, srcPortOf(ports), sendsZeroAsFfff);
    }
    if ((status & Status.SourceMapped) !== 0) {
      const address = words[at + REPLY + TupleWord.Dst] ?? 0;
      rewriteWords(octets, network, "source", address, dstPortOf(ports), sendsZeroAsFfff);
    }
  }

  /** Change the packet as its connection demands. */
  #apply(packet: Packet, context: HookContext, flow: number, side: Side): Verdict {
    if (!this.#isMapped(packet, flow, side)) return Verdict.Accept;
    const answer = otherWay(packet, flow);
    packet.path?.translate(this.#behaviour.sendsZeroAsFfff ? 0xffff : 0);
    if (!this.#change(packet, answer, side)) return drop(context, "nat/truncated");
    if (packet.pool.isTracing) this.#trace(packet, context, answer, side);
    return Verdict.Accept;
  }

  /** Give one side of the packet what the tuple at `answer` asks of it. @returns false as there. */
  #change(packet: Packet, answer: number, side: Side): boolean {
    const { pool, network, end } = packet;
    const { view } = this.#table;
    const isSource = side === "source";
    const address = ipv4Of((isSource ? TUPLE.dst : TUPLE.src).get(view, answer));
    const protocol = TUPLE.protocol.get(view, answer);
    const usesDstPort = isSource && protocol !== Protocol.Icmp;
    const port = (usesDstPort ? TUPLE.dstPort : TUPLE.srcPort).get(view, answer);
    gather(packet, packet.transport + transportLength(protocol));
    const sum = blankSumOf(packet);
    const before = (isSource ? IPV4.src : IPV4.dst).get(pool.view, network);
    if (!this.#rewrite(pool.view, network, end, side, address, port)) return false;
    if (sum >= 0) mendBlankSum(packet, sum, before, address);
    return true;
  }

  /** As {@link rewrite}, for protocols that may have no port here. */
  #rewrite(
    view: DataView,
    network: number,
    end: number,
    side: Side,
    address: Ipv4Addr,
    port: number,
  ): boolean {
    const { portProtocols, wantsGreCall, sendsZeroAsFfff } = this.#behaviour;
    const protocol = IPV4.protocol.get(view, network);
    if (portProtocols.has(protocol)) {
      return rewrite(view, network, end, side, address, port, sendsZeroAsFfff);
    }
    const isGre = protocol === Protocol.Gre && wantsGreCall;
    if (isGre) {
      // `gre_manip_pkt`: the destination's key would go into the header.
      const at = network + headerLengthOf(view, network);
      if (end - at < PPTP_GRE_LENGTH) return false;
      if (side === "destination" && !hasGreVersion(view, at)) return false;
    }
    rewriteAddress(view, network, side, address);
    return true;
  }

  /** True if packets in this one's direction are changed on `side`. */
  #isMapped(packet: Packet, flow: number, side: Side): boolean {
    const isSource = (side === "source") !== isReply(packet.flowState);
    const bit = isSource ? Status.SourceMapped : Status.DestinationMapped;
    return (FLOW.status.get(this.#table.view, flow) & bit) !== 0;
  }

  /** An ICMP error: what it quotes is changed back, then its own address. */
  #relate(packet: Packet, context: HookContext, flow: number, side: Side): Verdict {
    const { pool, network, transport, end } = packet;
    const { view: octets } = pool;
    const { view } = this.#table;
    const quoted = transport + ICMP_LENGTH;
    gather(packet, quoted + IPV4_MIN_LENGTH);
    if (end - quoted < IPV4_MIN_LENGTH) return drop(context, "nat/truncated");
    if (onesSum(octets, transport, end) !== 0xffff) return drop(context, "nat/checksum");
    if (ICMP.type.get(octets, transport) === IcmpType.Redirect) {
      const status = FLOW.status.get(view, flow);
      const isFinal = (status & ANY_DONE) === ANY_DONE;
      if (!isFinal || (status & ANY_MAPPED) !== 0) return drop(context, "nat/redirect");
    }
    if (!this.#isMapped(packet, flow, side)) return Verdict.Accept;
    const answer = otherWay(packet, flow);
    const isSource = side === "source";
    // The quoted packet went the other way: at this hook its other side is changed.
    const inner = ipv4Of((isSource ? TUPLE.dst : TUPLE.src).get(view, answer));
    const usesDstPort = isSource && TUPLE.protocol.get(view, answer) !== Protocol.Icmp;
    const port = (usesDstPort ? TUPLE.dstPort : TUPLE.srcPort).get(view, answer);
    const innerSide = isSource ? "destination" : "source";
    const header = quoted + headerLengthOf(octets, quoted);
    const innerProtocol = IPV4.protocol.get(octets, quoted);
    gather(packet, header + transportLength(innerProtocol));
    if (!this.#rewrite(octets, quoted, end, innerSide, inner, port)) {
      return drop(context, "nat/truncated");
    }
    sealIcmp(octets, transport, end);
    rewriteAddress(octets, network, side, inner);
    if (pool.isTracing) this.#trace(packet, context, answer, side);
    return Verdict.Accept;
  }

  #trace(packet: Packet, { hook, now }: HookContext, answer: number, side: Side): void {
    const way = formatTuple(tupleAt(this.#table.words, answer));
    const what = `nat: ${side} changed, answers have ${way}`;
    packet.pool.observer?.step(packet, HOOK_NAMES[hook], what, now);
  }
}

/** Octets of a transport header that rewriting asks for. */
function transportLength(protocol: number): number {
  if (protocol === Protocol.Tcp) return TCP_MIN_LENGTH;
  const isShort =
    protocol === Protocol.Udp ||
    protocol === Protocol.Icmp ||
    protocol === Protocol.UdpLite ||
    protocol === Protocol.Gre;
  return isShort ? UDP_LENGTH : 0;
}

/** The tuple of the direction against the packet's. */
const otherWay = (packet: Packet, flow: number): number =>
  isReply(packet.flowState) ? flow : flow + TUPLE_LENGTH;

function drop(context: HookContext, reason: NatDrop): Verdict {
  context.reason = reason;
  return Verdict.Drop;
}
