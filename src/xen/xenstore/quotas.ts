/** What guests may have: the bounds in force, and who is beyond them. @module */
import type { StoreQuotas } from "./behaviour.ts";
import type { DomainTable } from "./domain-table.ts";

/** A bound's name. */
export type QuotaName = keyof StoreQuotas;

const QUOTA_NAMES: readonly QuotaName[] = [
  "nodes",
  "watches",
  "transactions",
  "nodeSize",
  "permissions",
  "outstanding",
  "transactionNodes",
  "memory",
  "pathLength",
];

/** The bounds of one store: the behaviour's at first, until CONTROL `quota set` moves them. */
export class Quotas {
  readonly #bounds = new Map<QuotaName, number>();
  readonly #domains: DomainTable;

  constructor(quotas: StoreQuotas, domains: DomainTable) {
    for (const name of QUOTA_NAMES) this.#bounds.set(name, quotas[name] ?? Infinity);
    this.#domains = domains;
  }

  /** `Infinity` for what this store does not bound. */
  get(name: QuotaName): number {
    return this.#bounds.get(name) ?? Infinity;
  }

  set(name: QuotaName, bound: number): void {
    this.#bounds.set(name, bound);
  }

  /** This store bounds `name`, so that it has to be counted. */
  counts(name: QuotaName): boolean {
    return this.get(name) !== Infinity;
  }

  addMemory(domid: number, octets: number): void {
    const domain = this.#domains.find(domid);
    if (domain !== null) domain.memory += octets;
  }

  /** Guest `domid` would have too much with `more` octets. */
  isMemoryOver(domid: number, more: number): boolean {
    if (domid === 0) return false;
    const domain = this.#domains.find(domid);
    return domain !== null && domain.memory + more >= this.get("memory");
  }
}
