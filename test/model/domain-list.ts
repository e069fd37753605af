/** Domains as a list that is searched from end to end. @module */
import type { DomainConfig } from "../../src/xen/hypervisor/domain-table.ts";

interface Kept {
  readonly domid: number;
  name: string;
  readonly kib: number;
  pauses: number;
  shutdown: number | null;
  isDying: boolean;
}

/** The naive reference of `DomainTable`: each answer is a value or the code of the refusal. */
export class DomainList {
  /** Domids whose pages others map. */
  readonly mapped: ReadonlySet<number>;
  #kept: Kept[] = [];
  #last = 0;

  readonly #totalKib: number;

  constructor(totalKib: number, mapped: ReadonlySet<number>) {
    this.#totalKib = totalKib;
    this.mapped = mapped;
  }

  get freeKib(): number {
    return this.#kept.reduce((free, { kib }) => free - kib, this.#totalKib);
  }

  get all(): unknown[] {
    return this.#kept
      .toSorted((one, other) => one.domid - other.domid)
      .map(({ domid, name, pauses, shutdown, isDying }) => ({
        domid,
        name,
        isPaused: pauses > 0,
        shutdown,
        isDying,
      }));
  }

  create(config: DomainConfig, wanted: number | null): number | string {
    if (this.#living().some(({ name }) => name === config.name)) return "name-in-use";
    const isTaken = (domid: number): boolean => this.#kept.some((one) => one.domid === domid);
    let domid = wanted ?? this.#last;
    if (wanted !== null && isTaken(wanted)) return "domid-in-use";
    if (wanted === null) {
      do {
        domid = domid === 32_751 ? 1 : domid + 1;
      } while (isTaken(domid));
    }
    if (config.memoryKib > this.freeKib) return "no-memory";
    if (wanted === null) this.#last = domid;
    const { name, memoryKib: kib } = config;
    this.#kept.push({ domid, name, kib, pauses: 1, shutdown: null, isDying: false });
    return domid;
  }

  pause(domid: number): string {
    return this.#with(domid, (one) => {
      one.pauses += 1;
      return "ok";
    });
  }

  unpause(domid: number): string {
    return this.#with(domid, (one) => {
      if (one.pauses === 0) return "domain-state";
      one.pauses -= 1;
      return "ok";
    });
  }

  shutdown(domid: number, reason: number): string {
    return this.#with(domid, (one) => {
      if (one.shutdown !== null) return "null";
      one.shutdown = reason;
      return ["destroy", "restart", "null", "preserve"][reason] ?? "?";
    });
  }

  resume(domid: number): string {
    return this.#with(domid, (one) => {
      if (one.shutdown !== 2) return "domain-state";
      one.shutdown = null;
      return "ok";
    });
  }

  rename(domid: number, name: string): string {
    return this.#with(domid, (one) => {
      if (this.#living().some((other) => other.name === name)) return "name-in-use";
      one.name = name;
      return "ok";
    });
  }

  destroy(domid: number): boolean {
    for (const one of this.#kept) if (one.domid === domid) one.isDying = true;
    return this.reap(domid);
  }

  reap(domid: number): boolean {
    const isStaying = ({ domid: other, isDying }: Kept): boolean =>
      other !== domid || !isDying || this.mapped.has(domid);
    this.#kept = this.#kept.filter(isStaying);
    return !this.#kept.some((one) => one.domid === domid);
  }

  #living(): Kept[] {
    return this.#kept.filter(({ isDying }) => !isDying);
  }

  #with(domid: number, act: (one: Kept) => string): string {
    const one = this.#kept.find((each) => each.domid === domid);
    if (one === undefined) return "no-domain";
    return one.isDying ? "domain-state" : act(one);
  }
}
