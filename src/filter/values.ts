/**
 * The words of rules as values: numbers as `strtoul` reads them, ports, addresses with masks,
 * marks, names that may be cut short (libxtables `xtoptions.c`).
 * @module
 */
import { type Ipv4Addr, formatIpv4, ipv4Of, maskOf, parseIpv4 } from "../wire/addr.ts";
import { refuse } from "./errors.ts";
import { cutOctets } from "./words.ts";

/** Numbers from `lower` to `upper`, both included. */
export interface NumberRange {
  readonly lower: number;
  readonly upper: number;
}

/** Every port. */
export const ALL_PORTS: NumberRange = { lower: 0, upper: 65_535 };

const NUMBER = /^(?:0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i;

/** The number that `word` says, decimal, 0x or 0 before octal digits; `null` if it says none. */
export function findNumber(word: string): number | null {
  if (!NUMBER.test(word)) return null;
  return Number(/^0[0-7]/.test(word) ? `0o${word}` : word);
}

/** @throws {ParseError} if `word` is no number from `lower` to `upper`. */
export function parseNumber(word: string, lower: number, upper: number, what: string): number {
  const value = findNumber(word);
  if (value === null || value < lower || value > upper) {
    refuse(word, `${what} must be a number from ${lower} to ${upper}, not "${word}"`);
  }
  return value;
}

/**
 * Read "80", "80:90", ":90" or "80:" as numbers up to 65,535.
 * @throws {ParseError} if `word` is no such range, or falls; names of services are not read.
 */
export function parseRange(word: string, what: string): NumberRange {
  const range = parseAnyRange(word, what);
  if (range.lower > range.upper) refuse(word, `the range ${word} falls`);
  return range;
}

/**
 * Read a range as {@link parseRange} does, but of numbers up to `limit`, 65,535 by default, and one
 * that falls, in which nothing is, where `iptables` reads it so.
 */
export function parseAnyRange(word: string, what: string, limit = 65_535): NumberRange {
  const [from = "", to = from, ...rest] = word.split(":");
  if (rest.length > 0 || word === "") refuse(word, `expected ${what} or a range, got "${word}"`);
  const lower = from === "" ? 0 : parseNumber(from, 0, limit, what);
  return { lower, upper: to === "" ? limit : parseNumber(to, 0, limit, what) };
}

/** "80", or "80:90". */
export const formatRange = ({ lower, upper }: NumberRange): string =>
  lower === upper ? `${lower}` : `${lower}:${upper}`;

/** An address of which only the bits of `mask` count; the others are zero. */
export interface MaskedAddress {
  readonly address: Ipv4Addr;
  readonly mask: Ipv4Addr;
}

/**
 * Read "10.0.0.0/8", "10.0.0.0/255.0.0.0", "10.1.2.3", "10/8", "0/0". Parts that are missing are 0.
 * Bits that the mask leaves out are cleared.
 * @throws {ParseError} if `word` is no such address; names of hosts are not read.
 */
export function parseMaskedAddress(word: string): MaskedAddress {
  const [text = "", maskText = "32", ...rest] = word.split("/");
  if (rest.length > 0) refuse(word, `expected an address with a mask, got "${word}"`);
  const mask = /^\d+$/.test(maskText)
    ? maskOf(parseNumber(maskText, 0, 32, "a prefix length"))
    : parseIpv4(maskText);
  const missing = 4 - text.split(".").length;
  const address = parseIpv4(text === "" ? text : text + ".0".repeat(Math.max(missing, 0)));
  return { address: ipv4Of(address & mask), mask };
}

/** True if no bit of `mask` is set after one that is not. */
export const isPrefix = (mask: number): boolean => Number.isInteger(Math.log2(2 ** 32 - mask));

/** "10.0.0.0/8", with the mask in four parts if it is no prefix. */
export function formatMaskedAddress({ address, mask }: MaskedAddress): string {
  const length = 32 - Math.log2(2 ** 32 - mask);
  return `${formatIpv4(address)}/${isPrefix(mask) ? length : formatIpv4(mask)}`;
}

/** A value of which only the bits of `mask` count. */
export interface MaskedNumber {
  readonly value: number;
  readonly mask: number;
}

/** The largest number of 32 bits. */
export const MAX_UINT = 0xffff_ffff;

/** Read "0x10/0xff" with numbers up to `limit`; without a mask, all bits of `limit` count. */
export function parseMaskedNumber(word: string, limit: number, what: string): MaskedNumber {
  const [value = "", mask, ...rest] = word.split("/");
  if (rest.length > 0) refuse(word, `${what} has one mask at most, got "${word}"`);
  return {
    value: parseNumber(value, 0, limit, what),
    mask: mask === undefined ? limit : parseNumber(mask, 0, limit, `the mask of ${what}`),
  };
}

/** "0x10". */
export const hex = (value: number): string => `0x${value.toString(16)}`;

/** "0x0a". */
export const hex2 = (value: number): string => `0x${value.toString(16).padStart(2, "0")}`;

/**
 * The first of `names` that `word` is or begins, in either case (`strncasecmp`).
 * @throws {ParseError} if it begins none, or is empty.
 */
function parseName<const N extends string>(word: string, names: readonly N[], what: string): N {
  const lower = word.toLowerCase();
  const found = names.find((name) => name.toLowerCase().startsWith(lower));
  if (found === undefined || word === "") {
    refuse(word, `${what} is one of ${names.join(", ")}, not "${word}"`);
  }
  return found;
}

/** Read the names of a list as {@link parseName} does. @returns their places in `names` as bits. */
export function parseNameBits(word: string, names: readonly string[], what: string): number {
  return word
    .split(",")
    .reduce((bits, one) => bits | (1 << names.indexOf(parseName(one, names, what))), 0);
}

/** The names of `bits`, in the order of `names`. */
export const formatNameBits = (bits: number, names: readonly string[]): string =>
  names.filter((_, index) => (bits & (1 << index)) !== 0).join(",");

/**
 * Read the name of a device, or the beginning of one with a `+` after it.
 * @throws {ParseError} if `word` is empty, longer than 15 characters or has a slash or a space.
 */
export function parseDeviceName(word: string): string {
  if (!/^[^\s/]{1,15}$/.test(word)) {
    refuse(word, `a device has a name of 1 to 15 characters, no space or slash, not "${word}"`);
  }
  return word;
}

/**
 * Read a prefix length: "24" or "255.255.255.0".
 * @throws {ParseError} if `word` is neither, or the mask has gaps.
 */
export function parsePrefixLength(word: string): number {
  if (/^\d+$/.test(word)) return parseNumber(word, 0, 32, "a prefix length");
  const mask = parseIpv4(word);
  if (!isPrefix(mask)) refuse(word, `the mask ${word} has gaps`);
  return 32 - Math.log2(2 ** 32 - mask);
}

/**
 * Read the name of a list that rules share, which the kernel cuts off after `longest` octets.
 * @throws {ParseError} if no file can be called so, or `iptables-save` would print it so that it
 * cannot be read again.
 */
export function parseListName(word: string, longest: number): string {
  if (!/^[^\s"'\\/]+$/.test(word) || word === "." || word === "..") {
    refuse(word, `a list has a name without spaces, quotes and slashes, not "${word}"`);
  }
  return cutOctets(word, longest);
}
