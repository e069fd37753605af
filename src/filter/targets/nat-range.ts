/** What the targets of the nat table ask of translation, in words (`libxt_NAT.c`). @module */
import { formatIpv4, parseIpv4 } from "../../wire/addr.ts";
import type { NatRange } from "../../wire/nat-range.ts";
import { Protocol } from "../../l3/ipv4.ts";
import { refuse } from "../errors.ts";
import { type Given, option, type Options } from "../options.ts";
import type { ProtocolTest } from "../rule.ts";
import type { NumberRange } from "../values.ts";
import { parseNumber } from "../values.ts";

const SCTP = 132;
const DCCP = 33;
const WITH_PORTS: readonly number[] = [Protocol.Tcp, Protocol.Udp, Protocol.Icmp, SCTP, DCCP];

/** Flags that the targets share; `random-fully` draws ports as `random` does. */
const FLAGS = ["random", "random-fully", "persistent"] as const;

/** One of {@link FLAGS}. */
type Flag = (typeof FLAGS)[number];

/** The options of `flags`, which have no word after them. */
export const flagOptions = (...flags: readonly Flag[]): ReturnType<typeof option>[] =>
  flags.map((flag) => option(flag, { operands: 0 }));

/** What the flags that a rule gives mean. */
export const readFlags = (given: Options): Pick<NatRange, "isRandom" | "isPersistent"> => ({
  isRandom: given.has("random") || given.has("random-fully"),
  isPersistent: given.has("persistent"),
});

/** The flags that a rule gives, as `iptables-save` prints them. */
export const printFlags = (given: Options): string =>
  FLAGS.filter((flag) => given.has(flag))
    .map((flag) => ` --${flag}`)
    .join("");

/** Read "1.2.3.4", "1.2.3.4-1.2.3.9", "1.2.3.4:80", "1.2.3.4:80-90", ":80". */
export function parseTarget({ word, protocol }: Given): Pick<NatRange, "addresses" | "ports"> {
  const [addressText = "", portText, ...rest] = word.split(":");
  if (rest.length > 0) refuse(word, `expected addresses and ports, got "${word}"`);
  const ports = portText === undefined ? null : parseNatPorts(portText, protocol);
  if (addressText === "" && ports !== null) return { addresses: null, ports };
  const [from = "", to = from, ...more] = addressText.split("-");
  if (more.length > 0) refuse(word, `expected one or two addresses, got "${addressText}"`);
  const addresses = { lower: parseIpv4(from), upper: parseIpv4(to) };
  if (addresses.lower > addresses.upper) refuse(word, `the range ${addressText} falls`);
  return { addresses, ports };
}

/** What {@link parseTarget} read, as `iptables-save` prints it. */
export function formatTarget({ addresses, ports }: Pick<NatRange, "addresses" | "ports">): string {
  const portText = ports === null ? "" : `:${formatNatPorts(ports)}`;
  if (addresses === null) return portText;
  const { lower, upper } = addresses;
  return `${formatIpv4(lower)}${lower === upper ? "" : `-${formatIpv4(upper)}`}${portText}`;
}

/** Read "80" or "80-90" of a rule that has asked for `protocol`, which must have ports. */
export function parseNatPorts(word: string, protocol: ProtocolTest | null): NumberRange {
  if (protocol === null || !WITH_PORTS.includes(protocol.number)) {
    refuse(word, "ports need -p tcp, udp, icmp, sctp or dccp before them");
  }
  if (word.includes("/")) refuse(word, `shifted ports are not supported: "${word}"`);
  const [from = "", to = from, ...rest] = word.split("-");
  if (rest.length > 0) refuse(word, `expected a port or a range, got "${word}"`);
  const lower = parseNumber(from, 0, 65_535, "a port");
  return { lower, upper: parseNumber(to, lower, 65_535, "the end of a range of ports") };
}

/** "80", or "80-90". */
export const formatNatPorts = ({ lower, upper }: NumberRange): string =>
  lower === upper ? `${lower}` : `${lower}-${upper}`;
