/** The store as it is: what requests outside of transactions work on. @module */
import type { XenstoreBehaviour } from "./behaviour.ts";
import type { DomainTable } from "./domain-table.ts";
import type { Errno } from "./errno.ts";
import type { StoreNode } from "./node.ts";
import type { NodeTable } from "./node-table.ts";
import type { Permissions } from "./permission.ts";
import type { Quotas } from "./quotas.ts";
import type { ChangeKind, StoreView } from "./view.ts";
import type { WatchEvents } from "./watch-events.ts";

/** What the views of one store share. */
export interface StoreParts {
  readonly behaviour: XenstoreBehaviour;
  readonly quotas: Quotas;
  readonly nodes: NodeTable;
  readonly domains: DomainTable;
  readonly events: WatchEvents;
}

/** The {@link StoreView} without a transaction. */
export class BaseView implements StoreView {
  readonly #parts: StoreParts;
  /** Changes so far, each request counted once: what 3.1's transactions compare. */
  #changes = 0;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  get changes(): number {
    return this.#changes;
  }

  read(path: string): StoreNode | Errno {
    return this.#parts.nodes.get(path) ?? "ENOENT";
  }

  write(node: StoreNode, isJudged: boolean): Errno | null {
    const { nodes, quotas } = this.#parts;
    if (quotas.counts("memory")) {
      const old = nodes.get(node.path);
      if (old !== undefined) this.#account(old, -1);
      const isOver = isJudged && quotas.isMemoryOver(node.owner, this.#octetsOf(node));
      if (isOver && old !== undefined) this.#account(old, 1);
      if (isOver) return "EIO";
      this.#account(node, 1);
    }
    nodes.set(node);
    return null;
  }

  remove(node: StoreNode): void {
    const { nodes, quotas } = this.#parts;
    const old = nodes.get(node.path);
    if (old !== undefined && quotas.counts("memory")) this.#account(old, -1);
    nodes.delete(node.path);
  }

  count(domid: number, change: number): boolean {
    const { domains, behaviour } = this.#parts;
    const isIntroducedAlone = behaviour.countsBeforeWriting;
    const domain = isIntroducedAlone ? domains.findIntroduced(domid) : domains.findExisting(domid);
    if (domain === null) return isIntroducedAlone;
    domain.nodes = Math.max(0, domain.nodes + change);
    return true;
  }

  fire(path: string, kind: ChangeKind, node: StoreNode | null, before: Permissions | null): void {
    if (kind !== "removed-below") this.#changes++;
    this.#parts.events.fire(path, kind, node, before);
  }

  /** A transaction was committed. */
  committed(): void {
    this.#changes++;
  }

  created(): void {}

  fail(): void {}

  #octetsOf(node: StoreNode): number {
    return this.#parts.behaviour.nodeHeader + node.octets + node.path.length;
  }

  #account(node: StoreNode, sign: number): void {
    this.#parts.quotas.addMemory(node.owner, sign * this.#octetsOf(node));
  }
}
