/**
 * `-m limit`: so many packets on average, so many at once (Linux `net/netfilter/xt_limit.c`, whose
 * 32-bit arithmetic is kept, overflows included).
 *
 * A rule keeps its credit while other rules change, as in Linux 2.6.18; since 4.11 every change of
 * the table fills it up.
 * @module
 */
import type { Jiffies } from "../../base/jiffies.ts";
import type { Packet } from "../../wire/packet.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { RuleError } from "../errors.ts";
import { type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";
import { formatRate, parseRate } from "../rates.ts";
import { MAX_UINT, parseNumber } from "../values.ts";

/** What one second counts in an average. */
export const SCALE = 10_000;
const DEFAULT_RATE = "3/hour";
const DEFAULT_BURST = 5;
const MAX_BURST = 10_000;
const SECONDS_A_DAY = 86_400;

/** So many packets on average, so many at once. */
export class LimitMatcher implements Matcher {
  readonly #jiffies: Jiffies;
  readonly #creditsPerTick: number;
  readonly #cap: number;
  readonly #cost: number;
  #credit: number;
  /** The tick of the last packet; -1 before the first. */
  #last = -1;

  /** @throws {RuleError} if the credits do not fit 32 bits. */
  constructor(jiffies: Jiffies, average: number, burst: number) {
    this.#jiffies = jiffies;
    const widest = Math.floor(MAX_UINT / (jiffies.hz * SECONDS_A_DAY));
    this.#creditsPerTick = 2 ** Math.floor(Math.log2(widest));
    this.#cap = this.#credits(Math.imul(average, burst) >>> 0);
    this.#cost = this.#credits(average);
    this.#credit = this.#cap;
    if (this.#cap < this.#cost) {
      throw new RuleError("rule-value", burst, "limit: the burst is too large for the rate");
    }
  }

  matches(_packet: Packet, { now }: Pick<HookContext, "now">): MatchResult {
    const current = this.#jiffies.ticks(now);
    const elapsed = this.#last < 0 ? 0 : current - this.#last;
    this.#last = current;
    const credit = (this.#credit + elapsed * this.#creditsPerTick) % (MAX_UINT + 1);
    this.#credit = Math.min(credit, this.#cap);
    if (this.#credit < this.#cost) return MatchResult.No;
    this.#credit -= this.#cost;
    return MatchResult.Yes;
  }

  /** `user2credits`. */
  #credits(average: number): number {
    const scale = this.#jiffies.hz * this.#creditsPerTick;
    return average > Math.floor(MAX_UINT / scale)
      ? Math.imul(Math.floor(average / SCALE), scale) >>> 0
      : Math.floor((average * scale) / SCALE);
  }
}

/** On average `--limit`, `--limit-burst` at once. */
export const limit: MatchKind = {
  name: "limit",
  protocol: null,
  options: [option("limit"), option("limit-burst")],
  parse(given) {
    const { period: average } = parseRate(given.find("limit")?.word ?? DEFAULT_RATE, SCALE);
    const burstWord = given.find("limit-burst")?.word ?? `${DEFAULT_BURST}`;
    const burst = parseNumber(burstWord, 1, MAX_BURST, "a burst");
    return newMatch({
      name: "limit",
      text: [
        printOption("limit", formatRate(average, SCALE).text),
        burst === DEFAULT_BURST ? "" : printOption("limit-burst", burst),
      ].join(""),
      bind: ({ jiffies }) => new LimitMatcher(jiffies, average, burst),
    });
  },
};
