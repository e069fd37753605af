/**
 * ICMP errors belong to the connection of the packet that they quote (`nf_conntrack_inet_error` of
 * Linux).
 * @module
 */
import type { Packet } from "../wire/packet.ts";
import { FlowState } from "../l3/flow-state.ts";
import { Hook } from "../l3/hooks.ts";
import { ICMP_LENGTH } from "../l3/icmp.ts";
import { IPV4 } from "../l3/ipv4.ts";
import type { ConntrackBehaviour } from "./behaviour.ts";
import { Scratch } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import type { InvalidCause } from "./outcome.ts";
import { invertTuple, readTuple, TUPLE } from "./tuple.ts";

/**
 * Find the connection of the ICMP error `packet` and write it into it.
 * @returns `null`, or why it belongs to none.
 */
export function relate(
  table: FlowTable,
  behaviour: ConntrackBehaviour,
  packet: Packet,
  hook: Hook,
): InvalidCause | null {
  const { checksErrorTarget, findsOwnErrorsUnmapped, quotedPortOctets, trackers } = behaviour;
  const { pool, transport, end } = packet;
  const quoted = transport + ICMP_LENGTH;
  const { view } = table;
  const isReadable =
    readTuple(pool.view, quoted, end, table.words, Scratch.Current, quotedPortOctets, trackers) &&
    invertTuple(table.words, Scratch.Current, Scratch.Probe);
  if (!isReadable) return "icmp/quotation";
  let way = table.find();
  let isAnswer = way !== table.flowAt(way);
  if (way < 0 && findsOwnErrorsUnmapped && hook === Hook.Output) {
    way = table.findSame(Scratch.Current);
    isAnswer = way === table.flowAt(way);
  }
  if (way < 0) return "icmp/unrelated";
  const dst = IPV4.dst.get(pool.view, packet.network);
  if (checksErrorTarget && dst !== TUPLE.dst.get(view, way)) return "icmp/target";
  packet.flow = table.handleOf(table.flowAt(way));
  packet.flowState = isAnswer ? FlowState.RelatedReply : FlowState.Related;
  return null;
}
