import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Machine } from "../../src/base/machine.ts";
import { NEVER } from "../../src/base/time.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { SchedulerModel } from "../model/scheduler-model.ts";

/** Works through a list of delays; each expiry also hands something to another machine. */
class Clockwork implements Machine {
  readonly name: string;
  readonly delays: number[];
  deadline: number;
  onExpire: (self: Clockwork, now: number) => void = () => {};

  constructor(name: string, [first = NEVER, ...rest]: readonly number[]) {
    this.name = name;
    this.deadline = first;
    this.delays = [...rest];
  }

  nextDeadline(): number {
    return this.deadline;
  }

  expire(now: number): void {
    const delay = this.delays.shift();
    this.deadline = delay === undefined ? NEVER : now + delay;
    this.onExpire(this, now);
  }
}

interface Real {
  readonly scheduler: Scheduler;
  readonly machines: readonly Clockwork[];
  readonly ran: string[];
}

interface Model {
  readonly schedule: SchedulerModel;
  readonly machines: readonly Clockwork[];
  readonly driven: Set<string>;
  readonly ran: string[];
  calls: number;
}

const NAMES = ["a", "b", "c", "d"];
const machine = fc.nat(NAMES.length - 1);
const delay = fc.oneof(fc.nat(5), fc.constant(NEVER));

/** Whom the expiry of a machine pokes, and by how much it moves that one's deadline. */
interface Poke {
  readonly target: number;
  readonly delay: number;
}

function nth<T>(list: readonly T[], index: number): T {
  const one = list[index];
  if (one === undefined) throw new RangeError(`no element ${index}`);
  return one;
}

/** One event of the naive list, with all that follows from it. */
function stepModel(model: Model): boolean {
  const name = model.schedule.take();
  if (name === null) return false;
  const self = model.machines.find((one) => one.name === name);
  if (self === undefined) {
    model.ran.push(`${name}@${model.schedule.now}`);
    return true;
  }
  self.expire(model.schedule.now);
  if (model.driven.has(self.name)) model.schedule.set(self.name, self.deadline);
  return true;
}

/** A command that is always possible, and after which both must agree. */
function command(name: string, run: (model: Model, real: Real) => void): fc.Command<Model, Real> {
  return {
    check: () => true,
    run: (model, real) => {
      run(model, real);
      expectSame(model, real);
    },
    toString: () => name,
  };
}

const add = (index: number): fc.Command<Model, Real> =>
  command(`add ${index}`, (model, real) => {
    const expected = nth(model.machines, index);
    model.driven.add(expected.name);
    model.schedule.set(expected.name, expected.deadline);
    real.scheduler.add(nth(real.machines, index));
  });

const remove = (index: number): fc.Command<Model, Real> =>
  command(`remove ${index}`, (model, real) => {
    model.driven.delete(nth(model.machines, index).name);
    model.schedule.delete(nth(model.machines, index).name);
    real.scheduler.remove(nth(real.machines, index));
  });

/** Something is handed to a machine, and its deadline moves, perhaps into the past. */
const hand = (index: number, ahead: number): fc.Command<Model, Real> =>
  command(`hand ${index} ${ahead}`, (model, real) => {
    const expected = nth(model.machines, index);
    expected.deadline = model.schedule.now + ahead;
    if (model.driven.has(expected.name)) model.schedule.set(expected.name, expected.deadline);
    const actual = nth(real.machines, index);
    actual.deadline = real.scheduler.now + ahead;
    real.scheduler.reschedule(actual);
  });

const call = (ahead: number): fc.Command<Model, Real> =>
  command(`call ${ahead}`, (model, real) => {
    const at = model.schedule.now + ahead;
    model.calls += 1;
    const name = `call ${model.calls}`;
    model.schedule.set(name, at);
    real.scheduler.at(at, (now) => real.ran.push(`${name}@${now}`));
  });

const step = command("step", (model, real) => {
  expect(real.scheduler.step()).toBe(stepModel(model));
});

const runFor = (span: number, isOutsideClock: boolean): fc.Command<Model, Real> =>
  command(`run ${span}`, (model, real) => {
    const end = model.schedule.now + span;
    while (model.schedule.soonest <= end) stepModel(model);
    model.schedule.now = end;
    if (isOutsideClock) real.scheduler.advanceTo(end);
    else real.scheduler.runUntil(end);
  });

function expectSame(model: Model, real: Real): void {
  expect(real.ran).toEqual(model.ran);
  expect(real.scheduler.now).toBe(model.schedule.now);
  expect(real.scheduler.nextDeadline()).toBe(model.schedule.soonest);
}

function setup(work: readonly (readonly number[])[], pokes: readonly Poke[]) {
  const real = machinesOf(work);
  const expected = machinesOf(work);
  const scheduler = new Scheduler();
  const schedule = new SchedulerModel();
  const model: Model = { schedule, machines: expected, driven: new Set(), ran: [], calls: 0 };
  const ran: string[] = [];
  real.forEach((one, index) => {
    one.onExpire = (self, now) => {
      ran.push(`${self.name}@${now}`);
      const target = nth(real, nth(pokes, index).target);
      if (target === self) return;
      target.deadline = now + nth(pokes, index).delay;
      scheduler.reschedule(target);
    };
  });
  expected.forEach((one, index) => {
    one.onExpire = (self, now) => {
      model.ran.push(`${self.name}@${now}`);
      const target = nth(expected, nth(pokes, index).target);
      if (target === self) return;
      target.deadline = now + nth(pokes, index).delay;
      if (model.driven.has(target.name)) schedule.set(target.name, target.deadline);
    };
  });
  return { model, real: { scheduler, machines: real, ran } };
}

const machinesOf = (work: readonly (readonly number[])[]): Clockwork[] =>
  NAMES.map((name, index) => new Clockwork(name, work[index] ?? []));

const work = fc.array(fc.array(delay, { maxLength: 4 }), { minLength: 4, maxLength: 4 });
/** A poke from 1 on: two machines that poke each other for now would never let an instant end. */
const pokes = fc.array(fc.record({ target: machine, delay: fc.integer({ min: 1, max: 5 }) }), {
  minLength: 4,
  maxLength: 4,
});
const commands = fc.commands(
  [
    machine.map(add),
    machine.map(remove),
    fc.tuple(machine, fc.integer({ min: -3, max: 5 })).map(([index, ahead]) => hand(index, ahead)),
    fc.nat(5).map(call),
    fc.constant(step),
    fc.tuple(fc.nat(6), fc.boolean()).map(([span, isOutside]) => runFor(span, isOutside)),
  ],
  { maxCommands: 40, size: "max" },
);

describe("Scheduler", () => {
  it("runs what a sorted list runs, at the same instants and in the same order", () => {
    fc.assert(
      fc.property(work, pokes, commands, (delays, hands, run) => {
        fc.modelRun(() => setup(delays, hands), run);
      }),
      { numRuns: 300 },
    );
  });

  it("runs equal deadlines in the order in which they were set", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 30, size: "max" }), (instants) => {
        const scheduler = new Scheduler();
        const ran: number[] = [];
        instants.forEach((at, index) => scheduler.at(at, () => ran.push(index)));
        scheduler.runUntil(3);
        const order = instants.map((at, index) => ({ at, index })).sort((a, b) => a.at - b.at);
        expect(ran).toEqual(order.map(({ index }) => index));
      }),
    );
  });
});
