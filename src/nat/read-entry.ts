/** Reads an entry out of the table's memory, for people. @module */
import type { Duration } from "../base/time.ts";
import { FlowState } from "../l3/flow-state.ts";
import { Protocol } from "../l3/ipv4.ts";
import type { FlowEntry, FlowTally } from "./flow-entry.ts";
import { FLOW, Status, TALLY, TALLY_OFFSET } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { CONNECTION, TCP_STATE_NAMES } from "./tcp-record.ts";
import { TUPLE, TUPLE_LENGTH, tupleAt } from "./tuple.ts";

/** As `iptables --ctstate` names them. */
export const STATE_NAMES: ReadonlyMap<number, string> = new Map([
  [FlowState.New, "NEW"],
  [FlowState.Established, "ESTABLISHED"],
  [FlowState.EstablishedReply, "ESTABLISHED"],
  [FlowState.Related, "RELATED"],
  [FlowState.RelatedReply, "RELATED"],
]);

/**
 * The entry at `flow`.
 * @param tick of the kernel's clock.
 * @param countsTraffic false leaves the tallies out.
 */
export function entryAt(
  table: FlowTable,
  flow: number,
  tick: Duration,
  countsTraffic: boolean,
): FlowEntry {
  const { view, words, records, now } = table;
  const status = FLOW.status.get(view, flow);
  const isTcp = TUPLE.protocol.get(view, flow) === Protocol.Tcp;
  const expires = FLOW.expires.get(view, flow);
  const isConfirmed = (status & Status.Confirmed) !== 0;
  const ticks = isConfirmed ? (expires - now) | 0 : expires;
  const tallyOf = (way: number): FlowTally | null =>
    countsTraffic ? tallyAt(view, way + TALLY_OFFSET) : null;
  return {
    handle: table.handleOf(flow),
    original: tupleAt(words, flow),
    reply: tupleAt(words, flow + TUPLE_LENGTH),
    tcpState: isTcp ? (TCP_STATE_NAMES[CONNECTION.state.get(records, flow)] ?? null) : null,
    timeout: Math.max(ticks, 0) * tick,
    hasReply: (status & Status.SeenReply) !== 0,
    isAssured: (status & Status.Assured) !== 0,
    isSourceMapped: (status & Status.SourceMapped) !== 0,
    isDestinationMapped: (status & Status.DestinationMapped) !== 0,
    originalTally: tallyOf(flow),
    mark: FLOW.mark.get(view, flow),
    replyTally: tallyOf(flow + TUPLE_LENGTH),
  };
}

function tallyAt(view: DataView, at: number): FlowTally {
  return {
    packets: TALLY.packets.get(view, at),
    octets: TALLY.octetsHigh.get(view, at) * 2 ** 32 + TALLY.octetsLow.get(view, at),
  };
}
