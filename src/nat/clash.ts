/**
 * Clashes: a new entry finds one of its tuples taken when it is to go into the table
 * (`nf_ct_resolve_clash` of Linux).
 * @module
 */
import type { Packet } from "../wire/packet.ts";
import { Protocol } from "../l3/ipv4.ts";
import { FLOW, Status, TALLY, TALLY_OFFSET } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { isSameTuple, TUPLE, TUPLE_LENGTH } from "./tuple.ts";

/** True for protocols whose entries may clash without a loss: they have no order to keep. */
export const mayClash = (protocol: number): boolean =>
  protocol !== Protocol.Tcp && protocol !== Protocol.Icmp && protocol !== Protocol.Sctp;

/**
 * Save the packet of the unconfirmed `flow`, one of whose tuples is taken. It joins the entry that
 * has its reply if both are one connection. If only the original tuple is taken, `flow` goes into
 * the table by its reply alone, for `ticks` and no longer: its answers find it, nobody sees it.
 * @returns false if the packet must go.
 */
export function resolveClash(
  table: FlowTable,
  packet: Packet,
  flow: number,
  ticks: number,
): boolean {
  if (!mayClash(TUPLE.protocol.get(table.view, flow))) return false;
  const answered = table.findSame(flow + TUPLE_LENGTH);
  if (answered >= 0) return join(table, packet, flow, table.flowAt(answered));
  const status = FLOW.status.get(table.view, flow) & ~Status.Assured;
  FLOW.status.set(table.view, flow, status | Status.NatClash | Status.FixedTimeout);
  table.extend(flow, ticks);
  table.insert(flow);
  return true;
}

/** Let the packet of `flow` belong to `winner` if both are one connection, however it began. */
function join(table: FlowTable, packet: Packet, flow: number, winner: number): boolean {
  const { view, words } = table;
  const reply = flow + TUPLE_LENGTH;
  const winnersReply = winner + TUPLE_LENGTH;
  const isSame = isSameTuple(words, winner, flow) && isSameTuple(words, winnersReply, reply);
  const isReversed = isSameTuple(words, winner, reply) && isSameTuple(words, winnersReply, flow);
  if (!isSame && !isReversed) return false;
  addTally(view, flow + TALLY_OFFSET, winner + TALLY_OFFSET);
  packet.flow = table.handleOf(winner);
  table.abandon(flow);
  return true;
}

function addTally(view: DataView, from: number, to: number): void {
  const low = TALLY.octetsLow.get(view, to) + TALLY.octetsLow.get(view, from);
  TALLY.packets.set(view, to, TALLY.packets.get(view, to) + TALLY.packets.get(view, from));
  TALLY.octetsLow.set(view, to, low);
  if (low >= 2 ** 32) TALLY.octetsHigh.set(view, to, TALLY.octetsHigh.get(view, to) + 1);
}
