/** `-m dscp`: the code point, RFC 2474 section 3 (Linux `net/netfilter/xt_dscp.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { dscpOptions, readDscp } from "../dscp-names.ts";
import { judge, type Matcher, type MatchKind, type MatchResult, newMatch } from "../match.ts";
import { printOption } from "../options.ts";
import { hex2 } from "../values.ts";

class DscpMatcher implements Matcher {
  readonly #dscp: number;
  readonly #isInverted: boolean;

  constructor(dscp: number, isInverted: boolean) {
    this.#dscp = dscp;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    const dscp = IPV4.tos.get(packet.pool.view, packet.network) >>> 2;
    return judge(dscp === this.#dscp, this.#isInverted);
  }
}

/** By number or by class. */
export const dscp: MatchKind = {
  name: "dscp",
  protocol: null,
  options: dscpOptions("dscp", true),
  parse(given) {
    const asked = readDscp(given, "dscp");
    const matcher = new DscpMatcher(asked.dscp, asked.isInverted);
    return newMatch({
      name: "dscp",
      text: printOption("dscp", hex2(asked.dscp), asked.isInverted),
      bind: () => matcher,
    });
  },
};
