/** XenStore: the tree that Dom0 and the guests tell each other everything by. @module */
import { OptionError } from "../../base/errors.ts";
import { type XenstoreBehaviour, XENSTORE_3_1 } from "./behaviour.ts";
import { StoreCore } from "./core.ts";
import { EVERY_DOMAIN, type StoreHost } from "./domain-table.ts";
import type { StoreSession } from "./session.ts";

/** How a store behaves, and its bounds. */
export interface XenStoreOptions {
  /** {@link XENSTORE_3_1} unless given. */
  readonly behaviour?: XenstoreBehaviour;
  /** Who knows the domains; without, all numbers are running domains. */
  readonly host?: StoreHost;
  /** Most clients of the unix socket at once; 1024 unless given. Domains are not counted. */
  readonly sessionLimit?: number;
  /** Most events that one session lets wait; 65,536 unless given. Beyond, it is closed. */
  readonly eventLimit?: number;
}

/** Who connects. */
export interface ConnectOptions {
  /** As through 3.1's read-only socket. */
  readonly isReadonly?: boolean;
  readonly domid?: number | null;
}

/**
 * One host's store. It starts with `/`, `/tool` and `/tool/xenstored`; domain 0 is introduced.
 * @throws {OptionError} for a bound that is not a whole number from 1.
 */
export class XenStore {
  readonly behaviour: XenstoreBehaviour;
  readonly #core: StoreCore;

  constructor({
    behaviour = XENSTORE_3_1,
    host = EVERY_DOMAIN,
    sessionLimit = 1024,
    eventLimit = 65_536,
  }: XenStoreOptions = {}) {
    for (const [option, value] of Object.entries({ sessionLimit, eventLimit })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new OptionError(option, value, "a whole number from 1");
      }
    }
    this.behaviour = behaviour;
    this.#core = new StoreCore({ behaviour, host, sessionLimit, eventLimit });
  }

  /** Watches of all sessions. */
  get watches(): number {
    return this.#core.watches.size;
  }

  /** Nodes of the store, `/` among them. */
  get size(): number {
    return this.#core.nodes.size;
  }

  /**
   * A client of the unix socket, privileged as Dom0; with `domid`, a program inside that domain
   * beside its kernel, with the domain's rights and quotas.
   * @returns `null` if there are as many as `sessionLimit` allows, or no such domain is introduced.
   */
  connect({ isReadonly = false, domid = null }: ConnectOptions = {}): StoreSession | null {
    return this.#core.connect(isReadonly, domid);
  }

  /** The connection that INTRODUCE made for a domain (0 has one from the start), or `null`. */
  sessionOf(domid: number): StoreSession | null {
    return this.#core.domains.find(domid)?.session ?? null;
  }

  /**
   * Xen's VIRQ_DOM_EXC: ask the host for each domain's state. `@releaseDomain` fires for those that
   * shut down and those that are gone; what a gone domain owned goes too where the era does that.
   */
  checkDomains(): void {
    this.#core.checkDomains();
  }
}
