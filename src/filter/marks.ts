/** Marks of packets and of connections, in words (`libxt_mark.c`, `libxt_connmark.c`). @module */
import { option, type Options, printOption } from "./options.ts";
import { hex, type MaskedNumber, MAX_UINT, parseMaskedNumber, parseNumber } from "./values.ts";

/** `--mark`, as the matches for both have it. */
export const markOption = option("mark", { isInvertible: true });

/** What `--mark` asks. */
export function readMark(given: Options): { asked: MaskedNumber; isInverted: boolean } {
  const { word, isInverted } = given.get("mark");
  return { asked: parseMaskedNumber(word, MAX_UINT, "a mark"), isInverted };
}

/** `--mark` as `iptables-save` prints it. */
export function printMark({ value, mask }: MaskedNumber, isInverted: boolean): string {
  const text = mask === MAX_UINT ? hex(value) : `${hex(value)}/${hex(mask)}`;
  return printOption("mark", text, isInverted);
}

/** How a target changes a mark: set, and, or, xor are all one operation. */
export const MARK_CHANGES = ["set-xmark", "set-mark", "and-mark", "or-mark", "xor-mark"] as const;
/** One of {@link MARK_CHANGES}. */
export type MarkChangeName = (typeof MARK_CHANGES)[number];

/** Read a change: the bits of `mask` are cleared, then those of `value` turned over. */
export function readMarkChange(name: MarkChangeName, word: string): MaskedNumber {
  if (name === "set-xmark") return parseMaskedNumber(word, MAX_UINT, "a mark");
  if (name === "set-mark") {
    const { value, mask } = parseMaskedNumber(word, MAX_UINT, "a mark");
    return { value, mask: (value | mask) >>> 0 };
  }
  const value = parseNumber(word, 0, MAX_UINT, "a mark");
  if (name === "and-mark") return { value: 0, mask: ~value >>> 0 };
  return { value, mask: name === "or-mark" ? value : 0 };
}

/** A change as `iptables-save` prints it. */
export const printMarkChange = ({ value, mask }: MaskedNumber): string =>
  printOption("set-xmark", `${hex(value)}/${hex(mask)}`);
