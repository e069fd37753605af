/** What rules about frames ask beyond addresses, devices and protocol; who hears. @module */
import type { Packet } from "../../wire/packet.ts";
import type { FrameContext } from "../../l2/bridge-hooks.ts";
import { refuse } from "../errors.ts";
import type { OptionSpec, Options } from "../options.ts";
import type { RuleServices } from "../services.ts";
import { formatEtherType } from "./ether-types.ts";

/** What rules about frames need from the host; a log that is `null` hears nothing. */
export type FrameServices = Pick<RuleServices, "jiffies" | "log">;

/** Judges frames. May have state; does not allocate, and reads no octet past `packet.end`. */
export interface FrameMatcher {
  matches(packet: Packet, context: FrameContext): boolean;
}

/** Hears of the frames that a rule matches. */
export interface FrameListener {
  hear(packet: Packet, context: FrameContext): void;
}

/** What a frame must carry; `null` is a frame of IEEE 802.3 with a length. */
export interface EtherTypeTest {
  readonly type: number | null;
  readonly isInverted: boolean;
}

interface Extra {
  /** The family. */
  readonly name: string;
  /** Its options as `ebtables-save` prints them, with a space after each. */
  readonly text: string;
}

/** What some options of a rule ask. Immutable. */
export interface FrameMatch extends Extra {
  readonly kind: "match";
  /** What judges frames for one rule. @throws {RuleError} if a number is out of range. */
  bind(services: FrameServices): FrameMatcher;
}

/** Who hears of the frames that a rule matches. Immutable. */
export interface FrameWatcher extends Extra {
  readonly kind: "watcher";
  bind(services: FrameServices): FrameListener;
}

/** A family of matches or watchers: its options need no word before them. */
export interface FrameMatchKind {
  readonly name: string;
  readonly options: readonly OptionSpec[];
  /**
   * Read the options that a rule gives.
   * @param protocol what the rule's `-p` asks; `null` for any.
   * @throws {ParseError} with the word that is wrong.
   */
  parse(given: Options, protocol: EtherTypeTest | null): FrameMatch | FrameWatcher;
}

/**
 * What needs a rule with a certain `-p`.
 * @param word the option that needs it.
 * @throws {ParseError} unless the rule asks for one of `types`, not inverted.
 */
export function requireType(
  word: string,
  protocol: EtherTypeTest | null,
  ...types: readonly number[]
): void {
  if (protocol?.type != null && !protocol.isInverted && types.includes(protocol.type)) return;
  refuse(word, `${word} needs a rule with -p ${types.map(formatEtherType).join(" or ")}`);
}

/** The first of `options` that is given, as it is printed. */
export function firstGiven(options: readonly OptionSpec[], given: Options): string {
  const found = options.find(({ names: [name] }) => given.has(name));
  return found === undefined ? given.owner : `--${found.names[0]}`;
}

/** How `ebtables-save` prints an option: `!` before the value, a space after it. */
export const printValue = (name: string, value: string | number, isInverted = false): string =>
  `--${name} ${isInverted ? "! " : ""}${value} `;
