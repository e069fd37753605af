/**
 * `-j NOTRACK`, `-j CT --notrack`: connection tracking does not look at the packet (Linux
 * `notrack_tg` and `xt_ct_target` of net/netfilter/xt_CT.c).
 * @module
 */
import { FlowState } from "../../l3/flow-state.ts";
import { option } from "../options.ts";
import { ANYWHERE } from "../placement.ts";
import { type Action, bindAction, newExtension, type TargetKind } from "../target.ts";

/** What has a state keeps it: the answers to packets that were tracked, or were not to be. */
const UNTRACK: Action = {
  apply(packet) {
    if (packet.flowState === FlowState.None) packet.flowState = FlowState.Untracked;
    return null;
  },
};

const RAW_ONLY = { ...ANYWHERE, table: "raw" } as const;

/** Only in raw, before connection tracking. */
export const NOTRACK: TargetKind = {
  name: "NOTRACK",
  options: [],
  parse: () =>
    newExtension({
      name: "NOTRACK",
      text: "",
      placement: RAW_ONLY,
      bind: bindAction(UNTRACK),
    }),
};

/** Of CT, only `--notrack`: there are no zones, helpers and events here. */
export const CT: TargetKind = {
  name: "CT",
  options: [option("notrack", { operands: 0 })],
  parse(given) {
    given.get("notrack");
    return newExtension({
      name: "CT",
      text: " --notrack",
      placement: RAW_ONLY,
      bind: bindAction(UNTRACK),
    });
  },
};
