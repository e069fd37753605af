/**
 * `--pkttype-type`: how a frame was addressed (Linux `net/bridge/netfilter/ebt_pkttype.c`).
 * @module
 */
import type { Packet } from "../../../wire/packet.ts";
import { option } from "../../options.ts";
import { refuse } from "../../errors.ts";
import { type FrameMatcher, type FrameMatchKind, printValue } from "../frame-match.ts";

/** Linux's `PACKET_*` by number; the first four are those of `Cast`, no frame is another. */
const NAMES = [
  "host",
  "broadcast",
  "multicast",
  "otherhost",
  "outgoing",
  "loopback",
  "fastroute",
] as const;

class PacketTypeMatcher implements FrameMatcher {
  readonly #type: number;
  readonly #isInverted: boolean;

  constructor(type: number, isInverted: boolean) {
    this.#type = type;
    this.#isInverted = isInverted;
  }

  matches({ cast }: Packet): boolean {
    return (cast === this.#type) !== this.#isInverted;
  }
}

/** By name, or by number in hexadecimal. */
export const pkttype: FrameMatchKind = {
  name: "pkttype",
  options: [option("pkttype-type", { isInvertible: true })],
  parse(given) {
    const { word, isInverted } = given.get("pkttype-type");
    const type = parseType(word);
    const matcher = new PacketTypeMatcher(type, isInverted);
    const text = printValue("pkttype-type", NAMES[type] ?? type, isInverted);
    return { kind: "match", name: "pkttype", text, bind: () => matcher };
  },
};

function parseType(word: string): number {
  const named = NAMES.findIndex((name) => name === word.toLowerCase());
  if (named >= 0) return named;
  const isNumber = /^(?:0x)?[\da-f]{1,2}$/i.test(word);
  return isNumber
    ? Number.parseInt(word, 16)
    : refuse(word, `a packet is ${NAMES.join(", ")}, not "${word}"`);
}
