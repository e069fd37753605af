/** One way to see the store: as it is, or as an open transaction has it. @module */
import type { Errno } from "./errno.ts";
import type { StoreNode } from "./node.ts";
import type { Permissions } from "./permission.ts";

/**
 * What happened to a node. `changed`: made, written, or given permissions; `removed`: by a request
 * that named it; `removed-below`: because its directory was.
 */
export type ChangeKind = "changed" | "removed" | "removed-below";

/** What the operations of the tree work on. */
export interface StoreView {
  /**
   * The node at `path`, or why there is none: ENOENT, or ENOSPC where a transaction may touch no
   * more nodes. A transaction notes what it was asked for.
   */
  read(path: string): StoreNode | Errno;
  /**
   * Put `node` in its place.
   * @returns the error of a quota, or `null`. Not judged unless `isJudged`.
   */
  write(node: StoreNode, isJudged: boolean): Errno | null;
  /** Take away `node`, which was read. */
  remove(node: StoreNode): void;
  /**
   * Count nodes to their owner.
   * @returns false if there is no such domain.
   */
  count(domid: number, change: number): boolean;
  /**
   * Tell the watchers: at once, or when the transaction is committed. `node` is `null` if it has
   * to be looked for; `before` are the permissions that it had, if those were changed.
   */
  fire(path: string, kind: ChangeKind, node: StoreNode | null, before: Permissions | null): void;
  /** A node was made. */
  created(): void;
  /** The request broke off half-way: a transaction cannot be committed any more. */
  fail(): void;
}
