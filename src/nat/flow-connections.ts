/** Connections as rules see them: facts of entries, and their marks. @module */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import {
  type ConnectionFacts,
  type Connections,
  type ConnectionTuple,
  type ConnectionWay,
  Existence,
} from "../l3/connections.ts";
import { Protocol } from "../l3/ipv4.ts";
import type { ConntrackBehaviour } from "./behaviour.ts";
import type { Conntrack } from "./conntrack.ts";
import { FLOW, Scratch } from "./flow-record.ts";
import { CONNECTION, TcpState } from "./tcp-record.ts";
import { readTuple, TUPLE, TUPLE_LENGTH } from "./tuple.ts";

/** The entries of a {@link Conntrack} that may be made later. */
export class FlowConnections implements Connections {
  /** Most connections at a time. */
  readonly limit: number;
  readonly #behaviour: ConntrackBehaviour;
  readonly #hz: number;
  readonly #find: () => Conntrack | null;

  /**
   * @param behaviour that connection tracking will have.
   * @param hz ticks a second of its clock.
   * @param find answers connection tracking; `null` while there is none: no packet is of any.
   */
  constructor(behaviour: ConntrackBehaviour, hz: number, find: () => Conntrack | null) {
    this.limit = behaviour.limit;
    this.#behaviour = behaviour;
    this.#hz = hz;
    this.#find = find;
  }

  read(packet: Packet, now: Instant, facts: ConnectionFacts): boolean {
    const conntrack = this.#find();
    if (conntrack === null) return false;
    const flow = conntrack.table.flowOf(packet.flow);
    if (flow >= 0) this.#fill(conntrack, flow, now, facts);
    return flow >= 0;
  }

  #fill(conntrack: Conntrack, flow: number, now: Instant, facts: ConnectionFacts): void {
    const { view } = conntrack.table;
    facts.protocol = TUPLE.protocol.get(view, flow);
    facts.status = FLOW.status.get(view, flow);
    readWay(view, flow, facts.original);
    readWay(view, flow + TUPLE_LENGTH, facts.reply);
    facts.secondsLeft = Math.floor(conntrack.ticksLeft(flow, now) / this.#hz);
  }

  markOf(packet: Packet): number {
    const table = this.#find()?.table;
    const flow = table?.flowOf(packet.flow) ?? -1;
    return table === undefined || flow < 0 ? -1 : FLOW.mark.get(table.view, flow);
  }

  setMark(packet: Packet, mark: number): void {
    const table = this.#find()?.table;
    const flow = table?.flowOf(packet.flow) ?? -1;
    if (table !== undefined && flow >= 0) FLOW.mark.set(table.view, flow, mark);
  }

  identify(packet: Packet, now: Instant, facts: ConnectionFacts): boolean {
    if (this.read(packet, now, facts)) return true;
    const conntrack = this.#find();
    if (conntrack === null) return false;
    const { table } = conntrack;
    const { view, words } = table;
    const { pool, network, end } = packet;
    const { quotedPortOctets, trackers } = this.#behaviour;
    const to = Scratch.Probe;
    const hasTuple = readTuple(pool.view, network, end, words, to, quotedPortOctets, trackers);
    if (!hasTuple) return false;
    facts.protocol = TUPLE.protocol.get(view, to);
    readWay(view, to, facts.original);
    const way = conntrack.findProbe(now);
    facts.status = way < 0 ? 0 : FLOW.status.get(view, table.flowAt(way));
    return true;
  }

  existence(tuple: Readonly<ConnectionTuple>, now: Instant): Existence {
    const conntrack = this.#find();
    if (conntrack === null) return Existence.None;
    const { table } = conntrack;
    const { view } = table;
    TUPLE.protocol.set(view, Scratch.Probe, tuple.protocol);
    TUPLE.src.set(view, Scratch.Probe, tuple.source);
    TUPLE.dst.set(view, Scratch.Probe, tuple.destination);
    TUPLE.srcPort.set(view, Scratch.Probe, tuple.sourcePort);
    TUPLE.dstPort.set(view, Scratch.Probe, tuple.destinationPort);
    const way = conntrack.findProbe(now);
    if (way < 0) return Existence.None;
    if (tuple.protocol !== Protocol.Tcp) return Existence.Open;
    const state = CONNECTION.state.get(table.records, table.flowAt(way));
    return state === TcpState.TimeWait || state === TcpState.Close
      ? Existence.Closed
      : Existence.Open;
  }
}

function readWay(view: DataView, at: number, way: ConnectionWay): void {
  way.source = TUPLE.src.get(view, at);
  way.destination = TUPLE.dst.get(view, at);
  way.sourcePort = TUPLE.srcPort.get(view, at);
  way.destinationPort = TUPLE.dstPort.get(view, at);
}
