/** `--ip-*`: the IPv4 header and what follows (Linux `net/bridge/netfilter/ebt_ip.c`). @module */
import type { Packet } from "../../../wire/packet.ts";
import { EtherType, ETHERNET_LENGTH } from "../../../l2/ethernet.ts";
import { ICMP } from "../../../l3/icmp.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../../../l3/ipv4.ts";
import { UDP } from "../../../l4/udp.ts";
import { refuse } from "../../errors.ts";
import { ICMP_NAMES } from "../../matches/icmp.ts";
import { option } from "../../options.ts";
import { formatProtocol, parseProtocol } from "../../protocol-names.ts";
import {
  formatRange,
  type MaskedAddress,
  type NumberRange,
  parseMaskedAddress,
  parseNumber,
  parseRange,
} from "../../values.ts";
import { formatAddress } from "../addresses.ts";
import { type Asked, ask, hasNumber, print } from "../asked.ts";
import { firstGiven, type FrameMatcher, type FrameMatchKind, requireType } from "../frame-match.ts";

/** Octets after the IP header that must be there: ports, or the beginning of ICMP and IGMP. */
const TRANSPORT_LENGTH = 4;
const DCCP = 33;
const SCTP = 132;
const UDPLITE = 136;
const WITH_PORTS: readonly number[] = [Protocol.Tcp, Protocol.Udp, UDPLITE, SCTP, DCCP];
const ALL_CODES: NumberRange = { lower: 0, upper: 255 };

const IGMP_NAMES: readonly (readonly [string, number])[] = [
  ["membership-query", 0x11],
  ["membership-report-v1", 0x12],
  ["membership-report-v2", 0x16],
  ["leave-group", 0x17],
  ["membership-report-v3", 0x22],
];

/** Types and codes, each from a lower to an upper one. */
interface MessageTest {
  readonly types: NumberRange;
  readonly codes: NumberRange;
}

interface IpTest {
  readonly source: Asked<MaskedAddress> | null;
  readonly destination: Asked<MaskedAddress> | null;
  readonly tos: Asked<number> | null;
  readonly protocol: Asked<number> | null;
  readonly sourcePorts: Asked<NumberRange> | null;
  readonly destinationPorts: Asked<NumberRange> | null;
  readonly icmp: Asked<MessageTest> | null;
  readonly igmp: Asked<NumberRange> | null;
}

class IpMatcher implements FrameMatcher {
  readonly #test: IpTest;
  readonly #hasTransport: boolean;

  constructor(test: IpTest) {
    this.#test = test;
    const { sourcePorts, destinationPorts, icmp, igmp } = test;
    const isAsked = [sourcePorts, destinationPorts, icmp, igmp].some((one) => one !== null);
    this.#hasTransport = isAsked && test.protocol !== null;
  }

  matches({ pool: { view }, frame, end }: Packet): boolean {
    const at = frame + ETHERNET_LENGTH;
    if (end - at < IPV4_MIN_LENGTH) return false;
    const { source, destination, tos, protocol } = this.#test;
    return (
      hasNumber(tos, IPV4.tos.get(view, at)) &&
      (source === null || hasAddress(source, IPV4.src.get(view, at))) &&
      (destination === null || hasAddress(destination, IPV4.dst.get(view, at))) &&
      hasNumber(protocol, IPV4.protocol.get(view, at)) &&
      (!this.#hasTransport || this.#matchesTransport(view, at, end))
    );
  }

  #matchesTransport(view: DataView, at: number, end: number): boolean {
    if (IPV4.fragmentOffset.get(view, at) !== 0) return false;
    const header = at + headerLengthOf(view, at);
    if (end - header < TRANSPORT_LENGTH) return false;
    const { sourcePorts, destinationPorts, icmp, igmp } = this.#test;
    return (
      (destinationPorts === null ||
        isIn(destinationPorts.value, UDP.dstPort.get(view, header)) !==
          destinationPorts.isInverted) &&
      (sourcePorts === null ||
        isIn(sourcePorts.value, UDP.srcPort.get(view, header)) !== sourcePorts.isInverted) &&
      (icmp === null ||
        (isIn(icmp.value.types, ICMP.type.get(view, header)) &&
          isIn(icmp.value.codes, ICMP.code.get(view, header))) !== icmp.isInverted) &&
      (igmp === null || isIn(igmp.value, ICMP.type.get(view, header)) !== igmp.isInverted)
    );
  }
}

/** All needs `-p IPv4`; ports and types need `--ip-proto`. */
export const ip: FrameMatchKind = {
  name: "ip",
  options: [
    option("ip-src", { aliases: ["ip-source"], isInvertible: true }),
    option("ip-dst", { aliases: ["ip-destination"], isInvertible: true }),
    option("ip-tos", { isInvertible: true }),
    option("ip-proto", { aliases: ["ip-protocol"], isInvertible: true }),
    option("ip-sport", { aliases: ["ip-source-port"], isInvertible: true }),
    option("ip-dport", { aliases: ["ip-destination-port"], isInvertible: true }),
    option("ip-icmp-type", { isInvertible: true }),
    option("ip-igmp-type", { isInvertible: true }),
  ],
  parse(given, protocol) {
    requireType(firstGiven(this.options, given), protocol, EtherType.Ipv4);
    const test: IpTest = {
      source: ask(given, "ip-src", parseMaskedAddress),
      destination: ask(given, "ip-dst", parseMaskedAddress),
      tos: ask(given, "ip-tos", (word) => parseNumber(word, 0, 255, "a type of service")),
      protocol: ask(given, "ip-proto", parseProtocol),
      sourcePorts: ask(given, "ip-sport", (word) => parseRange(word, "a port")),
      destinationPorts: ask(given, "ip-dport", (word) => parseRange(word, "a port")),
      icmp: ask(given, "ip-icmp-type", parseIcmp),
      igmp: ask(given, "ip-igmp-type", parseIgmp),
    };
    requireProtocols(test);
    const matcher = new IpMatcher(test);
    return { kind: "match", name: "ip", text: formatTest(test), bind: () => matcher };
  },
};

function hasAddress({ value, isInverted }: Asked<MaskedAddress>, address: number): boolean {
  return ((address & value.mask) >>> 0 === value.address) !== isInverted;
}

const isIn = ({ lower, upper }: NumberRange, value: number): boolean =>
  value >= lower && value <= upper;

/** What the kernel asks of a rule before it takes it (`ebt_ip_mt_check`). */
function requireProtocols({ protocol, sourcePorts, destinationPorts, icmp, igmp }: IpTest): void {
  const number = protocol === null || protocol.isInverted ? null : protocol.value;
  const hasPorts = number !== null && WITH_PORTS.includes(number);
  if ((sourcePorts !== null || destinationPorts !== null) && !hasPorts) {
    const names = WITH_PORTS.map(formatProtocol).join(", ");
    refuse(sourcePorts === null ? "--ip-dport" : "--ip-sport", `ports need --ip-proto ${names}`);
  }
  if (icmp !== null && number !== Protocol.Icmp) {
    refuse("--ip-icmp-type", "--ip-icmp-type needs --ip-proto icmp");
  }
  if (igmp !== null && number !== Protocol.Igmp) {
    refuse("--ip-igmp-type", "--ip-igmp-type needs --ip-proto igmp");
  }
}

/** Read "8", "3:8", "3:8/0:4", or a name that may be cut short where it stays the only one. */
function parseIcmp(word: string): MessageTest {
  const named = findNamed(word, ICMP_NAMES);
  if (named !== null) {
    const { type, code } = named;
    const codes = code === null ? ALL_CODES : { lower: code, upper: code };
    return { types: { lower: type, upper: type }, codes };
  }
  const [types = "", codes, ...rest] = word.split("/");
  if (rest.length > 0) refuse(word, `expected an ICMP type with a code, got "${word}"`);
  return { types: parseOctets(types), codes: codes === undefined ? ALL_CODES : parseOctets(codes) };
}

function parseIgmp(word: string): NumberRange {
  const named = findNamed(word, IGMP_NAMES);
  return named === null ? parseOctets(word) : { lower: named, upper: named };
}

function findNamed<T>(word: string, names: readonly (readonly [string, T])[]): T | null {
  const begun = names.filter(([name]) => name.startsWith(word.toLowerCase()));
  const [first, second] = begun;
  if (second !== undefined) refuse(word, `may be ${begun.map(([name]) => name).join(", ")}`);
  return first?.[1] ?? null;
}

/** Read "3" or "3:8", numbers of 8 bits. */
function parseOctets(word: string): NumberRange {
  const [from = "", to = from, ...rest] = word.split(":");
  if (rest.length > 0) refuse(word, `expected a number or a range, got "${word}"`);
  const lower = parseNumber(from, 0, 255, "a type or a code");
  const upper = parseNumber(to, 0, 255, "a type or a code");
  return lower > upper ? refuse(word, `the range ${word} falls`) : { lower, upper };
}

function formatTest(test: IpTest): string {
  const { source, destination, tos, protocol, sourcePorts, destinationPorts, icmp, igmp } = test;
  return [
    print("ip-src", source, formatAddress),
    print("ip-dst", destination, formatAddress),
    print("ip-tos", tos, (value) => `0x${value.toString(16).padStart(2, "0").toUpperCase()}`),
    print("ip-proto", protocol, formatProtocol),
    print("ip-sport", sourcePorts, formatRange),
    print("ip-dport", destinationPorts, formatRange),
    print("ip-icmp-type", icmp, formatIcmp),
    print("ip-igmp-type", igmp, formatIgmp),
  ].join("");
}

function formatIcmp({ types, codes }: MessageTest): string {
  const named = ICMP_NAMES.find(
    ([, { type, code }]) =>
      type === types.lower &&
      type === types.upper &&
      codes.lower === (code ?? 0) &&
      codes.upper === (code ?? 255),
  );
  return named?.[0] ?? `${formatRange(types)}/${formatRange(codes)}`;
}

const formatIgmp = (types: NumberRange): string =>
  IGMP_NAMES.find(([, type]) => type === types.lower && type === types.upper)?.[0] ??
  formatRange(types);
