/**
 * The operations on nodes, over any view of them (xenstored_core.c of 3.1 and 4.17). Reads happen
 * in the order of the real ones: a transaction shows it in its conflicts and its events.
 * @module
 */
import type { StoreParts } from "./base-view.ts";
import type { Errno } from "./errno.ts";
import { EMPTY, namesOf, newNode, StoreNode, withChild, withoutChild } from "./node.ts";
import { baseOf, childOf, domainPrefixLength, isNodePath, parentOf } from "./path.ts";
import { type Permission, type Permissions, Rights } from "./permission.ts";
import type { StoreSession } from "./session.ts";
import type { StoreView } from "./view.ts";

const ROOT = "/";

/** Finds, makes, changes and removes nodes for sessions, or for the store itself (`null`). */
export class StoreTree {
  readonly #parts: StoreParts;
  /** The last error that looking for a node left behind, as C's `errno`. */
  #lastError: Errno | null = null;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  get lastError(): Errno | null {
    return this.#lastError;
  }

  /** @returns `errno`, remembered. */
  note<E extends Errno | null>(errno: E): E {
    this.#lastError = errno;
    return errno;
  }

  /** `path` can be a node of this store. */
  isValid(path: string): boolean {
    const limit = this.#parts.quotas.get("pathLength");
    if (path.length > limit) {
      const omitted = this.#parts.behaviour.omitsDomainPrefix ? domainPrefixLength(path) : 0;
      if (path.length > omitted + limit) return false;
    }
    return this.#parts.nodes.get(path) !== undefined || isNodePath(path);
  }

  /** The node if `who` has all the rights `wanted`; else why not, without telling more. */
  find(who: StoreSession, view: StoreView, path: string, wanted: number): StoreNode | Errno {
    if (!this.isValid(path)) return this.note("EINVAL");
    const node = view.read(path);
    if (typeof node === "string") {
      const isQuota = node === "ENOSPC";
      return this.note(isQuota ? node : this.#errorFromAbove(who, view, path, node, wanted));
    }
    if ((this.#parts.events.rights(who, node) & wanted) === wanted) return node;
    return this.note(this.#errorFromAbove(who, view, path, "EACCES", wanted));
  }

  /** Give a node its value; made, with its directories, if it is not there. `value` is kept. */
  write(who: StoreSession, view: StoreView, path: string, value: Uint8Array): Errno | null {
    const node = this.find(who, view, path, Rights.write);
    if (typeof node === "string") {
      return node === "ENOENT" ? this.#make(who, view, path, value) : node;
    }
    const { parent, children } = node;
    const permissions = this.current(node);
    const next = this.#parts.nodes.next();
    const written = new StoreNode(node.path, parent, permissions, value, children, next);
    const refused = this.#put(who, view, written);
    if (refused !== null) return this.note(refused);
    view.fire(written.path, "changed", written, null);
    return null;
  }

  /** Make a node, with its directories; nothing happens if it is there. */
  mkdir(who: StoreSession, view: StoreView, path: string): Errno | null {
    const node = this.find(who, view, path, Rights.write);
    if (typeof node !== "string") return null;
    return node === "ENOENT" ? this.#make(who, view, path, EMPTY) : node;
  }

  /** Remove a node and all below it; nothing happens if its directory is there and it is not. */
  rm(who: StoreSession, view: StoreView, path: string): Errno | null {
    const node = this.find(who, view, path, Rights.write);
    if (node === "ENOENT") {
      const parent = view.read(parentOf(path));
      return typeof parent === "string" ? this.note(parent) : null;
    }
    if (typeof node === "string") return node;
    if (path === ROOT) return "EINVAL";
    return this.#parts.behaviour.removalFires === "watches-below"
      ? this.#removeFromTop(who, view, node)
      : this.removeFromBelow(view, node.path);
  }

  /** Give a node the permissions of a SET_PERMS, whose text and owner the caller has judged. */
  setPermissions(
    who: StoreSession,
    view: StoreView,
    node: StoreNode,
    permissions: Permissions,
  ): Errno | null {
    if (!who.isPrivileged && permissions[0].domid !== node.owner) return "EPERM";
    view.count(node.owner, -1);
    if (!view.count(permissions[0].domid, 1)) return "ENOMEM";
    const { path, parent, value, children } = node;
    const next = this.#parts.nodes.next();
    const changed = new StoreNode(path, parent, permissions, value, children, next);
    const refused = this.#put(who, view, changed);
    if (refused !== null) {
      if (!this.#parts.behaviour.countsBeforeWriting) {
        view.count(permissions[0].domid, -1);
        view.count(node.owner, 1);
      }
      return this.note(refused);
    }
    view.fire(path, "changed", changed, this.current(node));
    return null;
  }

  /** The permissions of `node`, with entries that are older than their domain marked. */
  current(node: StoreNode): Permissions {
    const { permissions } = node;
    const { behaviour, events } = this.#parts;
    if (permissions.length === 1 || !behaviour.ignoresStaleEntries) return permissions;
    const isStale = (entry: Permission): boolean => !entry.isIgnored && events.isStale(entry, node);
    const [owner, ...others] = permissions;
    if (!others.some(isStale)) return permissions;
    return [owner, ...others.map((one) => (isStale(one) ? { ...one, isIgnored: true } : one))];
  }

  /** What is said of a node instead of the truth where its nearest directory cannot be read. */
  #errorFromAbove(
    who: StoreSession,
    view: StoreView,
    path: string,
    errno: Errno,
    wanted: number,
  ): Errno {
    let at = path;
    for (;;) {
      at = parentOf(at);
      const node = view.read(at);
      if (node === "ENOSPC") return node;
      if (typeof node !== "string") {
        return (this.#parts.events.rights(who, node) & wanted) === 0 ? "EACCES" : errno;
      }
      if (at === ROOT) return "EACCES";
    }
  }

  #make(who: StoreSession, view: StoreView, path: string, value: Uint8Array): Errno | null {
    const missing: string[] = [];
    let at = path;
    let directory: StoreNode | Errno;
    do {
      missing.push(at);
      at = parentOf(at);
      directory = view.read(at);
      if (directory === "ENOSPC") return this.note(directory);
    } while (typeof directory === "string" && at !== ROOT);
    if (typeof directory === "string") return this.note(directory);
    const made = this.#parts.behaviour.countsBeforeWriting
      ? this.#makeCounted(who, view, directory, missing, value)
      : this.#makeCounting(who, view, directory, missing, value);
    if (typeof made === "string") return this.note(made);
    view.fire(path, "changed", made, null);
    return null;
  }

  /** The new nodes of `missing`, which names the deepest one first, then their directory. */
  *#newNodes(
    who: StoreSession,
    directory: StoreNode,
    missing: readonly string[],
    value: Uint8Array,
  ): Generator<StoreNode> {
    const [owner, ...others] = this.current(directory);
    const domid = who.isPrivileged ? owner.domid : who.domid;
    const permissions: Permissions = [{ ...owner, domid }, ...others];
    let below: string | null = null;
    for (const path of missing) {
      const children: Uint8Array = below === null ? EMPTY : withChild(EMPTY, below);
      const octets = below === null ? value : EMPTY;
      yield newNode(path, permissions, octets, children, this.#parts.nodes.next());
      below = baseOf(path);
    }
    const children = withChild(directory.children, below ?? "");
    const { path, parent } = directory;
    const kept = this.current(directory);
    const next = this.#parts.nodes.next();
    yield new StoreNode(path, parent, kept, directory.value, children, next);
  }

  /** Each new node is judged and counted when it is written; what fails undoes the others. */
  #makeCounting(
    who: StoreSession,
    view: StoreView,
    directory: StoreNode,
    missing: readonly string[],
    value: Uint8Array,
  ): StoreNode | Errno {
    const written: StoreNode[] = [];
    let refused: Errno | null = this.#quotaOfNodes(who);
    for (const node of refused === null ? this.#newNodes(who, directory, missing, value) : []) {
      refused = this.#put(who, view, node);
      if (refused !== null) break;
      if (written.length === missing.length) return written[0] ?? node;
      view.count(node.owner, 1);
      view.created();
      written.push(node);
      refused = written.length < missing.length ? this.#quotaOfNodes(who) : null;
      if (refused !== null) break;
    }
    for (const node of written) {
      view.remove(node);
      view.count(node.owner, -1);
      view.fail();
    }
    return refused ?? "EIO";
  }

  /** All new nodes are judged and counted first: what fails leaves counts behind. */
  #makeCounted(
    who: StoreSession,
    view: StoreView,
    directory: StoreNode,
    missing: readonly string[],
    value: Uint8Array,
  ): StoreNode | Errno {
    const owner = who.isPrivileged ? directory.owner : who.domid;
    for (let i = 0; i < missing.length; i++) {
      const refused = this.#quotaOfNodes(who);
      if (refused !== null) return refused;
      view.count(owner, 1);
    }
    const written: StoreNode[] = [];
    for (const node of this.#newNodes(who, directory, missing, value)) {
      const refused = this.#put(who, view, node);
      if (refused !== null) {
        view.count(node.owner, -1);
        for (const undone of written) view.remove(undone);
        return refused;
      }
      written.push(node);
    }
    return written[0] ?? directory;
  }

  #quotaOfNodes(who: StoreSession): Errno | null {
    const { behaviour, quotas } = this.#parts;
    const owned = who.isPrivileged ? 0 : (who.domain?.nodes ?? 0);
    return owned >= quotas.get("nodes") ? behaviour.tooManyNodes : null;
  }

  /** 3.1: the name goes first, then the node, then its children. */
  #removeFromTop(who: StoreSession, view: StoreView, node: StoreNode): Errno | null {
    const refused = this.#removeName(who, view, node.path);
    if (refused !== null) return "EINVAL";
    const removeAll = (one: StoreNode): void => {
      view.remove(one);
      view.count(one.owner, -1);
      for (const name of namesOf(one.children)) {
        const child = view.read(childOf(one.path, name));
        if (typeof child !== "string") removeAll(child);
      }
    };
    removeAll(node);
    view.fire(node.path, "removed", null, null);
    return null;
  }

  /** 4.17: the deepest nodes go first, each with its events, and the name at last. */
  removeFromBelow(view: StoreView, path: string): Errno | null {
    const parent = view.read(parentOf(path));
    if (typeof parent === "string") return this.note(parent === "ENOSPC" ? parent : "EINVAL");
    const removeAll = (at: string): Errno | null => {
      const node = view.read(at);
      if (typeof node === "string") return "EIO";
      for (const name of namesOf(node.children)) {
        const broken = removeAll(childOf(at, name));
        if (broken !== null) return broken;
        // The real store writes the directory anew without the child.
        this.#parts.nodes.next();
      }
      this.#parts.nodes.next();
      view.remove(node);
      view.fire(at, at === path ? "removed" : "removed-below", node, null);
      view.count(node.owner, -1);
      return null;
    };
    const broken = removeAll(path);
    return this.note(broken) ?? this.#removeName(null, view, path);
  }

  #removeName(who: StoreSession | null, view: StoreView, path: string): Errno | null {
    const directory = view.read(parentOf(path));
    if (typeof directory === "string") return "EINVAL";
    const children = withoutChild(directory.children, baseOf(path));
    if (children === null) return "EIO";
    const { parent, value } = directory;
    const kept = this.current(directory);
    const next = this.#parts.nodes.next();
    const shorter = new StoreNode(directory.path, parent, kept, value, children, next);
    return this.#put(who, view, shorter);
  }

  /** Write for `who`, or beyond all quotas for the store itself (`null`). */
  #put(who: StoreSession | null, view: StoreView, node: StoreNode): Errno | null {
    const { behaviour, quotas } = this.#parts;
    const size = behaviour.nodeHeader + node.octets;
    const isTooLarge = who !== null && !who.isPrivileged && size >= quotas.get("nodeSize");
    const refused = isTooLarge ? "ENOSPC" : view.write(node, who !== null);
    if (refused !== null) view.fail();
    return refused;
  }
}
