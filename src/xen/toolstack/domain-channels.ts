/** What the store asks of the host that it runs on: who lives, and their store rings. @module */
import type { DomainTable } from "../hypervisor/domain-table.ts";
import type { EventChannels } from "../hypervisor/event-channels.ts";
import type { DomainState, StoreHost } from "../xenstore/domain-table.ts";
import type { Errno } from "../xenstore/errno.ts";
import type { StoreSession } from "../xenstore/session.ts";

/** Hears of domains that the store comes to know, and of those that it forgets. */
export interface IntroductionListener {
  introduced(domid: number): void;
  released(domid: number): void;
}

/** Store rings by domain: the frame that its builder chose, and Dom0's port once it is bound. */
export class DomainChannels implements StoreHost {
  readonly #table: DomainTable;
  readonly #events: EventChannels;
  readonly #listener: IntroductionListener;
  readonly #rings = new Map<number, { readonly gfn: number; port: number }>();

  constructor(table: DomainTable, events: EventChannels, listener: IntroductionListener) {
    this.#table = table;
    this.#events = events;
    this.#listener = listener;
  }

  /** A domain is built with its store ring in frame `gfn`. */
  add(domid: number, gfn: number): void {
    this.#rings.set(domid, { gfn, port: -1 });
  }

  /** Dom0's port of a domain's store ring; -1 before INTRODUCE. */
  portOf(domid: number): number {
    return this.#rings.get(domid)?.port ?? -1;
  }

  /** The domain is gone, whether the store heard of it or not. */
  delete(domid: number): void {
    this.#close(domid);
    this.#rings.delete(domid);
  }

  stateOf(domid: number): DomainState {
    if (domid === 0) return "running";
    const info = this.#table.find(domid);
    if (info === null) return "none";
    if (info.isDying) return "dying";
    return info.shutdown === null ? "running" : "shutdown";
  }

  introduce({ domid }: StoreSession, gfn: number, port: number): Errno | null {
    const ring = this.#rings.get(domid);
    if (ring === undefined || gfn !== ring.gfn) return "EINVAL";
    const bound = this.#events.bindInterdomain(0, domid, port);
    if (bound < 0) return "EINVAL";
    ring.port = bound;
    this.#listener.introduced(domid);
    return null;
  }

  release(domid: number): void {
    this.#listener.released(domid);
    this.#close(domid);
  }

  #close(domid: number): void {
    const ring = this.#rings.get(domid);
    if (ring === undefined || ring.port < 0) return;
    this.#events.close(0, ring.port);
    ring.port = -1;
  }
}
