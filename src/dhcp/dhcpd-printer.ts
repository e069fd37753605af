/**
 * Writes a configuration as the text of a dhcpd.conf(5), which the parser reads back unchanged.
 * @module
 */
import { formatIpv4 } from "../wire/addr.ts";
import {
  type AddressRange,
  type Block,
  type DhcpdConf,
  type Hardware,
  type Item,
  type Parameter,
  PARAMETERS,
} from "./dhcpd-conf.ts";
import { HARDWARE_TYPES } from "./dhcpd-parser.ts";
import { formatOptionData, hexDigits, quote } from "./dhcpd-value.ts";
import { formName, textOctets } from "./option-type.ts";

/** One statement a line, blocks indented by two spaces. Comments are not kept. */
export function formatDhcpdConf({ items }: DhcpdConf): string {
  return items.map((item) => `${formatItem(item, "")}\n`).join("");
}

function formatItem(item: Item, indent: string): string {
  if (!("items" in item)) return `${indent}${formatStatement(item)};`;
  const lines = item.items.map((inner) => formatItem(inner, `${indent}  `));
  return [`${indent}${headOf(item)} {`, ...lines, `${indent}}`].join("\n");
}

function headOf({ kind, name, network, netmask }: Block): string {
  if (kind === "subnet") return `subnet ${formatIpv4(network)} netmask ${formatIpv4(netmask)}`;
  if (name === "") return kind;
  const plain = kind === "group" ? /^(?!-?\d+$)[\w-]+$/ : /^[\w-]+(\.[\w-]+)*$/;
  const isPlain = plain.test(name);
  return `${kind} ${isPlain ? name : quote(textOctets(name))}`;
}

function formatStatement(item: Exclude<Item, Block>): string {
  switch (item.kind) {
    case "definition":
      return `option ${item.option.name} code ${item.option.code} = ${formName(item.option.form)}`;
    case "option":
      return `option ${item.option.name} ${formatOptionData(item.octets, item.option.form)}`;
    case "parameter":
      return `${item.name} ${formatParameter(item)}`;
    case "permission":
      return `${item.verdict} ${item.subject}`;
    case "permit":
      return `${item.verdict} ${item.clients}`;
    case "authority":
      return item.isAuthoritative ? "authoritative" : "not authoritative";
    case "range":
      return formatRange(item);
    case "hardware":
      return formatHardware(item);
    case "fixed-address":
      return `fixed-address ${item.addresses.map(formatIpv4).join(", ")}`;
  }
}

function formatRange({ isForBootp, low, high }: AddressRange): string {
  return `range ${isForBootp ? "dynamic-bootp " : ""}${formatIpv4(low)} ${formatIpv4(high)}`;
}

function formatParameter({ name, value }: Parameter): string {
  if (typeof value === "object") return value.map(formatIpv4).join(", ");
  if (typeof value !== "string" || PARAMETERS[name] === "word") return String(value);
  return quote(textOctets(value));
}

function formatHardware({ htype, octets }: Hardware): string {
  const [known] = [...HARDWARE_TYPES].find(([, type]) => type === htype) ?? [`unknown-${htype}`];
  return `hardware ${known} ${Array.from(octets, hexDigits).join(":")}`;
}
