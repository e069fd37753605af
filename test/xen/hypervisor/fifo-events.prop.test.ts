import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { Doorbell } from "../../../src/xen/hypervisor/doorbell.ts";
import { EVENTS_4_17 } from "../../../src/xen/hypervisor/event-behaviour.ts";
import { EventChannels } from "../../../src/xen/hypervisor/event-channels.ts";
import { GuestEvents, type GuestEventsOptions } from "../../../src/xen/hypervisor/guest-events.ts";
import { FifoModel, type FifoSubject } from "../../model/fifo-model.ts";
import { Step } from "../../support/step.ts";

/** Domain 2 has a kernel in a thread of its own. */
const IS_HERE = [true, true, false];
const VCPUS = [1, 2, 1];
const DOMIDS = [0, 1, 2];
const PORTS = Array.from({ length: 12 }, (_, port) => port);

/** The machine, asked as the model is. */
class Real implements FifoSubject {
  readonly events = new EventChannels(EVENTS_4_17);
  readonly memories: DomainMemory[] = [];
  readonly #array: number[] = [];
  readonly #heard: string[] = [];
  readonly #doorbell = new Doorbell();
  readonly #kernel: GuestEvents;
  #signals = 0;

  constructor(isShared: boolean, model: FifoModel | null) {
    let elsewhere: Omit<GuestEventsOptions, "doorbell"> | null = null;
    for (const domid of DOMIDS) {
      const memory = new DomainMemory({ domid, pages: 8, isShared });
      const vcpus = VCPUS[domid] ?? 1;
      const gfn = this.events.create({ memory, isPrivileged: domid === 0, vcpus });
      const kernel = this.events.startKernel(domid);
      expect(this.events.setUpPort(domid, 11, 0)).toBe(0);
      this.memories.push(memory);
      this.#array.push(kernel?.frames.pages[0] ?? -1);
      if (IS_HERE[domid] === false) elsewhere = { memory, gfn, fifo: kernel?.frames ?? null };
      model?.add(IS_HERE[domid] ?? true, vcpus);
    }
    if (elsewhere === null) throw new Error("a domain has a kernel elsewhere");
    this.#kernel = new GuestEvents({ ...elsewhere, doorbell: this.#doorbell });
    this.events.setSignal(2, { raise: () => void (this.#signals += 1) });
  }

  connect(domid: number, remote: number): readonly [number, number] {
    const port = this.events.allocUnbound(domid, remote);
    return [port, this.events.bindInterdomain(remote, domid, port)];
  }

  close(domid: number, port: number): number {
    return this.events.close(domid, port);
  }

  send(domid: number, port: number): number {
    return this.events.send(domid, port, 0);
  }

  unmask(domid: number, port: number): number {
    return this.events.unmask(domid, port, 0);
  }

  move(domid: number, port: number, vcpu: number): number {
    return this.events.bindVcpu(domid, port, vcpu);
  }

  prioritize(domid: number, port: number, priority: number): number {
    return this.events.setPriority(domid, port, priority);
  }

  listen(domid: number, port: number): void {
    const handler = { upcall: () => void this.#heard.push(`${domid}:${port}`) };
    if (IS_HERE[domid] === true) this.events.setHandler(domid, port, handler, 0);
    else this.#kernel.setHandler(port, handler);
    const wanted = this.#doorbell.takeUnmask(0);
    if (wanted >= 0) this.events.unmask(2, wanted, 0);
  }

  ignore(domid: number, port: number): void {
    if (IS_HERE[domid] === true) this.events.setHandler(domid, port, null, 0);
    else this.#kernel.setHandler(port, null);
  }

  dispatch(domid: number): void {
    if (IS_HERE[domid] === false) this.#kernel.dispatch(0);
  }

  pause(domid: number, isRunnable: boolean): void {
    this.events.setRunnable(domid, isRunnable, 0);
  }

  look(domid: number): unknown {
    const first = (this.#array[domid] ?? 0) << 10;
    const words = this.memories[domid]?.words ?? new Int32Array();
    const having = (bit: number): number[] =>
      PORTS.filter((port) => ((words[first + port] ?? 0) >>> bit) & 1);
    const masked = having(30);
    return {
      open: PORTS.filter((port) => this.events.portOf(domid, port) !== null),
      pending: having(31),
      unmasked: PORTS.filter((port) => !masked.includes(port)),
      linked: having(29),
      signals: domid === 2 ? this.#signals : 0,
      heard: this.#heard.join(" "),
    };
  }
}

const step = (name: string, act: (subject: FifoSubject) => unknown): Step<FifoModel, Real> =>
  new Step(name, act, (subject) => DOMIDS.map((domid) => subject.look(domid)));

const owned = fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 6 }));
const several = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

const commands = fc.commands(
  [
    ...several(
      2,
      fc.constantFrom([0, 1], [1, 0], [0, 2], [2, 0], [1, 2]).map(([d = 0, r = 0]) =>
        // More than 11 ports are not looked at.
        step(`${d} connects to ${r}`, (s) => (isFull(s) ? null : s.connect(d, r))),
      ),
    ),
    ...several(
      5,
      owned.map(([d, p]) => step(`${d} sends ${p}`, (s) => s.send(d, p))),
    ),
    owned.map(([d, p]) => step(`${d} closes ${p}`, (s) => s.close(d, p))),
    owned.map(([d, p]) => step(`${d} unmasks ${p}`, (s) => s.unmask(d, p))),
    ...several(
      3,
      owned.map(([d, p]) => step(`${d} listens ${p}`, (s) => s.listen(d, p))),
    ),
    owned.map(([d, p]) => step(`${d} ignores ${p}`, (s) => s.ignore(d, p))),
    owned.map(([d, p]) => step(`${d} moves ${p}`, (s) => s.move(d, p, d === 1 ? p & 1 : 0))),
    fc
      .tuple(owned, fc.constantFrom(0, 3, 7, 15, 16))
      .map(([[d, p], level]) => step(`${d}: ${p} at ${level}`, (s) => s.prioritize(d, p, level))),
    fc.constant(step("2 looks", (s) => s.dispatch(2))),
    fc
      .tuple(fc.nat(1), fc.boolean())
      .map(([d, isOn]) => step(`${d} runs: ${isOn}`, (s) => s.pause(d, isOn))),
  ],
  { maxCommands: 100, size: "max" },
);

/** Words of the first control block and the event array of a domain with one processor. */
const CONTROL = 1024;
const ARRAY = 2 * 1024;
const word = fc
  .tuple(fc.nat(15), fc.oneof(fc.nat(8), fc.nat(2 ** 28 - 1)))
  .map(([bits, low]) => (bits << 28) | low);

/** Both answer the same: the highest open port decides. */
function isFull(subject: FifoSubject): boolean {
  return DOMIDS.some((domid) =>
    JSON.stringify(subject.look(domid)).includes('"open":[1,2,3,4,5,6,7'),
  );
}

describe.each([
  ["plain", false],
  ["shared", true],
])("FIFO events in %s memory", (_, isShared) => {
  it("are lists of ports, whatever kernels do with them", () => {
    fc.assert(
      fc.property(commands, (all) => {
        fc.modelRun(() => {
          const model = new FifoModel();
          return { model, real: new Real(isShared, model) };
        }, all);
      }),
      { numRuns: 200 },
    );
  });

  it("leave a domain's memory alike, taken at once or by a kernel elsewhere", () => {
    const spot = fc.oneof(
      fc.nat(6).map((port) => ARRAY + port),
      fc.nat(18).map((at) => CONTROL + at),
    );
    const act = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.constant(0), fc.integer({ min: 1, max: 5 }), fc.nat(0)) },
      fc.tuple(fc.constant(1), fc.integer({ min: 1, max: 5 }), fc.nat(15)),
      fc.tuple(fc.constant(2), spot, word),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100, size: "max" }), (all) => {
        const real = new Real(isShared, null);
        // Domain 0 and 2 have one processor each and the same frames.
        for (let count = 0; count < 5; count += 1) {
          real.connect(0, 1);
          real.connect(2, 1);
        }
        for (const domid of [0, 2]) {
          for (let port = 1; port <= 5; port += 1) real.listen(domid, port);
        }
        for (const [what, one, two] of all) {
          for (const domid of [0, 2]) {
            const words = real.memories[domid]?.words;
            if (what === 0) real.send(1, 2 * one - (domid === 0 ? 1 : 0));
            else if (what === 1) real.prioritize(domid, one, two);
            else if (words !== undefined) words[one] = two;
          }
          real.dispatch(2);
          const [here, , elsewhere] = real.memories.map(({ bytes }) => bytes);
          if (here === undefined || elsewhere === undefined) throw new Error("both are there");
          expect(Buffer.compare(here, elsewhere)).toBe(0);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("that a domain writes over harm nobody, and end", () => {
    const place = fc.oneof(
      fc.nat(8 * 1024 - 1),
      fc.nat(40).map((at) => CONTROL + at),
      fc.nat(40).map((at) => ARRAY + at),
    );
    const poke = fc.tuple(fc.constant(-1), place, word);
    const act = fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 6 }), fc.nat(15));
    fc.assert(
      fc.property(fc.array(fc.oneof(poke, act), { maxLength: 150, size: "max" }), (all) => {
        const hostile = new Real(isShared, null);
        const quiet = new Real(isShared, null);
        for (const real of [hostile, quiet]) {
          for (const domid of [0, 0, 1, 0, 2]) real.connect(domid, domid === 0 ? 1 : 0);
          for (const port of PORTS) real.listen(1, port);
          real.connect(2, 0);
          for (const port of PORTS) real.listen(0, port);
        }
        for (const [what, one, two] of all) {
          const words = hostile.memories[1]?.words;
          if (what === -1 && words !== undefined) words[one] = two;
          else if (what === 0) hostile.prioritize(1, one, two);
          else if (what === 1) hostile.unmask(1, one);
          else if (what === 2) hostile.events.initControl(1, { vcpu: 1, gfn: two, offset: 8 });
          else if (what === 3) hostile.events.expandArray(1, two, 0);
          else if (what === 4) hostile.move(1, one, two & 1);
          else for (const real of [hostile, quiet]) real.send(0, one);
        }
        // Dom0 and domain 2 talk on as if nothing had been.
        for (const real of [hostile, quiet]) for (const port of PORTS) real.send(2, port);
        for (const domid of [0, 2]) {
          const found = hostile.memories[domid]?.bytes ?? new Uint8Array();
          expect(Buffer.compare(found, quiet.memories[domid]?.bytes ?? new Uint8Array(1))).toBe(0);
        }
      }),
      { numRuns: 200 },
    );
  });
});
