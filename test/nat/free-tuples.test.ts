import { describe, expect, it } from "vitest";
import { FlowTable } from "../../src/nat/flow-table.ts";

describe("a tuple that nobody has", () => {
  it("is looked for no more until something comes into the table", () => {
    const table = new FlowTable(64);
    const [flow, other] = [table.allocate(), table.allocate()];
    table.noteFree(flow);
    table.noteReply(flow, true);
    expect([table.isOriginalFree(flow), table.isReplyFree(flow)]).toEqual([true, true]);
    expect([table.isOriginalFree(other), table.isReplyFree(other)]).toEqual([false, false]);
    table.insert(other);
    expect([table.isOriginalFree(flow), table.isReplyFree(flow)]).toEqual([false, false]);
  });

  it("is nobody's once its record is used for another flow", () => {
    const table = new FlowTable(64);
    const flow = table.allocate();
    table.noteFree(flow);
    table.noteReply(flow, true);
    table.abandon(flow);
    let again = table.allocate();
    for (let more = 0; again !== flow && more < 500; more += 1) again = table.allocate();
    expect(again).toBe(flow);
    expect([table.isOriginalFree(flow), table.isReplyFree(flow)]).toEqual([false, false]);
  });

  it("is not believed once a reply was chosen without a look", () => {
    const table = new FlowTable(64);
    const flow = table.allocate();
    table.noteReply(flow, true);
    table.noteReply(flow, false);
    expect(table.isReplyFree(flow)).toBe(false);
  });
});
