import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FLOW_LENGTH } from "../../src/nat/flow-record.ts";
import { FreeRecords } from "../../src/nat/free-records.ts";

describe("the records that no entry uses", () => {
  it("are taken in the order in which they were given back, whoever reads ahead", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ kind: "give" as const, count: 0 }) },
      { weight: 3, arbitrary: fc.constant({ kind: "take" as const, count: 0 }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("touch" as const), count: fc.nat(9) }),
      },
      { weight: 1, arbitrary: fc.constant({ kind: "grow" as const, count: 0 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        let room = 8;
        let next = 0;
        const words = new Int32Array((400 * FLOW_LENGTH) / 4);
        const free = new FreeRecords(room);
        const model: number[] = [];
        for (const { kind, count } of steps) {
          if (kind === "take") expect(free.take()).toBe(model.shift() ?? 0);
          else if (kind === "touch") free.touch(words, count);
          else if (kind === "grow") {
            room += 1 + (room >> 1);
            free.grow(room);
          } else if (model.length < room) {
            next += FLOW_LENGTH;
            model.push(next);
            free.give(next);
          }
        }
        for (const flow of model) expect(free.take()).toBe(flow);
        expect(free.take()).toBe(0);
      }),
    );
  });
});
