/** Ports of TCP and UDP as rules see them (Linux `net/netfilter/xt_tcpudp.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { IPV4, Protocol } from "../../l3/ipv4.ts";
import { TCP_MIN_LENGTH } from "../../l4/tcp.ts";
import { UDP, UDP_LENGTH } from "../../l4/udp.ts";
import { refuse } from "../errors.ts";
import { type Matcher, MatchResult } from "../match.ts";
import { option, type Options, printOption } from "../options.ts";
import { ALL_PORTS, formatRange, type NumberRange, parseRange } from "../values.ts";

/** A later fragment has no ports: no rule that asks for them matches. */
export const NO_PORTS = -1;
/** The header is cut short, or a fragment would overwrite its flags: the packet is dropped. */
export const MALFORMED_PORTS = -2;

/**
 * The source port of a packet of `protocol`, TCP or UDP; then {@link destinationPort} may be read.
 * @returns the port, {@link NO_PORTS} or {@link MALFORMED_PORTS}.
 */
export function sourcePort(packet: Packet, protocol: number): number {
  const { view } = packet.pool;
  const isTcp = protocol === Protocol.Tcp;
  const offset = IPV4.fragmentOffset.get(view, packet.network);
  if (offset !== 0) return isTcp && offset === 1 ? MALFORMED_PORTS : NO_PORTS;
  const length = isTcp ? TCP_MIN_LENGTH : UDP_LENGTH;
  if (packet.end - packet.transport < length) return MALFORMED_PORTS;
  return UDP.srcPort.get(view, packet.transport);
}

/** The destination port of a packet that has a {@link sourcePort}. */
export const destinationPort = (packet: Packet): number =>
  UDP.dstPort.get(packet.pool.view, packet.transport);

/** Ports that a rule asks for. */
export interface PortTest extends NumberRange {
  readonly isInverted: boolean;
}

/** True if `port` passes `test`. */
export const passes = ({ lower, upper, isInverted }: PortTest, port: number): boolean =>
  (port >= lower && port <= upper) !== isInverted;

/** Judges by the ports alone. */
export class PortMatcher implements Matcher {
  readonly protocol: number;
  readonly source: PortTest;
  readonly destination: PortTest;

  constructor(protocol: number, source: PortTest, destination: PortTest) {
    this.protocol = protocol;
    this.source = source;
    this.destination = destination;
  }

  /** True if nothing is inverted. */
  get isPlain(): boolean {
    return !this.source.isInverted && !this.destination.isInverted;
  }

  matches(packet: Packet): MatchResult {
    const source = sourcePort(packet, this.protocol);
    if (source < 0) return source === NO_PORTS ? MatchResult.No : MatchResult.Malformed;
    const isMatch =
      passes(this.source, source) && passes(this.destination, destinationPort(packet));
    return isMatch ? MatchResult.Yes : MatchResult.No;
  }
}

/** `--sport` and `--dport`, with the names that they had before. */
export const PORT_OPTIONS = [
  option("sport", { aliases: ["source-port"], isInvertible: true }),
  option("dport", { aliases: ["destination-port"], isInvertible: true }),
] as const;

/** `iptables` reads 010 as 8 for TCP and as 10 for UDP: such forms are refused. */
const DECIMAL = /^(?:(?:0|[1-9]\d*)?(?::|$)){1,2}$/;

/** What the option `name` asks of a port; every port if it is not given. */
export function readPorts(given: Options, name: "sport" | "dport"): PortTest {
  const found = given.find(name);
  if (found === null) return { ...ALL_PORTS, isInverted: false };
  const { word, isInverted } = found;
  if (!DECIMAL.test(word)) refuse(word, `ports are decimal, without zeros before them: ${word}`);
  const range = parseRange(word, "a port");
  if (isInverted && isAll(range)) refuse(word, "no port is outside of all ports");
  return { ...range, isInverted };
}

/** What `iptables-save` prints of ports that a rule asks for. */
export const printPorts = (name: "sport" | "dport", test: PortTest): string =>
  isAll(test) ? "" : printOption(name, formatRange(test), test.isInverted);

/** Which ports of a packet the tests depend on: {@link PortBits}. */
export const askedPorts = (source: PortTest, destination: PortTest): number =>
  (isAll(source) ? PortBits.None : PortBits.Source) |
  (isAll(destination) ? PortBits.None : PortBits.Destination);

const isAll = ({ lower, upper }: NumberRange): boolean =>
  lower === ALL_PORTS.lower && upper === ALL_PORTS.upper;
