/** `--arp-*`: what an ARP message says (Linux `net/bridge/netfilter/ebt_arp.c`). @module */
import type { Packet } from "../../../wire/packet.ts";
import { ARP } from "../../../l2/arp.ts";
import { EtherType, ETHERNET_LENGTH } from "../../../l2/ethernet.ts";
import { findNumber, type MaskedAddress, parseMaskedAddress } from "../../values.ts";
import { refuse } from "../../errors.ts";
import { option } from "../../options.ts";
import {
  formatAddress,
  formatMaskedMac,
  MacTest,
  type MaskedMac,
  parseMaskedMac,
} from "../addresses.ts";
import { parseEtherType } from "../ether-types.ts";
import { type Asked, ask, hasNumber, print } from "../asked.ts";
import { firstGiven, type FrameMatcher, type FrameMatchKind, requireType } from "../frame-match.ts";

/** Reverse ARP. */
const RARP = 0x8035;
const ETHERNET_HARDWARE = 1;
const MAC_LENGTH = 6;
const IPV4_LENGTH = 4;
/** Octets before the addresses, whose lengths the message says. */
const FIXED_LENGTH = ARP.sha.offset;

/** From 1. */
const OPCODES = [
  "Request",
  "Reply",
  "Request_Reverse",
  "Reply_Reverse",
  "DRARP_Request",
  "DRARP_Reply",
  "DRARP_Error",
  "InARP_Request",
  "ARP_NAK",
];

interface ArpTest {
  readonly opcode: Asked<number> | null;
  readonly hardware: Asked<number> | null;
  readonly protocol: Asked<number> | null;
  readonly sourceIp: Asked<MaskedAddress> | null;
  readonly targetIp: Asked<MaskedAddress> | null;
  readonly sourceMac: Asked<MaskedMac> | null;
  readonly targetMac: Asked<MaskedMac> | null;
  readonly gratuitous: { readonly isInverted: boolean } | null;
}

class ArpMatcher implements FrameMatcher {
  readonly #test: ArpTest;
  readonly #hasIp: boolean;
  readonly #sourceMac: MacTest | null;
  readonly #targetMac: MacTest | null;

  constructor(test: ArpTest) {
    const { sourceIp, targetIp, sourceMac, targetMac, gratuitous } = test;
    this.#test = test;
    this.#hasIp = sourceIp !== null || targetIp !== null || gratuitous !== null;
    this.#sourceMac = newMacTest(sourceMac);
    this.#targetMac = newMacTest(targetMac);
  }

  matches({ pool: { view }, frame, end }: Packet): boolean {
    const at = frame + ETHERNET_LENGTH;
    if (end - at < FIXED_LENGTH) return false;
    const { opcode, hardware, protocol } = this.#test;
    return (
      hasNumber(opcode, ARP.op.get(view, at)) &&
      hasNumber(hardware, ARP.htype.get(view, at)) &&
      hasNumber(protocol, ARP.ptype.get(view, at)) &&
      (!this.#hasIp || this.#matchesIp(view, at, end)) &&
      this.#matchesMacs(view, at, end)
    );
  }

  /** The lengths that the message gives decide where the addresses lie, whatever they are. */
  #matchesIp(view: DataView, at: number, end: number): boolean {
    if (ARP.plen.get(view, at) !== IPV4_LENGTH) return false;
    if (ARP.ptype.get(view, at) !== EtherType.Ipv4) return false;
    const macLength = ARP.hlen.get(view, at);
    const sourceAt = at + FIXED_LENGTH + macLength;
    const targetAt = sourceAt + IPV4_LENGTH + macLength;
    if (end - targetAt < IPV4_LENGTH) return false;
    const source = view.getInt32(sourceAt);
    const target = view.getInt32(targetAt);
    const { sourceIp, targetIp, gratuitous } = this.#test;
    return (
      hasAddress(sourceIp, source) &&
      hasAddress(targetIp, target) &&
      (gratuitous === null || (source === target) !== gratuitous.isInverted)
    );
  }

  #matchesMacs(view: DataView, at: number, end: number): boolean {
    if (this.#sourceMac === null && this.#targetMac === null) return true;
    if (ARP.hlen.get(view, at) !== MAC_LENGTH) return false;
    if (ARP.htype.get(view, at) !== ETHERNET_HARDWARE) return false;
    const sourceAt = at + FIXED_LENGTH;
    const targetAt = sourceAt + MAC_LENGTH + ARP.plen.get(view, at);
    return (
      hasMac(this.#sourceMac, view, sourceAt, end) && hasMac(this.#targetMac, view, targetAt, end)
    );
  }
}

/** All needs `-p ARP` or `-p RARP`. */
export const arp: FrameMatchKind = {
  name: "arp",
  options: [
    option("arp-op", { aliases: ["arp-opcode"], isInvertible: true }),
    option("arp-htype", { isInvertible: true }),
    option("arp-ptype", { isInvertible: true }),
    option("arp-ip-src", { isInvertible: true }),
    option("arp-ip-dst", { isInvertible: true }),
    option("arp-mac-src", { isInvertible: true }),
    option("arp-mac-dst", { isInvertible: true }),
    option("arp-gratuitous", { operands: 0, isInvertible: true }),
  ],
  parse(given, protocol) {
    requireType(firstGiven(this.options, given), protocol, EtherType.Arp, RARP);
    const test: ArpTest = {
      opcode: ask(given, "arp-op", parseOpcode),
      hardware: ask(given, "arp-htype", parseHardware),
      protocol: ask(given, "arp-ptype", parseEtherType),
      sourceIp: ask(given, "arp-ip-src", parseMaskedAddress),
      targetIp: ask(given, "arp-ip-dst", parseMaskedAddress),
      sourceMac: ask(given, "arp-mac-src", parseMaskedMac),
      targetMac: ask(given, "arp-mac-dst", parseMaskedMac),
      gratuitous: given.find("arp-gratuitous"),
    };
    const matcher = new ArpMatcher(test);
    return { kind: "match", name: "arp", text: formatTest(test), bind: () => matcher };
  },
};

const newMacTest = (asked: Asked<MaskedMac> | null): MacTest | null =>
  asked === null ? null : new MacTest(asked.value, asked.isInverted);

/** @param address as a signed number. */
const hasAddress = (asked: Asked<MaskedAddress> | null, address: number): boolean =>
  asked === null ||
  ((address & asked.value.mask) === (asked.value.address | 0)) !== asked.isInverted;

const hasMac = (test: MacTest | null, view: DataView, at: number, end: number): boolean =>
  test === null || (end - at >= MAC_LENGTH && test.matches(view, at));

function parseOpcode(word: string): number {
  const named = OPCODES.findIndex((name) => name.toLowerCase() === word.toLowerCase());
  if (named >= 0) return named + 1;
  return readNumber(word) ?? refuse(word, `no operation of ARP: "${word}"`);
}

function parseHardware(word: string): number {
  if (word.toLowerCase() === "ethernet") return ETHERNET_HARDWARE;
  return readNumber(word) ?? refuse(word, `no hardware type: "${word}"`);
}

/** Decimal, of 16 bits; `null` for anything else. */
function readNumber(word: string): number | null {
  const number = /^\d+$/.test(word) ? findNumber(word.replace(/^0+(?=\d)/, "")) : null;
  return number === null || number > 0xffff ? null : number;
}

function formatTest(test: ArpTest): string {
  const { opcode, hardware, protocol, sourceIp, targetIp, sourceMac, targetMac } = test;
  const { gratuitous } = test;
  return [
    print("arp-op", opcode, (value) => OPCODES[value - 1] ?? `${value}`),
    print("arp-htype", hardware, String),
    print("arp-ptype", protocol, (value) => `0x${value.toString(16)}`),
    print("arp-ip-src", sourceIp, formatAddress),
    print("arp-ip-dst", targetIp, formatAddress),
    print("arp-mac-src", sourceMac, formatMaskedMac),
    print("arp-mac-dst", targetMac, formatMaskedMac),
    gratuitous === null ? "" : `${gratuitous.isInverted ? "! " : ""}--arp-gratuitous `,
  ].join("");
}
