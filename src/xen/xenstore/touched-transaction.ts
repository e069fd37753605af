/**
 * Transactions of Xen 4.17: a private copy of each node that was touched, and a conflict only if
 * one of those changed (xenstored_transaction.c of 2022).
 * @module
 */
import type { BaseView, StoreParts } from "./base-view.ts";
import type { Errno } from "./errno.ts";
import { StoreNode } from "./node.ts";
import type { Principal } from "./permission.ts";
import type { ChangeKind } from "./view.ts";
import type { Transaction } from "./transaction.ts";

/** A node that a transaction has read. All writes come after a read. */
interface Touched {
  /** As the transaction has it now; `null` for none. */
  node: StoreNode | null;
  /** As it was when first read. */
  readonly seen: StoreNode | null;
  isModified: boolean;
  /** What the watchers will hear, or `null`. */
  kind: ChangeKind | null;
}

/** Open until `commit` or `abort`. */
export class TouchedTransaction implements Transaction {
  readonly #parts: StoreParts;
  readonly #base: BaseView;
  readonly #who: Principal;
  /** Octets of the number that the real store puts before the keys of this transaction's nodes. */
  readonly #keyLength: number;
  /** In the order of their first reading: the order in which the watchers hear. */
  readonly #touched = new Map<string, Touched>();
  readonly #counts = new Map<number, number>();
  #hasCreated = false;
  #hasFailed = false;

  constructor(parts: StoreParts, base: BaseView, who: Principal) {
    this.#parts = parts;
    this.#base = base;
    this.#who = who;
    this.#keyLength = `${parts.nodes.next()}/`.length;
  }

  read(path: string): StoreNode | Errno {
    const known = this.#touched.get(path);
    if (known !== undefined) return known.node ?? "ENOENT";
    const isBounded = !this.#who.isPrivileged;
    if (isBounded && this.#touched.size >= this.#parts.quotas.get("transactionNodes")) {
      this.fail();
      return "ENOSPC";
    }
    const seen = this.#parts.nodes.get(path) ?? null;
    this.#touched.set(path, { node: seen, seen, isModified: false, kind: null });
    this.#account(seen, 1);
    return seen ?? "ENOENT";
  }

  write(node: StoreNode, isJudged: boolean): Errno | null {
    const touched = this.#get(node.path);
    this.#account(touched.node, -1);
    if (isJudged && this.#parts.quotas.isMemoryOver(this.#who.domid, this.#octetsOf(node))) {
      this.#account(touched.node, 1);
      return "EIO";
    }
    this.#account(node, 1);
    touched.node = node;
    touched.isModified = true;
    return null;
  }

  remove({ path }: StoreNode): void {
    const touched = this.#get(path);
    this.#account(touched.node, -1);
    touched.node = null;
    touched.isModified = true;
  }

  count(domid: number, change: number): boolean {
    this.#counts.set(domid, (this.#counts.get(domid) ?? 0) + change);
    return true;
  }

  /** A removal that was asked for by name outweighs one that came with the directory. */
  fire(path: string, kind: ChangeKind): void {
    const touched = this.#get(path);
    if (touched.kind === null || kind !== "removed-below") touched.kind = kind;
  }

  created(): void {
    this.#hasCreated = true;
  }

  fail(): void {
    this.#hasFailed = true;
  }

  commit(): Errno | null {
    const refusal = this.#refusal();
    this.abort();
    if (refusal !== null) return refusal;
    for (const [path, { node, seen, isModified, kind }] of this.#touched) {
      if (isModified) this.#put(path, node, seen);
      if (kind !== null) this.#parts.events.fire(path, kind, null, seen?.permissions ?? null);
    }
    for (const [domid, change] of this.#counts) this.#base.count(domid, change);
    this.#base.committed();
    return null;
  }

  abort(): void {
    for (const { node } of this.#touched.values()) this.#account(node, -1);
  }

  #refusal(): Errno | null {
    if (this.#hasFailed) return "ENOMEM";
    const { nodes, domains, quotas } = this.#parts;
    const isBounded = this.#hasCreated && !this.#who.isPrivileged;
    for (const [domid, change] of this.#counts) {
      const domain = domains.findExisting(domid);
      if (domain === null) return "ENOMEM";
      const isOver = domid !== 0 && domain.nodes + change >= quotas.get("nodes");
      if (isBounded && isOver) return "ENOSPC";
    }
    for (const [path, { seen }] of this.#touched) {
      if ((nodes.get(path)?.generation ?? 0) !== (seen?.generation ?? 0)) return "EAGAIN";
    }
    return null;
  }

  #put(path: string, node: StoreNode | null, seen: StoreNode | null): void {
    if (node !== null) {
      const { parent, permissions, value, children } = node;
      const generation = this.#parts.nodes.next();
      const put = new StoreNode(path, parent, permissions, value, children, generation);
      this.#base.write(put, false);
    } else if (seen !== null) {
      this.#base.remove(seen);
    }
  }

  #get(path: string): Touched {
    const known = this.#touched.get(path);
    if (known !== undefined) return known;
    const touched: Touched = { node: null, seen: null, isModified: false, kind: null };
    this.#touched.set(path, touched);
    return touched;
  }

  #octetsOf(node: StoreNode): number {
    return this.#parts.behaviour.nodeHeader + node.octets + this.#keyLength + node.path.length;
  }

  #account(node: StoreNode | null, sign: number): void {
    if (node !== null) this.#parts.quotas.addMemory(this.#who.domid, sign * this.#octetsOf(node));
  }
}
