import fc from "fast-check";
import { describe, it } from "vitest";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { Doorbell } from "../../../src/xen/hypervisor/doorbell.ts";
import { EventChannels } from "../../../src/xen/hypervisor/event-channels.ts";
import { GuestEvents } from "../../../src/xen/hypervisor/guest-events.ts";
import { EventModel, type EventSubject } from "../../model/event-model.ts";
import { Step } from "../../support/step.ts";

const DOMIDS = [0, 1, 2, 3];
/** Domains 2 and 3 have kernels of their own; 3's is a 32-bit one. */
const GROUPS = [0, 0, 64, 32];
const VCPUS = [1, 2, 1, 1];

/** The machine, asked as the model is. */
class Real implements EventSubject {
  readonly #events = new EventChannels();
  readonly #kernels = new Map<number, GuestEvents>();
  readonly #heard = new Map<string, number>();
  readonly #signals = new Map<number, number>();

  constructor(isShared: boolean, model: EventModel) {
    DOMIDS.forEach((domid, index) => {
      const memory = new DomainMemory({ domid, pages: 3, isShared });
      memory.allocate();
      const group = GROUPS[index] ?? 0;
      const vcpus = VCPUS[index] ?? 1;
      const is32Bit = group === 32;
      const gfn = this.#events.create({ memory, isPrivileged: domid === 0, vcpus, is32Bit });
      model.add(domid, vcpus, group);
      if (group === 0) return;
      const doorbell = new Doorbell();
      this.#kernels.set(domid, new GuestEvents({ memory, gfn, doorbell, is32Bit }));
      this.#events.setSignal(domid, {
        raise: () => this.#signals.set(domid, (this.#signals.get(domid) ?? 0) + 1),
      });
    });
  }

  alloc(domid: number, remote: number, by: number): number {
    return this.#events.allocUnbound(domid, remote, by);
  }

  bind(domid: number, remote: number, port: number): number {
    return this.#events.bindInterdomain(domid, remote, port);
  }

  virq(domid: number, virq: number, vcpu: number): number {
    return this.#events.bindVirq(domid, virq, vcpu);
  }

  ipi(domid: number, vcpu: number): number {
    return this.#events.bindIpi(domid, vcpu);
  }

  close(domid: number, port: number): number {
    return this.#events.close(domid, port);
  }

  send(domid: number, port: number): number {
    return this.#events.send(domid, port, 0);
  }

  unmask(domid: number, port: number): number {
    return this.#events.unmask(domid, port, 0);
  }

  bindVcpu(domid: number, port: number, vcpu: number): number {
    return this.#events.bindVcpu(domid, port, vcpu);
  }

  reset(domid: number, by: number): number {
    return this.#events.reset(domid, by);
  }

  raiseVirq(domid: number, virq: number, vcpu: number): void {
    this.#events.raiseVirq(domid, virq, 0, vcpu);
  }

  listen(domid: number, port: number): void {
    const key = `${domid}:${port}`;
    const upcall = (): void => void this.#heard.set(key, (this.#heard.get(key) ?? 0) + 1);
    const kernel = this.#kernels.get(domid);
    if (this.#events.sharedInfo(domid) === null) return;
    if (kernel === undefined) this.#events.setHandler(domid, port, { upcall }, 0);
    else kernel.setHandler(port, { upcall });
  }

  dispatch(domid: number): void {
    if (this.#events.sharedInfo(domid) !== null) this.#kernels.get(domid)?.dispatch(0);
  }

  pause(domid: number, isRunnable: boolean): void {
    this.#events.setRunnable(domid, isRunnable, 0);
  }

  destroy(domid: number): void {
    this.#events.destroy(domid);
  }

  look(domid: number): unknown {
    const info = this.#events.sharedInfo(domid);
    if (info === null) return null;
    const all = Array.from({ length: 12 }, (_, port) => port);
    return {
      ports: all.map((port) => this.#events.status(domid, port, 0)),
      pending: all.map((port) => info.test(info.pendingWord, port)),
      unmasked: all.map((port) => !info.test(info.maskWord, port)),
      heard: all.map((port) => this.#heard.get(`${domid}:${port}`) ?? 0),
      signals: this.#signals.get(domid) ?? 0,
    };
  }
}

const step = (name: string, act: (subject: EventSubject) => unknown): Step<EventModel, Real> =>
  new Step(name, act, (subject) => DOMIDS.map((domid) => subject.look(domid)));

const domid = fc.constantFrom(...DOMIDS);
const other = fc.oneof({ weight: 12, arbitrary: domid }, fc.constant(9));
const port = fc.oneof({ weight: 20, arbitrary: fc.nat(7) }, fc.constantFrom(11, 127, 128, 5000));
const vcpu = fc.oneof({ weight: 6, arbitrary: fc.nat(1) }, fc.constant(2));
const virq = fc.constantFrom(0, 3, 7, 23, 24);

const owned = fc.tuple(domid, port);
const commands = fc.commands(
  [
    fc
      .tuple(domid, other)
      .map(([d, remote]) => step(`${d} allocates for ${remote}`, (s) => s.alloc(d, remote, d))),
    fc
      .tuple(other, domid, domid)
      .map(([d, remote, by]) =>
        step(`${by} allocates of ${d} for ${remote}`, (s) => s.alloc(d, remote, by)),
      ),
    ...[0, 1].map(() =>
      fc
        .tuple(domid, other, port)
        .map(([d, remote, p]) => step(`${d} binds to ${remote}:${p}`, (s) => s.bind(d, remote, p))),
    ),
    fc
      .tuple(domid, virq, vcpu)
      .map(([d, v, c]) => step(`${d} binds interrupt ${v} on ${c}`, (s) => s.virq(d, v, c))),
    fc
      .tuple(domid, virq, fc.nat(1))
      .map(([d, v, c]) => step(`interrupt ${v} of ${d} on ${c}`, (s) => s.raiseVirq(d, v, c))),
    fc.tuple(domid, vcpu).map(([d, c]) => step(`${d} binds an IPI on ${c}`, (s) => s.ipi(d, c))),
    owned.map(([d, p]) => step(`${d} closes ${p}`, (s) => s.close(d, p))),
    ...[0, 1, 2].map(() => owned.map(([d, p]) => step(`${d} sends ${p}`, (s) => s.send(d, p)))),
    owned.map(([d, p]) => step(`${d} unmasks ${p}`, (s) => s.unmask(d, p))),
    ...[0, 1].map(() =>
      fc.tuple(domid, fc.nat(7)).map(([d, p]) => step(`${d} listens ${p}`, (s) => s.listen(d, p))),
    ),
    fc
      .tuple(domid, port, vcpu)
      .map(([d, p, c]) => step(`${d} moves ${p} to ${c}`, (s) => s.bindVcpu(d, p, c))),
    domid.map((d) => step(`${d} looks`, (s) => s.dispatch(d))),
    fc
      .tuple(fc.nat(1), fc.boolean())
      .map(([d, isOn]) => step(`${d} runs: ${isOn}`, (s) => s.pause(d, isOn))),
    fc.tuple(domid, domid).map(([d, by]) => step(`${by} resets ${d}`, (s) => s.reset(d, by))),
    fc.constantFrom(1, 3).map((d) => step(`${d} dies`, (s) => s.destroy(d))),
  ],
  { maxCommands: 80, size: "max" },
);

describe("EventChannels", () => {
  it.each([
    ["plain", false],
    ["shared", true],
  ])("do in %s memory what sets of ports do", (_, isShared) => {
    fc.assert(
      fc.property(commands, (all) => {
        fc.modelRun(() => {
          const model = new EventModel();
          return { model, real: new Real(isShared, model) };
        }, all);
      }),
      { numRuns: 200 },
    );
  });
});
