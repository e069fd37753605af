/**
 * Domain names and instance ids: one serial, two spellings (Rosen and RightScale, 2009 and 2010;
 * see docs/sources.md). dom_32504936 is i-00b6bc68.
 * @module
 */
import { ParseError, RangeFault } from "../base/errors.ts";
import { formatIpv4, formatMac, type Ipv4Addr, type Mac } from "../wire/addr.ts";

const FIRST_OCTET_MASK = 0x69;
const SECOND_OCTET_MASK = 0xe5;
const LOW_HALF_MASK = 0x4000;

/** The name that xend knew a domain by. @param serial from 0 to 2^32 - 1. */
export const domainName = (serial: number): string => `dom_${checkSerial(serial)}`;

/** @throws {ParseError} if `name` is not "dom_" and a number below 2^32, no zero before it. */
export function serialOfDomain(name: string): number {
  const [, digits = ""] = /^dom_(0|[1-9]\d{0,9})$/.exec(name) ?? [];
  if (digits === "" || Number(digits) >= 2 ** 32) {
    throw new ParseError(
      "domain-name",
      name,
      `expected a name such as dom_32504936, got "${name}"`,
    );
  }
  return Number(digits);
}

/** The instance id of a serial. @param serial from 0 to 2^32 - 1. */
export function instanceId(serial: number): string {
  const value = checkSerial(serial);
  const low = (value & 0xffff) ^ LOW_HALF_MASK;
  const second = ((value >>> 16) & 0xff) ^ SECOND_OCTET_MASK ^ (low >>> 8);
  const first = (value >>> 24) ^ FIRST_OCTET_MASK ^ (low & 0xff);
  const id = ((first << 24) | (second << 16) | low) >>> 0;
  return `i-${id.toString(16).padStart(8, "0")}`;
}

/** @throws {ParseError} if `id` is not "i-" and eight hexadecimal digits. */
export function serialOfInstance(id: string): number {
  if (!/^i-[0-9a-f]{8}$/.test(id)) {
    throw new ParseError("instance-id", id, `expected an id such as i-00b6bc68, got "${id}"`);
  }
  const value = Number.parseInt(id.slice(2), 16);
  const low = value & 0xffff;
  const second = ((value >>> 16) & 0xff) ^ SECOND_OCTET_MASK ^ (low >>> 8);
  const first = (value >>> 24) ^ FIRST_OCTET_MASK ^ (low & 0xff);
  return ((first << 24) | (second << 16) | (low ^ LOW_HALF_MASK)) >>> 0;
}

/** "domU-12-31-39-00-A5-11", the host name that a domU is told over DHCP. */
export const hostNameOf = (mac: Mac): string =>
  `domU-${formatMac(mac).toUpperCase().replaceAll(":", "-")}`;

/** host-a, host-b, ... host-z, host-a26, or the next after it that is nobody's. */
export function nextHostName(index: number, isTaken: (name: string) => boolean): string {
  for (let at = index; ; at += 1) {
    const letter = String.fromCharCode(97 + (at % 26));
    const name = `host-${letter}${at < 26 ? "" : at}`;
    if (!isTaken(name)) return name;
  }
}

/** "ec2-75-101-160-7.compute-1.amazonaws.com". */
export const publicNameOf = (address: Ipv4Addr): string =>
  `ec2-${formatIpv4(address).replaceAll(".", "-")}.compute-1.amazonaws.com`;

function checkSerial(serial: number): number {
  if (!Number.isInteger(serial) || serial < 0 || serial >= 2 ** 32) {
    throw new RangeFault("serial", serial, "a whole number below 2^32");
  }
  return serial;
}
