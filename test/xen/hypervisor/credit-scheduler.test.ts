import { describe, expect, it } from "vitest";
import {
  CREDIT_3_1,
  CREDIT_4_17,
  type CreditBehaviour,
} from "../../../src/xen/hypervisor/credit-accounting.ts";
import { CreditScheduler } from "../../../src/xen/hypervisor/credit-scheduler.ts";
import { NEVER, SECOND } from "../../../src/base/time.ts";

const BUSY = Number.POSITIVE_INFINITY;
const one = { weight: 256, cap: 0, vcpus: 1 };

function scheduler(cpus: number, behaviour: CreditBehaviour): [CreditScheduler, string[]] {
  const switches: string[] = [];
  const made = new CreditScheduler({
    cpus,
    behaviour,
    onSwitch: (cpu, domid, now) => switches.push(`${now} cpu${cpu} ${domid ?? "idle"}`),
  });
  return [made, switches];
}

describe.each([
  ["3.1", CREDIT_3_1],
  ["4.17", CREDIT_4_17],
])("credit scheduler of Xen %s", (_name, behaviour) => {
  it("sleeps while nobody wants the processor", () => {
    const [credit] = scheduler(2, behaviour);
    credit.add(1, one);
    expect(credit.nextDeadline()).toBe(NEVER);
    credit.wake(1, 0, 5000, 123);
    expect(credit.stateOf(1)).toBe("running");
    credit.expire(60 * SECOND);
    expect(credit.nextDeadline()).toBe(NEVER);
    expect(credit.cpuTime(1, 60 * SECOND)).toBe(5000);
    expect(credit.stateOf(1)).toBe("blocked");
  });

  it("gives equals turns of 30 ms", () => {
    const [credit, switches] = scheduler(1, behaviour);
    for (const domid of [1, 2]) credit.add(domid, one);
    for (const domid of [1, 2]) credit.wake(domid, 0, BUSY, 0);
    credit.expire(149_999);
    const turns = switches.map((line) => line.split(" ")[2]);
    expect(turns.slice(0, 3)).toEqual(["1", "2", "1"]);
    expect(switches[1]).toBe("30000 cpu0 2");
  });

  it("shares by weight among the busy", () => {
    const [credit] = scheduler(2, behaviour);
    const weights = new Map([
      [1, 256],
      [2, 512],
      [3, 128],
      [4, 128],
    ]);
    for (const [domid, weight] of weights) credit.add(domid, { ...one, weight });
    for (const domid of weights.keys()) credit.wake(domid, 0, BUSY, 0);
    const until = 30 * SECOND;
    const shares = [...weights.keys()].map((domid) => credit.cpuTime(domid, until) / until);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(2, 5);
    // Domain 2 gets one whole processor, which is all that one VCPU can use and its due.
    expect(shares[1]).toBeGreaterThan(0.93);
    expect(shares[0]).toBeGreaterThan(0.45);
    expect(shares[0]).toBeLessThan(0.57);
    expect(Math.abs((shares[2] ?? 0) - (shares[3] ?? 1))).toBeLessThan(0.05);
  });

  it("keeps a capped domain to its cap on an idle host", () => {
    const [credit] = scheduler(4, behaviour);
    credit.add(1, { weight: 256, cap: 40, vcpus: 1 });
    credit.wake(1, 0, BUSY, 0);
    const until = 30 * SECOND;
    const share = credit.cpuTime(1, until) / until;
    expect(share).toBeGreaterThan(0.35);
    expect(share).toBeLessThan(0.45);
  });

  it("lets who wakes and has credits run before the busy", () => {
    const [credit, switches] = scheduler(1, behaviour);
    credit.add(1, one);
    credit.add(2, one);
    credit.wake(1, 0, BUSY, 0);
    // Until its first tick, the busy one is boosted itself.
    credit.wake(2, 0, 300, 15_000);
    credit.expire(16_000);
    expect(switches).toEqual(["0 cpu0 1", "15000 cpu0 2", "15300 cpu0 1"]);
  });

  it("counts nothing while a domain is paused, and all of it before", () => {
    const [credit] = scheduler(1, behaviour);
    credit.add(1, one);
    credit.wake(1, 0, BUSY, 0);
    credit.pause(1, 7000);
    expect(credit.stateOf(1)).toBe("runnable");
    expect(credit.cpuTime(1, 50_000)).toBe(7000);
    credit.unpause(1, 50_000);
    expect(credit.cpuTime(1, 50_500)).toBe(7500);
    credit.remove(1, 51_000);
    expect(credit.nextDeadline()).toBe(NEVER);
    expect(credit.runningOn(0)).toBeNull();
  });
});

it("lets nobody be preempted within a millisecond in 4.17, but in 3.1", () => {
  const preemption = (behaviour: CreditBehaviour): string | undefined => {
    const [credit, switches] = scheduler(1, behaviour);
    credit.add(1, one);
    credit.add(2, one);
    credit.wake(1, 0, BUSY, 100);
    // At the tick at 10,000 the first loses its boost; then it gets its turn anew.
    credit.wake(2, 0, 50, 10_200);
    credit.expire(10_300);
    credit.wake(2, 0, 50, 10_400);
    credit.expire(20_000);
    return switches[3] === undefined ? undefined : switches.slice(1).join(", ");
  };
  expect(preemption(CREDIT_3_1)).toBe("10200 cpu0 2, 10250 cpu0 1, 10400 cpu0 2, 10450 cpu0 1");
  expect(preemption(CREDIT_4_17)).toBe("10200 cpu0 2, 10250 cpu0 1, 11250 cpu0 2, 11300 cpu0 1");
});

it("refuses what it does not know", () => {
  const [credit] = scheduler(1, CREDIT_3_1);
  credit.add(1, one);
  expect(() => credit.add(1, one)).toThrow("a domid that is free");
  expect(() => credit.wake(2, 0, 1, 0)).toThrow("a domain of this scheduler");
  expect(() => credit.wake(1, 1, 1, 0)).toThrow("the number of a VCPU");
  expect(() => new CreditScheduler({ cpus: 0, behaviour: CREDIT_3_1 })).toThrow("cpus");
});
