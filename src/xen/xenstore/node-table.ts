/** The nodes of a store by path, and what they were when transactions began. @module */
import type { StoreNode } from "./node.ts";
import { PathMap } from "./path-map.ts";

/** How the nodes were at one moment; open until {@link NodeTable.close}. */
export interface Snapshot {
  /** What changed until the next snapshot was opened, as it was before; `null` for no node. */
  readonly before: Map<string, StoreNode | null>;
}

/**
 * The one place where nodes are. Each change notes what it replaces for the newest snapshot, so
 * that a snapshot costs nothing to open and a change the same however many are open.
 */
export class NodeTable {
  readonly #nodes = new PathMap<StoreNode>();
  /** In the order of their opening. */
  readonly #snapshots: Snapshot[] = [];
  #newest: Snapshot | null = null;
  #generation = 0;

  /** The store's count: what the latest change took. */
  get generation(): number {
    return this.#generation;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Count one change. */
  next(): number {
    return ++this.#generation;
  }

  get(path: string): StoreNode | undefined {
    return this.#nodes.get(path);
  }

  set(node: StoreNode): void {
    if (this.#newest !== null) this.#note(node.path, this.#newest);
    this.#nodes.set(node.path, node);
  }

  delete(path: string): void {
    if (this.#newest !== null) this.#note(path, this.#newest);
    this.#nodes.delete(path);
  }

  /** Remember how all is now. */
  open(): Snapshot {
    const snapshot: Snapshot = { before: new Map() };
    this.#snapshots.push(snapshot);
    this.#newest = snapshot;
    return snapshot;
  }

  /** The node at `path` as it was when `snapshot` was opened. */
  getAt(snapshot: Snapshot, path: string): StoreNode | undefined {
    for (let i = this.#snapshots.indexOf(snapshot); i < this.#snapshots.length; i++) {
      const before = this.#snapshots[i]?.before.get(path);
      if (before !== undefined) return before ?? undefined;
    }
    return this.#nodes.get(path);
  }

  /** Forget `snapshot`; older ones keep what they need of it. */
  close(snapshot: Snapshot): void {
    const at = this.#snapshots.indexOf(snapshot);
    if (at < 0) return;
    const older = this.#snapshots[at - 1]?.before;
    if (older !== undefined) {
      for (const [path, node] of snapshot.before) if (!older.has(path)) older.set(path, node);
    }
    this.#snapshots.splice(at, 1);
    this.#newest = this.#snapshots.at(-1) ?? null;
  }

  #note(path: string, { before }: Snapshot): void {
    if (!before.has(path)) before.set(path, this.#nodes.get(path) ?? null);
  }
}
