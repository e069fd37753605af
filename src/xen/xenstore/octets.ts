/**
 * Strings of the store: each character stands for one octet (ISO 8859-1). Paths and tokens come and
 * go as octets without an encoding; nothing in XenStore knows one.
 * @module
 */

const CHARACTERS: readonly string[] = Array.from({ length: 256 }, (_, octet) =>
  String.fromCharCode(octet),
);

/** Called so, it is windows-1252: the same for ASCII, and several times faster than a loop. */
const DECODER = new TextDecoder("latin1");

/** The octets from `start` up to `end` as text. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = "";
  for (let at = start; at < end; at++) text += CHARACTERS[bytes[at] ?? 0];
  return text;
}

/** As {@link textOf} for ASCII; other octets become characters that no path may have. */
export function pathTextOf(bytes: Uint8Array, start: number, end: number): string {
  return DECODER.decode(bytes.subarray(start, end));
}

/** One octet for each character; those above 255 lose their upper bits. */
export function octetsOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeText(text, bytes, 0);
  return bytes;
}

/** Octets that a loop copies sooner than a call of `set`. */
const FEW = 64;

/** Copy `source` from `start` up to `end` to `at` of `target`, which has the room. */
export function placeOctets(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  if (end - start > FEW) target.set(source.subarray(start, end), at);
  else for (let i = start; i < end; i++) target[at + i - start] = source[i] ?? 0;
}

/** Write `text` at `at` of `bytes`, which has the room. */
export function writeText(text: string, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/**
 * What C's `atoi` reads: blanks, a sign, decimal digits, and whatever follows is left alone.
 * @returns a signed 32-bit number; 0 for text without digits.
 */
export function parseDecimal(text: string): number {
  const digits = /^[\t-\r ]*([+-]?\d+)/.exec(text)?.[1];
  if (digits === undefined) return 0;
  return Number(BigInt.asIntN(32, saturated(BigInt(digits))));
}

/** What `strtol` does with a number that is too large for 64 bits. */
export function saturated(value: bigint): bigint {
  const limit = 2n ** 63n;
  if (value >= limit) return limit - 1n;
  return value < -limit ? -limit : value;
}
