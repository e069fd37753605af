import fc from "fast-check";
import { it } from "vitest";
import { BoundedMap } from "../../src/base/bounded-map.ts";
import { BoundedList } from "../model/bounded-list.ts";
import { Step } from "../support/step.ts";

type Model = BoundedList<number, number>;
type Real = BoundedMap<number, number>;

const step = (name: string, act: (map: Model | Real) => unknown): Step<Model, Real> =>
  new Step(name, act, (map) => ({ size: map.size, pairs: [...map] }));
const key = fc.nat({ max: 8 });

it("is the naive list, whatever is done to it", () => {
  const commands = fc.commands([
    fc.tuple(key, fc.nat()).map(([k, v]) => step(`set(${k}, ${v})`, (map) => map.set(k, v))),
    key.map((k) => step(`get(${k})`, (map) => map.get(k))),
    key.map((k) => step(`delete(${k})`, (map) => map.delete(k))),
    fc.constant(step("clear()", (map) => map.clear())),
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), commands, (limit, steps) => {
      const setup = (): { model: Model; real: Real } => ({
        model: new BoundedList(limit),
        real: new BoundedMap(limit),
      });
      fc.modelRun(setup, steps);
    }),
  );
});
