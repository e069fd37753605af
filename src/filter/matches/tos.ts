/** `-m tos`: the type of service under a mask (Linux `net/netfilter/xt_dscp.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { judge, type Matcher, type MatchKind, type MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";
import { formatTos, parseTos } from "../tos-names.ts";
import type { MaskedNumber } from "../values.ts";

class TosMatcher implements Matcher {
  readonly #value: number;
  readonly #mask: number;
  readonly #isInverted: boolean;

  constructor({ value, mask }: MaskedNumber, isInverted: boolean) {
    this.#value = value;
    this.#mask = mask;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    const tos = IPV4.tos.get(packet.pool.view, packet.network);
    return judge((tos & this.#mask) === this.#value, this.#isInverted);
  }
}

/** By number or by name. */
export const tos: MatchKind = {
  name: "tos",
  protocol: null,
  options: [option("tos", { isInvertible: true })],
  parse(given) {
    const { word, isInverted } = given.get("tos");
    const asked = parseTos(word);
    const matcher = new TosMatcher(asked, isInverted);
    return newMatch({
      name: "tos",
      text: printOption("tos", formatTos(asked), isInverted),
      bind: () => matcher,
    });
  },
};
