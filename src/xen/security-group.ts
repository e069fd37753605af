/**
 * Security groups of 2008 to 2010: named permissions, and who is a member from launch to end. Their
 * changes act at once, on whoever runs (EC2 developer guides 2007 to 2009; docs/sources.md).
 * @module
 */
import type { Ipv4Addr } from "../wire/addr.ts";
import { canonical, formatPermission, type Permission, SecurityGroupError } from "./permission.ts";

/** How much an account may have. */
export interface SecurityGroupLimits {
  /** Groups of one account, its "default" among them; 100 (developer guide 2008-08-08). */
  readonly groups?: number;
  /** Permissions of one group; 100 (developer guide 2007-03-01). */
  readonly permissions?: number;
}

/** Hears each change, after it. */
export interface SecurityGroupListener {
  authorized(group: string, permission: Permission): void;
  revoked(group: string, permission: Permission): void;
  /** The first domU of the group with this private address is there. */
  joined(group: string, address: Ipv4Addr): void;
  /** The last one is gone. */
  left(group: string, address: Ipv4Addr): void;
}

interface Group {
  readonly name: string;
  readonly label: string;
  /** By what they say, in the order of their coming. */
  readonly permissions: Map<string, Permission>;
  /** How many domUs have a private address: while one moves to another host, two. */
  readonly members: Map<Ipv4Addr, number>;
}

const NAME = /^(?:[\w-]{1,32}\/)?[\w.-](?:[\w .-]{0,253}[\w.-])?$/;
/** `iptables` takes chain names of up to 28 octets; three are the prefix. */
const LABEL = /^[\w.-]{1,25}$/;
const DEFAULT = "default";

/**
 * The groups of one or more accounts. A group is called "name", or "owner/name" if its account is
 * not the first. Each account has a group "default" that lets its own members in.
 * @throws {SecurityGroupError} from each change that cannot be made.
 */
export class SecurityGroups {
  readonly #groups = new Map<string, Group>();
  readonly #limits: Required<SecurityGroupLimits>;
  readonly #listeners: SecurityGroupListener[] = [];
  #made = 0;

  constructor({ groups = 100, permissions = 100 }: SecurityGroupLimits = {}) {
    this.#limits = { groups, permissions };
    this.#open(DEFAULT);
  }

  /** Names in the order of their making. */
  get names(): readonly string[] {
    return [...this.#groups.keys()];
  }

  has(name: string): boolean {
    return this.#groups.has(name);
  }

  /** What a group lets in, in the order of its coming and the form that all of its meaning have. */
  permissionsOf(name: string): readonly Permission[] {
    return [...this.#get(name).permissions.values()];
  }

  /** The private addresses of a group's members. */
  membersOf(name: string): readonly Ipv4Addr[] {
    return [...this.#get(name).members.keys()];
  }

  /** A word of up to 25 octets that no other group has: what names of chains are made of. */
  labelOf(name: string): string {
    return this.#get(name).label;
  }

  /** CreateSecurityGroup: a group without permissions; for a new account its "default" too. */
  create(name: string): void {
    if (!NAME.test(name)) {
      const words = "1 to 255 letters, digits, spaces, dots, hyphens, underscores";
      throw new SecurityGroupError("group-name", name, `a group's name is ${words}`);
    }
    if (this.has(name)) {
      throw new SecurityGroupError("group-exists", name, `there is a group "${name}" already`);
    }
    const owner = ownerOf(name);
    const usual = `${owner}${DEFAULT}`;
    const added = new Set([usual, name].filter((one) => !this.has(one)));
    const own = this.names.filter((one) => ownerOf(one) === owner).length;
    if (own + added.size > this.#limits.groups) {
      const message = `an account has at most ${this.#limits.groups} groups`;
      throw new SecurityGroupError("group-limit", name, message);
    }
    if (added.has(usual)) this.#open(usual);
    if (name !== usual) this.#add(name);
  }

  /** DeleteSecurityGroup: not one that has members, or that another group lets in. */
  delete(name: string): void {
    const group = this.#get(name);
    if (name === `${ownerOf(name)}${DEFAULT}`) {
      throw new SecurityGroupError("group-reserved", name, `the group "${name}" stays`);
    }
    const user = [...this.#groups.values()].find(
      (other) => other !== group && other.permissions.has(formatPermission({ group: name })),
    );
    if (user === undefined && group.members.size === 0) {
      this.#groups.delete(name);
      return;
    }
    const why = user === undefined ? "has members" : `is a source of the group "${user.name}"`;
    throw new SecurityGroupError("group-in-use", name, `the group "${name}" ${why}`);
  }

  /** AuthorizeSecurityGroupIngress: from now on, new connections may come in so. */
  authorize(name: string, permission: Permission): void {
    const group = this.#get(name);
    const added = this.#check(permission);
    const key = formatPermission(added);
    if (group.permissions.has(key)) throw duplicate(name, key);
    this.#checkCount(name, group.permissions.size + 1);
    group.permissions.set(key, added);
    for (const listener of this.#listeners) listener.authorized(name, added);
  }

  /**
   * RevokeSecurityGroupIngress: no new connection comes in so, if no other permission lets it;
   * those that are known go on. It must say what was authorized.
   * @returns false if the group has no such permission, which the API does not mind.
   */
  revoke(name: string, permission: Permission): boolean {
    const group = this.#get(name);
    const key = formatPermission(canonical(permission));
    const removed = group.permissions.get(key);
    if (removed === undefined) return false;
    group.permissions.delete(key);
    for (const listener of this.#listeners) listener.revoked(name, removed);
    return true;
  }

  /** Let a group have these permissions and no others; make it if it is not there. */
  define(name: string, permissions: readonly Permission[]): void {
    const wanted = new Map<string, Permission>();
    for (const permission of permissions) {
      const isOwn = "group" in permission && permission.group === name;
      const one = isOwn ? permission : this.#check(permission);
      const key = formatPermission(one);
      if (wanted.has(key)) throw duplicate(name, key);
      wanted.set(key, one);
    }
    this.#checkCount(name, wanted.size);
    if (!this.has(name)) this.create(name);
    for (const [key, before] of [...this.#get(name).permissions]) {
      if (!wanted.has(key)) this.revoke(name, before);
    }
    for (const [key, permission] of wanted) {
      if (!this.#get(name).permissions.has(key)) this.authorize(name, permission);
    }
  }

  /** Let `listener` hear each change. */
  listen(listener: SecurityGroupListener): void {
    this.#listeners.push(listener);
  }

  /** A domU with the private `address` has the groups `names` from now on. */
  join(names: readonly string[], address: Ipv4Addr): void {
    for (const { name, members } of names.map((one) => this.#get(one))) {
      const count = members.get(address) ?? 0;
      members.set(address, count + 1);
      if (count > 0) continue;
      for (const listener of this.#listeners) listener.joined(name, address);
    }
  }

  /** A domU that joined is gone. */
  leave(names: readonly string[], address: Ipv4Addr): void {
    for (const { name, members } of names.map((one) => this.#get(one))) {
      const count = members.get(address);
      if (count === undefined) continue;
      if (count > 1) {
        members.set(address, count - 1);
        continue;
      }
      members.delete(address);
      for (const listener of this.#listeners) listener.left(name, address);
    }
  }

  #get(name: string): Group {
    const group = this.#groups.get(name);
    if (group !== undefined) return group;
    throw new SecurityGroupError("group-unknown", name, `there is no group "${name}"`);
  }

  #add(name: string): Group {
    this.#made += 1;
    const label = LABEL.test(name) ? name : `#${this.#made}`;
    const group: Group = { name, label, permissions: new Map(), members: new Map() };
    this.#groups.set(name, group);
    return group;
  }

  /** The "default" of an account. */
  #open(name: string): void {
    const own: Permission = { group: name };
    this.#add(name).permissions.set(formatPermission(own), own);
  }

  #check(permission: Permission): Permission {
    if ("group" in permission) this.#get(permission.group);
    return canonical(permission);
  }

  #checkCount(name: string, count: number): void {
    const { permissions } = this.#limits;
    if (count <= permissions) return;
    const message = `the group "${name}" has at most ${permissions} permissions, not ${count}`;
    throw new SecurityGroupError("permission-limit", count, message);
  }
}

/** "owner/" of "owner/name"; empty for the first account. */
export const ownerOf = (name: string): string => name.slice(0, name.indexOf("/") + 1);

const duplicate = (name: string, words: string): SecurityGroupError =>
  new SecurityGroupError(
    "permission-exists",
    words,
    `the group "${name}" has it already: ${words}`,
  );
