/** `--vlan-*`: an 802.1Q tag (Linux `net/bridge/netfilter/ebt_vlan.c`). @module */
import type { Packet } from "../../../wire/packet.ts";
import { EtherType, ETHERNET_LENGTH, VLAN } from "../../../l2/ethernet.ts";
import { refuse } from "../../errors.ts";
import { option } from "../../options.ts";
import { parseNumber } from "../../values.ts";
import { type Asked, ask, hasNumber, print } from "../asked.ts";
import { parseEtherType } from "../ether-types.ts";
import { firstGiven, type FrameMatcher, type FrameMatchKind, requireType } from "../frame-match.ts";

const LAST_VLAN = 4094;
/** Smaller ones are no types that the kernel takes (`ETH_ZLEN`). */
const SMALLEST_TYPE = 60;

interface VlanTest {
  readonly vlan: Asked<number> | null;
  readonly priority: Asked<number> | null;
  readonly type: Asked<number> | null;
}

class VlanMatcher implements FrameMatcher {
  readonly #test: VlanTest;

  constructor(test: VlanTest) {
    this.#test = test;
  }

  /** The rule's `-p` has found a tag, and the bridge has checked that it is whole. */
  matches({ pool: { view }, frame }: Packet): boolean {
    const at = frame + ETHERNET_LENGTH;
    const { vlan, priority, type } = this.#test;
    return (
      hasNumber(vlan, VLAN.vlan.get(view, at)) &&
      hasNumber(priority, VLAN.priority.get(view, at)) &&
      hasNumber(type, VLAN.type.get(view, at))
    );
  }
}

/**
 * All needs `-p 802_1Q`. With a VLAN other than 0, the kernel drops what a rule says of the
 * priority (`ebt_vlan_mt_check`).
 */
export const vlan: FrameMatchKind = {
  name: "vlan",
  options: [
    option("vlan-id", { isInvertible: true }),
    option("vlan-prio", { isInvertible: true }),
    option("vlan-encap", { isInvertible: true }),
  ],
  parse(given, protocol) {
    requireType(firstGiven(this.options, given), protocol, EtherType.Vlan);
    const id = ask(given, "vlan-id", (word) => parseDecimal(word, LAST_VLAN, "a VLAN"));
    const prio = ask(given, "vlan-prio", (word) => parseDecimal(word, 7, "a priority"));
    const test: VlanTest = {
      vlan: id,
      priority: id !== null && id.value !== 0 ? null : prio,
      type: ask(given, "vlan-encap", parseType),
    };
    const matcher = new VlanMatcher(test);
    const text = [
      print("vlan-id", test.vlan, String),
      print("vlan-prio", test.priority, String),
      print("vlan-encap", test.type, (type) => type.toString(16).toUpperCase().padStart(4, "0")),
    ].join("");
    return { kind: "match", name: "vlan", text, bind: () => matcher };
  },
};

/** `ebtables` reads 010 as 10 here, and as 8 elsewhere. */
function parseDecimal(word: string, upper: number, what: string): number {
  if (!/^\d+$/.test(word)) refuse(word, `${what} is a decimal number, not "${word}"`);
  return parseNumber(word.replace(/^0+(?=\d)/, ""), 0, upper, what);
}

function parseType(word: string): number {
  const type = parseEtherType(word);
  return type < SMALLEST_TYPE ? refuse(word, `${word} is no type of a frame`) : type;
}
