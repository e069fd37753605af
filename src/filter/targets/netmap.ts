/** `-j NETMAP`: one network onto another (Linux `net/netfilter/xt_NETMAP.c`). @module */
import { ipv4Of, parseIpv4 } from "../../wire/addr.ts";
import type { Packet } from "../../wire/packet.ts";
import { Hook, type HookContext } from "../../l3/hooks.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import type { NatRange } from "../../wire/nat-range.ts";
import { refuse } from "../errors.ts";
import { option, printOption } from "../options.ts";
import { hookBits } from "../placement.ts";
import { newExtension, type TargetKind, type Translator } from "../target.ts";
import {
  formatMaskedAddress,
  isPrefix,
  type MaskedAddress,
  parseMaskedAddress,
} from "../values.ts";

class NetworkTranslator implements Translator {
  readonly #network: MaskedAddress;

  constructor(network: MaskedAddress) {
    this.#network = network;
  }

  rangeFor({ pool: { view }, network: at }: Packet, { hook }: HookContext): NatRange {
    const isSource = hook === Hook.Postrouting || hook === Hook.Input;
    const before = isSource ? IPV4.src.get(view, at) : IPV4.dst.get(view, at);
    const { address, mask } = this.#network;
    const after = ipv4Of(address | (before & ~mask));
    return {
      side: isSource ? "source" : "destination",
      addresses: { lower: after, upper: after },
      ports: null,
      isRandom: false,
      isPersistent: false,
    };
  }
}

/** The bits of the prefix change, the others stay. */
export const NETMAP: TargetKind = {
  name: "NETMAP",
  options: [option("to")],
  parse(given) {
    const { word } = given.get("to");
    parseIpv4(word.replace(/\/.*/, ""));
    const network = parseMaskedAddress(word);
    const printed = formatMaskedAddress(network);
    if (!isPrefix(network.mask)) refuse(word, "NETMAP needs a prefix");
    const translator = new NetworkTranslator(network);
    return newExtension({
      name: "NETMAP",
      text: printOption("to", printed),
      placement: {
        table: "nat",
        hooks: hookBits(Hook.Prerouting, Hook.Input, Hook.Output, Hook.Postrouting),
        protocols: null,
      },
      isPure: true,
      bind: () => ({ kind: "translator", translator }),
    });
  },
};
