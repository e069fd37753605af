/** Targets: what a rule does with the packets that match. @module */
import type { HookContext } from "../l3/hooks.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import type { Match } from "./match.ts";
import type { OptionSpec, Options } from "./options.ts";
import { ANYWHERE, type Placement } from "./placement.ts";
import type { RuleServices } from "./services.ts";

/** Why rules drop a packet, unless the comment of the rule that does gives its own reason. */
export type FilterReason =
  | "filter/dropped"
  | "filter/rejected"
  | "filter/policy"
  | "filter/malformed"
  | "filter/no-address"
  | "filter/no-mss";

/** Does something to a packet, which it borrows. */
export interface Action {
  /** @returns `null` if the rules go on, or why the packet ends here. */
  apply(packet: Packet, context: HookContext): FilterReason | null;
}

/** Says how the packet's connection is translated. */
export interface Translator {
  /** @returns the range, or why there is none and the packet ends here. */
  rangeFor(packet: Packet, context: HookContext): NatRange | FilterReason;
}

/** What an extension does, ready for one rule in one table. */
export type Bound =
  | { readonly kind: "action"; readonly action: Action }
  | { readonly kind: "translator"; readonly translator: Translator };

/** A target with a name of its own: LOG, REJECT, MARK, SNAT. Immutable. */
export interface Extension {
  readonly kind: "extension";
  /** As after `-j`. */
  readonly name: string;
  /** Its options as `iptables-save` prints them, each with a space before it. */
  readonly text: string;
  readonly placement: Placement;
  /** True if it reads or changes what connection tracking keeps. */
  readonly usesConntrack: boolean;
  /** Why it cannot stand in a rule with `matches`; `null` if it can. */
  readonly objection: ((matches: readonly Match[]) => string | null) | null;
  /** As `Match.isPure`: it does nothing to a packet but decide, always alike. */
  readonly isPure: boolean;
  /** @throws {RuleError} if a service that it needs was not handed in. */
  bind(services: RuleServices): Bound;
}

/** What a rule does; `none` only counts. */
export type Target =
  | { readonly kind: "none" }
  | { readonly kind: "accept" }
  | { readonly kind: "drop" }
  | { readonly kind: "return" }
  | { readonly kind: "jump"; readonly chain: string }
  | { readonly kind: "goto"; readonly chain: string }
  | Extension;

/** Targets that `iptables` knows by these words; no chain can have such a name. */
export const STANDARD_TARGETS = ["ACCEPT", "DROP", "RETURN", "QUEUE"] as const;

/** The parts of an extension that differ from those of most. */
export type ExtensionParts = Pick<Extension, "name" | "text" | "bind"> & Partial<Extension>;

/** An extension that may stand anywhere and is not pure unless `parts` say otherwise. */
export function newExtension(parts: ExtensionParts): Extension {
  return {
    placement: ANYWHERE,
    usesConntrack: false,
    objection: null,
    isPure: false,
    ...parts,
    kind: "extension",
  };
}

/** A target that always does `action`. */
export const bindAction = (action: Action): (() => Bound) => {
  const bound: Bound = { kind: "action", action };
  return () => bound;
};

/** A family of targets: one file, one line in the registry. */
export interface TargetKind {
  /** As after `-j`. */
  readonly name: string;
  readonly options: readonly OptionSpec[];
  /** Read the options that a rule gives. @throws {ParseError} with the word that is wrong. */
  parse(given: Options): Extension;
}

const REASON = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*\/[a-z0-9]+(?:-[a-z0-9]+)*$/;

const isReason = (text: string): text is Reason => REASON.test(text);

/** The reason that a rule's comments give its drops: the first of the form `word/more-words`. */
export function reasonOf(matches: readonly Match[]): Reason | null {
  for (const { comment } of matches) {
    if (comment !== null && isReason(comment)) return comment;
  }
  return null;
}
