/**
 * The memory of a host, as Xen accounts it: a total, what Dom0 keeps, and what each domain was
 * given. Nominal: only I/O pages exist as octets.
 * @module
 */
import { OptionError } from "../../base/errors.ts";
import { DomainError } from "./domain-error.ts";

/** What a host has. */
export interface HostMemoryOptions {
  /** Of the whole host, in KiB. */
  readonly totalKib: number;
  /** Of Dom0, in KiB (`dom0_mem=`). */
  readonly dom0Kib: number;
}

/** EC2 2010: the m1.small's 1.7 GiB, in KiB. */
export const M1_SMALL_KIB = 1740 * 1024;

/** Who holds how much. */
export class HostMemory {
  readonly totalKib: number;
  readonly #held = new Map<number, number>();
  #freeKib: number;

  /** @throws {OptionError} if Dom0 alone does not fit, or a number is no whole number of KiB. */
  constructor({ totalKib, dom0Kib }: HostMemoryOptions) {
    if (!Number.isInteger(totalKib) || totalKib < 1) {
      throw new OptionError("totalKib", totalKib, "a whole number of KiB from 1");
    }
    this.totalKib = totalKib;
    this.#freeKib = totalKib;
    if (!isAmount(dom0Kib) || dom0Kib > totalKib) {
      throw new OptionError("dom0Kib", dom0Kib, `a whole number of KiB, at most ${totalKib}`);
    }
    this.give(0, dom0Kib);
  }

  /** In KiB. */
  get freeKib(): number {
    return this.#freeKib;
  }

  /** What `domid` holds, in KiB; 0 if it is not there. */
  heldBy(domid: number): number {
    return this.#held.get(domid) ?? 0;
  }

  /**
   * Give a domain its memory.
   * @throws {DomainError} "no-memory" if the host has less left.
   */
  give(domid: number, kib: number): void {
    if (!isAmount(kib)) throw new OptionError("memoryKib", kib, "a whole number of KiB from 1");
    if (kib > this.#freeKib) {
      throw new DomainError("no-memory", kib, `at most the ${this.#freeKib} KiB that are free`);
    }
    this.#held.set(domid, this.heldBy(domid) + kib);
    this.#freeKib -= kib;
  }

  /** Take back all that a domain holds. */
  reclaim(domid: number): void {
    this.#freeKib += this.heldBy(domid);
    this.#held.delete(domid);
  }
}

const isAmount = (kib: number): boolean => Number.isInteger(kib) && kib > 0;
