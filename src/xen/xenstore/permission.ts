/** Who may read and write a node (Xen docs/misc/xenstore.txt; `perm_for_conn`). @module */
import { saturated } from "./octets.ts";

/** Rights as bits. The owner of a node has all of them. */
export const Rights = { none: 0, read: 1, write: 2, both: 3, owner: 4 } as const;
const ALL = Rights.both | Rights.owner;

const LETTERS: readonly string[] = ["n", "r", "w", "b"];

/** The rights of one domain: in the first entry its ownership and the rights of all not listed. */
export interface Permission {
  /** 0 to 2^32 - 1. */
  readonly domid: number;
  /** {@link Rights} `none` to `both`. */
  readonly rights: number;
  /** True: the domain was not there when this was set, so the entry counts for nobody. */
  readonly isIgnored: boolean;
}

/** At least one entry; the first is the owner's. */
export type Permissions = readonly [Permission, ...Permission[]];

/** Whoever asks, as far as rights go. */
export interface Principal {
  readonly domid: number;
  /** Dom0, and whoever has the unix socket. */
  readonly isPrivileged: boolean;
  /** A connection of the read-only socket writes nothing. */
  readonly isReadonly: boolean;
  /** The domain that this one acts for (SET_TARGET), or `null`. */
  readonly target: number | null;
}

function permission(domid: number, rights: number): Permission {
  return Object.freeze({ domid, rights, isIgnored: false });
}

/** Rights of a new store's nodes: `n0`. */
export const ROOT_PERMISSIONS: Permissions = [permission(0, Rights.none)];

/**
 * The rights that `who` has by `permissions`, as bits. `isStale` tells entries that are older than
 * their domain; the first entry is never asked.
 */
export function rightsOf(
  who: Principal,
  permissions: Permissions,
  isStale: ((entry: Permission) => boolean) | null,
): number {
  const mask = who.isReadonly ? ALL & ~Rights.write : ALL;
  const owner = permissions[0];
  if (who.isPrivileged || owner.domid === who.domid || owner.domid === who.target) return mask;
  for (let i = 1; i < permissions.length; i++) {
    const entry = permissions[i];
    if (entry === undefined || entry.isIgnored) continue;
    if (entry.domid !== who.domid && entry.domid !== who.target) continue;
    if (isStale === null || !isStale(entry)) return entry.rights & mask;
  }
  return owner.rights & mask;
}

/** As GET_PERMS prints it: the domain as a signed number. */
export function formatPermission({ domid, rights }: Permission): string {
  return `${LETTERS[rights]}${domid | 0}`;
}

/**
 * An entry as SET_PERMS takes it: a letter, then a number as `strtol` reads it, hexadecimal and
 * octal too.
 * @returns `null` for anything else.
 */
export function parsePermission(text: string): Permission | null {
  const rights = LETTERS.indexOf(text.charAt(0));
  const domid = parseDomid(text.slice(1));
  return rights < 0 || domid === null ? null : permission(domid, rights);
}

const NUMBER = /^[\t-\r ]*([+-]?)(0[xX][\da-fA-F]+|0[0-7]*|[1-9]\d*)$/;

function parseDomid(text: string): number | null {
  const plain = Number(text);
  if (plain < 2 ** 31 && /^(?:0|[1-9]\d*)$/.test(text)) return plain;
  const [, sign, digits] = NUMBER.exec(text) ?? [];
  if (digits === undefined) return null;
  const isOctal = /^0\d/.test(digits);
  const value = BigInt(isOctal ? `0o${digits.slice(1)}` : digits);
  return Number(BigInt.asUintN(32, saturated(sign === "-" ? -value : value)));
}

/** The entries of a SET_PERMS, or `null` if one cannot be read or there is none. */
export function parsePermissions(texts: readonly string[]): Permissions | null {
  const entries: Permission[] = [];
  for (const text of texts) {
    const entry = parsePermission(text);
    if (entry === null) return null;
    entries.push(entry);
  }
  return asPermissions(entries);
}

function asPermissions([owner, ...others]: readonly Permission[]): Permissions | null {
  return owner === undefined ? null : [owner, ...others];
}
