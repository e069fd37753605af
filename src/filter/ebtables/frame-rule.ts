/** One rule about frames (Linux `struct ebt_entry`). @module */
import { asksForDevice, type DeviceTest } from "../rule.ts";
import { formatNamedMac, type MaskedMac } from "./addresses.ts";
import { formatEtherType } from "./ether-types.ts";
import type { EtherTypeTest, FrameMatch, FrameWatcher } from "./frame-match.ts";
import { type FrameTarget, formatVerdict } from "./frame-target.ts";

/** `-s` or `-d`. */
export interface MacAddressTest extends MaskedMac {
  readonly isInverted: boolean;
}

/** A rule without counters. Immutable. */
export interface FrameRule {
  readonly protocol: EtherTypeTest | null;
  readonly source: MacAddressTest | null;
  readonly destination: MacAddressTest | null;
  /** The port, `-i`. */
  readonly input: DeviceTest | null;
  /** The bridge of the port, `--logical-in`. */
  readonly logicalInput: DeviceTest | null;
  readonly output: DeviceTest | null;
  readonly logicalOutput: DeviceTest | null;
  /** In the order in which they are asked. Watchers hear when all matches have said yes. */
  readonly extras: readonly (FrameMatch | FrameWatcher)[];
  readonly target: FrameTarget;
}

/** What follows `-A CHAIN ` in `ebtables-save`. Rules are equal if they print alike. */
export function formatFrameRule(rule: FrameRule): string {
  const { protocol, source, destination, extras, target } = rule;
  return [
    protocol === null ? "" : test("-p", formatProtocol(protocol), protocol.isInverted),
    source === null ? "" : test("-s", formatNamedMac(source), source.isInverted),
    destination === null ? "" : test("-d", formatNamedMac(destination), destination.isInverted),
    device("-i", rule.input),
    device("--logical-in", rule.logicalInput),
    device("-o", rule.output),
    device("--logical-out", rule.logicalOutput),
    ...extras.map(({ text }) => text),
    `-j ${formatTarget(target)}`,
  ].join("");
}

const test = (letter: string, value: string, isInverted: boolean): string =>
  `${letter} ${isInverted ? "! " : ""}${value} `;

const device = (letter: string, asked: DeviceTest | null): string =>
  asksForDevice(asked) ? test(letter, asked.name, asked.isInverted) : "";

const formatProtocol = ({ type }: EtherTypeTest): string =>
  type === null ? "Length" : formatEtherType(type);

/** A target without options leaves a space where they would be. */
function formatTarget(target: FrameTarget): string {
  switch (target.kind) {
    case "verdict":
      return formatVerdict(target.verdict);
    case "jump":
      return target.chain;
    case "extension":
      return `${target.name} ${target.text}`;
  }
}
