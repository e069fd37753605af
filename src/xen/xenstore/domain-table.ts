/** The domains that the store knows of, and what each has of it. @module */
import type { Errno } from "./errno.ts";
import type { StoreSession } from "./session.ts";

/** What Xen says of a domain. One that is `dying` or unknown (`none`) is gone for the store. */
export type DomainState = "running" | "shutdown" | "dying" | "none";

/** What the store asks of the host that it runs on. */
export interface StoreHost {
  /** Xen's word on `domid`. */
  stateOf(domid: number): DomainState;
  /**
   * INTRODUCE: map frame `gfn` of the domain and bind its event channel `port` for `session`. Also
   * called for a domain that is introduced anew, after its watches and transactions are gone.
   * @returns why that cannot be done, or `null`.
   */
  introduce(session: StoreSession, gfn: number, port: number): Errno | null;
  /** The domain is gone from the store: unmap and unbind. */
  release(domid: number): void;
}

/** A host whose every domain runs: for tests, and for stores without a hypervisor. */
export const EVERY_DOMAIN: StoreHost = Object.freeze({
  stateOf: () => "running" as const,
  introduce: () => null,
  release: () => {},
});

/** One domain: known once it owns a node, is named in permissions or was introduced. */
export class StoreDomain {
  readonly domid: number;
  /** The store's count when it became known: permissions that are older are not meant for it. */
  readonly generation: number;
  /** Its own connection from INTRODUCE to its end, else `null`. */
  session: StoreSession | null = null;
  /** Frame of its ring page, as INTRODUCE named it. */
  gfn = 0;
  /** A shutdown that was told to the watchers, until RESUME. */
  isShutdown = false;
  /** Nodes that it owns. */
  nodes = 0;
  watches = 0;
  /** Answers that it has not taken. */
  outstanding = 0;
  /** Octets of nodes, watches and answers. */
  memory = 0;

  constructor(domid: number, generation: number) {
    this.domid = domid;
    this.generation = generation;
  }

  get isIntroduced(): boolean {
    return this.session !== null;
  }
}

/** All {@link StoreDomain}s by number. As many as Xen has domains, so the host is its bound. */
export class DomainTable {
  readonly #domains = new Map<number, StoreDomain>();
  readonly #host: StoreHost;
  readonly #generation: () => number;

  constructor(host: StoreHost, generation: () => number) {
    this.#host = host;
    this.#generation = generation;
  }

  find(domid: number): StoreDomain | null {
    return this.#domains.get(domid) ?? null;
  }

  /** @returns the domain if it is introduced, else `null`. */
  findIntroduced(domid: number): StoreDomain | null {
    const domain = this.find(domid);
    return domain !== null && domain.isIntroduced ? domain : null;
  }

  /** @returns `null` if neither the store nor Xen knows it. */
  findExisting(domid: number): StoreDomain | null {
    const known = this.find(domid);
    if (known !== null) return known;
    const state = this.#host.stateOf(domid);
    return state === "none" ? null : this.get(domid);
  }

  /** The domain, made known if it was not. */
  get(domid: number): StoreDomain {
    const known = this.find(domid);
    if (known !== null) return known;
    const domain = new StoreDomain(domid, this.#generation());
    this.#domains.set(domid, domain);
    return domain;
  }

  delete(domid: number): void {
    this.#domains.delete(domid);
  }

  /** True: the domain was there when the store's count was `generation`. */
  isOlder(domid: number, generation: number): boolean {
    const domain = this.#domains.get(domid);
    return domain !== undefined && domain.generation <= generation;
  }

  [Symbol.iterator](): IterableIterator<StoreDomain> {
    return this.#domains.values();
  }
}
