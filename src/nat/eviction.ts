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
    if (table.hasRoom() || table.dropEarly(buckets, dropsOldestEarly)) return true;
    if (this.#delay >= 0 && !this.#isDue) {
      this.#isDue = true;
      this.#dueAt = (table.now + this.#delay) >>> 0;
    }
    return false;
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
