/**
 * Xen's credit scheduler, as common/sched_credit.c of 3.1 is told in words: every 50 us is played,
 * every tick is kept, and nothing is remembered that could be looked up.
 */

interface ModelVcpu {
  readonly domid: number;
  readonly weight: number;
  /** Credits of a period, at most; 0 for no limit. */
  readonly limit: number;
  /** What it still wants, in microseconds. */
  wanted: number;
  used: number;
  credit: number;
  /** 0 boosted, -1 under, -2 over. */
  priority: number;
  earns: boolean;
  isParked: boolean;
  cpu: number;
  /** Until when it is paid, where time is paid exactly. */
  paid: number;
  /** All credits that it ever got, that were taken for being too many, and owed for nothing. */
  earned: number;
  forfeited: number;
  forgiven: number;
}

interface ModelCpu {
  current: ModelVcpu | null;
  since: number;
  /** When it is to be looked at again. */
  end: number;
  readonly queue: ModelVcpu[];
  isStale: boolean;
}

export interface CreditModelOptions {
  readonly cpus: number;
  readonly paysByTick: boolean;
  readonly keepsHalf: boolean;
  readonly rateLimit: number;
}

const STEP = 50;
const TICK = 10_000;
const PERIOD = 30_000;
/** Of one processor in one period. */
const CREDITS = 300;
const NEVER = Number.POSITIVE_INFINITY;

/** Plays the whole time, step by step. */
export class CreditModel {
  readonly switches: string[] = [];
  readonly vcpus: ModelVcpu[] = [];
  readonly #options: CreditModelOptions;
  readonly #cpus: ModelCpu[];
  /** Domains that earn, the newest first; who leaves credits to others moves to the front. */
  #earners: ModelVcpu[] = [];
  #balance = 0;
  #now = 0;

  constructor(options: CreditModelOptions) {
    this.#options = options;
    this.#cpus = Array.from({ length: options.cpus }, () => ({
      current: null,
      since: 0,
      end: NEVER,
      queue: [],
      isStale: false,
    }));
  }

  add(domid: number, weight: number, cap: number): void {
    this.vcpus.push({
      ...{ domid, weight, limit: Math.ceil((cap * CREDITS) / 100) },
      ...{ wanted: 0, used: 0, credit: 0, priority: -1, earns: false, isParked: false },
      ...{ cpu: (domid - 1) % this.#cpus.length, paid: 0, earned: 0, forfeited: 0, forgiven: 0 },
    });
  }

  wake(domid: number, work: number): void {
    const vcpu = this.vcpus.find((one) => one.domid === domid);
    if (vcpu === undefined) throw new Error(`no domain ${domid}`);
    const wasIdle = vcpu.wanted === 0;
    vcpu.wanted += work;
    const cpu = this.#cpuOf(vcpu);
    if (cpu.current === vcpu) this.#plan(cpu);
    if (!wasIdle || vcpu.isParked) return;
    if (vcpu.priority === -1) vcpu.priority = 0;
    enqueue(cpu, vcpu);
    this.#tickle(vcpu);
  }

  /** Play until `until`, all that is due then among it. */
  run(until: number): void {
    while (this.#now < until) {
      this.#now += STEP;
      for (const { current } of this.#cpus) {
        if (current === null) continue;
        current.used += STEP;
        current.wanted -= STEP;
      }
      let isDue = true;
      for (let first = true; isDue; first = false) {
        for (const cpu of this.#cpus) if (cpu.end <= this.#now) this.#schedule(cpu);
        if (first && this.#now % TICK === 0) this.#tick();
        isDue = this.#cpus.some(({ end }) => end <= this.#now);
      }
    }
  }

  #tick(): void {
    for (const cpu of this.#cpus) {
      const { current } = cpu;
      if (current !== null) {
        if (current.priority === 0) current.priority = -1;
        if (this.#options.paysByTick) current.credit -= TICK / 100;
        else this.#pay(current);
        if (!current.earns) this.#earners.unshift(current);
        current.earns = true;
      }
      if (cpu.isStale) cpu.queue.sort((one, other) => rank(other) - rank(one));
      cpu.isStale = false;
    }
    if (this.#now % PERIOD === 0) this.#account();
  }

  #account(): void {
    for (const cpu of this.#cpus) cpu.isStale = true;
    const total = this.#earners.reduce((sum, { weight }) => sum + weight, 0);
    const debt = Math.max(0, -this.#balance);
    this.#balance = 0;
    let credits = this.#cpus.length * CREDITS + debt;
    let weightLeft = total;
    let isLeft = false;
    for (const vcpu of [...this.#earners]) {
      weightLeft -= vcpu.weight;
      const usual = CREDITS + Math.ceil((debt * vcpu.weight) / total);
      const peak = vcpu.limit === 0 ? usual : Math.min(usual, vcpu.limit);
      const fair = Math.ceil((credits * vcpu.weight) / total);
      if (fair < peak) isLeft = true;
      else {
        if (weightLeft > 0) credits += Math.ceil(((fair - peak) * total) / weightLeft);
        if (isLeft) this.#earners = [vcpu, ...this.#earners.filter((one) => one !== vcpu)];
      }
      this.#give(vcpu, Math.min(fair, peak));
      this.#balance += vcpu.credit;
    }
  }

  #give(vcpu: ModelVcpu, credits: number): void {
    vcpu.credit += credits;
    vcpu.earned += credits;
    if (vcpu.credit < 0) {
      vcpu.priority = -2;
      if (vcpu.limit > 0 && vcpu.credit < -vcpu.limit) this.#park(vcpu);
      const forgiven = Math.max(0, -CREDITS - vcpu.credit);
      vcpu.credit += forgiven;
      vcpu.forgiven += forgiven;
      return;
    }
    vcpu.priority = -1;
    if (vcpu.isParked) this.#unpark(vcpu);
    if (vcpu.credit <= CREDITS) return;
    vcpu.earns = false;
    this.#earners = this.#earners.filter((one) => one !== vcpu);
    const kept = this.#options.keepsHalf ? Math.floor(vcpu.credit / 2) : 0;
    vcpu.forfeited += vcpu.credit - kept;
    vcpu.credit = kept;
  }

  #park(vcpu: ModelVcpu): void {
    if (vcpu.isParked) return;
    vcpu.isParked = true;
    const cpu = this.#cpuOf(vcpu);
    if (cpu.current === vcpu) this.#schedule(cpu);
    else if (cpu.queue.includes(vcpu)) cpu.queue.splice(cpu.queue.indexOf(vcpu), 1);
  }

  #unpark(vcpu: ModelVcpu): void {
    vcpu.isParked = false;
    if (vcpu.wanted === 0) return;
    enqueue(this.#cpuOf(vcpu), vcpu);
    this.#tickle(vcpu);
  }

  /** Its own processor looks again if it comes first there; the idle ones do if that is busy. */
  #tickle(vcpu: ModelVcpu): void {
    const own = this.#cpuOf(vcpu);
    const { current } = own;
    const idle = this.#cpus.filter((cpu) => cpu.current === null);
    if (current === null) this.#schedule(own);
    else {
      if (vcpu.priority > current.priority) this.#schedule(own);
      for (const cpu of idle) if (cpu.current === null) this.#schedule(cpu);
    }
  }

  #schedule(cpu: ModelCpu): void {
    const last = cpu.current;
    const mayRun = last !== null && last.wanted > 0 && !last.isParked;
    if (last !== null && !this.#options.paysByTick) this.#pay(last);
    const ran = this.#now - cpu.since;
    if (mayRun && ran < this.#options.rateLimit) {
      cpu.end = this.#now + Math.min(this.#options.rateLimit - ran, last.wanted);
      return;
    }
    cpu.current = null;
    if (mayRun) enqueue(cpu, last);
    const [first = null] = cpu.queue;
    let next = first;
    if (first === null || first.priority === -2) next = this.#bestElsewhere(cpu, first);
    if (next !== null) {
      const { queue } = this.#cpuOf(next);
      queue.splice(queue.indexOf(next), 1);
      if (next !== last) next.paid = this.#now;
      next.cpu = this.#cpus.indexOf(cpu);
    }
    cpu.current = next;
    cpu.since = this.#now;
    this.#plan(cpu);
    if (next === last) return;
    this.switches.push(`${this.#now} ${this.#cpus.indexOf(cpu)} ${next?.domid ?? "-"}`);
  }

  /** The first of a busy processor's queue that comes before `own`, the next processor first. */
  #bestElsewhere(cpu: ModelCpu, own: ModelVcpu | null): ModelVcpu | null {
    const at = this.#cpus.indexOf(cpu);
    const others = [...this.#cpus.slice(at + 1), ...this.#cpus.slice(0, at)];
    for (const { current, queue } of others) {
      const [waiting] = queue;
      if (current === null || waiting === undefined) continue;
      if (own === null || waiting.priority > own.priority) return waiting;
    }
    return own;
  }

  #plan(cpu: ModelCpu): void {
    const { current, since } = cpu;
    cpu.end = current === null ? NEVER : Math.min(since + PERIOD, this.#now + current.wanted);
  }

  /** Time is paid in whole credits, to the nearest. */
  #pay(vcpu: ModelVcpu): void {
    const credits = Math.floor((this.#now - vcpu.paid + 50) / 100);
    vcpu.credit -= credits;
    vcpu.paid += credits * 100;
  }

  #cpuOf({ cpu }: ModelVcpu): ModelCpu {
    const found = this.#cpus[cpu];
    if (found === undefined) throw new Error(`no processor ${cpu}`);
    return found;
  }
}

/** Before the first of lower priority. */
function enqueue({ queue }: ModelCpu, vcpu: ModelVcpu): void {
  let place = 0;
  for (const { priority } of queue) {
    if (priority < vcpu.priority) break;
    place += 1;
  }
  queue.splice(place, 0, vcpu);
}

/** After an accounting, boosted and under are one class. */
const rank = ({ priority }: ModelVcpu): number => (priority >= -1 ? 1 : 0);
