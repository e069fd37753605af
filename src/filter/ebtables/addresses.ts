/**
 * Addresses in the words of `ebtables`: MAC addresses with masks (libxtables
 * `xtables_parse_mac_and_mask`), and how it prints those of IPv4.
 * @module
 */
import { formatMac, type Mac, MAC_BROADCAST, MAC_ZERO, macOf, parseMac } from "../../wire/addr.ts";
import { refuse } from "../errors.ts";
import { formatMaskedAddress, type MaskedAddress } from "../values.ts";

/** An address of which only the bits of `mask` count; the others are zero. */
export interface MaskedMac {
  readonly address: Mac;
  readonly mask: Mac;
}

const GROUP_BIT = macOf(2 ** 40);
const HIGH = 2 ** 32;

/** Groups of addresses that have names. */
const NAMES: readonly (readonly [string, MaskedMac])[] = [
  ["Unicast", { address: MAC_ZERO, mask: GROUP_BIT }],
  ["Multicast", { address: GROUP_BIT, mask: GROUP_BIT }],
  ["Broadcast", { address: MAC_BROADCAST, mask: MAC_BROADCAST }],
  ["BGA", { address: macOf(0x0180_c200_0000), mask: MAC_BROADCAST }],
];

/** Read "1:2:3:4:5:6": a digit may stand alone. @throws {ParseError} if `word` is no address. */
export function parseLooseMac(word: string): Mac {
  if (word.includes("-")) refuse(word, `expected a MAC address with colons, got "${word}"`);
  return parseMac(word.replaceAll(/\b[\da-f]\b/gi, "0$&"));
}

/**
 * Read "12:31:39:00:a5:11", an address with a mask after a slash, or a group's name.
 * @throws {ParseError} if `word` is no such address, or the mask leaves nothing.
 */
export function parseMaskedMac(word: string): MaskedMac {
  const named = NAMES.find(([name]) => name.toLowerCase() === word.toLowerCase());
  if (named !== undefined) return named[1];
  const [text = "", maskText, ...rest] = word.split("/");
  if (rest.length > 0) refuse(word, `expected an address with a mask, got "${word}"`);
  const mask = maskText === undefined ? MAC_BROADCAST : parseLooseMac(maskText);
  if (mask === MAC_ZERO) refuse(word, `the mask of ${word} leaves nothing to ask for`);
  return { address: and(parseLooseMac(text), mask), mask };
}

/** "12:31:39:00:a5:11", with the mask after a slash if some bits do not count. */
export const formatMaskedMac = ({ address, mask }: MaskedMac): string =>
  mask === MAC_BROADCAST ? formatMac(address) : `${formatMac(address)}/${formatMac(mask)}`;

/** The name of a group, or as {@link formatMaskedMac}. */
export function formatNamedMac(masked: MaskedMac): string {
  const isSame = ({ address, mask }: MaskedMac): boolean =>
    address === masked.address && mask === masked.mask;
  return NAMES.find(([, one]) => isSame(one))?.[0] ?? formatMaskedMac(masked);
}

/** "10.0.0.0/8", without a mask of 32 bits. */
export const formatAddress = (masked: MaskedAddress): string =>
  formatMaskedAddress(masked).replace(/\/32$/, "");

/** Compares the octets of an address in place, as two integers. */
export class MacTest {
  readonly #high: number;
  readonly #highMask: number;
  readonly #low: number;
  readonly #lowMask: number;
  readonly #isInverted: boolean;

  constructor({ address, mask }: MaskedMac, isInverted: boolean) {
    this.#high = Math.floor(address / HIGH);
    this.#highMask = Math.floor(mask / HIGH);
    this.#low = (address % HIGH) | 0;
    this.#lowMask = (mask % HIGH) | 0;
    this.#isInverted = isInverted;
  }

  /** @param at the first octet of the address. */
  matches(view: DataView, at: number): boolean {
    const isSame =
      (view.getUint16(at) & this.#highMask) === this.#high &&
      (view.getInt32(at + 2) & this.#lowMask) === this.#low;
    return isSame !== this.#isInverted;
  }
}

function and(left: Mac, right: Mac): Mac {
  const high = Math.floor(left / HIGH) & Math.floor(right / HIGH);
  return macOf(high * HIGH + (((left % HIGH) & (right % HIGH)) >>> 0));
}
