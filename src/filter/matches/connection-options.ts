/**
 * What `-m conntrack` asks of a connection besides its state: `--ctproto`, `--ctorigsrc` and the
 * like (Linux `struct xt_conntrack_mtinfo3`).
 * @module
 */
import { formatIpv4, ipv4Of, parseIpv4 } from "../../wire/addr.ts";
import type { ConnectionFacts } from "../../l3/connections.ts";
import { refuse } from "../errors.ts";
import { type Given, option, type Options, type OptionSpec, printOption } from "../options.ts";
import { parseProtocol } from "../protocol-names.ts";
import {
  formatMaskedAddress,
  formatNameBits,
  formatRange,
  isPrefix,
  type MaskedAddress,
  MAX_UINT,
  type NumberRange,
  parseMaskedAddress,
  parseNameBits,
  parseAnyRange,
} from "../values.ts";

const ADDRESSES = ["ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst"] as const;
const PORTS = ["ctorigsrcport", "ctorigdstport", "ctreplsrcport", "ctrepldstport"] as const;
/** By their bits of `ConnectionStatus`; NONE is no bit. */
const STATUSES = ["EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"] as const;

/** All of them but `--ctdir` can be inverted. */
export const CONNECTION_OPTIONS: readonly OptionSpec[] = [
  ...["ctproto", ...ADDRESSES, ...PORTS, "ctstatus", "ctexpire"].map((name) =>
    option(name, { isInvertible: true }),
  ),
  option("ctdir"),
];

/** A value, and whether all others are meant. */
interface Test<V> {
  readonly value: V;
  readonly isInverted: boolean;
}

/** What is `null` is not asked. */
export interface ConnectionTest {
  readonly protocol: Test<number> | null;
  /** In the order of {@link ADDRESSES}. */
  readonly addresses: readonly (Test<MaskedAddress> | null)[];
  /** In the order of {@link PORTS}. */
  readonly ports: readonly (Test<NumberRange> | null)[];
  readonly status: Test<number> | null;
  /** Whole seconds that are left. */
  readonly expire: Test<NumberRange> | null;
  /** True for packets against the direction of the first. */
  readonly isReply: boolean | null;
}

/** True if `facts`, and the direction of the packet, are what is asked. */
export function passesConnectionTest(
  { protocol, addresses, ports, status, expire, isReply }: ConnectionTest,
  facts: ConnectionFacts,
  isAnswer: boolean,
): boolean {
  const { original, reply } = facts;
  return (
    (isReply === null || isReply === isAnswer) &&
    hasAddress(addresses[0], original.source) &&
    hasAddress(addresses[1], original.destination) &&
    hasAddress(addresses[2], reply.source) &&
    hasAddress(addresses[3], reply.destination) &&
    (protocol === null || (protocol.value === facts.protocol) !== protocol.isInverted) &&
    isWithin(ports[0], original.sourcePort) &&
    isWithin(ports[1], original.destinationPort) &&
    isWithin(ports[2], reply.sourcePort) &&
    isWithin(ports[3], reply.destinationPort) &&
    (status === null || ((status.value & facts.status) !== 0) !== status.isInverted) &&
    isWithin(expire, facts.secondsLeft)
  );
}

function hasAddress(test: Test<MaskedAddress> | null | undefined, address: number): boolean {
  if (test === null || test === undefined) return true;
  const { mask, address: wanted } = test.value;
  return (((address ^ wanted) & mask) === 0) !== test.isInverted;
}

function isWithin(test: Test<NumberRange> | null | undefined, value: number): boolean {
  if (test === null || test === undefined) return true;
  return (value >= test.value.lower && value <= test.value.upper) !== test.isInverted;
}

/** Status and time change while the packets stay alike; all else stays. */
export const isConnectionTestPure = ({ status, expire }: ConnectionTest): boolean =>
  status === null && expire === null;

/** @throws {ParseError} with the word that is wrong. */
export function readConnectionTest(given: Options): ConnectionTest {
  return {
    protocol: read(given.find("ctproto"), parseProtocol),
    addresses: ADDRESSES.map((name) => read(given.find(name), parseAddress)),
    ports: PORTS.map((name) => read(given.find(name), (word) => parseAnyRange(word, "a port"))),
    status: read(given.find("ctstatus"), parseStatus),
    expire: read(given.find("ctexpire"), (word) => parseAnyRange(word, "a time", MAX_UINT)),
    isReply: readDirection(given.find("ctdir")),
  };
}

function read<V>(found: Given | null, parse: (word: string) => V): Test<V> | null {
  return found === null ? null : { value: parse(found.word), isInverted: found.isInverted };
}

const parseStatus = (word: string): number =>
  parseNameBits(word, ["NONE", ...STATUSES], "a status") >>> 1;

function readDirection(found: Given | null): boolean | null {
  if (found === null) return null;
  const direction = found.word.toUpperCase();
  if (direction === "ORIGINAL") return false;
  return direction === "REPLY" || refuse(found.word, "a direction is ORIGINAL or REPLY");
}

/** The bits that the mask leaves out are kept, and printed again. */
function parseAddress(word: string): MaskedAddress {
  const { mask } = parseMaskedAddress(word);
  if (!isPrefix(mask)) refuse(word, "conntrack: iptables-save would lose a mask with gaps");
  return { address: parseIpv4(word.replace(/\/.*/, "")), mask };
}

/** As `iptables-save` prints it. */
export function printConnectionTest(test: ConnectionTest): string {
  const { protocol, addresses, ports, status, expire, isReply } = test;
  return [
    print("ctproto", protocol, String),
    ...ADDRESSES.map((name, index) => print(name, addresses[index], formatAddress)),
    ...PORTS.map((name, index) => print(name, ports[index], formatRange)),
    print("ctstatus", status, (bits) => formatNameBits(bits, STATUSES) || "NONE"),
    print("ctexpire", expire, formatRange),
    isReply === null ? "" : printOption("ctdir", isReply ? "REPLY" : "ORIGINAL"),
  ].join("");
}

function print<V>(
  name: string,
  test: Test<V> | null | undefined,
  format: (value: V) => string,
): string {
  if (test === null || test === undefined) return "";
  return printOption(name, format(test.value), test.isInverted);
}

/** Without a mask if it is whole. */
const formatAddress = (address: MaskedAddress): string =>
  address.mask === MAX_UINT ? formatIpv4(ipv4Of(address.address)) : formatMaskedAddress(address);
