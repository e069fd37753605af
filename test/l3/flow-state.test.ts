import { expect, it } from "vitest";
import { answerState, FlowState, isReply } from "../../src/l3/flow-state.ts";

it("gives an ICMP error the state of one that belongs to its offender, the other way", () => {
  const states = Object.entries(FlowState).map(([name, state]) => [name, answerState(state)]);
  expect(Object.fromEntries(states)).toEqual({
    Due: FlowState.None,
    None: FlowState.None,
    Invalid: FlowState.None,
    Untracked: FlowState.Due,
    New: FlowState.RelatedReply,
    Established: FlowState.RelatedReply,
    EstablishedReply: FlowState.Related,
    Related: FlowState.RelatedReply,
    RelatedReply: FlowState.Related,
  });
});

it("knows which states go against their connection's first packet", () => {
  const replies = Object.entries(FlowState).filter(([, state]) => isReply(state));
  expect(replies.map(([name]) => name)).toEqual(["EstablishedReply", "RelatedReply"]);
});
