/**
 * The domains of a host as the hypervisor keeps them (Xen's common/domain.c and domctl.c): domids,
 * pause counts, shutdown codes, memory. What is done after a shutdown is the toolstack's decision.
 * @module
 */
import { OptionError } from "../../base/errors.ts";
import type { Instant } from "../../base/time.ts";
import { DOMID_FIRST_RESERVED } from "./domain-memory.ts";
import { DomainError } from "./domain-error.ts";
import { HostMemory, type HostMemoryOptions } from "./host-memory.ts";

/** `SHUTDOWN_*` of Xen's public/sched.h. */
export const ShutdownReason = { Poweroff: 0, Reboot: 1, Suspend: 2, Crash: 3 } as const;
export type ShutdownReason = (typeof ShutdownReason)[keyof typeof ShutdownReason];

/** What the toolstack does when a domain has shut down (`on_poweroff` and its kin). */
export type ShutdownAction =
  | "destroy"
  | "restart"
  | "preserve"
  | "rename-restart"
  /** As without the first word, and its memory goes into a file before. */
  | "coredump-destroy"
  | "coredump-restart";

/** How a domain is to be. */
export interface DomainConfig {
  /** "dom_32504936": unique on the host. */
  readonly name: string;
  /** "3c3b0d2e-5e5c-4c57-9d3f-0a7b1c2d3e4f". */
  readonly uuid: string;
  /** In KiB, from 1. */
  readonly memoryKib: number;
  /** From 1 to 32. */
  readonly vcpus: number;
  /** Share of the processor beside others: 1 to 65,535; 256 is usual. */
  readonly weight: number;
  /** At most so many hundredths of one processor; 0 for no limit. */
  readonly cap: number;
  readonly onPoweroff: ShutdownAction;
  readonly onReboot: ShutdownAction;
  readonly onCrash: ShutdownAction;
}

/** One domain; a live view, owned by the table. */
export interface DomainInfo {
  readonly domid: number;
  readonly config: DomainConfig;
  readonly createdAt: Instant;
  /** True while at least one pause was not taken back. */
  readonly isPaused: boolean;
  /** `null` while it runs. */
  readonly shutdown: ShutdownReason | null;
  /** Destroyed, but others still map its pages: Xen's zombie. */
  readonly isDying: boolean;
}

/** What a table stands on. */
export interface DomainTableOptions extends HostMemoryOptions {
  /** True while another domain maps pages of `domid`; never by default. */
  readonly isReferenced?: (domid: number) => boolean;
  /** Called when the last of a domain is gone. */
  readonly onGone?: (domid: number) => void;
}

/** Most VCPUs of a paravirtual domain of the time (`MAX_VIRT_CPUS`). */
const VCPU_LIMIT = 32;

/** All domains but Dom0, whose domid is 0. */
export class DomainTable {
  readonly memory: HostMemory;
  readonly #domains = new Map<number, Entry>();
  readonly #byName = new Map<string, Entry>();
  readonly #kept = new Set<number>();
  readonly #isReferenced: (domid: number) => boolean;
  readonly #onGone: (domid: number) => void;
  #rover = 0;

  constructor(options: DomainTableOptions) {
    this.memory = new HostMemory(options);
    this.#isReferenced = options.isReferenced ?? (() => false);
    this.#onGone = options.onGone ?? (() => undefined);
  }

  get size(): number {
    return this.#domains.size;
  }

  /** By domid. */
  get domains(): DomainInfo[] {
    return [...this.#domains.values()].sort((one, other) => one.domid - other.domid);
  }

  /** @returns `null` if there is none. */
  find(domid: number): DomainInfo | null {
    return this.#domains.get(domid) ?? null;
  }

  /** @returns the domain that bears the name and is not dying, or `null`. */
  findByName(name: string): DomainInfo | null {
    return this.#byName.get(name) ?? null;
  }

  /** Never choose `domid` for a domain: one that wants it will come. */
  keep(domid: number): void {
    this.#kept.add(domid);
  }

  /**
   * Create a domain, paused once. Its domid is the next free one after the last that the table
   * chose itself, 1 after 32,751.
   * @param domid a wanted one from 1 to 32,751, or `null`; it does not move the counter.
   * @throws {DomainError} "name-in-use", "domid-in-use", "no-domid" or "no-memory".
   */
  create(config: DomainConfig, now: Instant, domid: number | null = null): DomainInfo {
    checkConfig(config);
    if (this.#byName.has(config.name)) {
      throw new DomainError("name-in-use", config.name, "a name that no other domain has");
    }
    const chosen = domid === null ? this.#nextDomid() : this.#checkDomid(domid);
    this.memory.give(chosen, config.memoryKib);
    if (domid === null) this.#rover = chosen;
    const entry: Entry = {
      domid: chosen,
      config,
      createdAt: now,
      pauses: 1,
      shutdown: null,
      isDying: false,
      get isPaused() {
        return this.pauses > 0;
      },
    };
    this.#domains.set(chosen, entry);
    this.#byName.set(config.name, entry);
    return entry;
  }

  /** Pauses nest. @throws {DomainError} "no-domain" or, if it is dying, "domain-state". */
  pause(domid: number): void {
    this.#get(domid).pauses += 1;
  }

  /** @throws {DomainError} as {@link pause}; "domain-state" if it is not paused. */
  unpause(domid: number): void {
    const entry = this.#get(domid);
    if (entry.pauses === 0) throw new DomainError("domain-state", "running", "a paused domain");
    entry.pauses -= 1;
  }

  /**
   * A guest shuts down: it does not run again. A second shutdown changes nothing.
   * @returns what its configuration wants done; `null` for a suspended domain, or at once again.
   * @throws {DomainError} as {@link pause}.
   */
  shutdown(domid: number, reason: ShutdownReason): ShutdownAction | null {
    const entry = this.#get(domid);
    if (entry.shutdown !== null) return null;
    entry.shutdown = reason;
    return actionOf(entry.config, reason);
  }

  /** A suspended domain goes on. @throws {DomainError} as {@link pause}; "domain-state" else. */
  resume(domid: number): void {
    const entry = this.#get(domid);
    if (entry.shutdown !== ShutdownReason.Suspend) {
      throw new DomainError("domain-state", entry.shutdown, "a suspended domain");
    }
    entry.shutdown = null;
  }

  /**
   * Give a domain another name, and another uuid if that goes to another domain.
   * @throws {DomainError} as {@link pause}; "name-in-use".
   */
  rename(domid: number, name: string, uuid: string | null = null): void {
    const entry = this.#get(domid);
    if (this.#byName.has(name)) {
      throw new DomainError("name-in-use", name, "a name that no other domain has");
    }
    this.#byName.delete(entry.config.name);
    entry.config = { ...entry.config, name, uuid: uuid ?? entry.config.uuid };
    this.#byName.set(name, entry);
  }

  /**
   * Destroy a domain in any state. It stays a zombie with its memory while others map its pages;
   * {@link reap} ends it then.
   * @returns true if it is gone, false if it is dying.
   */
  destroy(domid: number): boolean {
    const entry = this.#domains.get(domid);
    if (entry === undefined) return true;
    if (!entry.isDying) {
      entry.isDying = true;
      this.#byName.delete(entry.config.name);
    }
    return this.reap(domid);
  }

  /** @returns true if a dying domain that nobody maps any more is gone, or was gone before. */
  reap(domid: number): boolean {
    const entry = this.#domains.get(domid);
    if (entry === undefined) return true;
    if (!entry.isDying || this.#isReferenced(domid)) return false;
    this.#domains.delete(domid);
    this.memory.reclaim(domid);
    this.#onGone(domid);
    return true;
  }

  #get(domid: number): Entry {
    const entry = this.#domains.get(domid);
    if (entry === undefined) throw new DomainError("no-domain", domid, "the domid of a domain");
    if (entry.isDying) throw new DomainError("domain-state", "dying", "a living domain");
    return entry;
  }

  #checkDomid(domid: number): number {
    if (!Number.isInteger(domid) || domid < 1 || domid >= DOMID_FIRST_RESERVED) {
      throw new OptionError("domid", domid, `a number from 1 to ${DOMID_FIRST_RESERVED - 1}`);
    }
    if (this.#domains.has(domid)) {
      throw new DomainError("domid-in-use", domid, "a domid that is free");
    }
    return domid;
  }

  #nextDomid(): number {
    let domid = this.#rover;
    for (let tried = 1; tried < DOMID_FIRST_RESERVED; tried += 1) {
      domid = domid + 1 === DOMID_FIRST_RESERVED ? 1 : domid + 1;
      if (!this.#domains.has(domid) && !this.#kept.has(domid)) return domid;
    }
    throw new DomainError("no-domid", this.#domains.size, "a domid that is free");
  }
}

/** What is kept of a domain. */
interface Entry extends DomainInfo {
  config: DomainConfig;
  pauses: number;
  shutdown: ShutdownReason | null;
  isDying: boolean;
}

function actionOf(config: DomainConfig, reason: ShutdownReason): ShutdownAction | null {
  if (reason === ShutdownReason.Poweroff) return config.onPoweroff;
  if (reason === ShutdownReason.Reboot) return config.onReboot;
  return reason === ShutdownReason.Crash ? config.onCrash : null;
}

function checkConfig({ vcpus, weight, cap }: DomainConfig): void {
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > VCPU_LIMIT) {
    throw new OptionError("vcpus", vcpus, `a number from 1 to ${VCPU_LIMIT}`);
  }
  if (!Number.isInteger(weight) || weight < 1 || weight > 0xffff) {
    throw new OptionError("weight", weight, "a number from 1 to 65,535");
  }
  if (!Number.isInteger(cap) || cap < 0 || cap > 100 * vcpus) {
    throw new OptionError("cap", cap, `a number from 0 to ${100 * vcpus}`);
  }
}
