/** `-m multiport`: up to 15 ports and ranges (Linux `net/netfilter/xt_multiport.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { IPV4, Protocol } from "../../l3/ipv4.ts";
import { UDP } from "../../l4/udp.ts";
import { refuse } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";
import { ANYWHERE } from "../placement.ts";
import { formatRange, type NumberRange, parseRange } from "../values.ts";

/** Numbers that one rule can hold; a range takes two. */
const MAX_PORTS = 15;
/** Octets that must be there: both ports. */
const PORTS_LENGTH = 4;
const SCTP = 132;
const DCCP = 33;
const UDPLITE = 136;
const PROTOCOLS: readonly number[] = [Protocol.Tcp, Protocol.Udp, UDPLITE, SCTP, DCCP];

type Side = "sports" | "dports" | "ports";

const ASKED_PORTS = {
  sports: PortBits.Source,
  dports: PortBits.Destination,
  ports: PortBits.Both,
} as const;

class MultiportMatcher implements Matcher {
  readonly #ranges: readonly NumberRange[];
  readonly #asksSource: boolean;
  readonly #asksDestination: boolean;
  readonly #isInverted: boolean;

  constructor(ranges: readonly NumberRange[], side: Side, isInverted: boolean) {
    this.#ranges = ranges;
    this.#asksSource = side !== "dports";
    this.#asksDestination = side !== "sports";
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    const { view } = packet.pool;
    const at = packet.transport;
    if (IPV4.fragmentOffset.get(view, packet.network) !== 0) return MatchResult.No;
    if (packet.end - at < PORTS_LENGTH) return MatchResult.Malformed;
    const isMatch =
      (this.#asksSource && this.#hasPort(UDP.srcPort.get(view, at))) ||
      (this.#asksDestination && this.#hasPort(UDP.dstPort.get(view, at)));
    return judge(isMatch, this.#isInverted);
  }

  #hasPort(port: number): boolean {
    for (const { lower, upper } of this.#ranges) {
      if (port >= lower && port <= upper) return true;
    }
    return false;
  }
}

/** Works for every protocol whose header begins with its ports. */
export const multiport: MatchKind = {
  name: "multiport",
  protocol: null,
  options: [
    option("sports", { aliases: ["source-ports"], isInvertible: true }),
    option("dports", { aliases: ["destination-ports"], isInvertible: true }),
    option("ports", { isInvertible: true }),
  ],
  parse(given) {
    const [side, { word, isInverted, protocol }] = given.only(["sports", "dports", "ports"]);
    if (protocol === null) refuse("multiport", "multiport needs a protocol with ports before it");
    const ranges = word.split(",").map(parseEntry);
    const size = ranges.reduce((sum, { lower, upper }) => sum + (lower === upper ? 1 : 2), 0);
    if (size > MAX_PORTS) refuse(word, `more than ${MAX_PORTS} ports; a range counts as two`);
    const matcher = new MultiportMatcher(ranges, side, isInverted);
    return newMatch({
      name: "multiport",
      text: printOption(side, ranges.map(formatRange).join(","), isInverted),
      placement: { ...ANYWHERE, protocols: PROTOCOLS },
      isPure: true,
      askedPorts: ASKED_PORTS[side],
      bind: () => matcher,
    });
  },
};

/** A port, or a range with both ends given. */
function parseEntry(word: string): NumberRange {
  const range = parseRange(word, "a port");
  const isRange = word.includes(":");
  if (isRange && (range.lower === range.upper || /^:|:$/.test(word))) {
    refuse(word, `the range ${word} needs two ends, the second above the first`);
  }
  return range;
}
