import fc from "fast-check";
import { expect, it } from "vitest";
import {
  ACCOUNTING_PERIOD,
  CREDIT_3_1,
  CREDIT_4_17,
  CREDIT_TIME,
} from "../../../src/xen/hypervisor/credit-accounting.ts";
import { CreditScheduler } from "../../../src/xen/hypervisor/credit-scheduler.ts";
import { CreditModel } from "../../model/credit-model.ts";

/** One domain: its share, and its bursts of work as pause before it and length, in 50 us. */
const domain = fc.record({
  weight: fc.constantFrom(64, 256, 512),
  cap: fc.constantFrom(0, 0, 0, 30),
  bursts: fc.array(fc.tuple(fc.nat({ max: 900 }), fc.integer({ min: 1, max: 900 })), {
    maxLength: 12,
  }),
});
const world = fc.record({
  cpus: fc.integer({ min: 1, max: 3 }),
  behaviour: fc.constantFrom(CREDIT_3_1, CREDIT_4_17),
  domains: fc.array(domain, { minLength: 1, maxLength: 6 }),
  looks: fc.array(fc.nat({ max: 600_000 }), { maxLength: 20 }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

const END = 5_000_000;

interface Wake {
  readonly at: number;
  readonly domid: number;
  readonly work: number;
}

const wakesOf = ({ domains }: World): Wake[] =>
  domains
    .flatMap(({ bursts }, index) => {
      let at = 0;
      return bursts.map(([pause, work]) => ({
        at: (at += pause * 50),
        domid: index + 1,
        work: work * 50,
      }));
    })
    .sort((one, other) => one.at - other.at || one.domid - other.domid);

/** Play a world. @returns who ran from when on, by processor, and what each had. */
function play(given: World, looks: readonly number[]): { switches: string[]; times: number[] } {
  const { cpus, behaviour, domains } = given;
  const switches: string[] = [];
  const credit = new CreditScheduler({
    cpus,
    behaviour,
    onSwitch: (cpu, domid, now) => switches.push(`${now} ${cpu} ${domid ?? "-"}`),
  });
  domains.forEach(({ weight, cap }, index) => credit.add(index + 1, { weight, cap, vcpus: 1 }));
  const events = [
    ...wakesOf(given).map((wake) => ({ at: wake.at, wake })),
    ...looks.map((at) => ({ at, wake: null })),
  ].sort((one, other) => one.at - other.at);
  for (const { at, wake } of events) {
    if (wake === null) credit.expire(at);
    else credit.wake(wake.domid, 0, wake.work, at);
  }
  credit.expire(END);
  return { switches, times: domains.map((_, index) => credit.cpuTime(index + 1, END)) };
}

it("gives each domain all the time that it wants, in the end", () => {
  fc.assert(
    fc.property(world, (given) => {
      const { times } = play(given, []);
      const wanted = given.domains.map((_, index) =>
        wakesOf(given).reduce((sum, { domid, work }) => sum + (domid === index + 1 ? work : 0), 0),
      );
      expect(times).toEqual(wanted);
    }),
    { numRuns: 100 },
  );
});

it("runs the same, however often it is looked at", () => {
  fc.assert(
    fc.property(world, (given) => {
      expect(play(given, given.looks)).toEqual(play(given, []));
    }),
    { numRuns: 100 },
  );
});

it("runs nobody twice at once, and leaves no processor idle while somebody uncapped waits", () => {
  fc.assert(
    fc.property(world, (given) => {
      const uncapped = {
        ...given,
        domains: given.domains.map((one) => ({ ...one, cap: 0 as const })),
      };
      const { switches } = play(uncapped, []);
      const running = new Map<string, string>();
      const left = new Map<string, number>();
      let last = 0;
      const wakes = wakesOf(uncapped);
      const events = switches.map((line) => {
        const [at = "", cpu = "", domid = ""] = line.split(" ");
        return { at: Number(at), cpu, domid };
      });
      const advance = (to: number): void => {
        for (const domid of running.values()) {
          left.set(domid, (left.get(domid) ?? 0) - (to - last));
        }
        last = to;
      };
      const instants = [...new Set([...wakes, ...events].map(({ at }) => at))];
      for (const at of instants.sort((one, other) => one - other)) {
        advance(at);
        for (const wake of wakes) {
          const domid = String(wake.domid);
          if (wake.at === at) left.set(domid, (left.get(domid) ?? 0) + wake.work);
        }
        for (const event of events) {
          if (event.at !== at) continue;
          if (event.domid === "-") running.delete(event.cpu);
          else running.set(event.cpu, event.domid);
        }
        const ran = [...running.values()];
        expect(new Set(ran).size).toBe(ran.length);
        const wanting = [...left].filter(([, time]) => time > 0).map(([domid]) => domid);
        expect(ran.length).toBe(Math.min(uncapped.cpus, wanting.length));
        for (const domid of ran) expect(wanting).toContain(domid);
      }
    }),
    { numRuns: 150 },
  );
});

/** The naive model's switches, and its VCPUs at the end. */
function playModel(given: World, until = END): CreditModel {
  const model = new CreditModel({ cpus: given.cpus, ...given.behaviour });
  given.domains.forEach(({ weight, cap }, index) => model.add(index + 1, weight, cap));
  let now = 0;
  for (const { at, domid, work } of wakesOf(given)) {
    if (at > now) model.run(at);
    now = Math.max(now, at);
    model.wake(domid, work);
  }
  model.run(until);
  return model;
}

it("has everybody run where and when the naive model has them run", () => {
  fc.assert(
    fc.property(world, (given) => {
      const { switches, vcpus } = playModel(given);
      const played = play(given, []);
      expect(played.switches).toEqual(switches);
      expect(played.times).toEqual(vcpus.map(({ used }) => used));
    }),
    { numRuns: 60 },
  );
});

/**
 * Shares follow the weights as far as credits do, and no further. A VCPU that owes more than a
 * period's credits is forgiven the rest, one that has more than a period's loses some: so a light
 * one, which spends a turn's 300 credits and earns few, gets more than its due (weights 982, 718,
 * 864 and 116 on two processors: 0.15 of one instead of 0.087). What holds for every seed is the
 * account: a VCPU's time is what it earned and was forgiven, less what it lost and still has.
 */
it("gives the busy the time that they have credits for", () => {
  const weights = fc.array(fc.integer({ min: 100, max: 1000 }), { minLength: 3, maxLength: 8 });
  const until = 30_000_000;
  const periods = until / ACCOUNTING_PERIOD;
  fc.assert(
    fc.property(weights, fc.constantFrom(CREDIT_3_1, CREDIT_4_17), (list, behaviour) => {
      const model = new CreditModel({ cpus: 2, ...behaviour });
      const credit = new CreditScheduler({ cpus: 2, behaviour });
      list.forEach((weight, index) => {
        model.add(index + 1, weight, 0);
        credit.add(index + 1, { weight, cap: 0, vcpus: 1 });
      });
      list.forEach((_, index) => {
        model.wake(index + 1, Number.POSITIVE_INFINITY);
        credit.wake(index + 1, 0, Number.POSITIVE_INFINITY, 0);
      });
      model.run(until);
      const total = list.reduce((sum, weight) => sum + weight, 0);
      let all = 0;
      for (const { domid, weight, earned, forfeited, forgiven } of model.vcpus) {
        const used = credit.cpuTime(domid, until);
        all += used;
        const account = earned + forgiven - forfeited;
        // What it has or owes at the end is at most two periods' credits.
        expect(Math.abs(used / CREDIT_TIME - account)).toBeLessThanOrEqual(600);
        // Nobody earns beyond a whole processor; who always earns, earns by weight.
        expect(earned).toBeLessThanOrEqual(periods * 300 * 2);
        const due = (2 * 300 * weight) / total;
        const isModest = list.every((one) => (2 * one) / total <= 1);
        if (forfeited === 0 && isModest) expect(earned).toBeGreaterThanOrEqual((periods - 9) * due);
      }
      expect(all).toBe(2 * until);
    }),
    { numRuns: 20, examples: [[[982, 718, 864, 116], CREDIT_3_1]] },
  );
});
