/**
 * Xen's credit scheduler in virtual time: who runs on which processor, when, and how much time each
 * domain had. The same algorithm as common/sched_credit.c, without its knowledge of cores and
 * threads: all processors are equal.
 * @module
 */
import { assert } from "../../base/assert.ts";
import { OptionError } from "../../base/errors.ts";
import type { Machine } from "../../base/machine.ts";
import { type Duration, type Instant, NEVER } from "../../base/time.ts";
import {
  ACCOUNTING_PERIOD,
  CREDIT_TIME,
  CreditAccounting,
  type CreditBehaviour,
  Priority,
  type Share,
  TICK,
} from "./credit-accounting.ts";
import { isRunnable, newVcpu, type Vcpu } from "./vcpu.ts";

/** What a scheduler is made of. */
export interface CreditSchedulerOptions {
  /** Physical processors, from 1. */
  readonly cpus: number;
  readonly behaviour: CreditBehaviour;
  /** Hears who runs on a processor from `now` on; `null` for nobody. */
  readonly onSwitch?: (cpu: number, domid: number | null, now: Instant) => void;
  /** What domains did meanwhile that nobody woke them for; asked whenever time passes. */
  readonly work?: WorkSource;
}

/** Tells what VCPU 0 of domains did since it was asked last. */
export interface WorkSource {
  /** @param give takes processor time in microseconds; for a domain that is not there, nothing. */
  take(give: (domid: number, work: Duration) => void): void;
}

/** What a domain asks for. */
export interface ShareOptions {
  readonly weight: number;
  /** In hundredths of one processor; 0 for no limit. */
  readonly cap: number;
  readonly vcpus: number;
}

/** What `xl list` shows of a domain that is neither paused nor shut down. */
export type RunState = "running" | "blocked" | "runnable";

/** One physical processor. */
interface Pcpu {
  readonly index: number;
  current: Vcpu | null;
  /** Until when `current` had its processor time counted. */
  countedUntil: Instant;
  startedAt: Instant;
  /** When its turn ends; NEVER while idle. */
  turnEnd: Instant;
  /** Who waits: higher priorities first, equal ones in the order of their coming. */
  readonly queue: Vcpu[];
  /** True until the queue was sorted after an accounting. */
  isStale: boolean;
}

/** The scheduler of one host. */
export class CreditScheduler implements Machine {
  readonly #behaviour: CreditBehaviour;
  readonly #onSwitch: (cpu: number, domid: number | null, now: Instant) => void;
  readonly #pcpus: readonly Pcpu[];
  readonly #accounting: CreditAccounting;
  readonly #shares = new Map<number, Share>();
  /** The last tick that was kept, or would have been. */
  #lastTick: Instant = 0;
  #nextCpu = 0;
  readonly #work: WorkSource | null;
  /** When the source was asked last. */
  #asked: Instant = 0;

  constructor({ cpus, behaviour, onSwitch, work }: CreditSchedulerOptions) {
    if (!Number.isInteger(cpus) || cpus < 1) throw new OptionError("cpus", cpus, "1 or more");
    this.#behaviour = behaviour;
    this.#onSwitch = onSwitch ?? (() => undefined);
    this.#work = work ?? null;
    this.#accounting = new CreditAccounting(cpus, behaviour);
    this.#pcpus = Array.from({ length: cpus }, (_, index) => ({
      index,
      current: null,
      countedUntil: 0,
      startedAt: 0,
      turnEnd: NEVER,
      queue: [],
      isStale: false,
    }));
  }

  /** Add a domain; all its VCPUs are blocked. @throws {OptionError} if it is there already. */
  add(domid: number, { weight, cap, vcpus }: ShareOptions): void {
    if (this.#shares.has(domid)) throw new OptionError("domid", domid, "a domid that is free");
    const all = Array.from({ length: vcpus }, (_, index) => {
      const cpu = this.#nextCpu;
      this.#nextCpu = (cpu + 1) % this.#pcpus.length;
      return newVcpu(domid, index, cpu);
    });
    this.#shares.set(domid, { domid, weight, cap, vcpus: all, earning: [] });
  }

  /** Remove a domain; nothing if it is not there. */
  remove(domid: number, now: Instant): void {
    const share = this.#shares.get(domid);
    if (share === undefined) return;
    this.expire(now);
    for (const vcpu of share.vcpus) {
      vcpu.wanted = 0;
      this.#accounting.stop(share, vcpu);
      this.#takeAway(vcpu, now);
    }
    this.#shares.delete(domid);
  }

  /** Change weight and cap (`xl sched-credit -d`). */
  adjust(domid: number, { weight, cap }: { readonly weight: number; readonly cap: number }): void {
    const share = this.#get(domid);
    this.#accounting.reweigh(share, weight);
    share.cap = cap;
  }

  /**
   * A VCPU has work for so long from `now` on, on top of what it had; it blocks when that is done.
   * @param work microseconds of processor time, `Infinity` for a busy loop.
   */
  wake(domid: number, index: number, work: Duration, now: Instant): void {
    this.expire(now);
    this.#wake(domid, index, work, now);
  }

  /** A VCPU blocks before its work is done. */
  block(domid: number, index: number, now: Instant): void {
    this.expire(now);
    const vcpu = this.#vcpu(domid, index);
    vcpu.wanted = 0;
    this.#takeAway(vcpu, now);
  }

  /** No VCPU of the domain runs until {@link unpause}. */
  pause(domid: number, now: Instant): void {
    this.expire(now);
    for (const vcpu of this.#get(domid).vcpus) {
      vcpu.isPaused = true;
      this.#takeAway(vcpu, now);
    }
  }

  unpause(domid: number, now: Instant): void {
    this.expire(now);
    for (const vcpu of this.#get(domid).vcpus) {
      if (!vcpu.isPaused) continue;
      vcpu.isPaused = false;
      if (isRunnable(vcpu)) this.#enqueue(vcpu, now);
    }
  }

  /** Microseconds of processor time that the domain had until `now`. */
  cpuTime(domid: number, now: Instant): Duration {
    this.expire(now);
    let time = 0;
    for (const vcpu of this.#get(domid).vcpus) time += this.#usedBy(vcpu, now);
    return time;
  }

  stateOf(domid: number): RunState {
    const { vcpus } = this.#get(domid);
    if (vcpus.some((vcpu) => this.#pcpu(vcpu.cpu).current === vcpu)) return "running";
    return vcpus.every(({ wanted }) => wanted === 0) ? "blocked" : "runnable";
  }

  /** @returns who runs on a processor, or `null`. */
  runningOn(cpu: number): number | null {
    return this.#pcpu(cpu).current?.domid ?? null;
  }

  nextDeadline(): Instant {
    let soonest = this.#isQuiet ? NEVER : this.#lastTick + TICK;
    for (const { turnEnd } of this.#pcpus) soonest = Math.min(soonest, turnEnd);
    return soonest;
  }

  expire(now: Instant): void {
    if (this.#work !== null && now > this.#asked) {
      // It was done since then, nobody knows when: it is played from there on.
      const from = this.#asked;
      this.#asked = now;
      this.#work.take((domid, work) => {
        if (this.#shares.has(domid) && work > 0) this.#wake(domid, 0, work, from);
      });
    }
    for (let at = this.nextDeadline(); at <= now; at = this.nextDeadline()) {
      for (const pcpu of this.#pcpus) if (pcpu.turnEnd <= at) this.#schedule(pcpu, at);
      if (this.#lastTick + TICK === at) this.#tick(at);
    }
    if (this.#isQuiet) this.#lastTick = Math.max(this.#lastTick, now - (now % TICK));
  }

  #wake(domid: number, index: number, work: Duration, now: Instant): void {
    const vcpu = this.#vcpu(domid, index);
    const wasRunnable = isRunnable(vcpu);
    vcpu.wanted += work;
    const pcpu = this.#pcpu(vcpu.cpu);
    if (wasRunnable) {
      if (pcpu.current === vcpu) this.#planTurn(pcpu);
    } else if (isRunnable(vcpu)) this.#enqueue(vcpu, now);
  }

  /** True while ticks and accountings would change nothing. */
  get #isQuiet(): boolean {
    return this.#accounting.isQuiet && this.#pcpus.every(({ current }) => current === null);
  }

  #tick(at: Instant): void {
    this.#lastTick = at;
    for (const pcpu of this.#pcpus) {
      const { current } = pcpu;
      if (current !== null) {
        if (current.priority === Priority.Boost) current.priority = Priority.Under;
        if (this.#behaviour.paysByTick) current.credit -= TICK / CREDIT_TIME;
        else this.#pay(current, at);
        this.#accounting.start(this.#get(current.domid), current);
      }
      if (pcpu.isStale) sortQueue(pcpu);
    }
    if (at % ACCOUNTING_PERIOD !== 0) return;
    this.#accounting.account({
      park: (vcpu) => {
        if (vcpu.isParked) return;
        vcpu.isParked = true;
        this.#takeAway(vcpu, at);
      },
      unpark: (vcpu) => {
        if (vcpu.wanted > 0 && !vcpu.isPaused) this.#insert(vcpu);
        vcpu.isParked = false;
        if (isRunnable(vcpu)) this.#tickle(vcpu, at);
      },
    });
    for (const pcpu of this.#pcpus) pcpu.isStale = true;
  }

  /** A VCPU became runnable: it may jump ahead for a short while. */
  #enqueue(vcpu: Vcpu, now: Instant): void {
    if (vcpu.priority === Priority.Under) vcpu.priority = Priority.Boost;
    this.#insert(vcpu);
    this.#tickle(vcpu, now);
  }

  #insert(vcpu: Vcpu): void {
    const { queue } = this.#pcpu(vcpu.cpu);
    const place = queue.findIndex(({ priority }) => priority < vcpu.priority);
    queue.splice(place < 0 ? queue.length : place, 0, vcpu);
  }

  /** Have its own processor look again if it comes first there, else the idle ones. */
  #tickle(vcpu: Vcpu, now: Instant): void {
    const own = this.#pcpu(vcpu.cpu);
    const { current } = own;
    if (current === null) {
      this.#schedule(own, now);
      return;
    }
    const idle = this.#pcpus.filter((pcpu) => pcpu.current === null);
    if (vcpu.priority > current.priority) this.#schedule(own, now);
    for (const pcpu of idle) if (pcpu.current === null) this.#schedule(pcpu, now);
  }

  /** Who runs next on a processor. */
  #schedule(pcpu: Pcpu, now: Instant): void {
    const last = pcpu.current;
    if (last !== null) {
      this.#count(pcpu, last, now);
      if (!this.#behaviour.paysByTick) this.#pay(last, now);
      const ran = now - pcpu.startedAt;
      if (isRunnable(last) && ran < this.#behaviour.rateLimit) {
        pcpu.turnEnd = Math.min(now + this.#behaviour.rateLimit - ran, now + last.wanted);
        return;
      }
      pcpu.current = null;
      if (isRunnable(last)) this.#insert(last);
    }
    const first = pcpu.queue[0] ?? null;
    let next = first;
    if (first === null || first.priority <= Priority.Over) next = this.#steal(pcpu, first);
    if (next === first) pcpu.queue.shift();
    this.#run(pcpu, next, last, now);
  }

  #run(pcpu: Pcpu, next: Vcpu | null, last: Vcpu | null, now: Instant): void {
    pcpu.current = next;
    pcpu.startedAt = now;
    pcpu.countedUntil = now;
    if (next !== null) {
      next.cpu = pcpu.index;
      if (next !== last) next.paidUntil = now;
    }
    this.#planTurn(pcpu);
    if (next !== last) this.#onSwitch(pcpu.index, next?.domid ?? null, now);
  }

  /** Look at the busy processors, the next one first, for who has a higher priority. */
  #steal(pcpu: Pcpu, own: Vcpu | null): Vcpu | null {
    const { length } = this.#pcpus;
    for (let step = 1; step < length; step += 1) {
      const peer = this.#pcpu((pcpu.index + step) % length);
      const waiting = peer.current === null ? undefined : peer.queue[0];
      if (waiting === undefined || waiting.priority <= (own?.priority ?? -Infinity)) continue;
      peer.queue.shift();
      return waiting;
    }
    return own;
  }

  /** A VCPU may not run any more: off its processor, or out of the queue. */
  #takeAway(vcpu: Vcpu, now: Instant): void {
    const pcpu = this.#pcpu(vcpu.cpu);
    const place = pcpu.queue.indexOf(vcpu);
    if (place >= 0) pcpu.queue.splice(place, 1);
    else if (pcpu.current === vcpu) this.#schedule(pcpu, now);
  }

  #planTurn(pcpu: Pcpu): void {
    const { current, startedAt, countedUntil } = pcpu;
    pcpu.turnEnd =
      current === null
        ? NEVER
        : Math.min(startedAt + ACCOUNTING_PERIOD, countedUntil + current.wanted);
  }

  #count(pcpu: Pcpu, vcpu: Vcpu, now: Instant): void {
    const ran = now - pcpu.countedUntil;
    assert(ran >= 0, "time does not run backwards");
    vcpu.used += ran;
    vcpu.wanted = Math.max(0, vcpu.wanted - ran);
    pcpu.countedUntil = now;
  }

  #pay(vcpu: Vcpu, now: Instant): void {
    const credits = Math.floor((now - vcpu.paidUntil + CREDIT_TIME / 2) / CREDIT_TIME);
    if (credits <= 0) return;
    vcpu.credit -= credits;
    vcpu.paidUntil += credits * CREDIT_TIME;
  }

  #usedBy(vcpu: Vcpu, now: Instant): Duration {
    const { current, countedUntil } = this.#pcpu(vcpu.cpu);
    return vcpu.used + (current === vcpu ? now - countedUntil : 0);
  }

  #vcpu(domid: number, index: number): Vcpu {
    const vcpu = this.#get(domid).vcpus[index];
    if (vcpu === undefined) throw new OptionError("vcpu", index, "the number of a VCPU");
    return vcpu;
  }

  #get(domid: number): Share {
    const share = this.#shares.get(domid);
    if (share === undefined) throw new OptionError("domid", domid, "a domain of this scheduler");
    return share;
  }

  #pcpu(index: number): Pcpu {
    const pcpu = this.#pcpus[index];
    assert(pcpu !== undefined, "a VCPU is on a processor");
    return pcpu;
  }
}

/** Those with credits before those without, each in the order in which they waited. */
function sortQueue(pcpu: Pcpu): void {
  const { queue } = pcpu;
  const isUnder = ({ priority }: Vcpu): boolean => priority >= Priority.Under;
  queue.splice(0, queue.length, ...queue.filter(isUnder), ...queue.filter((one) => !isUnder(one)));
  pcpu.isStale = false;
}
