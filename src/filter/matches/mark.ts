/** `-m mark`: what `MARK` wrote (Linux `net/netfilter/xt_mark.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { judge, type Matcher, type MatchKind, type MatchResult, newMatch } from "../match.ts";
import { markOption, printMark, readMark } from "../marks.ts";
import type { MaskedNumber } from "../values.ts";

class MarkMatcher implements Matcher {
  readonly #value: number;
  readonly #mask: number;
  readonly #isInverted: boolean;

  constructor({ value, mask }: MaskedNumber, isInverted: boolean) {
    this.#value = value;
    this.#mask = mask;
    this.#isInverted = isInverted;
  }

  matches({ mark }: Packet): MatchResult {
    return judge((mark & this.#mask) >>> 0 === this.#value, this.#isInverted);
  }
}

/** A mark, and the bits of it that count. */
export const mark: MatchKind = {
  name: "mark",
  protocol: null,
  options: [markOption],
  parse(given) {
    const { asked, isInverted } = readMark(given);
    const matcher = new MarkMatcher(asked, isInverted);
    return newMatch({
      name: "mark",
      text: printMark(asked, isInverted),
      bind: () => matcher,
    });
  },
};
