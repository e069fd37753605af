/** Matches: what a rule asks of a packet beyond its addresses, devices and protocol. @module */
import type { HookContext } from "../l3/hooks.ts";
import type { Packet } from "../wire/packet.ts";
import { PortBits } from "../wire/path-notes.ts";
import type { OptionSpec, Options } from "./options.ts";
import { ANYWHERE, type Placement } from "./placement.ts";
import type { RuleServices } from "./services.ts";

/** A packet does not match, does, or ends here: its transport header is cut short (`hotdrop`). */
export const MatchResult = { No: 0, Yes: 1, Malformed: 2 } as const;
/** One of {@link MatchResult}. */
export type MatchResult = (typeof MatchResult)[keyof typeof MatchResult];

/** {@link MatchResult.Yes} if `isMatch`, turned around if `isInverted`. */
export const judge = (isMatch: boolean, isInverted: boolean): MatchResult =>
  isMatch === isInverted ? MatchResult.No : MatchResult.Yes;

/** Judges packets. May have state; does not allocate, and reads no octet past `packet.end`. */
export interface Matcher {
  matches(packet: Packet, context: HookContext): MatchResult;
}

/** What one `-m` of a rule asks. Immutable. */
export interface Match {
  /** As after `-m`. */
  readonly name: string;
  /** Its options as `iptables-save` prints them, each with a space before it. */
  readonly text: string;
  readonly placement: Placement;
  /** True if it reads what connection tracking says. */
  readonly usesConntrack: boolean;
  /** Words for people; `null` for none. */
  readonly comment: string | null;
  /** True for TCP segments that set SYN, and no others: what `TCPMSS` wants of its rule. */
  readonly asksForSyn: boolean;
  /** What it shares with all matches of the same: "recent/NAME"; `null` for nothing. */
  readonly listName: string | null;
  /**
   * True if the answer is the same for every whole packet that goes in one direction of an
   * established connection and has the same devices, Ethernet header, addresses, ports, protocol
   * and `Packet.cast`, and asking changes nothing: it may be kept until rules, addresses or routes
   * change.
   */
  readonly isPure: boolean;
  /** Which ports the answer depends on, if it is pure: `PortBits`. */
  readonly askedPorts: number;
  /**
   * What judges packets for one rule in one table; `null` if every packet matches.
   * @throws {RuleError} if a service that it needs was not handed in, or a number is out of range.
   */
  bind(services: RuleServices): Matcher | null;
}

/** The parts of a match that differ from those of most. */
export type MatchParts = Pick<Match, "name" | "text" | "bind"> & Partial<Match>;

/** A match that may stand anywhere and is not pure unless `parts` say otherwise. */
export function newMatch(parts: MatchParts): Match {
  return {
    placement: ANYWHERE,
    usesConntrack: false,
    comment: null,
    asksForSyn: false,
    listName: null,
    isPure: false,
    askedPorts: PortBits.Both,
    ...parts,
  };
}

/** A family of matches: one file, one line in the registry. */
export interface MatchKind {
  /** As after `-m`. */
  readonly name: string;
  /** The protocol whose `-p` loads it when an option of it is used; `null` for none. */
  readonly protocol: number | null;
  readonly options: readonly OptionSpec[];
  /** Read the options that a rule gives. @throws {ParseError} with the word that is wrong. */
  parse(given: Options): Match;
}
