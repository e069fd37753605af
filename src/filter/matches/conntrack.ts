/**
 * `-m state` and `-m conntrack`: what connection tracking says (Linux
 * `net/netfilter/xt_conntrack.c`).
 * @module
 */
import type { Packet } from "../../wire/packet.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { ConnectionFacts, type Connections, ConnectionStatus } from "../../l3/connections.ts";
import { FlowState, isReply } from "../../l3/flow-state.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { RuleError } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { type Given, option, printOption } from "../options.ts";
import { formatNameBits, parseNameBits } from "../values.ts";
import {
  CONNECTION_OPTIONS,
  type ConnectionTest,
  isConnectionTestPure,
  passesConnectionTest,
  printConnectionTest,
  readConnectionTest,
} from "./connection-options.ts";

/** In the order in which `iptables-save` prints them. */
const STATES = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED"] as const;
/** `-m conntrack` knows two more: what translation does to the connection. */
const ALL_STATES = [...STATES, "SNAT", "DNAT"] as const;

const bitOf = (name: (typeof ALL_STATES)[number]): number => 1 << ALL_STATES.indexOf(name);

const INVALID = bitOf("INVALID");
const NEW = bitOf("NEW");
const RELATED = bitOf("RELATED");
const ESTABLISHED = bitOf("ESTABLISHED");
const UNTRACKED = bitOf("UNTRACKED");
const SOURCE_MAPPED = bitOf("SNAT");
const DESTINATION_MAPPED = bitOf("DNAT");

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

/** States as bits of {@link ALL_STATES}. */
interface StateTest {
  readonly states: number;
  readonly isInverted: boolean;
}

/** Asks for a state alone. */
class StateMatcher implements Matcher {
  readonly #states: number;
  readonly #isInverted: boolean;

  constructor({ states, isInverted }: StateTest) {
    this.#states = states;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    return judge((this.#states & stateBit(packet.flowState)) !== 0, this.#isInverted);
  }
}

/** Asks about the connection, too. */
class ConnectionMatcher implements Matcher {
  readonly #connections: Connections;
  readonly #state: StateTest | null;
  readonly #test: ConnectionTest;
  readonly #facts = new ConnectionFacts();

  constructor(connections: Connections, state: StateTest | null, test: ConnectionTest) {
    this.#connections = connections;
    this.#state = state;
    this.#test = test;
  }

  matches(packet: Packet, { now }: HookContext): MatchResult {
    const facts = this.#facts;
    const isKnown = this.#connections.read(packet, now, facts);
    const bits = stateBit(packet.flowState) | (isKnown ? mappingBits(facts) : 0);
    const state = this.#state;
    if (state !== null && ((state.states & bits) !== 0) === state.isInverted) return MatchResult.No;
    // What belongs to no connection is asked nothing more, if its state was asked.
    if (!isKnown) return state === null ? MatchResult.No : MatchResult.Yes;
    const isMatch = passesConnectionTest(this.#test, facts, isReply(packet.flowState));
    return isMatch ? MatchResult.Yes : MatchResult.No;
  }
}

const mappingBits = ({ status }: ConnectionFacts): number =>
  ((status & ConnectionStatus.SourceMapped) === 0 ? 0 : SOURCE_MAPPED) |
  ((status & ConnectionStatus.DestinationMapped) === 0 ? 0 : DESTINATION_MAPPED);

/** `-m state`. */
export const state: MatchKind = {
  name: "state",
  protocol: null,
  options: [option("state", { isInvertible: true })],
  parse(given) {
    const test = readState(given.get("state"), STATES);
    const matcher = new StateMatcher(test);
    return newMatch({
      name: "state",
      text: printState("state", test),
      usesConntrack: true,
      isPure: true,
      askedPorts: PortBits.None,
      bind: () => matcher,
    });
  },
};

/** `-m conntrack`. All but the plain states needs {@link Connections}. */
export const conntrack: MatchKind = {
  name: "conntrack",
  protocol: null,
  options: [option("ctstate", { isInvertible: true }), ...CONNECTION_OPTIONS],
  parse(given) {
    const found = given.find("ctstate");
    const asked = found === null ? null : readState(found, ALL_STATES);
    const isAsked = CONNECTION_OPTIONS.some(({ names: [name] }) => given.has(name));
    const test = readConnectionTest(given);
    if (asked === null && !isAsked) given.get("ctstate");
    const isPlain = !isAsked && asked !== null && asked.states < SOURCE_MAPPED;
    return newMatch({
      name: "conntrack",
      text: (asked === null ? "" : printState("ctstate", asked)) + printConnectionTest(test),
      usesConntrack: true,
      isPure: isConnectionTestPure(test),
      askedPorts: isPlain ? PortBits.None : PortBits.Connection,
      bind({ connections }) {
        if (isPlain) return new StateMatcher(asked);
        if (connections !== null) return new ConnectionMatcher(connections, asked, test);
        throw new RuleError("rule-service", "conntrack", "nobody here knows connections");
      },
    });
  },
};

const readState = ({ word, isInverted }: Given, names: readonly string[]): StateTest => ({
  states: parseNameBits(word, names, "a state"),
  isInverted,
});

const printState = (name: string, { states, isInverted }: StateTest): string =>
  printOption(name, formatNameBits(states, ALL_STATES), isInverted);
