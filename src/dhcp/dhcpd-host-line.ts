/**
 * How Xen's vif scripts edit the text of a dhcpd.conf: one line a domU, added and grepped away.
 *
 * Xen 3: `tools/examples/vif-nat`, functions dhcp_up and dhcp_down.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { formatIpv4, formatMac, type Ipv4Addr, type Mac } from "../wire/addr.ts";

/** What a host line says. */
export interface HostLine {
  /** Names the declaration: letters, digits, hyphens, underscores. */
  readonly name: string;
  readonly mac: Mac;
  readonly address: Ipv4Addr;
  /** Statements that stand behind the address, each with its semicolon. */
  readonly statements?: readonly string[];
}

/** Which lines {@link removeHostLines} takes for the host's. */
export interface HostLineMatch {
  /**
   * True for `grep -v "host $name"`, as the scripts have it: it also removes each host whose name
   * begins with this one, and any line that says the words elsewhere. False for whole names only.
   */
  readonly asGrep?: boolean;
}

/**
 * One line that declares a host, without its newline.
 * @throws {OptionError} if the name would break the line or the shell that writes it.
 */
export function formatHostLine({ name, mac, address, statements = [] }: HostLine): string {
  checkName(name);
  const parts = [
    `hardware ethernet ${formatMac(mac)};`,
    `fixed-address ${formatIpv4(address)};`,
    ...statements,
  ];
  return `host ${name} { ${parts.join(" ")} }`;
}

/**
 * `text` without the lines of the host `name`.
 * @throws {OptionError} if the name is none that {@link formatHostLine} takes.
 */
export function removeHostLines(
  text: string,
  name: string,
  { asGrep = true }: HostLineMatch = {},
): string {
  checkName(name);
  const isHost = asGrep
    ? (line: string) => line.includes(`host ${name}`)
    : (line: string) => line.trimStart().startsWith(`host ${name} `);
  return text
    .split("\n")
    .filter((line) => !isHost(line))
    .join("\n");
}

/**
 * `text` with the line of `host` at its end and no other line of the same name: what the scripts
 * do when a vif comes up.
 * @throws {OptionError} as {@link formatHostLine}.
 */
export function replaceHostLine(text: string, host: HostLine, match: HostLineMatch = {}): string {
  const rest = removeHostLines(text, host.name, match);
  const line = formatHostLine(host);
  return rest === "" || rest.endsWith("\n") ? `${rest}${line}\n` : `${rest}\n${line}\n`;
}

function checkName(name: string): void {
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(name)) {
    throw new OptionError("name", name, "1 to 255 letters, digits, hyphens and underscores");
  }
}
