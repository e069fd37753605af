/** `-m tcp`: ports, flags, an option (Linux `tcp_mt` of `net/netfilter/xt_tcpudp.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { Protocol } from "../../l3/ipv4.ts";
import { TCP, TCP_MIN_LENGTH, TcpFlag, tcpHeaderLengthOf } from "../../l4/tcp.ts";
import { TcpOptionKind } from "../../l4/tcp-options.ts";
import { refuse } from "../errors.ts";
import { type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, type Options, printOption } from "../options.ts";
import { ANYWHERE } from "../placement.ts";
import { parseNumber } from "../values.ts";
import {
  destinationPort,
  NO_PORTS,
  askedPorts,
  passes,
  PORT_OPTIONS,
  PortMatcher,
  type PortTest,
  printPorts,
  readPorts,
  sourcePort,
} from "./ports.ts";

/** In the order in which `iptables-save` prints them. */
const FLAGS: readonly (readonly [string, number])[] = [
  ["FIN", TcpFlag.Fin],
  ["SYN", TcpFlag.Syn],
  ["RST", TcpFlag.Rst],
  ["PSH", TcpFlag.Psh],
  ["ACK", TcpFlag.Ack],
  ["URG", TcpFlag.Urg],
];
const ALL_FLAGS = FLAGS.reduce((bits, [, bit]) => bits | bit, 0);
/** What `--syn` looks at. */
const HANDSHAKE_FLAGS = TcpFlag.Fin | TcpFlag.Syn | TcpFlag.Rst | TcpFlag.Ack;

/** Of the flags in `mask`, exactly those of `set` are set. */
interface FlagTest {
  readonly mask: number;
  readonly set: number;
  readonly isInverted: boolean;
}

/** An option of this kind is there; 0 asks for none. */
interface OptionTest {
  readonly kind: number;
  readonly isInverted: boolean;
}

class TcpMatcher implements Matcher {
  readonly #source: PortTest;
  readonly #destination: PortTest;
  readonly #flags: FlagTest;
  readonly #option: OptionTest;

  constructor(source: PortTest, destination: PortTest, flags: FlagTest, wanted: OptionTest) {
    this.#source = source;
    this.#destination = destination;
    this.#flags = flags;
    this.#option = wanted;
  }

  matches(packet: Packet): MatchResult {
    const source = sourcePort(packet, Protocol.Tcp);
    if (source < 0) return source === NO_PORTS ? MatchResult.No : MatchResult.Malformed;
    if (!passes(this.#source, source)) return MatchResult.No;
    if (!passes(this.#destination, destinationPort(packet))) return MatchResult.No;
    const { mask, set, isInverted } = this.#flags;
    const flags = TCP.flags.get(packet.pool.view, packet.transport);
    if (((flags & mask) === set) === isInverted) return MatchResult.No;
    return this.#option.kind === 0 ? MatchResult.Yes : this.#findOption(packet);
  }

  #findOption(packet: Packet): MatchResult {
    const { view } = packet.pool;
    const { kind, isInverted } = this.#option;
    const length = tcpHeaderLengthOf(view, packet.transport);
    const end = packet.transport + length;
    if (length < TCP_MIN_LENGTH || end > packet.end) return MatchResult.Malformed;
    let at = packet.transport + TCP_MIN_LENGTH;
    let isFound = false;
    while (at < end && !isFound) {
      const here = view.getUint8(at);
      isFound = here === kind;
      const isOneOctet = here <= TcpOptionKind.NoOperation || at + 1 === end;
      at += isOneOctet ? 1 : Math.max(view.getUint8(at + 1), 1);
    }
    return isFound === isInverted ? MatchResult.No : MatchResult.Yes;
  }
}

/** Loaded by `-p tcp` too. */
export const tcp: MatchKind = {
  name: "tcp",
  protocol: Protocol.Tcp,
  options: [
    ...PORT_OPTIONS,
    option("syn", { operands: 0, isInvertible: true }),
    option("tcp-flags", { operands: 2, isInvertible: true }),
    option("tcp-option", { isInvertible: true }),
  ],
  parse(given) {
    const source = readPorts(given, "sport");
    const destination = readPorts(given, "dport");
    const flags = readFlags(given);
    const wanted = readOption(given);
    const asksMore = flags.mask !== 0 || flags.set !== 0 || flags.isInverted || wanted.kind !== 0;
    const matcher = asksMore
      ? new TcpMatcher(source, destination, flags, wanted)
      : new PortMatcher(Protocol.Tcp, source, destination);
    return newMatch({
      name: "tcp",
      text: [
        printPorts("sport", source),
        printPorts("dport", destination),
        wanted.kind === 0 ? "" : printOption("tcp-option", wanted.kind, wanted.isInverted),
        printFlags(flags),
      ].join(""),
      placement: { ...ANYWHERE, protocols: [Protocol.Tcp] },
      asksForSyn: (flags.set & TcpFlag.Syn) !== 0 && !flags.isInverted,
      isPure: !asksMore,
      askedPorts: askedPorts(source, destination),
      bind: () => matcher,
    });
  },
};

function readFlags(given: Options): FlagTest {
  if (!given.has("syn") && !given.has("tcp-flags")) return { mask: 0, set: 0, isInverted: false };
  const [name, { word, secondWord, isInverted }] = given.only(["syn", "tcp-flags"]);
  if (name === "syn") return { mask: HANDSHAKE_FLAGS, set: TcpFlag.Syn, isInverted };
  const [mask, set] = [parseFlags(word), parseFlags(secondWord)];
  if (mask === 0 && set !== 0) refuse(secondWord, "flags are asked for that are not looked at");
  return { mask, set, isInverted };
}

function parseFlags(word: string): number {
  let bits = 0;
  for (const one of word.toUpperCase().split(",")) {
    const [, bit] = FLAGS.find(([name]) => name === one) ?? [];
    if (bit !== undefined) bits |= bit;
    else if (one === "ALL") bits |= ALL_FLAGS;
    else if (one !== "NONE") refuse(word, `there is no flag "${one}"`);
  }
  return bits;
}

function readOption(given: Options): OptionTest {
  const found = given.find("tcp-option");
  if (found === null) return { kind: 0, isInverted: false };
  return { kind: parseNumber(found.word, 1, 255, "an option"), isInverted: found.isInverted };
}

function printFlags({ mask, set, isInverted }: FlagTest): string {
  if (mask === 0 && !isInverted) return "";
  return printOption("tcp-flags", `${formatFlags(mask)} ${formatFlags(set)}`, isInverted);
}

function formatFlags(bits: number): string {
  const names = FLAGS.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);
  return names.length === 0 ? "NONE" : names.join(",");
}
