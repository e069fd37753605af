/**
 * What a vif may send, as a domain's configuration says it ("10Mb/s@50ms"), and as toolstacks write
 * it into the node `rate`: octets in each interval, and its microseconds.
 * @module
 */
import { ParseError } from "../../base/errors.ts";
import type { DiskConfig } from "./toolstack.ts";

const UINT32_MAX = 0xffff_ffffn;
const UINT64_MAX = 2n ** 64n - 1n;
const MICROSECONDS = 1_000_000n;
/** Without one in the text: 50 ms. */
const DEFAULT_INTERVAL = 50_000n;

/** Powers of ten, not of two. */
const FACTORS = new Map([
  ["G", 1_000_000_000n],
  ["M", 1_000_000n],
  ["K", 1000n],
]);

/**
 * As xend of Xen 3.1 reads it (server/netif.py, `parseRate`).
 * @returns "octets,microseconds".
 * Deviation: xend takes what it cannot use for no limit at all, and says nothing.
 * @throws {ParseError} for a text that is no rate, or comes to no octet or too many an interval.
 */
export function xendRate(text: string): string {
  const match = /^([0-9]+)([GMK]?)([Bb])\/s(?:@([0-9]+)([mu]?)s)?$/.exec(text);
  if (match === null) throw fault(text, 'a rate such as "10Mb/s" or "1MB/s@50ms"');
  const [, number = "", unit = "", octetsOrBits, time, timeUnit] = match;
  const scaled = BigInt(number) * (FACTORS.get(unit) ?? 1n);
  const octetsPerSecond = octetsOrBits === "b" ? scaled / 8n : scaled;
  let interval = DEFAULT_INTERVAL;
  if (time !== undefined) {
    interval = BigInt(time) * (timeUnit === "u" ? 1n : timeUnit === "m" ? 1000n : MICROSECONDS);
  }
  const octets = (octetsPerSecond * interval) / MICROSECONDS;
  if (octets === 0n || octets > UINT32_MAX || interval > UINT32_MAX) {
    throw fault(text, "1 to 4294967295 octets in an interval of at most 4294s");
  }
  return `${octets},${interval}`;
}

/**
 * As xl of Xen 4.17 reads it (libxlu_vif.c, `xlu_vif_parse_rate`): the "s" of the interval may be
 * left out, and a number that begins with 0 is octal.
 * @returns "octets,microseconds".
 * @throws {ParseError} for what xl refuses.
 */
export function xlRate(text: string): string {
  const cut = text.indexOf("@");
  const rate = cut < 0 ? text : text.slice(0, cut);
  if (!/^[0-9]+[GMK]?[Bb]\/s$/.test(rate)) {
    throw fault(text, 'a rate such as "10Mb/s" or "1MB/s@50ms"');
  }
  const [number, rest] = readNumber(rate);
  if (number === 0n || number > UINT32_MAX) {
    throw fault(text, "a rate whose number is 1 to 4294967295");
  }
  const scaled = number * (FACTORS.get(rest.charAt(0)) ?? 1n);
  const octetsPerSecond = rest.slice(0, 2).includes("b") ? scaled / 8n : scaled;
  const interval = cut < 0 ? DEFAULT_INTERVAL : xlInterval(text, text.slice(cut + 1));
  if (octetsPerSecond > UINT64_MAX / interval) {
    throw fault(text, "fewer octets in an interval");
  }
  return `${(octetsPerSecond * interval) / MICROSECONDS},${interval}`;
}

/** @throws {ParseError} if a vif among `devices` has a rate that the toolstack cannot read. */
export function checkRates(
  { toolstack }: { readonly toolstack: "xend" | "xl" },
  devices: readonly (DiskConfig | { readonly rate?: string | null | undefined })[],
): void {
  const read = toolstack === "xl" ? xlRate : xendRate;
  for (const device of devices) if ("rate" in device && device.rate != null) read(device.rate);
}

function xlInterval(rate: string, text: string): bigint {
  if (!/^[0-9]+[mu]?s?$/.test(text)) {
    throw fault(rate, 'an interval such as "50ms", "100us" or "1s"');
  }
  const [number, rest] = readNumber(text);
  const isSeconds = rest === "" || rest.startsWith("s");
  const interval = number * (isSeconds ? MICROSECONDS : rest.startsWith("m") ? 1000n : 1n);
  if (number === 0n || interval > UINT32_MAX) {
    throw fault(rate, "an interval of 1us to 4294s");
  }
  return interval;
}

/** `strtoull` with base 0 of a text that begins with a digit. @returns the number, and the rest. */
function readNumber(text: string): readonly [bigint, string] {
  const [digits = ""] = /^(0[0-7]*|[1-9][0-9]*)/.exec(text) ?? [];
  const isOctal = digits.startsWith("0") && digits.length > 1;
  return [BigInt(isOctal ? `0o${digits.slice(1)}` : digits), text.slice(digits.length)];
}

const fault = (text: string, expected: string): ParseError =>
  new ParseError("vif-rate", text, `expected ${expected}, got ${JSON.stringify(text)}`);
