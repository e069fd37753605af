/** One node of the store: what the real one keeps as a record of its database. @module */
import { octetsOf, textOf } from "./octets.ts";
import { parentOf } from "./path.ts";
import type { Permissions } from "./permission.ts";

/** No octets: the value of a node that was made on the way to another. Never written to. */
export const EMPTY = new Uint8Array(0);

/**
 * A node at one moment. It never changes: a write puts another in its place, so that a transaction
 * keeps what it saw by holding it.
 */
export class StoreNode {
  /** Absolute, and the key of every table. */
  readonly path: string;
  readonly parent: string;
  readonly permissions: Permissions;
  /** Owned; not to be written to. */
  readonly value: Uint8Array;
  /** Names of the children in the order of their making, a NUL after each. Owned, as `value`. */
  readonly children: Uint8Array;
  /** The store's count when this came to be. */
  readonly generation: number;

  constructor(
    path: string,
    parent: string,
    permissions: Permissions,
    value: Uint8Array,
    children: Uint8Array,
    generation: number,
  ) {
    this.path = path;
    this.parent = parent;
    this.permissions = permissions;
    this.value = value;
    this.children = children;
    this.generation = generation;
  }

  /** The domain whose quota the node counts for. */
  get owner(): number {
    return this.permissions[0].domid;
  }

  /** Octets that the node fills beside the record's header: permissions, value, names. */
  get octets(): number {
    return 8 * this.permissions.length + this.value.length + this.children.length;
  }
}

/** A node that was not there before. */
export function newNode(
  path: string,
  permissions: Permissions,
  value: Uint8Array,
  children: Uint8Array,
  generation: number,
): StoreNode {
  return new StoreNode(path, parentOf(path), permissions, value, children, generation);
}

/** `children` with `name` at the end. */
export function withChild(children: Uint8Array, name: string): Uint8Array {
  const longer = new Uint8Array(children.length + name.length + 1);
  longer.set(children);
  longer.set(octetsOf(name), children.length);
  return longer;
}

/** `children` without `name`; `null` if it is not among them. */
export function withoutChild(children: Uint8Array, name: string): Uint8Array | null {
  const at = indexOfChild(children, name);
  if (at < 0) return null;
  const shorter = new Uint8Array(children.length - name.length - 1);
  shorter.set(children.subarray(0, at));
  shorter.set(children.subarray(at + name.length + 1), at);
  return shorter;
}

function indexOfChild(children: Uint8Array, name: string): number {
  let at = 0;
  while (at < children.length) {
    let i = 0;
    while (i < name.length && children[at + i] === name.charCodeAt(i)) i++;
    if (i === name.length && children[at + i] === 0) return at;
    at = children.indexOf(0, at + i) + 1;
  }
  return -1;
}

/** The names in `children`, in their order. */
export function namesOf(children: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < children.length;) {
    const end = children.indexOf(0, at);
    names.push(textOf(children, at, end));
    at = end + 1;
  }
  return names;
}
