/**
 * `-m connmark`: what `CONNMARK` wrote (Linux `connmark_mt` of net/netfilter/xt_connmark.c).
 * @module
 */
import type { Packet } from "../../wire/packet.ts";
import type { Connections } from "../../l3/connections.ts";
import { RuleError } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { markOption, printMark, readMark } from "../marks.ts";
import type { MaskedNumber } from "../values.ts";

class ConnectionMarkMatcher implements Matcher {
  readonly #connections: Connections;
  readonly #value: number;
  readonly #mask: number;
  readonly #isInverted: boolean;

  constructor(connections: Connections, { value, mask }: MaskedNumber, isInverted: boolean) {
    this.#connections = connections;
    this.#value = value;
    this.#mask = mask;
    this.#isInverted = isInverted;
  }

  /** A packet of no connection does not match, inverted or not. */
  matches(packet: Packet): MatchResult {
    const mark = this.#connections.markOf(packet);
    if (mark < 0) return MatchResult.No;
    return judge((mark & this.#mask) >>> 0 === this.#value, this.#isInverted);
  }
}

/** The mark of the packet's connection, and the bits of it that count. */
export const connmark: MatchKind = {
  name: "connmark",
  protocol: null,
  options: [markOption],
  parse(given) {
    const { asked, isInverted } = readMark(given);
    return newMatch({
      name: "connmark",
      text: printMark(asked, isInverted),
      usesConntrack: true,
      bind({ connections }) {
        if (connections !== null) {
          return new ConnectionMarkMatcher(connections, asked, isInverted);
        }
        throw new RuleError("rule-service", "connmark", "nobody here knows connections");
      },
    });
  },
};
