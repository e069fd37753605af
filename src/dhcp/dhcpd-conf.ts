/**
 * What a dhcpd.conf(5) says, in the order in which it says it.
 * @module
 */
import type { Ipv4Addr } from "../wire/addr.ts";
import type { OptionForm } from "./option-type.ts";

/** An option as a configuration knows it: built in, or defined by the text itself. */
export interface NamedOption {
  /** 1 to 254. */
  readonly code: number;
  readonly name: string;
  readonly form: OptionForm;
}

/** How the value of a parameter is written. */
export type ParameterType = "u32" | "u8" | "flag" | "text" | "address" | "word";

/**
 * The parameters that this server reads or may ignore without changing an answer: the statements
 * about DNS updates and logs are the latter.
 */
export const PARAMETERS = {
  "abandon-lease-time": "u32",
  "always-broadcast": "flag",
  "always-reply-rfc1048": "flag",
  "ddns-domainname": "text",
  "ddns-hostname": "text",
  "ddns-rev-domainname": "text",
  "ddns-ttl": "u32",
  "ddns-update-style": "word",
  "ddns-updates": "flag",
  "default-lease-time": "u32",
  "delayed-ack": "u32",
  "dhcp-cache-threshold": "u8",
  "do-forward-updates": "flag",
  "dynamic-bootp-lease-length": "u32",
  "echo-client-id": "flag",
  filename: "text",
  "get-lease-hostnames": "flag",
  "ignore-client-uids": "flag",
  "lease-file-name": "text",
  "log-facility": "word",
  "max-ack-delay": "u32",
  "max-lease-time": "u32",
  "min-lease-time": "u32",
  "min-secs": "u8",
  "next-server": "address",
  "omapi-port": "u32",
  "one-lease-per-client": "flag",
  "pid-file-name": "text",
  "ping-check": "flag",
  "ping-timeout": "u32",
  "server-id-check": "flag",
  "server-name": "text",
  "stash-agent-options": "flag",
  "update-optimization": "flag",
  "update-static-leases": "flag",
  "use-host-decl-names": "flag",
  "use-lease-addr-for-default-route": "flag",
} as const satisfies Readonly<Record<string, ParameterType>>;

/** What may follow the parameters whose value is a word. */
export const WORDS: Readonly<Partial<Record<ParameterName, readonly string[]>>> = {
  "ddns-update-style": ["none", "ad-hoc", "interim", "standard"],
  "log-facility": [
    ..."kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split(" "),
    ...Array.from({ length: 8 }, (_, index) => `local${index}`),
  ],
};

/** The name of a parameter. */
export type ParameterName = keyof typeof PARAMETERS;
/** A number, a flag, a text or word, or an address in a list. */
export type ParameterValue = number | boolean | string | readonly Ipv4Addr[];

/** What `allow`, `deny` and `ignore` speak of outside a pool. */
export const PERMISSIONS = [
  "unknown-clients",
  "bootp",
  "booting",
  "duplicates",
  "declines",
  "client-updates",
] as const;
/** One of {@link PERMISSIONS}. */
export type Permission = (typeof PERMISSIONS)[number];

/** Whom `allow` and `deny` speak of inside a pool. */
export const CLIENTS = [
  "known-clients",
  "unknown-clients",
  "authenticated clients",
  "unauthenticated clients",
  "all clients",
  "dynamic bootp clients",
] as const;
/** One of {@link CLIENTS}. */
export type Clients = (typeof CLIENTS)[number];

/** `option name code N = type;`. */
export interface Definition {
  readonly kind: "definition";
  readonly option: NamedOption;
}
/** `option name value;`, and `server-identifier`, which is option 54. */
export interface Setting {
  readonly kind: "option";
  readonly option: NamedOption;
  readonly octets: Uint8Array;
}
/** `name value;`. */
export interface Parameter {
  readonly kind: "parameter";
  readonly name: ParameterName;
  readonly value: ParameterValue;
}
/** `allow bootp;`. */
export interface Allowance {
  readonly kind: "permission";
  readonly verdict: "allow" | "deny" | "ignore";
  readonly subject: Permission;
}
/** `authoritative;` or `not authoritative;`. */
export interface Authority {
  readonly kind: "authority";
  readonly isAuthoritative: boolean;
}
/** `range low high;`, with `dynamic-bootp` open to BOOTP. */
export interface AddressRange {
  readonly kind: "range";
  readonly low: Ipv4Addr;
  readonly high: Ipv4Addr;
  readonly isForBootp: boolean;
}
/** `allow all clients;` in a pool. */
export interface Permit {
  readonly kind: "permit";
  readonly verdict: "allow" | "deny";
  readonly clients: Clients;
}
/** `hardware ethernet 12:31:39:00:a5:11;`. */
export interface Hardware {
  readonly kind: "hardware";
  /** As the field `htype` of a message. */
  readonly htype: number;
  /** As the first `hlen` octets of `chaddr`. */
  readonly octets: Uint8Array;
}
/** `fixed-address 10.254.170.223;`. */
export interface FixedAddress {
  readonly kind: "fixed-address";
  readonly addresses: readonly Ipv4Addr[];
}

/** A declaration with braces. */
export interface Block {
  readonly kind: "subnet" | "shared-network" | "pool" | "group" | "host";
  /** Of a shared network or a host; empty for the others and for a group without one. */
  readonly name: string;
  /** Of a subnet. */
  readonly network: Ipv4Addr;
  /** Of a subnet. */
  readonly netmask: Ipv4Addr;
  readonly items: readonly Item[];
}

/** One statement or declaration. */
export type Item =
  | Definition
  | Setting
  | Parameter
  | Allowance
  | Authority
  | AddressRange
  | Permit
  | Hardware
  | FixedAddress
  | Block;

/** A whole configuration. */
export interface DhcpdConf {
  readonly items: readonly Item[];
}
