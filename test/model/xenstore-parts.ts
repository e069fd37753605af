/** What the naive store is made of: types, and words about paths and permissions. @module */

/** What the model takes from an era. */
export interface ModelEra {
  readonly isModern: boolean;
  readonly header: number;
  readonly quotas: {
    readonly nodes: number;
    readonly watches: number;
    readonly transactions: number;
    readonly nodeSize: number;
    readonly permissions: number;
  };
}

/** A node at one moment. */
export interface ModelNode {
  value: string;
  /** `n0`, `r5`. */
  permissions: string[];
  children: string[];
  version: number;
}

/** A watch as it was registered. */
export interface ModelWatch {
  readonly path: string;
  readonly token: string;
  readonly isRelative: boolean;
}

/** An open transaction. */
export interface ModelTransaction {
  /** 3.1: the copy. 4.17: the private nodes, in the order in which they were first read. */
  readonly nodes: Map<string, ModelNode | null>;
  readonly seen: Map<string, ModelNode | null>;
  readonly changesAtStart: number;
  /** Path to whether all below is concerned. */
  readonly events: Map<string, boolean>;
  readonly owned: Map<number, number>;
  hasCreated: boolean;
  hasFailed: boolean;
}

/** A client of the model. */
export interface ModelClient {
  readonly domid: number;
  /** Through the unix socket, not a ring. */
  readonly isSocket: boolean;
  watches: ModelWatch[];
  readonly transactions: Map<number, ModelTransaction>;
  nextTransaction: number;
  /** `path NUL token NUL`. */
  events: string[];
}

/** An operation's answer: `=` and the payload, or the name of an error. */
export type ModelAnswer = string;

/** Letters that let read. */
export const READ = "rb";
/** Letters that let write. */
export const WRITE = "wb";

export function parent(path: string): string {
  return path.replace(/\/[^/]*$/, "") || "/";
}

export function copy(node: ModelNode | null): ModelNode | null {
  return node === null
    ? null
    : { ...node, permissions: [...node.permissions], children: [...node.children] };
}

export function isValid(path: string): boolean {
  return path === "/" || /^(?:\/[\w@-]+)+$/.test(path);
}

export function isWithin(path: string, above: string): boolean {
  return above === "/" || path === above || path.startsWith(`${above}/`);
}

export function ownerOf(permissions: readonly string[]): number {
  return Number(permissions[0]?.slice(1));
}

/** `who` has one of the letters `wanted`; `o` is the owner's right. */
export function may(who: ModelClient, permissions: readonly string[], wanted: string): boolean {
  if (who.domid === 0 || ownerOf(permissions) === who.domid) return true;
  const own = permissions.slice(1).find((entry) => Number(entry.slice(1)) === who.domid);
  return wanted !== "o" && wanted.includes((own ?? permissions[0] ?? "n").charAt(0));
}

/** A node of a new store. */
export function firstNode(child: string | null): ModelNode {
  return { value: "", permissions: ["n0"], children: child === null ? [] : [child], version: 0 };
}

export function newTransaction(
  nodes: Map<string, ModelNode | null>,
  changesAtStart: number,
): ModelTransaction {
  return {
    nodes,
    seen: new Map(),
    changesAtStart,
    events: new Map(),
    owned: new Map(),
    hasCreated: false,
    hasFailed: false,
  };
}
