/**
 * `-j TRACE`: the log tells of every rule that the packet meets from here on (Linux
 * `net/netfilter/xt_TRACE.c`, `trace_packet` of ip_tables.c).
 * @module
 */
import { ANYWHERE } from "../placement.ts";
import { type Action, bindAction, newExtension, type TargetKind } from "../target.ts";

const TRACE_ACTION: Action = {
  apply(packet) {
    packet.isTraced = true;
    return null;
  },
};

/** Only in raw. The rules that it is about are the packet's steps, too. */
export const TRACE: TargetKind = {
  name: "TRACE",
  options: [],
  parse: () =>
    newExtension({
      name: "TRACE",
      text: "",
      placement: { ...ANYWHERE, table: "raw" },
      bind: bindAction(TRACE_ACTION),
    }),
};
