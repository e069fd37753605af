/**
 * The kernel's Jenkins hashes, as far as they choose addresses: lookup2 (`jhash_2words` of Linux
 * 2.6.18) and lookup3 (`jhash2` today), from Bob Jenkins's evahash.c and lookup3.c.
 *
 * Words are as a little-endian processor reads them; an address on the wire is turned round.
 * @module
 */

/** Numbers that name nothing (the golden ratio, and "an arbitrary initial parameter"). */
const GOLDEN_RATIO = 0x9e3779b9;
const INITIAL = 0xdeadbeef;

/** The four octets of `word` in the opposite order. */
export const turnRound = (word: number): number =>
  ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** `jhash_2words(first, second, 0)` of lookup2. @returns 32 bits, unsigned. */
export function lookup2(first: number, second: number): number {
  let a = (first + GOLDEN_RATIO) | 0;
  let b = (second + GOLDEN_RATIO) | 0;
  let c = 0;
  a = (a - b - c) ^ (c >>> 13);
  b = (b - c - a) ^ (a << 8);
  c = (c - a - b) ^ (b >>> 13);
  a = (a - b - c) ^ (c >>> 12);
  b = (b - c - a) ^ (a << 16);
  c = (c - a - b) ^ (b >>> 5);
  a = (a - b - c) ^ (c >>> 3);
  b = (b - c - a) ^ (a << 10);
  c = (c - a - b) ^ (b >>> 15);
  return c >>> 0;
}

/**
 * `jhash2` of lookup3 over four words, of which only the first is not zero: an IPv4 address in
 * the place of an IPv6 one. @returns 32 bits, unsigned.
 */
export function lookup3(word: number, initial: number): number {
  const start = (INITIAL + 16 + initial) | 0;
  let a = (start + word) | 0;
  let b = start;
  let c = start;
  a = (a - c) ^ rotate(c, 4);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 6);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 8);
  b = (b + a) | 0;
  a = (a - c) ^ rotate(c, 16);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 19);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 4);
  b = (b + a) | 0;
  c = (c ^ b) - rotate(b, 14);
  a = (a ^ c) - rotate(c, 11);
  b = (b ^ a) - rotate(a, 25);
  c = (c ^ b) - rotate(b, 16);
  a = (a ^ c) - rotate(c, 4);
  b = (b ^ a) - rotate(a, 14);
  c = (c ^ b) - rotate(b, 24);
  return c >>> 0;
}
