/** What the sessions of one store share, and what is done to domains. @module */
import { BaseView, type StoreParts } from "./base-view.ts";
import type { XenstoreBehaviour } from "./behaviour.ts";
import type { Cause } from "./cause.ts";
import { ConsoleState } from "./control.ts";
import { DomainTable, type StoreDomain, type StoreHost } from "./domain-table.ts";
import type { Errno } from "./errno.ts";
import { EMPTY, namesOf, newNode, withChild } from "./node.ts";
import { NodeTable } from "./node-table.ts";
import { childOf } from "./path.ts";
import { type Permission, type Permissions, ROOT_PERMISSIONS } from "./permission.ts";
import { Quotas } from "./quotas.ts";
import { RecentTexts } from "./recent-texts.ts";
import { StoreSession } from "./session.ts";
import { SnapshotTransaction } from "./snapshot-transaction.ts";
import { TouchedTransaction } from "./touched-transaction.ts";
import type { Transaction } from "./transaction.ts";
import { StoreTree } from "./tree.ts";
import { SPECIAL_NAMES, WatchEvents } from "./watch-events.ts";
import { WatchIndex } from "./watch-index.ts";

const [INTRODUCE_DOMAIN, RELEASE_DOMAIN] = SPECIAL_NAMES;

/** How a store comes to be. */
export interface CoreOptions {
  readonly behaviour: XenstoreBehaviour;
  readonly host: StoreHost;
  readonly sessionLimit: number;
  readonly eventLimit: number;
}

/** The inside of a store. Only its sessions and the store itself hold it. */
export class StoreCore implements StoreParts {
  readonly behaviour: XenstoreBehaviour;
  readonly quotas: Quotas;
  readonly nodes = new NodeTable();
  readonly domains: DomainTable;
  readonly watches = new WatchIndex();
  readonly events: WatchEvents;
  readonly tree: StoreTree;
  readonly base: BaseView;
  readonly texts = new RecentTexts();
  readonly told = new ConsoleState();
  readonly #host: StoreHost;
  readonly #unsettled = new Set<StoreSession>();
  #isSettling = false;
  #isAnswering = false;
  #cause: Cause | null = null;
  readonly #sessions = new Set<StoreSession>();
  /** The domain whose sessions are being closed. */
  #leaving: StoreDomain | null = null;
  readonly #sessionLimit: number;
  readonly #eventLimit: number;

  constructor({ behaviour, host, sessionLimit, eventLimit }: CoreOptions) {
    this.behaviour = behaviour;
    this.#host = host;
    this.#sessionLimit = sessionLimit;
    this.#eventLimit = eventLimit;
    this.domains = new DomainTable(host, () => this.nodes.generation);
    this.quotas = new Quotas(behaviour.quotas, this.domains);
    this.events = new WatchEvents(behaviour, this.nodes, this.domains, this.watches);
    this.tree = new StoreTree(this);
    this.base = new BaseView(this);
    this.#open(this.domains.get(0));
    this.#plant();
  }

  /** A client of the unix socket, or one inside a domain; `null` at the bound or without it. */
  connect(isReadonly: boolean, domid: number | null): StoreSession | null {
    const domain = domid === null ? null : this.domains.findIntroduced(domid);
    const isMissing = domid !== null && domain === null;
    if (isMissing || this.#sessions.size >= this.#sessionLimit) return null;
    return this.#add(new StoreSession(this, this.#options(domain, isReadonly)));
  }

  /**
   * A session is over. That of a domain keeps its place in the order until the domain is gone,
   * which it is at once where the era ends a domain with its connection.
   */
  closed(session: StoreSession): void {
    const { domain } = session;
    if (domain?.session !== session) {
      this.#sessions.delete(session);
    } else if (this.behaviour.releasesBroken && domain.domid !== 0 && domain !== this.#leaving) {
      this.#destroy(domain);
      if (!this.#isAnswering) this.settle();
    }
  }

  /** The guest's request over the wire that is being carried out, or `null`. */
  get cause(): Cause | null {
    return this.#cause;
  }

  /** A request over the wire is being carried out: what it brings about is settled at its end. */
  get isAnswering(): boolean {
    return this.#isAnswering;
  }

  beginRequest(cause: Cause | null): void {
    this.#isAnswering = true;
    this.#cause = cause;
  }

  /** What follows in this request is not counted as brought about by it. */
  forgetCause(): void {
    this.#cause = null;
  }

  endRequest(): void {
    this.#isAnswering = false;
    this.#cause = null;
    this.settle();
  }

  /** `session` has events of an operation that goes on. */
  unsettle(session: StoreSession): void {
    this.#unsettled.add(session);
  }

  /** An operation is over: sessions with events pass them on, which may bring more operations. */
  settle(): void {
    if (this.#unsettled.size === 0 || this.#isSettling) return;
    this.#isSettling = true;
    for (const session of this.#unsettled) {
      this.#unsettled.delete(session);
      session.settled();
    }
    this.#isSettling = false;
  }

  begin(session: StoreSession): Transaction {
    return this.behaviour.transactions === "snapshot"
      ? new SnapshotTransaction(this, this.base, session)
      : new TouchedTransaction(this, this.base, session);
  }

  introduce(domid: number, gfn: number, port: number, by: StoreSession): Errno | null {
    if (port === 0) return "EINVAL";
    const known = this.domains.findIntroduced(domid);
    if (known !== null) return this.#introduceAnew(known, gfn, port, by);
    const hadDomain = this.domains.find(domid) !== null;
    const domain = this.domains.get(domid);
    const session = this.#open(domain);
    const refused = this.#host.introduce(session, gfn, port);
    if (refused !== null) {
      domain.session = null;
      session.close();
      if (!hadDomain) this.domains.delete(domid);
      return refused;
    }
    domain.gfn = gfn;
    domain.isShutdown = false;
    this.events.fireSpecial(INTRODUCE_DOMAIN);
    return null;
  }

  release(domid: number, by: StoreSession, acknowledge: () => void): Errno | null {
    const domain = this.#findGuest(domid);
    if (typeof domain === "string") return domain;
    const isHeld = this.behaviour.holdsNextSession && domain.session === this.#after(by);
    if (isHeld) acknowledge();
    this.#destroy(domain);
    if (!isHeld) acknowledge();
    return null;
  }

  resume(domid: number): Errno | null {
    const domain = this.#findGuest(domid);
    if (typeof domain === "string") return domain;
    domain.isShutdown = false;
    return null;
  }

  setTarget(domid: number, target: number): Errno | null {
    const domain = this.domains.findIntroduced(domid);
    if (domain === null || this.domains.findIntroduced(target) === null) return "ENOENT";
    domain.session?.actFor(target);
    return null;
  }

  /** `permissions` with the entries of domains that Xen does not have marked. */
  known(permissions: Permissions): Permissions {
    const judge = (entry: Permission): Permission =>
      this.domains.findExisting(entry.domid) === null ? { ...entry, isIgnored: true } : entry;
    const [owner, ...others] = permissions;
    return [judge(owner), ...others.map(judge)];
  }

  /** VIRQ_DOM_EXC: some domain shut down or went away. */
  checkDomains(): void {
    let isNews = false;
    // The real one has the latest at the head of its list.
    for (const domain of [...this.domains].toReversed()) {
      if (this.domains.find(domain.domid) !== domain || domain.domid === 0) continue;
      const state = this.#host.stateOf(domain.domid);
      if (!domain.isIntroduced) {
        if (state === "none") this.#forget(domain);
      } else if (state === "none" || state === "dying") {
        this.#destroy(domain);
        isNews = false;
      } else if (state === "shutdown" && !domain.isShutdown) {
        domain.isShutdown = true;
        isNews = true;
      }
    }
    if (isNews) this.events.fireSpecial(RELEASE_DOMAIN);
    this.settle();
  }

  #introduceAnew(domain: StoreDomain, gfn: number, port: number, by: StoreSession): Errno | null {
    const { session } = domain;
    const isOther = domain.gfn !== gfn || session === by;
    if (session === null || (isOther && !this.behaviour.reintroducesAnyFrame)) return "EINVAL";
    session.restart();
    this.#host.introduce(session, gfn, port);
    return null;
  }

  #findGuest(domid: number): StoreDomain | Errno {
    if (domid === 0) return "EINVAL";
    return this.domains.findIntroduced(domid) ?? "ENOENT";
  }

  #destroy(domain: StoreDomain): void {
    this.#leaving = domain;
    for (const session of this.#sessions) if (session.domain === domain) session.close();
    this.#leaving = null;
    this.#forget(domain);
    this.#host.release(domain.domid);
    this.events.fireSpecial(RELEASE_DOMAIN);
  }

  #forget(domain: StoreDomain): void {
    if (this.behaviour.removesOrphans) this.#removeOrphans(domain, "/");
    if (domain.session !== null) this.#sessions.delete(domain.session);
    domain.session = null;
    this.domains.delete(domain.domid);
  }

  /** Remove what `domain` owns at or below `path`, and all below that. */
  #removeOrphans(domain: StoreDomain, path: string): void {
    const node = this.nodes.get(path);
    if (node === undefined || domain.nodes === 0) return;
    if (node.owner === domain.domid) {
      this.tree.removeFromBelow(this.base, path);
      return;
    }
    for (const name of namesOf(node.children)) this.#removeOrphans(domain, childOf(path, name));
  }

  #open(domain: StoreDomain): StoreSession {
    const session = this.#add(new StoreSession(this, this.#options(domain, false)));
    domain.session = session;
    return session;
  }

  /** The session that was opened next after `session`. */
  #after(session: StoreSession): StoreSession | null {
    let isNext = false;
    for (const one of this.#sessions) {
      if (isNext) return one;
      isNext = one === session;
    }
    return null;
  }

  #add(session: StoreSession): StoreSession {
    this.#sessions.add(session);
    return session;
  }

  #options(
    domain: StoreDomain | null,
    isReadonly: boolean,
  ): {
    domain: StoreDomain | null;
    isReadonly: boolean;
    eventLimit: number;
  } {
    return { domain, isReadonly, eventLimit: this.#eventLimit };
  }

  /** The nodes of a new store. */
  #plant(): void {
    const path = ["/", "/tool", "/tool/xenstored"];
    const below = ["tool", "xenstored", ""];
    for (const [i, at] of path.entries()) {
      const name = below[i] ?? "";
      const children = name === "" ? EMPTY : withChild(EMPTY, name);
      this.base.write(newNode(at, ROOT_PERMISSIONS, EMPTY, children, this.nodes.next()), false);
      this.base.count(0, 1);
    }
  }
}
