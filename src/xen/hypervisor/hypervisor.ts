/**
 * What the hypervisor of one host keeps for input and output: the domains' memory, grant tables and
 * event channels.
 * @module
 */
import { DomainMemory, type DomainMemoryOptions } from "./domain-memory.ts";
import { EventChannels } from "./event-channels.ts";
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
/** Frames of Dom0 that it shares with anybody: its table and its page of events. */
const DOM0_PAGES = 64;

/** Memory, grants and events of a host's domains. */
export class Hypervisor {
  readonly grants = new GrantTables();
  readonly events = new EventChannels();
  readonly dom0: DomainIo;
  readonly #domains = new Map<number, DomainIo>();

  constructor() {
    this.dom0 = this.#create({ domid: DOM0, pages: DOM0_PAGES });
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
    this.events.create({ memory, isPrivileged: options.domid === DOM0 });
    const domain = { memory, table, grants: new GuestGrants(memory, table.frames) };
    this.#domains.set(options.domid, domain);
    return domain;
  }
}
