/** `-m pkttype`: how the frame was addressed (Linux `net/netfilter/xt_pkttype.c`). @module */
import { Cast, type Packet } from "../../wire/packet.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { refuse } from "../errors.ts";
import { judge, type Matcher, type MatchKind, type MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";

const NAMES: readonly (readonly [string, Cast])[] = [
  ["unicast", Cast.Host],
  ["broadcast", Cast.Broadcast],
  ["multicast", Cast.Multicast],
  ["otherhost", Cast.OtherHost],
  ["host", Cast.Host],
  ["bcast", Cast.Broadcast],
  ["mcast", Cast.Multicast],
];

class CastMatcher implements Matcher {
  readonly #cast: Cast;
  readonly #isInverted: boolean;

  constructor(cast: Cast, isInverted: boolean) {
    this.#cast = cast;
    this.#isInverted = isInverted;
  }

  matches({ cast }: Packet): MatchResult {
    return judge(cast === this.#cast, this.#isInverted);
  }
}

/** To this host, to all, to a group. */
export const pkttype: MatchKind = {
  name: "pkttype",
  protocol: null,
  options: [option("pkt-type", { isInvertible: true })],
  parse(given) {
    const { word, isInverted } = given.get("pkt-type");
    const lower = word.toLowerCase();
    const cast =
      NAMES.find(([name]) => name === lower)?.[1] ?? refuse(word, `no packets are "${word}"`);
    const [printed = ""] = NAMES.find(([, one]) => one === cast) ?? [];
    const matcher = new CastMatcher(cast, isInverted);
    return newMatch({
      name: "pkttype",
      text: printOption("pkt-type", printed, isInverted),
      isPure: true,
      askedPorts: PortBits.None,
      bind: () => matcher,
    });
  },
};
