/** Steps of several domains' event channels, as `driver.c` reads them, on our machine. @module */
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { EVENTS_4_17 } from "../../../src/xen/hypervisor/event-behaviour.ts";
import { EventChannels } from "../../../src/xen/hypervisor/event-channels.ts";

/** Numbers of `EVTCHNOP_*`, and of what is no hypercall. */
export const Op = {
  bindInterdomain: 0,
  bindVirq: 1,
  close: 3,
  send: 4,
  status: 5,
  allocUnbound: 6,
  bindIpi: 7,
  bindVcpu: 8,
  unmask: 9,
  reset: 10,
  initControl: 11,
  expandArray: 12,
  setPriority: 13,
  create: 99,
  pause: 100,
  poke: 101,
  virq: 102,
} as const;

/** What a domain does, with up to three numbers. */
export type ScriptStep = readonly [
  op: number,
  domid: number,
  one: number,
  two: number,
  three: number,
];

/** A domain's frames, by step. */
export const PAGES = 8;

/** Our machine, which says what the driver says. */
export class OurEvents {
  readonly #events = new EventChannels(EVENTS_4_17);
  readonly #memories: DomainMemory[] = [];
  readonly #seen: Int32Array[] = [];
  readonly #signals: number[] = [];
  readonly #isShared: boolean;

  constructor(isShared: boolean) {
    this.#isShared = isShared;
  }

  /** @returns the answer, signals and changed words, as a line. */
  run(step: ScriptStep): string {
    const words = [String(this.#act(step))];
    this.#memories.forEach((memory, domid) => {
      words.push(`s${this.#signals[domid] ?? 0}`);
      const seen = this.#seen[domid] ?? new Int32Array();
      memory.words.forEach((word, at) => {
        if (word === seen[at]) return;
        words.push(`${domid}:${at}=${(word >>> 0).toString(16)}`);
        seen[at] = word;
      });
    });
    return words.join(" ");
  }

  #act([op, domid, one, two, three]: ScriptStep): number {
    const events = this.#events;
    if (op === Op.create) return this.#create(domid, one, three);
    if (op === Op.bindInterdomain) return events.bindInterdomain(domid, one, two);
    if (op === Op.bindVirq) return events.bindVirq(domid, one, two);
    if (op === Op.close) return events.close(domid, one);
    if (op === Op.send) return events.send(domid, one, 0);
    if (op === Op.status) {
      const status = events.status(one, two, domid);
      return typeof status === "number" ? status : status.state | (status.vcpu << 8);
    }
    if (op === Op.allocUnbound) return events.allocUnbound(one, two, domid);
    if (op === Op.bindIpi) return events.bindIpi(domid, one);
    if (op === Op.bindVcpu) return events.bindVcpu(domid, one, two);
    if (op === Op.unmask) return events.unmask(domid, one, 0);
    if (op === Op.reset) return events.reset(one, domid);
    if (op === Op.initControl) {
      return events.initControl(domid, { vcpu: one, gfn: two, offset: three });
    }
    if (op === Op.expandArray) return events.expandArray(domid, one, 0);
    if (op === Op.setPriority) return events.setPriority(domid, one, two);
    if (op === Op.pause) events.setRunnable(domid, one === 0, 0);
    const words = this.#memories[domid]?.words;
    if (op === Op.poke && words !== undefined) words[one] = two;
    if (op === Op.virq) events.raiseVirq(domid, one, 0);
    return 0;
  }

  #create(domid: number, vcpus: number, lastPort: number): number {
    const memory = new DomainMemory({ domid, pages: PAGES, isShared: this.#isShared });
    this.#events.create({ memory, isPrivileged: domid === 0, vcpus, lastPort });
    this.#events.setSignal(domid, {
      raise: () => void (this.#signals[domid] = (this.#signals[domid] ?? 0) + 1),
    });
    this.#memories.push(memory);
    this.#seen.push(new Int32Array(memory.words.length));
    return 0;
  }
}
