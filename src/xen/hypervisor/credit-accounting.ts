/**
 * The accounting half of Xen's credit scheduler (common/sched_credit.c): every 30 ms the credits of
 * all processors are shared out by weight, those who overspent are OVER, those beyond their cap are
 * parked, those who do not spend stop earning.
 * @module
 */
import type { Vcpu } from "./vcpu.ts";

/** What differs between Xen 3.1's credit scheduler and that of 4.x. */
export interface CreditBehaviour {
  /** True: who runs at a tick pays the whole tick (3.1). False: time is paid to 100 us (3.4). */
  readonly paysByTick: boolean;
  /** True: who stops earning keeps half of its credits (4.x), not none. */
  readonly keepsHalf: boolean;
  /** Who runs is not preempted before it ran so long, in microseconds; 0 for no limit (4.2). */
  readonly rateLimit: number;
}

/** Xen 3.1, as RHEL 5 shipped it. */
export const CREDIT_3_1: CreditBehaviour = { paysByTick: true, keepsHalf: false, rateLimit: 0 };
/** Xen 4.17 with `sched=credit`. */
export const CREDIT_4_17: CreditBehaviour = {
  paysByTick: false,
  keepsHalf: true,
  rateLimit: 1000,
};

/** One credit is 100 microseconds of a processor. */
export const CREDIT_TIME = 100;
/** Between ticks: 10 ms. */
export const TICK = 10_000;
/** Between accountings, and the longest turn: 30 ms. */
export const ACCOUNTING_PERIOD = 30_000;
/** Of one processor in one period. */
const CREDITS_PER_PERIOD = ACCOUNTING_PERIOD / CREDIT_TIME;

/** Priorities, the higher the sooner. */
export const Priority = { Boost: 0, Under: -1, Over: -2 } as const;
export type Priority = (typeof Priority)[keyof typeof Priority];

/** A domain as the scheduler knows it. */
export interface Share {
  readonly domid: number;
  weight: number;
  cap: number;
  readonly vcpus: readonly Vcpu[];
  /** Those that earn, the last that began first. */
  readonly earning: Vcpu[];
}

/** What the accounting may do to who runs. */
export interface Parking {
  park(vcpu: Vcpu): void;
  unpark(vcpu: Vcpu): void;
}

const ceilDivide = (value: number, by: number): number => Math.ceil(value / by);

/** The domains that earn credits. */
export class CreditAccounting {
  readonly #keepsHalf: boolean;
  readonly #creditsPerPeriod: number;
  /** The order of `active_sdom`: newcomers first. */
  readonly #active: Share[] = [];
  #weight = 0;
  #balance = 0;

  constructor(cpus: number, behaviour: CreditBehaviour) {
    this.#keepsHalf = behaviour.keepsHalf;
    this.#creditsPerPeriod = cpus * CREDITS_PER_PERIOD;
  }

  /** True while nobody earns: an accounting would change nothing. */
  get isQuiet(): boolean {
    return this.#active.length === 0 && this.#balance === 0;
  }

  /** A VCPU was found running at a tick. */
  start(share: Share, vcpu: Vcpu): void {
    if (vcpu.isEarning) return;
    vcpu.isEarning = true;
    if (share.earning.length === 0) {
      this.#active.unshift(share);
      this.#weight += share.weight;
    }
    share.earning.unshift(vcpu);
  }

  /** A VCPU stops earning. */
  stop(share: Share, vcpu: Vcpu): void {
    if (!vcpu.isEarning) return;
    vcpu.isEarning = false;
    share.earning.splice(share.earning.indexOf(vcpu), 1);
    if (share.earning.length > 0) return;
    this.#active.splice(this.#active.indexOf(share), 1);
    this.#weight -= share.weight;
  }

  /** Change a domain's weight. */
  reweigh(share: Share, weight: number): void {
    if (share.earning.length > 0) this.#weight += weight - share.weight;
    share.weight = weight;
  }

  /** Share out the credits of one period. */
  account(parking: Parking): void {
    const total = this.#weight;
    if (total === 0) {
      this.#balance = 0;
      return;
    }
    const debt = Math.max(0, -this.#balance);
    let credits = this.#creditsPerPeriod + debt;
    let weightLeft = total;
    let balance = 0;
    let leavesCredits = false;
    for (const share of [...this.#active]) {
      weightLeft -= share.weight;
      const peak = peakOf(share, debt, total);
      const fair = ceilDivide(credits * share.weight, total);
      if (fair < peak) {
        leavesCredits = true;
      } else {
        if (weightLeft > 0) credits += ceilDivide((fair - peak) * total, weightLeft);
        if (leavesCredits) this.#moveToFront(share);
      }
      const each = ceilDivide(Math.min(fair, peak), share.earning.length);
      const floor = -ceilDivide(capOf(share), share.earning.length);
      for (const vcpu of [...share.earning]) {
        balance += this.#pay(share, vcpu, each, floor, parking);
      }
    }
    this.#balance = balance;
  }

  /** @returns what the VCPU has then. */
  #pay(share: Share, vcpu: Vcpu, each: number, floor: number, parking: Parking): number {
    vcpu.credit += each;
    if (vcpu.credit < 0) {
      vcpu.priority = Priority.Over;
      if (share.cap !== 0 && vcpu.credit < floor) parking.park(vcpu);
      vcpu.credit = Math.max(vcpu.credit, -CREDITS_PER_PERIOD);
      return vcpu.credit;
    }
    vcpu.priority = Priority.Under;
    if (vcpu.isParked) parking.unpark(vcpu);
    if (vcpu.credit > CREDITS_PER_PERIOD) {
      this.stop(share, vcpu);
      vcpu.credit = this.#keepsHalf ? Math.trunc(vcpu.credit / 2) : 0;
    }
    return vcpu.credit;
  }

  /** Who leaves credits to others is looked at first, next time. */
  #moveToFront(share: Share): void {
    this.#active.splice(this.#active.indexOf(share), 1);
    this.#active.unshift(share);
  }
}

/** What a capped domain may spend in a period; 0 without a cap. */
const capOf = ({ cap }: Share): number => ceilDivide(cap * CREDITS_PER_PERIOD, 100);

/** The most that a domain may earn in a period. */
function peakOf(share: Share, debt: number, total: number): number {
  const peak = share.earning.length * CREDITS_PER_PERIOD + ceilDivide(debt * share.weight, total);
  return share.cap === 0 ? peak : Math.min(peak, capOf(share));
}
