/**
 * Transactions of Xen 3.1: a copy of the whole store, put in its place if nothing at all changed
 * in the meantime (xenstored_transaction.c of 2007).
 * @module
 */
import type { BaseView, StoreParts } from "./base-view.ts";
import type { Errno } from "./errno.ts";
import type { StoreNode } from "./node.ts";
import type { StoreSession } from "./session.ts";
import type { Snapshot } from "./node-table.ts";
import type { ChangeKind } from "./view.ts";
import type { Transaction } from "./transaction.ts";

/** Open until `commit` or `abort`. */
export class SnapshotTransaction implements Transaction {
  readonly #parts: StoreParts;
  readonly #base: BaseView;
  readonly #who: StoreSession;
  readonly #snapshot: Snapshot;
  readonly #changesAtStart: number;
  readonly #written = new Map<string, StoreNode | null>();
  /** By path, in the order of their first change, whose kind stays. */
  readonly #changes = new Map<string, ChangeKind>();
  readonly #counts = new Map<number, number>();

  constructor(parts: StoreParts, base: BaseView, who: StoreSession) {
    this.#who = who;
    this.#parts = parts;
    this.#base = base;
    this.#snapshot = parts.nodes.open();
    this.#changesAtStart = base.changes;
  }

  read(path: string): StoreNode | Errno {
    const written = this.#written.get(path);
    if (written !== undefined) return written ?? "ENOENT";
    return this.#parts.nodes.getAt(this.#snapshot, path) ?? "ENOENT";
  }

  write(node: StoreNode): null {
    this.#written.set(node.path, node);
    return null;
  }

  remove({ path }: StoreNode): void {
    this.#written.set(path, null);
  }

  /** A guest that has no nodes outside is not credited with one of its own that it removes. */
  count(domid: number, change: number): boolean {
    const isOwn = this.#who.domain !== null && domid === this.#who.domid;
    if (change < 0 && isOwn && this.#who.domain?.nodes === 0) return true;
    this.#counts.set(domid, (this.#counts.get(domid) ?? 0) + change);
    return true;
  }

  fire(path: string, kind: ChangeKind): void {
    if (kind !== "removed-below" && !this.#changes.has(path)) this.#changes.set(path, kind);
  }

  created(): void {}

  fail(): void {}

  commit(): Errno | null {
    this.abort();
    if (this.#base.changes !== this.#changesAtStart) return "EAGAIN";
    const { nodes, events } = this.#parts;
    for (const [path, node] of this.#written) {
      if (node === null) nodes.delete(path);
      else nodes.set(node);
    }
    for (const [domid, change] of this.#counts) this.#base.count(domid, change);
    for (const [path, kind] of this.#changes) events.fire(path, kind, null, null);
    this.#base.committed();
    return null;
  }

  abort(): void {
    this.#parts.nodes.close(this.#snapshot);
  }
}
