/**
 * What a full table of connections gives up (`early_drop` of Linux, and the part of its garbage
 * collection that helps then).
 * @module
 */
import type { Jiffies } from "../base/jiffies.ts";
import { Protocol } from "../l3/ipv4.ts";
import type { ConntrackBehaviour } from "./behaviour.ts";
import { FLOW, Status } from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { CONNECTION, TcpState } from "./tcp-record.ts";
import { TUPLE } from "./tuple.ts";

/** Chains in which a current kernel looks for what a full table can give up. */
const EVICTION_RANGE = 8;

/** Makes room in one table. */
export class Evictor {
  readonly #table: FlowTable;
  readonly #behaviour: ConntrackBehaviour;
  /** Ticks from a refusal to the pruning; -1 for none. */
  readonly #delay: number;
  /** A share of 95 in a hundred, as the kernel rounds it. */
  readonly #enough: number;
  #isDue = false;
  #dueAt = 0;

  constructor(table: FlowTable, behaviour: ConntrackBehaviour, jiffies: Jiffies) {
    const { prunesAfter } = behaviour;
    this.#table = table;
    this.#behaviour = behaviour;
    this.#delay = prunesAfter === null ? -1 : Math.round(prunesAfter / jiffies.tick);
    this.#enough = Math.floor(table.limit / 100) * 95;
  }

  /** Make room for the tuple in the probe. @returns false if there is none: the packet must go. */
  makeRoom(): boolean {
    const table = this.#table;
    const { buckets, dropsOldestEarly } = this.#behaviour;
    if (table.hasRoom() || this.#dropEarly(buckets, dropsOldestEarly)) return true;
    if (this.#delay >= 0 && !this.#isDue) {
      this.#isDue = true;
      this.#dueAt = (table.now + this.#delay) >>> 0;
    }
    return false;
  }

  /**
   * Make room for the tuple in the probe at the cost of entries without assurance.
   * Deviation: which tuples share a chain depends on a secret in the kernel; here it does not.
   * @param chains chains of the kernel's table (`nf_conntrack_buckets`).
   * @param isOldest the oldest entry of the tuple's chain goes (`early_drop` of 2.6.18); else all
   * of the first chain that has any, of eight (since 4.7).
   * @returns false if none could go.
   */
  #dropEarly(chains: number, isOldest: boolean): boolean {
    const table = this.#table;
    const first = table.index.chainOf(table.words, chains);
    const range = isOldest ? 1 : Math.min(EVICTION_RANGE, chains);
    let dropped = 0;
    for (let step = 0; step < range && dropped === 0; step += 1) {
      const chain = (first + step) % chains;
      for (;;) {
        const victim = this.#victimIn(chain, chains);
        if (victim === 0) break;
        table.remove(victim);
        dropped += 1;
        if (isOldest) break;
      }
    }
    return dropped > 0;
  }

  /** The oldest entry without assurance in a chain; 0 for none. */
  #victimIn(chain: number, chains: number): number {
    const table = this.#table;
    const { index, view } = table;
    let victim = 0;
    let at = index.nextInChain(chain, chains, 0);
    for (; at >= 0; at = index.nextInChain(chain, chains, at)) {
      const flow = table.flowAt(index.wayAt(at));
      if ((FLOW.status.get(view, flow) & Status.Assured) !== 0) continue;
      if (victim === 0 || table.ageOf(flow) > table.ageOf(victim)) victim = flow;
    }
    return victim;
  }

  /**
   * Once it is time after a refusal: forget what is not assured or is closing, from the oldest on,
   * until the table is 95 % full.
   */
  prune(): void {
    const table = this.#table;
    if (!this.#isDue || ((this.#dueAt - table.now) | 0) > 0) return;
    this.#isDue = false;
    for (const flow of table.flows()) {
      if (table.isExpired(flow)) table.remove(flow);
      else if (table.count >= this.#enough && this.#mayGo(flow)) table.remove(flow);
    }
  }

  #mayGo(flow: number): boolean {
    const { view, records } = this.#table;
    if ((FLOW.status.get(view, flow) & Status.Assured) === 0) return true;
    if (TUPLE.protocol.get(view, flow) !== Protocol.Tcp) return false;
    const state = CONNECTION.state.get(records, flow);
    return state >= TcpState.FinWait && state <= TcpState.Close;
  }
}
