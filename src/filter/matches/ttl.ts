/** `-m ttl`: the time to live (Linux `ttl_mt` of `net/netfilter/xt_hl.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { judge, type Matcher, type MatchKind, type MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";
import { parseNumber } from "../values.ts";

class TtlMatcher implements Matcher {
  readonly #lower: number;
  readonly #upper: number;
  readonly #isInverted: boolean;

  /** From `lower` to `upper`, both included. */
  constructor(lower: number, upper: number, isInverted: boolean) {
    this.#lower = lower;
    this.#upper = upper;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    const ttl = IPV4.ttl.get(packet.pool.view, packet.network);
    return judge(ttl >= this.#lower && ttl <= this.#upper, this.#isInverted);
  }
}

/** Equal, less than, greater than. */
export const ttl: MatchKind = {
  name: "ttl",
  protocol: null,
  options: [
    option("ttl-eq", { aliases: ["ttl"], isInvertible: true }),
    option("ttl-lt"),
    option("ttl-gt"),
  ],
  parse(given) {
    const [name, { word, isInverted }] = given.only(["ttl-eq", "ttl-lt", "ttl-gt"]);
    const value = parseNumber(word, 0, 255, "a time to live");
    const [lower, upper] = {
      "ttl-eq": [value, value] as const,
      "ttl-lt": [0, value - 1] as const,
      "ttl-gt": [value + 1, 255] as const,
    }[name];
    const matcher = new TtlMatcher(lower, upper, isInverted);
    return newMatch({
      name: "ttl",
      text: printOption(name, value, isInverted),
      bind: () => matcher,
    });
  },
};
