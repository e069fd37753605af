/** One rule: what a packet must be, and what then happens (Linux `struct ipt_entry`). @module */
import { formatProtocol } from "./protocol-names.ts";
import type { Match } from "./match.ts";
import type { Target } from "./target.ts";
import { formatMaskedAddress, type MaskedAddress } from "./values.ts";

/** `-s` or `-d`. */
export interface AddressTest extends MaskedAddress {
  readonly isInverted: boolean;
}

/** `-i` or `-o`. */
export interface DeviceTest {
  /** A name; with `+` at its end, every name that begins so. */
  readonly name: string;
  readonly isInverted: boolean;
}

/** False for a test that every device passes, one that is not there included. */
export const asksForDevice = (asked: DeviceTest | null): asked is DeviceTest =>
  asked !== null && asked.name !== "+";

/** `-p`. */
export interface ProtocolTest {
  /** From 1 to 255. */
  readonly number: number;
  readonly isInverted: boolean;
}

/** A rule without counters. Immutable, and may stand in many chains. */
export interface Rule {
  readonly source: AddressTest | null;
  readonly destination: AddressTest | null;
  readonly input: DeviceTest | null;
  readonly output: DeviceTest | null;
  readonly protocol: ProtocolTest | null;
  /** `-f`: second and later fragments, or with `!` all but those. */
  readonly fragment: { readonly isInverted: boolean } | null;
  /** In the order in which they are asked. */
  readonly matches: readonly Match[];
  readonly target: Target;
}

/** What follows `-A CHAIN ` in `iptables-save`. Rules are equal if they print alike. */
export function formatRule(rule: Rule): string {
  const { source, destination, input, output, protocol, fragment, matches, target } = rule;
  const tests = [
    source === null ? null : test("-s", formatMaskedAddress(source), source.isInverted),
    destination === null
      ? null
      : test("-d", formatMaskedAddress(destination), destination.isInverted),
    asksForDevice(input) ? test("-i", input.name, input.isInverted) : null,
    asksForDevice(output) ? test("-o", output.name, output.isInverted) : null,
    protocol === null ? null : test("-p", formatProtocol(protocol.number), protocol.isInverted),
    fragment === null ? null : `${fragment.isInverted ? "! " : ""}-f`,
    ...matches.map(({ name, text }) => `-m ${name}${text}`),
    formatTarget(target),
  ];
  return tests.filter((part) => part !== null).join(" ");
}

const test = (letter: string, value: string, isInverted: boolean): string =>
  `${isInverted ? "! " : ""}${letter} ${value}`;

function formatTarget(target: Target): string | null {
  switch (target.kind) {
    case "none":
      return null;
    case "accept":
    case "drop":
    case "return":
      return `-j ${target.kind.toUpperCase()}`;
    case "jump":
      return `-j ${target.chain}`;
    case "goto":
      return `-g ${target.chain}`;
    case "extension":
      return `-j ${target.name}${target.text}`;
  }
}
