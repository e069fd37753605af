/** Which watches hear of a change (xenstored's `fire_watches` and `add_event`). @module */
import type { XenstoreBehaviour } from "./behaviour.ts";
import type { DomainTable } from "./domain-table.ts";
import type { StoreNode } from "./node.ts";
import type { NodeTable } from "./node-table.ts";
import { parentOf } from "./path.ts";
import {
  type Permission,
  type Permissions,
  Rights,
  ROOT_PERMISSIONS,
  rightsOf,
} from "./permission.ts";
import type { StoreSession } from "./session.ts";
import type { ChangeKind, StoreView } from "./view.ts";
import type { Watch, WatchIndex } from "./watch-index.ts";

/** The names that stand for the coming and going of domains. */
export const SPECIAL_NAMES = ["@introduceDomain", "@releaseDomain"] as const;

/** Sends the events of one store. */
export class WatchEvents {
  /** Who hears of the special names, where they have permissions. */
  readonly special = new Map<string, Permissions>(
    SPECIAL_NAMES.map((name) => [name, ROOT_PERMISSIONS]),
  );
  readonly #behaviour: XenstoreBehaviour;
  readonly #nodes: NodeTable;
  readonly #domains: DomainTable;
  readonly #index: WatchIndex;

  constructor(
    behaviour: XenstoreBehaviour,
    nodes: NodeTable,
    domains: DomainTable,
    index: WatchIndex,
  ) {
    this.#behaviour = behaviour;
    this.#nodes = nodes;
    this.#domains = domains;
    this.#index = index;
  }

  /** A node changed, outside of transactions. Arguments as in {@link StoreView.fire}. */
  fire(path: string, kind: ChangeKind, node: StoreNode | null, before: Permissions | null): void {
    const found: Watch[] = [];
    if (kind === "removed-below") this.#index.collectAt(path, found);
    else this.#index.collectAbove(path, found);
    const firesBelow = this.#behaviour.removalFires === "watches-below";
    if (kind === "removed" && firesBelow) this.#index.collectBelow(path, found);
    if (found.length > 1) found.sort(byOrder);
    for (const [index, watch] of found.entries()) {
      const changed = watch.path.length > path.length ? watch.path : path;
      if (this.#repeats(found, index, path)) continue;
      if (this.#hears(watch.session, changed, node, before)) {
        watch.session.event(watch.nameOf(changed), watch.token);
      }
    }
  }

  /** A domain came or went. */
  fireSpecial(name: string): void {
    const found: Watch[] = [];
    this.#index.collectAt(name, found);
    if (this.#behaviour.rootHearsSpecial) this.#index.collectAt("/", found);
    found.sort(byOrder);
    for (const watch of found) {
      if (this.#hearsSpecial(watch.session, name)) watch.session.event(name, watch.token);
    }
  }

  /**
   * The event that answers a new watch is due, whether there is such a node or not. 3.1 judges it
   * by the transaction that the request names: `view`.
   */
  hearsFirst({ session, path }: Watch, view: StoreView): boolean {
    if (this.#behaviour.eventsFor === "node-or-parent" || path.startsWith("@")) return true;
    return this.#mayKnow(session, path, (at) => {
      const node = view.read(at);
      return typeof node === "string" ? undefined : node;
    });
  }

  /** What `who` may do to `node`. */
  rights(who: StoreSession, node: StoreNode): number {
    if (!this.#behaviour.ignoresStaleEntries || node.permissions.length === 1) {
      return rightsOf(who, node.permissions, null);
    }
    return rightsOf(who, node.permissions, (entry) => this.isStale(entry, node));
  }

  /** `entry` of `node` is older than the domain that it names. */
  isStale(entry: Permission, node: StoreNode): boolean {
    return !this.#domains.isOlder(entry.domid, node.generation);
  }

  /** An earlier watch of the same client tells the same, which waits to be sent as long as this. */
  #repeats(found: readonly Watch[], index: number, path: string): boolean {
    const watch = found[index];
    if (index === 0 || watch === undefined || !this.#behaviour.dropsDuplicateEvents) return false;
    const isSame = (one: Watch): boolean =>
      one.session === watch.session &&
      one.token === watch.token &&
      one.nameOf(path) === watch.nameOf(path);
    return found.findIndex(isSame) < index;
  }

  #hearsSpecial(who: StoreSession, name: string): boolean {
    if (!this.#behaviour.protectsSpecialWatches) return true;
    const permissions = this.special.get(name) ?? ROOT_PERMISSIONS;
    return (rightsOf(who, permissions, null) & Rights.read) !== 0;
  }

  #hears(
    who: StoreSession,
    path: string,
    node: StoreNode | null,
    before: Permissions | null,
  ): boolean {
    if (this.#behaviour.eventsFor === "readable-or-absent") {
      return this.#mayKnow(who, path, (at) => this.#nodes.get(at));
    }
    if (before !== null && (rightsOf(who, before, null) & Rights.read) !== 0) return true;
    const seen = node ?? this.#nodes.get(path);
    if (seen === undefined) return false;
    return this.#reads(who, seen) || this.#reads(who, this.#nodes.get(seen.parent));
  }

  /** `who` can read the node, or is told that there is none. */
  #mayKnow(
    who: StoreSession,
    path: string,
    find: (path: string) => StoreNode | undefined,
  ): boolean {
    if (who.isPrivileged) return true;
    const node = find(path);
    if (node !== undefined) return this.#reads(who, node);
    let at = parentOf(path);
    while (find(at) === undefined && at !== "/") at = parentOf(at);
    return this.#reads(who, find(at));
  }

  #reads(who: StoreSession, node: StoreNode | undefined): boolean {
    return node !== undefined && (this.rights(who, node) & Rights.read) !== 0;
  }
}

function byOrder(one: Watch, other: Watch): number {
  return one.order - other.order;
}
