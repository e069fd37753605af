/** `-m iprange`: addresses from one to another (Linux `net/netfilter/xt_iprange.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { formatIpv4, ipv4Of, parseIpv4 } from "../../wire/addr.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { refuse } from "../errors.ts";
import { type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, type Options, printOption } from "../options.ts";

/** From `lower` to `upper`, both included; nothing is in a range that falls. */
interface AddressRangeTest {
  readonly lower: number;
  readonly upper: number;
  readonly isInverted: boolean;
}

const passes = ({ lower, upper, isInverted }: AddressRangeTest, address: number): boolean =>
  (address >= lower && address <= upper) !== isInverted;

class AddressRangeMatcher implements Matcher {
  readonly #source: AddressRangeTest;
  readonly #destination: AddressRangeTest;

  constructor(source: AddressRangeTest, destination: AddressRangeTest) {
    this.#source = source;
    this.#destination = destination;
  }

  matches(packet: Packet): MatchResult {
    const { view } = packet.pool;
    const isMatch =
      passes(this.#source, IPV4.src.get(view, packet.network)) &&
      passes(this.#destination, IPV4.dst.get(view, packet.network));
    return isMatch ? MatchResult.Yes : MatchResult.No;
  }
}

const ANY: AddressRangeTest = { lower: 0, upper: 0xffff_ffff, isInverted: false };

/** One range of sources, one of destinations. */
export const iprange: MatchKind = {
  name: "iprange",
  protocol: null,
  options: [
    option("src-range", { isInvertible: true }),
    option("dst-range", { isInvertible: true }),
  ],
  parse(given) {
    const source = readRange(given, "src-range");
    const destination = readRange(given, "dst-range");
    if (source === null && destination === null) {
      refuse("iprange", "iprange needs --src-range or --dst-range");
    }
    const matcher = new AddressRangeMatcher(source ?? ANY, destination ?? ANY);
    return newMatch({
      name: "iprange",
      text: printRange("src-range", source) + printRange("dst-range", destination),
      isPure: true,
      askedPorts: PortBits.None,
      bind: () => matcher,
    });
  },
};

function readRange(given: Options, name: string): AddressRangeTest | null {
  const found = given.find(name);
  if (found === null) return null;
  const [from = "", to = from, ...rest] = found.word.split("-");
  if (rest.length > 0) refuse(found.word, `expected two addresses, got "${found.word}"`);
  return { lower: parseIpv4(from), upper: parseIpv4(to), isInverted: found.isInverted };
}

function printRange(name: string, range: AddressRangeTest | null): string {
  if (range === null) return "";
  const { lower, upper, isInverted } = range;
  return printOption(name, `${formatIpv4(ipv4Of(lower))}-${formatIpv4(ipv4Of(upper))}`, isInverted);
}
