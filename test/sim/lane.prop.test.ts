import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Lane } from "../../src/sim/lane.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { PacketPool } from "../../src/wire/packet.ts";

/** Frames put at one instant, each due some time later than the one before, and a pause. */
const rounds = fc.array(
  fc.record({ delays: fc.array(fc.nat(3), { maxLength: 40, size: "max" }), pause: fc.nat(30) }),
  { maxLength: 12, size: "max" },
);

describe("Lane", () => {
  it("hands over what a plain list hands over, however far its ring has grown and turned", () => {
    fc.assert(
      fc.property(rounds, (all) => {
        const scheduler = new Scheduler();
        const lane = new Lane(scheduler);
        const pool = new PacketPool({ slots: 480, largeSlots: 0 });
        const model: string[] = [];
        const actual: string[] = [];
        let due = 0;
        for (const { delays, pause } of all) {
          for (const delay of delays) {
            due = Math.max(due, scheduler.now) + delay;
            const packet = pool.allocate(14);
            if (packet === null) throw new RangeError("the pool is exhausted");
            const name = `${packet.id} to ${delay}`;
            model.push(`${name}@${due}`);
            const receiver = {
              receive: (got: { id: number }, now: number) => {
                actual.push(`${got.id} to ${delay}@${now}`);
              },
            };
            lane.put(packet, receiver, due);
          }
          expect(lane.size).toBe(model.length - actual.length);
          scheduler.runUntil(scheduler.now + pause);
        }
        scheduler.runUntil(10_000);
        expect(actual).toEqual(model);
      }),
    );
  });
});
