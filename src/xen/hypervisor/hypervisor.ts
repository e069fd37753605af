/**
 * What the hypervisor of one host keeps for input and output: the domains' memory, grant tables and
 * event channels.
 * @module
 */
import { DomainMemory, type DomainMemoryOptions } from "./domain-memory.ts";
import { type EventBehaviour, EVENTS_3_1 } from "./event-behaviour.ts";
import { EventChannels } from "./event-channels.ts";
import { ARRAY_PAGES } from "./fifo-layout.ts";
import { type GrantTable, GrantTables } from "./grant-table.ts";
import { GuestGrants } from "./guest-grants.ts";

/** One domain's share. */
export interface DomainIo {
  readonly memory: DomainMemory;
  /** Its grants as Xen judges them, and what it mapped of others. */
  readonly table: GrantTable;
  /** Its grants as its own kernel writes them. */
  readonly grants: GuestGrants;
}

const DOM0 = 0;
/** Frames of Dom0 that it shares with anybody: its table, its page of events, its ports' words. */
const DOM0_PAGES = 64 + ARRAY_PAGES;

/** Memory, grants and events of a host's domains. */
export class Hypervisor {
  readonly grants = new GrantTables();
  readonly events: EventChannels;
  readonly dom0: DomainIo;
  readonly #domains = new Map<number, DomainIo>();
  readonly #behaviour: EventBehaviour;

  /** @param behaviour of event channels; Xen 3.1's. Dom0's kernel has booted. */
  constructor(behaviour: EventBehaviour = EVENTS_3_1) {
    this.#behaviour = behaviour;
    this.events = new EventChannels(behaviour);
    this.dom0 = this.#create({ domid: DOM0, pages: DOM0_PAGES });
    this.events.startKernel(DOM0);
  }

  /**
   * A domain comes: memory, an empty grant table, no ports.
   * @throws {OptionError} if the domid is taken, or the memory is too small.
   */
  createDomain(options: DomainMemoryOptions): DomainIo {
    return this.#create(options);
  }

  /** @returns `null` for a domid that nobody has. */
  find(domid: number): DomainIo | null {
    return this.#domains.get(domid) ?? null;
  }

  /** A domain is gone: its ports are closed, its grants hold no more. */
  destroyDomain(domid: number): void {
    this.events.destroy(domid);
    this.grants.destroy(domid);
    this.#domains.delete(domid);
  }

  #create(options: DomainMemoryOptions): DomainIo {
    const memory = new DomainMemory(options);
    const table = this.grants.create(memory);
    const isPrivileged = options.domid === DOM0;
    const { lastPort } = this.#behaviour;
    const limit = isPrivileged || lastPort === null ? {} : { lastPort };
    this.events.create({ memory, isPrivileged, ...limit });
    const domain = { memory, table, grants: new GuestGrants(memory, table.frames) };
    this.#domains.set(options.domid, domain);
    return domain;
  }
}
