/** `-m length`: octets of the whole packet (Linux `net/netfilter/xt_length.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { judge, type Matcher, type MatchKind, type MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";
import { formatRange, type NumberRange, parseAnyRange } from "../values.ts";

class LengthMatcher implements Matcher {
  readonly #lower: number;
  readonly #upper: number;
  readonly #isInverted: boolean;

  constructor({ lower, upper }: NumberRange, isInverted: boolean) {
    this.#lower = lower;
    this.#upper = upper;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    const length = IPV4.totalLength.get(packet.pool.view, packet.network);
    return judge(length >= this.#lower && length <= this.#upper, this.#isInverted);
  }
}

/** A length or a range. */
export const length: MatchKind = {
  name: "length",
  protocol: null,
  options: [option("length", { isInvertible: true })],
  parse(given) {
    const { word, isInverted } = given.get("length");
    const range = parseAnyRange(word, "a length");
    const matcher = new LengthMatcher(range, isInverted);
    return newMatch({
      name: "length",
      text: printOption("length", formatRange(range), isInverted),
      bind: () => matcher,
    });
  },
};
