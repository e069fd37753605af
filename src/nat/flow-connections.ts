/** Connections as rules see them: facts of entries, and their marks. @module */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import type { ConnectionFacts, Connections, ConnectionWay } from "../l3/connections.ts";
import { Protocol } from "../l3/ipv4.ts";
import type { Conntrack } from "./conntrack.ts";
import { FLOW } from "./flow-record.ts";
import { CONNECTION, TcpState } from "./tcp-record.ts";
import { TUPLE, TUPLE_LENGTH } from "./tuple.ts";

/** The entries of a {@link Conntrack} that may be made later. */
export class FlowConnections implements Connections {
  /** Most connections at a time. */
  readonly limit: number;
  readonly #hz: number;
  readonly #find: () => Conntrack | null;

  /**
   * @param limit most entries that connection tracking will have.
   * @param hz ticks a second of its clock.
   * @param find answers connection tracking; `null` while there is none: no packet is of any.
   */
  constructor(limit: number, hz: number, find: () => Conntrack | null) {
    this.limit = limit;
    this.#hz = hz;
    this.#find = find;
  }

  read(packet: Packet, now: Instant, facts: ConnectionFacts): boolean {
    const conntrack = this.#find();
    if (conntrack === null) return false;
    const { table } = conntrack;
    const flow = table.flowOf(packet.flow);
    if (flow < 0) return false;
    const { view } = table;
    facts.protocol = TUPLE.protocol.get(view, flow);
    facts.status = FLOW.status.get(view, flow);
    readWay(view, flow, facts.original);
    readWay(view, flow + TUPLE_LENGTH, facts.reply);
    facts.secondsLeft = Math.floor(conntrack.ticksLeft(flow, now) / this.#hz);
    return true;
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

  isOpen(handle: number, now: Instant): boolean {
    const conntrack = this.#find();
    if (conntrack === null) return false;
    const { table } = conntrack;
    const flow = table.flowOf(handle);
    if (flow < 0 || conntrack.ticksLeft(flow, now) === 0 || !table.isLive(flow)) return false;
    if (TUPLE.protocol.get(table.view, flow) !== Protocol.Tcp) return true;
    const state = CONNECTION.state.get(table.records, flow);
    return state !== TcpState.TimeWait && state !== TcpState.Close;
  }
}

function readWay(view: DataView, at: number, way: ConnectionWay): void {
  way.source = TUPLE.src.get(view, at);
  way.destination = TUPLE.dst.get(view, at);
  way.sourcePort = TUPLE.srcPort.get(view, at);
  way.destinationPort = TUPLE.dstPort.get(view, at);
}
