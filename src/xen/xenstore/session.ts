/** One connection to the store, whatever carries it: its requests and its events. @module */
import type { XenstoreBehaviour } from "./behaviour.ts";
import { Cause } from "./cause.ts";
import { answerControl, type ControlAnswer } from "./control.ts";
import type { Errno } from "./errno.ts";
import { type Delivery, EventQueue, type StoreEvent } from "./event-queue.ts";
import type { StoreDomain } from "./domain-table.ts";
import { namesOf, type StoreNode } from "./node.ts";
import { domainPath } from "./path.ts";
import { type Permissions, type Principal, Rights } from "./permission.ts";
import type { RecentTexts } from "./recent-texts.ts";
import { setPermissions } from "./set-permissions.ts";
import type { StoreCore } from "./core.ts";
import type { Transaction } from "./transaction.ts";
import type { StoreView } from "./view.ts";
import type { Watch } from "./watch-index.ts";

/** How a session comes to be. */
export interface SessionOptions {
  /** The domain that INTRODUCE made it for; `null` for a client of the unix socket. */
  readonly domain: StoreDomain | null;
  readonly isReadonly: boolean;
  /** Most events that wait to be taken; beyond, the session is closed. */
  readonly eventLimit: number;
}

/**
 * A client's connection. Every operation answers an {@link Errno} where the store refuses, and
 * takes the number of an open transaction, 0 for none. Strings stand for octets (octets.ts).
 * A closed session answers EIO to everything.
 */
export class StoreSession implements Principal {
  readonly domain: StoreDomain | null;
  readonly domid: number;
  readonly isPrivileged: boolean;
  readonly isReadonly: boolean;
  readonly #core: StoreCore;
  readonly #home: string | null;
  readonly #watches = new Map<string, Watch>();
  readonly #transactions = new Map<number, Transaction>();
  readonly #closeListeners: (() => void)[] = [];
  #nextTransaction = 1;
  #target: number | null = null;
  readonly #queue: EventQueue;
  #delivery: Delivery;
  #isClosed = false;

  constructor(core: StoreCore, { domain, isReadonly, eventLimit }: SessionOptions) {
    this.#core = core;
    this.domain = domain;
    this.domid = domain?.domid ?? 0;
    this.isPrivileged = this.domid === 0;
    this.isReadonly = isReadonly;
    this.#home = domain === null ? core.behaviour.socketPath : domainPath(domain.domid);
    this.#queue = new EventQueue({
      limit: eventLimit,
      dropsDuplicates: core.behaviour.dropsDuplicateEvents,
      overflow: () => this.close(),
    });
    this.#delivery = this.#queue;
  }

  get target(): number | null {
    return this.#target;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Transactions that are open. */
  get openTransactions(): number {
    return this.#transactions.size;
  }

  /** How the store behaves. */
  get behaviour(): XenstoreBehaviour {
    return this.#core.behaviour;
  }

  /** What its requests' paths are read with. */
  get texts(): RecentTexts {
    return this.#core.texts;
  }

  /** The name that the store's era has for `errno` on the wire. */
  nameOf(errno: Errno): Errno {
    return this.#core.behaviour.errors.has(errno) ? errno : "EINVAL";
  }

  /** 0, or the number of an open transaction. */
  hasTransaction(transaction: number): boolean {
    return transaction === 0 || this.#transactions.has(transaction);
  }

  /** The value. Shared with the store: not to be written to. */
  read(path: string, transaction = 0): Uint8Array | Errno {
    const node = this.#find(path, transaction, Rights.read);
    return typeof node === "string" ? node : node.value;
  }

  /** The names of the children, in the order of their making. */
  list(path: string, transaction = 0): string[] | Errno {
    const node = this.#find(path, transaction, Rights.read);
    return typeof node === "string" ? node : namesOf(node.children);
  }

  /** The node itself, for whoever may read it. */
  find(path: string, transaction = 0): StoreNode | Errno {
    return this.#find(path, transaction, Rights.read);
  }

  /** Set the value; the node and its directories are made if need be. `value` is kept as it is. */
  write(path: string, value: Uint8Array, transaction = 0): Errno | null {
    const view = this.#view(transaction);
    if (typeof view === "string") return view;
    return this.#settled(this.#core.tree.write(this, view, this.#absolute(path), value));
  }

  /** Make a node and its directories; nothing happens if it is there. */
  mkdir(path: string, transaction = 0): Errno | null {
    const view = this.#view(transaction);
    if (typeof view === "string") return view;
    return this.#settled(this.#core.tree.mkdir(this, view, this.#absolute(path)));
  }

  /** Remove a node and all below; nothing happens if it alone is missing. */
  rm(path: string, transaction = 0): Errno | null {
    const view = this.#view(transaction);
    if (typeof view === "string") return view;
    return this.#settled(this.#core.tree.rm(this, view, this.#absolute(path)));
  }

  /** Who may do what: the owner first. */
  permissions(path: string, transaction = 0): Permissions | Errno {
    const node = this.#find(path, transaction, Rights.read);
    return typeof node === "string" ? node : node.permissions;
  }

  /** SET_PERMS with entries as they go over the wire: `["n0", "r5"]`. */
  setPermissions(path: string, entries: readonly string[], transaction = 0): Errno | null {
    const view = this.#view(transaction);
    if (typeof view === "string") return view;
    const entry = { view, path: this.#absolute(path), entries };
    return this.#settled(setPermissions(this.#core, this, entry));
  }

  /**
   * Hear of changes at or below `path`. The first event comes at once, after `acknowledge` was
   * called: a client over a wire has its answer before it. 3.1 judges it in the transaction.
   */
  watch(
    path: string,
    token: string,
    acknowledge: (() => void) | null = null,
    transaction = 0,
  ): Errno | null {
    const { tree, quotas, watches, behaviour } = this.#core;
    const view = this.#view(behaviour.watchesOutsideTransactions ? 0 : transaction);
    if (typeof view === "string") return view;
    const absolute = this.#absolute(path);
    const isValid = path.startsWith("@")
      ? path.length <= (behaviour.specialNameLength ?? Infinity)
      : tree.isValid(absolute);
    if (tree.note(isValid ? null : "EINVAL") !== null) return "EINVAL";
    const key = `${absolute}\0${token}`;
    if (this.#watches.has(key)) return "EEXIST";
    const held = this.isPrivileged ? 0 : (this.domain?.watches ?? 0);
    if (held > quotas.get("watches")) return "E2BIG";
    const octets = absolute.length + token.length;
    if (quotas.isMemoryOver(this.domid, octets)) return tree.note("ENOMEM");
    this.#countWatch(octets, 1);
    const prefix = /^[@/]/.test(path) ? null : this.#home;
    const watch = watches.add(this, absolute, token, prefix?.length ?? 0);
    this.#watches.set(key, watch);
    acknowledge?.();
    this.#core.forgetCause();
    if (this.#core.events.hearsFirst(watch, view)) this.event(watch.nameOf(absolute), token);
    return this.#settled(null);
  }

  /** Hear no more of a watch. */
  unwatch(path: string, token: string): Errno | null {
    if (this.#isClosed) return "EIO";
    const key = `${this.#absolute(path)}\0${token}`;
    const watch = this.#watches.get(key);
    if (watch === undefined) return "ENOENT";
    this.#drop(key, watch);
    return null;
  }

  /** Forget all watches and transactions. */
  resetWatches(): void {
    for (const [key, watch] of this.#watches) this.#drop(key, watch);
    for (const transaction of this.#transactions.values()) transaction.abort();
    this.#transactions.clear();
  }

  /** INTRODUCE anew: forget all of that, and what waits to be sent. */
  restart(): void {
    this.resetWatches();
    this.#delivery.restarted();
  }

  /** @returns the number of a new transaction: they count up from 1 for each session. */
  start(transaction = 0): number | Errno {
    const view = this.#view(transaction);
    if (typeof view === "string") return view;
    if (transaction !== 0) return "EBUSY";
    const isOver = this.#transactions.size > this.#core.quotas.get("transactions");
    if (isOver && !this.isPrivileged) return "ENOSPC";
    let id: number;
    do {
      id = this.#nextTransaction;
      this.#nextTransaction = (id + 1) >>> 0;
    } while (this.#transactions.has(id));
    this.#transactions.set(id, this.#core.begin(this));
    return id;
  }

  /** Commit or abort; the transaction is over either way. EAGAIN: do it all again. */
  end(transaction: number, isCommitted: boolean): Errno | null {
    if (this.#isClosed) return "EIO";
    const open = this.#transactions.get(transaction);
    if (open === undefined) return "ENOENT";
    this.#transactions.delete(transaction);
    if (isCommitted) return this.#settled(open.commit());
    open.abort();
    return null;
  }

  /** INTRODUCE: a domain has its ring page in frame `gfn` and waits on event channel `port`. */
  introduce(domid: number, gfn: number, port: number): Errno | null {
    return this.#settled(this.#refusal() ?? this.#core.introduce(domid, gfn, port, this));
  }

  /** RELEASE: a domain is gone. `acknowledge` is called when the answer is due. */
  release(domid: number, acknowledge: () => void = () => {}): Errno | null {
    const refused = this.#refusal(this.#core.behaviour.readonlyReleases);
    return this.#settled(refused ?? this.#core.release(domid, this, acknowledge));
  }

  /** RESUME: a domain that was shut down runs again. */
  resume(domid: number): Errno | null {
    return this.#refusal(this.#core.behaviour.readonlyReleases) ?? this.#core.resume(domid);
  }

  /** SET_TARGET: `domid` has the rights of `target` too. */
  setTarget(domid: number, target: number): Errno | null {
    return this.#refusal() ?? this.#core.setTarget(domid, target);
  }

  /** Act for another domain too; the store calls this. */
  actFor(target: number): void {
    this.#target = target;
  }

  /** CONTROL, called DEBUG in 3.1: `words` as the console has them. */
  control(words: readonly string[]): ControlAnswer | Errno {
    if (this.#isClosed) return "EIO";
    return this.isPrivileged ? answerControl(this.#core, words) : "EACCES";
  }

  isIntroduced(domid: number): boolean | Errno {
    const isOpen = this.#core.behaviour.guestsSeeIntroductions || this.isPrivileged;
    if (!isOpen) return "EACCES";
    return domid === 32_752 || this.#core.domains.findIntroduced(domid) !== null;
  }

  /** Something changed; the store calls this. */
  event(path: string, token: string): void {
    if (this.#isClosed) return;
    const { payloadLimit } = this.#core.behaviour;
    if (payloadLimit !== null && path.length + token.length + 2 > payloadLimit) return;
    this.#delivery.event(path, token);
    this.#core.unsettle(this);
  }

  /** All events since the last call, in their order. */
  takeEvents(): readonly StoreEvent[] {
    return this.#queue.take();
  }

  /** Hand events to `delivery` as they come, instead of keeping them. */
  deliverTo(delivery: Delivery): void {
    this.#delivery = delivery;
  }

  /**
   * Call `listener` after each operation that left events waiting here, once all is consistent. It
   * runs inside the call of whoever made the change: it should do no more than note the news.
   */
  onEvents(listener: () => void): void {
    this.#queue.listen(listener);
  }

  /** An operation that had events for this session is over; the store calls this. */
  settled(): void {
    this.#delivery.settled();
  }

  /** A request over the wire begins. @returns what counts it as outstanding, if that is bounded. */
  begin(): Cause | null {
    const isCounted = !this.isPrivileged && this.#core.quotas.counts("outstanding");
    const cause =
      isCounted && this.domain !== null
        ? new Cause(this.domain, () => this.#delivery.room())
        : null;
    this.#core.beginRequest(cause);
    return cause;
  }

  /** A request over the wire is answered: others hear of it now. */
  settle(): void {
    this.#core.endRequest();
  }

  /** The guest's request that is being carried out, or `null`. */
  get cause(): Cause | null {
    return this.#core.cause;
  }

  /** A guest with too many untaken answers, or too much memory, has to wait. */
  get mayAsk(): boolean {
    if (this.#isClosed) return false;
    const { quotas } = this.#core;
    if (this.isPrivileged || this.domain === null) return true;
    return this.domain.outstanding < quotas.get("outstanding") && !this.isMemoryOver(0);
  }

  /** The session's domain would have too much with `more` octets. */
  isMemoryOver(more: number): boolean {
    return this.#core.quotas.isMemoryOver(this.domid, more);
  }

  /** Count octets that wait for the client. */
  addMemory(octets: number): void {
    if (this.domain !== null) this.#core.quotas.addMemory(this.domid, octets);
  }

  /** Call `listener` when the session ends, by whatever cause. */
  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  /** The client is gone: its watches and transactions are forgotten. */
  close(): void {
    if (this.#isClosed) return;
    this.resetWatches();
    this.#isClosed = true;
    this.#core.closed(this);
    for (const listener of this.#closeListeners) listener();
  }

  /** Answers without a path: what is left of the last error (4.17), else EINVAL. */
  get errorWithoutPath(): Errno {
    if (!this.#core.behaviour.repeatsLastError) return "EINVAL";
    return this.#core.tree.lastError ?? "EINVAL";
  }

  /** @returns `result`, after others have heard what happened. */
  #settled(result: Errno | null): Errno | null {
    if (!this.#core.isAnswering) this.#core.settle();
    return result;
  }

  #find(path: string, transaction: number, wanted: number): StoreNode | Errno {
    const view = this.#view(transaction);
    if (typeof view === "string") return view;
    return this.#core.tree.find(this, view, this.#absolute(path), wanted);
  }

  #view(transaction: number): StoreView | Errno {
    if (this.#isClosed) return "EIO";
    if (transaction === 0) return this.#core.base;
    return this.#transactions.get(transaction) ?? "ENOENT";
  }

  #absolute(path: string): string {
    const first = path.charCodeAt(0);
    if (first === 0x2f || first === 0x40 || this.#home === null) return path;
    return `${this.#home}/${path}`;
  }

  #refusal(suitsReadonly = false): Errno | null {
    if (this.#isClosed) return "EIO";
    return this.isPrivileged && (suitsReadonly || !this.isReadonly) ? null : "EACCES";
  }

  #drop(key: string, watch: Watch): void {
    this.#watches.delete(key);
    this.#core.watches.delete(watch);
    this.#countWatch(watch.path.length + watch.token.length, -1);
  }

  #countWatch(octets: number, sign: 1 | -1): void {
    if (this.domain !== null) this.domain.watches += sign;
    this.#core.quotas.addMemory(this.domid, sign * octets);
  }
}
