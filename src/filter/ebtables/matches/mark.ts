/** `--mark`: what the target `mark` wrote (Linux `net/bridge/netfilter/ebt_mark_m.c`). @module */
import type { Packet } from "../../../wire/packet.ts";
import { option } from "../../options.ts";
import { hex, MAX_UINT, parseMaskedNumber, parseNumber } from "../../values.ts";
import { type FrameMatcher, type FrameMatchKind, printValue } from "../frame-match.ts";

/** Asks for the bits of `mask` to be those of `value`. */
class MarkMatcher implements FrameMatcher {
  readonly #value: number;
  readonly #mask: number;
  readonly #isInverted: boolean;

  constructor(value: number, mask: number, isInverted: boolean) {
    this.#value = value | 0;
    this.#mask = mask;
    this.#isInverted = isInverted;
  }

  matches({ mark }: Packet): boolean {
    return ((mark & this.#mask) === this.#value) !== this.#isInverted;
  }
}

/** "5", "5/7": these bits; "/7": any of these bits. */
export const mark: FrameMatchKind = {
  name: "mark",
  options: [option("mark", { isInvertible: true })],
  parse(given) {
    const { word, isInverted } = given.get("mark");
    if (word.startsWith("/")) {
      const mask = parseNumber(word.slice(1), 0, MAX_UINT, "a mark's mask");
      const matcher = new MarkMatcher(0, mask, !isInverted);
      const text = printValue("mark", `/${hex(mask)}`, isInverted);
      return { kind: "match", name: "mark", text, bind: () => matcher };
    }
    const { value, mask } = parseMaskedNumber(word, MAX_UINT, "a mark");
    const matcher = new MarkMatcher(value, mask, isInverted);
    const printed = mask === MAX_UINT ? hex(value) : `${hex(value)}/${hex(mask)}`;
    const text = printValue("mark", printed, isInverted);
    return { kind: "match", name: "mark", text, bind: () => matcher };
  },
};
