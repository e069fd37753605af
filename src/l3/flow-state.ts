/**
 * What connection tracking says of a packet, kept in `Packet.flowState` (Linux
 * `ip_conntrack_info`).
 * @module
 */

/** A state and, for the states of a known connection, the direction. */
export const FlowState = {
  /** It will look, whatever rules say: an answer to a packet that it was told not to look at. */
  Due: -1,
  /** Connection tracking has not looked. */
  None: 0,
  /** It looked and could make nothing of the packet. */
  Invalid: 1,
  /** A rule told it not to look. */
  Untracked: 2,
  /** The first packet; its entry is not confirmed yet, or no answer was seen. */
  New: 3,
  Established: 4,
  EstablishedReply: 5,
  Related: 6,
  RelatedReply: 7,
} as const;
export type FlowState = (typeof FlowState)[keyof typeof FlowState];

/** True for a packet that goes against the direction of its connection's first packet. */
export const isReply = (state: number): boolean =>
  state === FlowState.EstablishedReply || state === FlowState.RelatedReply;

/** The state of an ICMP error that answers a packet of `state` (`nf_conntrack_attach`). */
export function answerState(state: number): FlowState {
  if (state === FlowState.Untracked) return FlowState.Due;
  if (state < FlowState.New) return FlowState.None;
  return isReply(state) ? FlowState.Related : FlowState.RelatedReply;
}
