/**
 * Security groups of 2008 to 2010, compiled to chains of table filter: ingress only, silent drop by
 * default, stateful, the union of a domU's groups, which are fixed at launch (docs/sources.md).
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { formatIpv4, formatPrefix, type Ipv4Addr, type Prefix } from "../wire/addr.ts";
import type { Vif } from "./vif.ts";

/** Packets of one protocol from a block of addresses. */
export interface CidrPermission {
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly source: Prefix;
  /** First and last port of tcp and udp; absent for all. */
  readonly ports?: { readonly lower: number; readonly upper: number };
  /** Type and code of icmp; absent or -1 for any. */
  readonly icmp?: { readonly type: number; readonly code: number };
}

/** Everything from the members of a group, by their private addresses. */
export interface GroupPermission {
  readonly group: string;
}

/** What a group lets in. */
export type Permission = CidrPermission | GroupPermission;

/** EC2 2010: "up to 100 rules per group" (developer guide 2007-03-01). */
const PERMISSIONS_PER_GROUP = 100;
/** iptables takes chain names of up to 28 octets. */
const LONGEST_NAME = 25;

/** Named permissions, and who has them. */
export class SecurityGroups {
  readonly #groups = new Map<string, readonly Permission[]>();
  readonly #members = new Map<string, Set<Ipv4Addr>>();
  readonly #listeners: (() => void)[] = [];

  /** Names in the order of their definition. */
  get names(): readonly string[] {
    return [...this.#groups.keys()];
  }

  /**
   * Define or replace a group.
   * @throws {OptionError} if the name or a permission cannot be used.
   */
  define(name: string, permissions: readonly Permission[]): void {
    if (!/^[\w.-]+$/.test(name) || name.length > LONGEST_NAME) {
      throw new OptionError("securityGroup", name, `up to ${LONGEST_NAME} letters, digits, . _ -`);
    }
    if (permissions.length > PERMISSIONS_PER_GROUP) {
      throw new OptionError(
        name,
        permissions.length,
        `at most ${PERMISSIONS_PER_GROUP} permissions`,
      );
    }
    this.#groups.set(name, permissions);
    this.#tell();
  }

  /** Call `listener` whenever permissions or members change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** A domU with the private `address` has the groups `names` from now on. */
  join(names: readonly string[], address: Ipv4Addr): void {
    for (const name of names) {
      const members = this.#members.get(name) ?? new Set();
      this.#members.set(name, members.add(address));
    }
    if (this.#isSource(names)) this.#tell();
  }

  /** The domU is gone. */
  leave(names: readonly string[], address: Ipv4Addr): void {
    for (const name of names) this.#members.get(name)?.delete(address);
    if (this.#isSource(names)) this.#tell();
  }

  has(name: string): boolean {
    return this.#groups.has(name);
  }

  /**
   * The rules of a group's chain, as `iptables` takes them; a group without members allows nobody.
   */
  rulesOf(name: string): string[] {
    const chain = `-A ${groupChain(name)}`;
    return (this.#groups.get(name) ?? []).flatMap((permission) => {
      if (!("group" in permission)) return [`${chain} ${cidrMatch(permission)} -j ACCEPT`];
      const sources = [...(this.#members.get(permission.group) ?? [])];
      return sources.map((source) => `${chain} -s ${formatIpv4(source)}/32 -j ACCEPT`);
    });
  }

  /** True if a permission names one of `names` as its source. */
  #isSource(names: readonly string[]): boolean {
    return [...this.#groups.values()].some((permissions) =>
      permissions.some((one) => "group" in one && names.includes(one.group)),
    );
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The chain of a group, shared by all vifs of the host that have it. */
export const groupChain = (name: string): string => `sg-${name}`;
/** The chain of a vif: its groups, then the end. */
export const vifChain = (vif: Vif): string => `in-${vif.name}`;

/** The rules of a vif's chain: one jump for each group, and a silent drop. */
export function vifRules(vif: Vif): string[] {
  const chain = `-A ${vifChain(vif)}`;
  return [
    ...vif.securityGroups.map((name) => `${chain} -j ${groupChain(name)}`),
    `${chain} -m comment --comment "security-group/no-permission" -j DROP`,
  ];
}

/** The rule that sends packets to the vif there. */
export const vifJump = (vif: Vif): string => `-A FORWARD -o ${vif.name} -j ${vifChain(vif)}`;

/** Replies, and errors about what a domU sent, come in whatever its groups say. */
export const ESTABLISHED_RULE = "-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT";

function cidrMatch({ protocol, source, ports, icmp }: CidrPermission): string {
  const words = source.length === 0 ? [] : ["-s", withLength(source)];
  words.push("-p", protocol);
  const isAnyPort = ports === undefined || (ports.lower === 0 && ports.upper === 65_535);
  if (protocol !== "icmp" && !isAnyPort) {
    const range = ports.lower === ports.upper ? `${ports.lower}` : `${ports.lower}:${ports.upper}`;
    words.push("-m", protocol, "--dport", range);
  }
  if (protocol === "icmp" && icmp !== undefined && icmp.type >= 0) {
    const code = icmp.code >= 0 ? `/${icmp.code}` : "";
    words.push("-m", "icmp", "--icmp-type", `${icmp.type}${code}`);
  }
  return words.join(" ");
}

const withLength = (prefix: Prefix): string =>
  prefix.length === 32 ? `${formatPrefix(prefix)}/32` : formatPrefix(prefix);
