/**
 * The chains of security groups on one host, changed rule by rule as groups and members change:
 * connections that are known keep what they have, new ones meet what holds then.
 * @module
 */
import type { Ipv4Addr } from "../wire/addr.ts";
import {
  groupChain,
  memberChain,
  memberRule,
  permissionRules,
  removal,
  vifChain,
  vifJump,
  vifRules,
} from "./group-rules.ts";
import type { Permission } from "./permission.ts";
import type { SecurityGroupListener, SecurityGroups } from "./security-group.ts";
import type { Vif } from "./vif.ts";

/** Keeps a host's chains. Each method that a script calls answers the commands that it ran. */
export class HostGroups implements SecurityGroupListener {
  readonly #groups: SecurityGroups;
  readonly #run: (command: string) => string;
  /** Groups whose chains stand on this host, and how many vifs jump there. */
  readonly #users = new Map<string, number>();
  /** Groups whose members stand on this host, and how many permissions name them. */
  readonly #sources = new Map<string, number>();

  /** @param run does what an `iptables` command says, and answers it. */
  constructor(groups: SecurityGroups, run: (command: string) => string) {
    this.#groups = groups;
    this.#run = run;
    groups.listen(this);
  }

  /** Let in what the groups of a vif permit. */
  open(vif: Vif): string[] {
    return [
      ...vif.securityGroups.flatMap((name) => this.#use(name)),
      this.#run(`-N ${vifChain(vif)}`),
      ...vifRules(this.#groups, vif).map(this.#run),
      this.#run(vifJump(vif)),
    ];
  }

  /** The vif is gone, and with the last vif of a group its chain. */
  close(vif: Vif): string[] {
    return [
      this.#run(removal(vifJump(vif))),
      this.#run(`-F ${vifChain(vif)}`),
      this.#run(`-X ${vifChain(vif)}`),
      ...vif.securityGroups.flatMap((name) => this.#leave(name)),
    ];
  }

  authorized(group: string, permission: Permission): void {
    if (this.#users.has(group)) this.#add(group, permission);
  }

  revoked(group: string, permission: Permission): void {
    if (!this.#users.has(group)) return;
    for (const rule of permissionRules(this.#groups, group, permission)) this.#run(removal(rule));
    this.#drop(permission);
  }

  joined(group: string, address: Ipv4Addr): void {
    if (this.#sources.has(group)) this.#run(memberRule(this.#groups, group, address));
  }

  left(group: string, address: Ipv4Addr): void {
    if (this.#sources.has(group)) this.#run(removal(memberRule(this.#groups, group, address)));
  }

  #use(name: string): string[] {
    const users = this.#users.get(name) ?? 0;
    this.#users.set(name, users + 1);
    if (users > 0) return [];
    const made = this.#run(`-N ${groupChain(this.#groups, name)}`);
    const permissions = this.#groups.permissionsOf(name);
    return [made, ...permissions.flatMap((one) => this.#add(name, one))];
  }

  #leave(name: string): string[] {
    const users = (this.#users.get(name) ?? 0) - 1;
    if (users > 0) {
      this.#users.set(name, users);
      return [];
    }
    this.#users.delete(name);
    const chain = groupChain(this.#groups, name);
    return [
      this.#run(`-F ${chain}`),
      this.#run(`-X ${chain}`),
      ...this.#groups.permissionsOf(name).flatMap((one) => this.#drop(one)),
    ];
  }

  /** Put a permission's rules into its group's chain, and its source's members beside. */
  #add(name: string, permission: Permission): string[] {
    const members = "group" in permission ? this.#useSource(permission.group) : [];
    return [...members, ...permissionRules(this.#groups, name, permission).map(this.#run)];
  }

  #useSource(name: string): string[] {
    const count = this.#sources.get(name) ?? 0;
    this.#sources.set(name, count + 1);
    if (count > 0) return [];
    return [
      this.#run(`-N ${memberChain(this.#groups, name)}`),
      ...this.#groups
        .membersOf(name)
        .map((address) => this.#run(memberRule(this.#groups, name, address))),
    ];
  }

  /** A permission's rules are gone; with the last of a source its members go. */
  #drop(permission: Permission): string[] {
    if (!("group" in permission)) return [];
    const { group } = permission;
    const count = (this.#sources.get(group) ?? 0) - 1;
    if (count > 0) {
      this.#sources.set(group, count);
      return [];
    }
    this.#sources.delete(group);
    const chain = memberChain(this.#groups, group);
    return [this.#run(`-F ${chain}`), this.#run(`-X ${chain}`)];
  }
}
