/** `-j SNAT`, `-j DNAT`: translate to given addresses (Linux `net/netfilter/xt_nat.c`). @module */
import { Hook } from "../../l3/hooks.ts";
import type { NatRange } from "../../wire/nat-range.ts";
import { option, printOption } from "../options.ts";
import { hookBits } from "../placement.ts";
import { type Bound, newExtension, type TargetKind, type Translator } from "../target.ts";
import { flagOptions, formatTarget, parseTarget, printFlags, readFlags } from "./nat-range.ts";

class FixedTranslator implements Translator {
  readonly #range: NatRange;

  constructor(range: NatRange) {
    this.#range = range;
  }

  rangeFor(): NatRange {
    return this.#range;
  }
}

/** Change the source, where packets leave or are delivered. */
export const SNAT: TargetKind = {
  name: "SNAT",
  options: [option("to-source"), ...flagOptions("random", "random-fully", "persistent")],
  parse(given) {
    const wanted = parseTarget(given.get("to-source"));
    return newExtension({
      name: "SNAT",
      text: printOption("to-source", formatTarget(wanted)) + printFlags(given),
      placement: {
        table: "nat",
        hooks: hookBits(Hook.Postrouting, Hook.Input),
        protocols: null,
      },
      isPure: true,
      bind: bindRange({ side: "source", ...wanted, ...readFlags(given) }),
    });
  },
};

/** Change the destination, where packets come in or are made. */
export const DNAT: TargetKind = {
  name: "DNAT",
  options: [option("to-destination"), ...flagOptions("random", "persistent")],
  parse(given) {
    const wanted = parseTarget(given.get("to-destination"));
    return newExtension({
      name: "DNAT",
      text: printOption("to-destination", formatTarget(wanted)) + printFlags(given),
      placement: {
        table: "nat",
        hooks: hookBits(Hook.Prerouting, Hook.Output),
        protocols: null,
      },
      isPure: true,
      bind: bindRange({ side: "destination", ...wanted, ...readFlags(given) }),
    });
  },
};

function bindRange(range: NatRange): () => Bound {
  const bound: Bound = { kind: "translator", translator: new FixedTranslator(range) };
  return () => bound;
}
