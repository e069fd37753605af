/** `-m mac`: who sent the frame (Linux `net/netfilter/xt_mac.c`). @module */
import { formatMac, type Mac, MAC_ZERO, parseMac } from "../../wire/addr.ts";
import type { Packet } from "../../wire/packet.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { ETHERNET, ETHERNET_LENGTH } from "../../l2/ethernet.ts";
import { Hook } from "../../l3/hooks.ts";
import { refuse } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";
import { ANYWHERE, hookBits } from "../placement.ts";

class MacMatcher implements Matcher {
  readonly #source: Mac;
  readonly #isInverted: boolean;

  constructor(source: Mac, isInverted: boolean) {
    this.#source = source;
    this.#isInverted = isInverted;
  }

  /** What came in by no Ethernet, but was made here or looped back, never matches. */
  matches({ pool, frame, network, input }: Packet): MatchResult {
    if (input === null || input.mac === MAC_ZERO) return MatchResult.No;
    if (network - frame < ETHERNET_LENGTH) return MatchResult.No;
    return judge(ETHERNET.src.get(pool.view, frame) === this.#source, this.#isInverted);
  }
}

/** The source address of the frame. */
export const mac: MatchKind = {
  name: "mac",
  protocol: null,
  options: [option("mac-source", { isInvertible: true })],
  parse(given) {
    const { word, isInverted } = given.get("mac-source");
    if (word.includes("-")) refuse(word, `expected a MAC address with colons, got "${word}"`);
    const source = parseMac(word.replaceAll(/\b[\da-f]\b/gi, "0$&"));
    const matcher = new MacMatcher(source, isInverted);
    return newMatch({
      name: "mac",
      text: printOption("mac-source", formatMac(source), isInverted),
      placement: { ...ANYWHERE, hooks: hookBits(Hook.Prerouting, Hook.Input, Hook.Forward) },
      isPure: true,
      askedPorts: PortBits.None,
      bind: () => matcher,
    });
  },
};
