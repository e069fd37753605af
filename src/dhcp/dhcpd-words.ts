/**
 * The words that statements of dhcpd.conf(5) begin with, and where they may stand.
 * @module
 */
import {
  type Block,
  CLIENTS,
  type Clients,
  type Item,
  type ParameterName,
  PARAMETERS,
} from "./dhcpd-conf.ts";

/** Where a statement stands. */
export type Place = "root" | Block["kind"];

/** Which declarations may stand in which. */
export const MAY_HOLD: Readonly<Record<Place, readonly Block["kind"][]>> = {
  root: ["shared-network", "subnet", "group", "host"],
  "shared-network": ["subnet", "pool", "group", "host"],
  subnet: ["pool", "group", "host"],
  pool: ["group", "host"],
  group: ["shared-network", "subnet", "group", "host"],
  host: [],
};

/** First words of statements that are no parameters. */
export const SIMPLE = new Set([
  "authoritative",
  "not",
  "option",
  "server-identifier",
  "allow",
  "deny",
  "ignore",
  "hardware",
  "fixed-address",
]);

/** True if a subnet stands among these, or in a group among them. */
export function hasSubnet(items: readonly Item[]): boolean {
  return items.some(
    (item) => item.kind === "subnet" || (item.kind === "group" && hasSubnet(item.items)),
  );
}

/** @returns the kind of declaration that `text` begins, or `null`. */
export function kindOf(text: string): Block["kind"] | null {
  return (
    (["subnet", "shared-network", "pool", "group", "host"] as const).find((one) => one === text) ??
    null
  );
}

/** True if `text` begins a parameter. */
export function isParameter(text: string): text is ParameterName {
  return Object.hasOwn(PARAMETERS, text);
}

/** @returns whom a permit of a pool speaks of, or `null`. */
export function clientsOf(said: string): Clients | null {
  const full = said.replace(/^(known|unknown) clients$/, "$1-clients");
  return CLIENTS.find((one) => one === full) ?? null;
}

/** Statements of ISC dhcpd that this server does not have. */
export const UNSUPPORTED = new Set(
  (
    "class subclass if elsif else switch include key zone failover on set unset eval execute log " +
    "send supersede default prepend append pool6 subnet6 shared-network6 range6 prefix6 " +
    "fixed-address6 fixed-prefix6 host-identifier lease-limit match spawn dynamic " +
    "local-address local-port remote-port limited-broadcast-address site-option-space " +
    "vendor-option-space omapi-key db-time-format adaptive-lease-time-threshold " +
    "dynamic-bootp-lease-cutoff ddns-guard-id-must-match client-updates declines duplicates " +
    "boot-unknown-clients"
  ).split(" "),
);

/** Words that ISC dhcpd knows from inside statements, and so refuses at the start of one. */
export const INNER_WORDS = new Set(
  (
    "ethernet token-ring fddi infiniband netmask code array of integer signed unsigned boolean " +
    "text string ip-address domain-list known unknown known-clients unknown-clients clients all " +
    "authenticated unauthenticated domain-name bootp booting min max lease"
  ).split(" "),
);
