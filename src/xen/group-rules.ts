/**
 * Security groups as rules of table filter: ingress only, silent drop by default, stateful, the
 * union of a domU's groups. A group is one chain that all vifs of the host share; the members of a
 * group that lets others in are another, which all permissions share that name it.
 * @module
 */
import { formatIpv4, formatPrefix, type Ipv4Addr, type Prefix } from "../wire/addr.ts";
import { type CidrPermission, formatPermission, type Permission } from "./permission.ts";
import type { SecurityGroups } from "./security-group.ts";
import type { Vif } from "./vif.ts";

/** Replies, and errors about what a domU sent, come in whatever its groups say. */
export const ESTABLISHED_RULE = "-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT";

/** The chain of a vif: its groups, then the end. */
export const vifChain = (vif: Vif): string => `in-${vif.name}`;
/** The rule that sends packets to the vif there. */
export const vifJump = (vif: Vif): string => `-A FORWARD -o ${vif.name} -j ${vifChain(vif)}`;

/** What a group lets in. */
export const groupChain = (groups: SecurityGroups, name: string): string =>
  `sg-${groups.labelOf(name)}`;
/** Who the members of a group are. */
export const memberChain = (groups: SecurityGroups, name: string): string =>
  `of-${groups.labelOf(name)}`;

/** Characters of a comment that the kernel keeps. */
const LONGEST_COMMENT = 255;

/** The rules of a vif's chain: one jump for each group, and a silent drop that names them. */
export function vifRules(groups: SecurityGroups, vif: Vif): string[] {
  const chain = `-A ${vifChain(vif)}`;
  const why = comment(noPermission(vif.securityGroups));
  return [
    ...vif.securityGroups.map((name) => `${chain} -j ${groupChain(groups, name)}`),
    `${chain} ${comment("security-group/no-permission")} ${why} -j DROP`,
  ];
}

/** "no permission of groups web, default"; as many names as fit. */
function noPermission(names: readonly string[]): string {
  for (let shown = names.length; shown > 0; shown -= 1) {
    const rest = names.length === shown ? "" : ` and ${names.length - shown} more`;
    const noun = names.length === 1 ? "group" : "groups";
    const words = `no permission of ${noun} ${names.slice(0, shown).join(", ")}${rest}`;
    if (words.length <= LONGEST_COMMENT) return words;
  }
  return "no permission of any group";
}

/**
 * The rules of one permission. A group as source is three of them, as the API returns it: tcp, udp,
 * icmp.
 */
export function permissionRules(
  groups: SecurityGroups,
  name: string,
  permission: Permission,
): string[] {
  const chain = `-A ${groupChain(groups, name)}`;
  if (!("group" in permission)) {
    const words = comment(`${name}: ${formatPermission(permission)}`);
    return [`${chain} ${cidrMatch(permission)} ${words} -j ACCEPT`];
  }
  const members = memberChain(groups, permission.group);
  return ["tcp", "udp", "icmp"].map((protocol) => {
    const words = comment(`${name}: ${protocol} from group ${permission.group}`);
    return `${chain} -p ${protocol} ${words} -j ${members}`;
  });
}

/** The rule of one member. */
export const memberRule = (groups: SecurityGroups, name: string, address: Ipv4Addr): string =>
  `-A ${memberChain(groups, name)} -s ${formatIpv4(address)}/32 -j ACCEPT`;

/** The command that takes an appended rule away. */
export const removal = (rule: string): string => rule.replace(/^-A /, "-D ");

const comment = (words: string): string =>
  `-m comment --comment "${words.slice(0, LONGEST_COMMENT)}"`;

function cidrMatch({ protocol, source, ports, icmp }: CidrPermission): string {
  const words = source.length === 0 ? [] : ["-s", withLength(source)];
  words.push("-p", protocol);
  const isAnyPort = ports === undefined || (ports.lower === 0 && ports.upper === 65_535);
  if (!isAnyPort) {
    const range = ports.lower === ports.upper ? `${ports.lower}` : `${ports.lower}:${ports.upper}`;
    words.push("-m", protocol, "--dport", range);
  }
  if (icmp !== undefined && icmp.type >= 0) {
    const code = icmp.code >= 0 ? `/${icmp.code}` : "";
    words.push("-m", "icmp", "--icmp-type", `${icmp.type}${code}`);
  }
  return words.join(" ");
}

const withLength = (prefix: Prefix): string =>
  prefix.length === 32 ? `${formatPrefix(prefix)}/32` : formatPrefix(prefix);
