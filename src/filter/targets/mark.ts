/** `-j MARK`: write a mark (Linux `mark_tg` of `net/netfilter/xt_mark.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { MARK_CHANGES, printMarkChange, readMarkChange } from "../marks.ts";
import { option } from "../options.ts";
import { type Action, bindAction, newExtension, type TargetKind } from "../target.ts";
import type { MaskedNumber } from "../values.ts";

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

/** Set, and, or, xor. */
export const MARK: TargetKind = {
  name: "MARK",
  options: MARK_CHANGES.map((name) => option(name)),
  parse(given) {
    const [name, { word }] = given.only(MARK_CHANGES);
    const change = readMarkChange(name, word);
    return newExtension({
      name: "MARK",
      text: printMarkChange(change),
      bind: bindAction(new MarkAction(change)),
    });
  },
};
