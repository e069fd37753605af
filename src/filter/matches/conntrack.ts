/**
 * `-m state` and `-m conntrack --ctstate`: what connection tracking says (Linux
 * `net/netfilter/xt_conntrack.c`).
 * @module
 */
import type { Packet } from "../../wire/packet.ts";
import { FlowState } from "../../l3/flow-state.ts";
import { refuse } from "../errors.ts";
import {
  judge,
  type Match,
  type Matcher,
  type MatchKind,
  type MatchResult,
  newMatch,
} from "../match.ts";
import { type Given, option, printOption } from "../options.ts";
import { formatNameBits, parseNameBits } from "../values.ts";

/** In the order in which `iptables-save` prints them. */
const STATES = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED"] as const;
/** States that need the translation of a connection, which `flowState` does not tell. */
const TRANSLATED = ["SNAT", "DNAT"] as const;

const INVALID = 1 << STATES.indexOf("INVALID");
const NEW = 1 << STATES.indexOf("NEW");
const RELATED = 1 << STATES.indexOf("RELATED");
const ESTABLISHED = 1 << STATES.indexOf("ESTABLISHED");
const UNTRACKED = 1 << STATES.indexOf("UNTRACKED");

/** The bit of a `Packet.flowState`; a packet that was never looked at is invalid, as in Linux. */
function stateBit(flowState: number): number {
  switch (flowState) {
    case FlowState.New:
      return NEW;
    case FlowState.Established:
    case FlowState.EstablishedReply:
      return ESTABLISHED;
    case FlowState.Related:
    case FlowState.RelatedReply:
      return RELATED;
    case FlowState.Untracked:
      return UNTRACKED;
    default:
      return INVALID;
  }
}

class StateMatcher implements Matcher {
  readonly #states: number;
  readonly #isInverted: boolean;

  constructor(states: number, isInverted: boolean) {
    this.#states = states;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    return judge((this.#states & stateBit(packet.flowState)) !== 0, this.#isInverted);
  }
}

/** `-m state`. */
export const state: MatchKind = {
  name: "state",
  protocol: null,
  options: [option("state", { isInvertible: true })],
  parse: (given) => newStateMatch("state", "state", given.get("state")),
};

/** `-m conntrack`, of which only `--ctstate` is read. */
export const conntrack: MatchKind = {
  name: "conntrack",
  protocol: null,
  options: [option("ctstate", { isInvertible: true })],
  parse: (given) => newStateMatch("conntrack", "ctstate", given.get("ctstate")),
};

function newStateMatch(name: string, optionName: string, { word, isInverted }: Given): Match {
  const bits = parseNameBits(word, [...STATES, ...TRANSLATED], "a state");
  const text = formatNameBits(bits, STATES);
  const translated = TRANSLATED.filter((_, index) => (bits & (1 << (STATES.length + index))) !== 0);
  if (translated.length > 0) refuse(word, `the state ${translated.join(", ")} is not supported`);
  const matcher = new StateMatcher(bits, isInverted);
  return newMatch({
    name,
    text: printOption(optionName, text, isInverted),
    usesConntrack: true,
    isPure: true,
    bind: () => matcher,
  });
}
