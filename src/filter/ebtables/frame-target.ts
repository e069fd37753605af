/** What rules about frames do. @module */
import type { Packet } from "../../wire/packet.ts";
import type { BridgeHook, FrameContext } from "../../l2/bridge-hooks.ts";
import { refuse } from "../errors.ts";
import type { Given, OptionSpec, Options } from "../options.ts";
import type { EtherTypeTest } from "./frame-match.ts";

/** What happens to a frame at a rule: the four words that every target may end with. */
export const FrameVerdict = { Accept: 0, Drop: 1, Continue: 2, Return: 3 } as const;
/** One of {@link FrameVerdict}. */
export type FrameVerdict = (typeof FrameVerdict)[keyof typeof FrameVerdict];

/** By number. */
const VERDICTS = ["ACCEPT", "DROP", "CONTINUE", "RETURN"] as const;

/** The verdict that `word` names; `null` if it names none. */
export function findVerdict(word: string): FrameVerdict | null {
  const found = Object.values(FrameVerdict).find((one) => VERDICTS[one] === word);
  return found ?? null;
}

/** As `ebtables` writes it. */
export const formatVerdict = (verdict: FrameVerdict): string => VERDICTS[verdict];

/** Why rules about frames drop one. */
export type FrameReason =
  | "filter/dropped"
  | "filter/policy"
  | "filter/malformed"
  | "filter/arp-answered";

/** Does something to a frame, which it borrows; on a drop of its own, `context` may say why. */
export interface FrameAction {
  apply(packet: Packet, context: FrameContext): FrameVerdict;
}

/** Tables of ebtables; `broute` is not one of them. */
export const FRAME_TABLES = ["filter", "nat"] as const;
/** The name of a table. */
export type FrameTableName = (typeof FRAME_TABLES)[number];

/** A target with a name of its own. Immutable. */
export interface FrameExtension {
  readonly kind: "extension";
  /** As after `-j`. */
  readonly name: string;
  /** Its options as `ebtables-save` prints them. */
  readonly text: string;
  /** The only table; `null` for any. */
  readonly table: FrameTableName | null;
  /** Hooks that may lead to it; `null` for any. */
  readonly hooks: readonly BridgeHook[] | null;
  readonly action: FrameAction;
}

/** What a rule does. */
export type FrameTarget =
  | { readonly kind: "verdict"; readonly verdict: FrameVerdict }
  | { readonly kind: "jump"; readonly chain: string }
  | FrameExtension;

/** A family of targets. */
export interface FrameTargetKind {
  readonly name: string;
  readonly options: readonly OptionSpec[];
  /**
   * Read the options that a rule gives.
   * @param protocol what the rule's `-p` asks; `null` for any.
   * @throws {ParseError} with the word that is wrong.
   */
  parse(given: Options, protocol: EtherTypeTest | null): FrameExtension;
}

/** Read what a target ends with. @throws {ParseError} if the word is no verdict. */
export function readVerdict(given: Given | null, otherwise: FrameVerdict): FrameVerdict {
  if (given === null) return otherwise;
  const { word } = given;
  return findVerdict(word) ?? refuse(word, `expected ${VERDICTS.join(", ")}, got "${word}"`);
}
