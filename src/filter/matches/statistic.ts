/** `-m statistic`: by chance, or every nth (Linux `net/netfilter/xt_statistic.c`). @module */
import type { Chance } from "../../base/prng.ts";
import { refuse, RuleError } from "../errors.ts";
import {
  judge,
  type Match,
  type Matcher,
  type MatchKind,
  type MatchResult,
  newMatch,
} from "../match.ts";
import { option, type Options } from "../options.ts";
import { MAX_UINT, parseNumber } from "../values.ts";

/** A probability of 1. */
const CERTAIN = 2 ** 31;

class RandomMatcher implements Matcher {
  readonly #chance: Chance;
  readonly #probability: number;
  readonly #isInverted: boolean;

  constructor(chance: Chance, probability: number, isInverted: boolean) {
    this.#chance = chance;
    this.#probability = probability;
    this.#isInverted = isInverted;
  }

  matches(): MatchResult {
    return judge(this.#chance.below(CERTAIN) < this.#probability, this.#isInverted);
  }
}

class NthMatcher implements Matcher {
  readonly #every: number;
  readonly #isInverted: boolean;
  /** Packets that go by before one counts. */
  #left: number;

  constructor(every: number, first: number, isInverted: boolean) {
    this.#every = every;
    this.#left = first;
    this.#isInverted = isInverted;
  }

  matches(): MatchResult {
    const isMatch = this.#left === 0;
    this.#left = isMatch ? this.#every - 1 : this.#left - 1;
    return judge(isMatch, this.#isInverted);
  }
}

/** `--mode random` needs a source of chance. */
export const statistic: MatchKind = {
  name: "statistic",
  protocol: null,
  options: [
    option("mode"),
    option("probability", { isInvertible: true }),
    option("every", { isInvertible: true }),
    option("packet"),
  ],
  parse(given) {
    const { word } = given.get("mode");
    if (word === "random") return parseRandom(given);
    return word === "nth"
      ? parseNth(given)
      : refuse(word, `a mode is random or nth, not "${word}"`);
  },
};

function parseRandom(given: Options): Match {
  const { word, isInverted } = given.get("probability");
  refuseOthers(given, ["every", "packet"], "random");
  const share = /^(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(word) ? Number(word) : Number.NaN;
  if (!(share >= 0 && share <= 1)) refuse(word, `a probability is from 0 to 1, not "${word}"`);
  const probability = Math.round(CERTAIN * share);
  const printed = (probability / CERTAIN).toFixed(11);
  return newMatch({
    name: "statistic",
    text: ` --mode random${isInverted ? " !" : ""} --probability ${printed}`,
    bind({ chance }) {
      if (chance === null) throw new RuleError("rule-service", "statistic", "no chance here");
      return new RandomMatcher(chance, probability, isInverted);
    },
  });
}

function parseNth(given: Options): Match {
  const { word, isInverted } = given.get("every");
  refuseOthers(given, ["probability"], "nth");
  const every = parseNumber(word, 1, MAX_UINT, "every");
  const first = parseNumber(given.get("packet").word, 0, every - 1, "packet");
  return newMatch({
    name: "statistic",
    text: ` --mode nth${isInverted ? " !" : ""} --every ${every} --packet ${first}`,
    bind: () => new NthMatcher(every, first, isInverted),
  });
}

function refuseOthers(given: Options, names: readonly string[], mode: string): void {
  const other = names.find((name) => given.has(name));
  if (other !== undefined) refuse(`--${other}`, `the mode ${mode} knows no --${other}`);
}
