/** `-j MARK`: write a mark (Linux `mark_tg` of `net/netfilter/xt_mark.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { option, type Options, printOption } from "../options.ts";
import { type Action, bindAction, newExtension, type TargetKind } from "../target.ts";
import { hex, type MaskedNumber, MAX_MARK, parseMaskedNumber, parseNumber } from "../values.ts";

/** Clears the bits of `mask`, then turns those of `value` over. */
class MarkAction implements Action {
  readonly #value: number;
  readonly #kept: number;

  constructor({ value, mask }: MaskedNumber) {
    this.#value = value;
    this.#kept = ~mask;
  }

  apply(packet: Packet): null {
    packet.mark = ((packet.mark & this.#kept) ^ this.#value) >>> 0;
    return null;
  }
}

/** Set, and, or, xor: all are one operation. */
export const MARK: TargetKind = {
  name: "MARK",
  options: [
    option("set-xmark"),
    option("set-mark"),
    option("and-mark"),
    option("or-mark"),
    option("xor-mark"),
  ],
  parse(given) {
    const change = readChange(given);
    return newExtension({
      name: "MARK",
      text: printOption("set-xmark", `${hex(change.value)}/${hex(change.mask)}`),
      bind: bindAction(new MarkAction(change)),
    });
  },
};

function readChange(given: Options): MaskedNumber {
  const [name, { word }] = given.only(["set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark"]);
  if (name === "set-xmark") return parseMaskedNumber(word, MAX_MARK, "a mark");
  if (name === "set-mark") {
    const { value, mask } = parseMaskedNumber(word, MAX_MARK, "a mark");
    return { value, mask: (value | mask) >>> 0 };
  }
  const value = parseNumber(word, 0, MAX_MARK, "a mark");
  if (name === "and-mark") return { value: 0, mask: ~value >>> 0 };
  return { value, mask: name === "or-mark" ? value : 0 };
}
