/** Addresses as numbers: comparable, hashable, free to copy. @module */
import ipaddr from "ipaddr.js";
import { ParseError } from "../base/errors.ts";

/** IEEE 802 MAC address: an integer below 2^48, first octet most significant. */
export type Mac = number & { readonly __unit: "mac" };
/** IPv4 address: an integer below 2^32, first octet most significant. */
export type Ipv4Addr = number & { readonly __unit: "ipv4" };

/** An address block: `address` has no bits below `length`. */
export interface Prefix {
  readonly address: Ipv4Addr;
  /** Leading bits that count, from 0 to 32. */
  readonly length: number;
}

/** FF:FF:FF:FF:FF:FF. */
export const MAC_BROADCAST = 0xffff_ffff_ffff as Mac;
/** 00:00:00:00:00:00. */
export const MAC_ZERO = 0 as Mac;
/** 0.0.0.0. */
export const IPV4_ANY = 0 as Ipv4Addr;
/** 255.255.255.255. */
export const IPV4_BROADCAST = 0xffff_ffff as Ipv4Addr;

/** Read a computed number as an IPv4 address: its low 32 bits, unsigned. */
export const ipv4Of = (value: number): Ipv4Addr => (value >>> 0) as Ipv4Addr;
/** Read a number below 2^48 as a MAC address. */
export const macOf = (value: number): Mac => value as Mac;

/** True if bit 0 of the first octet is set: a group address (IEEE 802 section 8.2). */
export const isGroupMac = (mac: Mac): boolean => Math.floor(mac / 2 ** 40) % 2 === 1;

/** The mask of a prefix length from 0 to 32. */
export const maskOf = (length: number): Ipv4Addr =>
  ipv4Of(length === 0 ? 0 : 0xffff_ffff << (32 - length));
/** 224.0.0.0/4. */
export const isMulticast = (address: Ipv4Addr): boolean => address >>> 28 === 0xe;
/** 127.0.0.0/8. */
export const isLoopback = (address: Ipv4Addr): boolean => address >>> 24 === 127;
/** 0.0.0.0/8. */
export const isZeroNetwork = (address: Ipv4Addr): boolean => address >>> 24 === 0;
/** True if `address` lies in `prefix`. */
export const contains = (prefix: Prefix, address: Ipv4Addr): boolean =>
  ipv4Of(address & maskOf(prefix.length)) === prefix.address;

/**
 * Read "12:31:39:00:a5:11", in either case, with colons or hyphens.
 * @throws {ParseError} if the text is not six octets of two digits.
 */
export function parseMac(text: string): Mac {
  if (!/^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i.test(text)) {
    throw new ParseError(
      "mac",
      text,
      `expected a MAC address such as 12:31:39:00:A5:11, got "${text}"`,
    );
  }
  return Number.parseInt(text.replaceAll(/[:-]/g, ""), 16) as Mac;
}

/**
 * Read four decimal parts; octal, hexadecimal and short forms are refused.
 * @throws {ParseError} if the text is not such an address.
 */
export function parseIpv4(text: string): Ipv4Addr {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) {
    throw new ParseError(
      "ipv4",
      text,
      `expected an IPv4 address such as 10.254.170.223, got "${text}"`,
    );
  }
  return ipv4OfOctets(ipaddr.IPv4.parse(text).toByteArray());
}

/**
 * Read "10.254.168.0/23"; without a length, a /32.
 * @throws {ParseError} if the text is not a prefix, or has bits below its length.
 */
export function parsePrefix(text: string): Prefix {
  const { address, length } = parseInterfaceAddress(text);
  if (ipv4Of(address & maskOf(length)) !== address) {
    throw new ParseError("prefix", text, `${text} has bits below its prefix length`);
  }
  return { address, length };
}

/**
 * Read "10.254.170.223/23" as `ip addr` does: the address keeps its host bits.
 * @throws {ParseError} if the text is not an address with an optional length.
 */
export function parseInterfaceAddress(text: string): Prefix {
  const [address = "", length = "32", ...rest] = text.split("/");
  if (rest.length > 0 || !/^\d{1,2}$/.test(length) || Number(length) > 32) {
    throw new ParseError(
      "prefix",
      text,
      `expected a prefix such as 10.254.168.0/23, got "${text}"`,
    );
  }
  return { address: parseIpv4(address), length: Number(length) };
}

/** "12:31:39:00:a5:11". */
export function formatMac(mac: Mac): string {
  return (mac.toString(16).padStart(12, "0").match(/../g) ?? []).join(":");
}

/** "10.254.170.223". */
export function formatIpv4(address: Ipv4Addr): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** "10.254.168.0/23"; a /32 without its length. */
export function formatPrefix({ address, length }: Prefix): string {
  return length === 32 ? formatIpv4(address) : `${formatIpv4(address)}/${length}`;
}

function ipv4OfOctets(parts: readonly number[]): Ipv4Addr {
  return ipv4Of(parts.reduce((value, part) => value * 256 + part, 0));
}
