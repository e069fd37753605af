/**
 * Permissions of security groups as the EC2 API of 2009 takes them: a protocol from a block of
 * addresses, or everything from a group (API reference 2009-10-31, AuthorizeSecurityGroupIngress).
 * @module
 */
import { EmulatorError } from "../base/errors.ts";
import { formatIpv4, ipv4Of, maskOf, type Prefix } from "../wire/addr.ts";

/** Packets of one protocol from a block of addresses. */
export interface CidrPermission {
  readonly protocol: "tcp" | "udp" | "icmp";
  /** Bits below the prefix length are of no account. */
  readonly source: Prefix;
  /** First and last port of tcp and udp, 0 to 65,535; absent or -1 to -1 for all. */
  readonly ports?: { readonly lower: number; readonly upper: number };
  /** Type, 0 to 254, and code, 0 to 255, of icmp; absent or -1 for any. */
  readonly icmp?: { readonly type: number; readonly code: number };
}

/** Everything of tcp, udp and icmp from the members of a group, by their private addresses. */
export interface GroupPermission {
  /** A group's name; "owner/name" if it is another account's. */
  readonly group: string;
}

/** What a group lets in. */
export type Permission = CidrPermission | GroupPermission;

/** Why groups cannot be changed so; the API's own words stand beside. */
const API_CODES = {
  "group-unknown": "InvalidGroup.NotFound",
  "group-exists": "InvalidGroup.Duplicate",
  "group-in-use": "InvalidGroup.InUse",
  "group-reserved": "InvalidGroup.Reserved",
  "group-name": "InvalidParameterValue",
  "group-limit": "SecurityGroupLimitExceeded",
  "permission-exists": "InvalidPermission.Duplicate",
  "permission-malformed": "InvalidPermission.Malformed",
  "permission-limit": "RulesPerSecurityGroupLimitExceeded",
} as const;

/** A change of security groups that cannot be made; all groups are as they were. */
export class SecurityGroupError extends EmulatorError {
  /** The code that the EC2 API answered with: "InvalidGroup.NotFound". */
  readonly apiCode: string;

  constructor(code: keyof typeof API_CODES, value: unknown, message: string) {
    super(code, value, message);
    this.apiCode = API_CODES[code];
  }
}

const LAST_PORT = 65_535;
/** 255 is every type to the kernel's ICMP match: a rule cannot ask for it alone. */
const LAST_TYPE = 254;
const LAST_CODE = 255;

/**
 * A permission in the one form that all permissions of its meaning have.
 * @throws {SecurityGroupError} if a port, a type or a code is out of range, or does not belong.
 */
export function canonical(permission: Permission): Permission {
  if ("group" in permission) return { group: permission.group };
  const { protocol, source, ports, icmp } = permission;
  const refuse = (message: string): never => {
    throw new SecurityGroupError("permission-malformed", permission, message);
  };
  const { length } = source;
  if (!isWhole(length, 0, 32)) refuse(`a prefix is 0 to 32 bits long, not ${length}`);
  const block = { address: ipv4Of(source.address & maskOf(length)), length };
  if (protocol === "icmp") {
    if (ports !== undefined) refuse("icmp has a type and a code, no ports");
    const { type, code } = icmp ?? ANY_ICMP;
    if (!isWhole(type, -1, LAST_TYPE)) refuse(`an ICMP type is -1 to ${LAST_TYPE}, not ${type}`);
    if (!isWhole(code, -1, LAST_CODE)) refuse(`an ICMP code is -1 to ${LAST_CODE}, not ${code}`);
    if (type === -1 && code !== -1) refuse("every ICMP type goes with every code: -1");
    return { protocol, source: block, icmp: { type, code } };
  }
  if (icmp !== undefined) refuse(`${protocol} has ports, no ICMP type`);
  const { lower, upper } = ports === undefined || isAny(ports) ? ALL_PORTS : ports;
  const isRange = isWhole(lower, 0, upper) && isWhole(upper, lower, LAST_PORT);
  if (!isRange) refuse(`ports are 0 to ${LAST_PORT} in their order, not ${lower} to ${upper}`);
  return { protocol, source: block, ports: { lower, upper } };
}

const ANY_ICMP = { type: -1, code: -1 };
const ALL_PORTS = { lower: 0, upper: LAST_PORT };

const isAny = ({ lower, upper }: { readonly lower: number; readonly upper: number }): boolean =>
  lower === -1 && upper === -1;

const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/**
 * A {@link canonical} permission in words, which no other has: "tcp 80 from 0.0.0.0/0",
 * "icmp 8/0 from 10.0.0.0/8", "udp from 10.1.2.3/32", "all from group web".
 */
export function formatPermission(permission: Permission): string {
  if ("group" in permission) return `all from group ${permission.group}`;
  const { protocol, source, ports = ALL_PORTS, icmp = ANY_ICMP } = permission;
  const from = `from ${formatIpv4(source.address)}/${source.length}`;
  if (protocol === "icmp") {
    if (icmp.type === -1) return `icmp ${from}`;
    return `icmp ${icmp.type}${icmp.code === -1 ? "" : `/${icmp.code}`} ${from}`;
  }
  const { lower, upper } = ports;
  if (lower === 0 && upper === LAST_PORT) return `${protocol} ${from}`;
  return `${protocol} ${lower === upper ? lower : `${lower}-${upper}`} ${from}`;
}
