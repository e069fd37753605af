/**
 * `--limit`: so many frames on average, so many at once (Linux `net/bridge/netfilter/ebt_limit.c`,
 * whose credits are those of `xt_limit.c`).
 * @module
 */
import type { Packet } from "../../../wire/packet.ts";
import type { FrameContext } from "../../../l2/bridge-hooks.ts";
import { MatchResult } from "../../match.ts";
import { LimitMatcher, SCALE } from "../../matches/limit.ts";
import { option } from "../../options.ts";
import { formatRate, parseRate } from "../../rates.ts";
import { parseNumber } from "../../values.ts";
import { type FrameMatcher, type FrameMatchKind, printValue } from "../frame-match.ts";

const DEFAULT_RATE = "3/hour";
const DEFAULT_BURST = "5";
const MAX_BURST = 10_000;

class FrameLimitMatcher implements FrameMatcher {
  readonly #limit: LimitMatcher;

  constructor(limited: LimitMatcher) {
    this.#limit = limited;
  }

  matches(packet: Packet, context: FrameContext): boolean {
    return this.#limit.matches(packet, context) === MatchResult.Yes;
  }
}

/** On average `--limit`, `--limit-burst` at once. */
export const limit: FrameMatchKind = {
  name: "limit",
  options: [option("limit"), option("limit-burst")],
  parse(given) {
    const { period: average } = parseRate(given.find("limit")?.word ?? DEFAULT_RATE, SCALE);
    const burstWord = given.find("limit-burst")?.word ?? DEFAULT_BURST;
    const burst = parseNumber(burstWord, 1, MAX_BURST, "a burst");
    return {
      kind: "match",
      name: "limit",
      text: printValue("limit", formatRate(average, SCALE).text) + printValue("limit-burst", burst),
      bind: ({ jiffies }) => new FrameLimitMatcher(new LimitMatcher(jiffies, average, burst)),
    };
  },
};
