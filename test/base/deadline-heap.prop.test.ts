import fc from "fast-check";
import { expect, it } from "vitest";
import { DeadlineHeap } from "../../src/base/deadline-heap.ts";
import { NEVER } from "../../src/base/time.ts";
import { DeadlineList } from "../model/deadline-list.ts";
import { Step } from "../support/step.ts";

type Model = DeadlineList<number>;
type Real = DeadlineHeap<number>;

const step = (name: string, act: (heap: Model | Real) => unknown): Step<Model, Real> =>
  new Step(name, act, ({ size, soonest }) => ({ size, soonest }));
const key = fc.nat({ max: 20 });
const instant = fc.oneof({ arbitrary: fc.nat({ max: 30 }), weight: 9 }, fc.constant(NEVER));

it("is the naive list, whatever is done to it", () => {
  const set = fc
    .tuple(key, instant)
    .map(([k, at]) => step(`set(${k}, ${at})`, (heap) => heap.set(k, at)));
  const commands = fc.commands(
    [
      set,
      set,
      set,
      key.map((k) => step(`get(${k})`, (heap) => heap.get(k))),
      key.map((k) => step(`delete(${k})`, (heap) => heap.delete(k))),
      fc.nat({ max: 8 }).map((now) => step(`pop(${now})`, (heap) => heap.pop(now))),
    ],
    { maxCommands: 100, size: "max" },
  );
  fc.assert(
    fc.property(commands, (steps) => {
      const setup = (): { model: Model; real: Real } => ({
        model: new DeadlineList(),
        real: new DeadlineHeap(),
      });
      fc.modelRun(setup, steps);
    }),
    { numRuns: 60 },
  );
});

it("empties by deadline, then by setting, whatever was deleted before", () => {
  const entries = fc.array(fc.record({ at: fc.nat({ max: 99 }), isDeleted: fc.boolean() }), {
    maxLength: 200,
    size: "max",
  });
  fc.assert(
    fc.property(entries, (list) => {
      const heap = new DeadlineHeap<number>();
      for (const [index, { at }] of list.entries()) heap.set(index, at);
      for (const [index, { isDeleted }] of list.entries()) if (isDeleted) heap.delete(index);
      const left = [...list.entries()].filter(([, { isDeleted }]) => !isDeleted);
      const sorted = left.sort(([i, one], [j, other]) => one.at - other.at || i - j);
      expect(sorted.map(() => heap.pop(99))).toEqual(sorted.map(([index]) => index));
      expect(heap.size).toBe(0);
    }),
  );
});
