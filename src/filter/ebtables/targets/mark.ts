/** `mark`: write a mark, which the host's rules see (Linux `ebt_mark.c`). @module */
import type { Packet } from "../../../wire/packet.ts";
import { option } from "../../options.ts";
import { hex, MAX_UINT, parseNumber } from "../../values.ts";
import {
  type FrameAction,
  type FrameTargetKind,
  formatVerdict,
  FrameVerdict,
  readVerdict,
} from "../frame-target.ts";

const OPERATIONS = ["mark-set", "mark-or", "mark-and", "mark-xor"] as const;
type Operation = (typeof OPERATIONS)[number];

/** Keeps the bits of `kept`, then turns those of `flipped` over. */
class MarkAction implements FrameAction {
  readonly #kept: number;
  readonly #flipped: number;
  readonly #verdict: FrameVerdict;

  constructor(operation: Operation, value: number, verdict: FrameVerdict) {
    this.#kept = keptBy(operation, value);
    this.#flipped = operation === "mark-and" ? 0 : value;
    this.#verdict = verdict;
  }

  apply(packet: Packet): FrameVerdict {
    packet.mark = ((packet.mark & this.#kept) ^ this.#flipped) >>> 0;
    return this.#verdict;
  }
}

/** Set, or, and, xor: one of them. */
export const mark: FrameTargetKind = {
  name: "mark",
  options: [
    option("mark-set", { aliases: ["set-mark"] }),
    option("mark-or"),
    option("mark-and"),
    option("mark-xor"),
    option("mark-target"),
  ],
  parse(given) {
    const [operation, { word }] = given.only(OPERATIONS);
    const value = parseNumber(word, 0, MAX_UINT, "a mark");
    const verdict = readVerdict(given.find("mark-target"), FrameVerdict.Accept);
    return {
      kind: "extension",
      name: "mark",
      text: `--${operation} ${hex(value)} --mark-target ${formatVerdict(verdict)}`,
      table: null,
      hooks: null,
      action: new MarkAction(operation, value, verdict),
    };
  },
};

function keptBy(operation: Operation, value: number): number {
  switch (operation) {
    case "mark-set":
      return 0;
    case "mark-or":
      return ~value;
    case "mark-and":
      return value;
    case "mark-xor":
      return -1;
  }
}
