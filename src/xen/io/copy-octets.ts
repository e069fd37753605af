/**
 * Copies octets between two buffers by words where it can: a frame is too short for the price of a
 * window on either. What lies before and behind is left alone.
 * @module
 */

/** One buffer as octets, as words of four, and as words of eight. */
export interface Octets {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly longs: BigInt64Array;
}

/**
 * Copy `length` octets into a buffer where the rest of the first and the last word of eight may be
 * written, too: a packet's slot. Words of eight cost no object as long as they are only passed on.
 */
export function copyIntoSlot(
  from: Octets,
  fromAt: number,
  to: Octets,
  toAt: number,
  length: number,
): void {
  if (((fromAt - toAt) & 7) !== 0) {
    copyOctets(from.words, from.bytes, fromAt, to.words, to.bytes, toAt, length);
    return;
  }
  const source = from.longs;
  const target = to.longs;
  const skew = (fromAt - toAt) >> 3;
  const end = (toAt + length + 7) >> 3;
  let at = toAt >> 3;
  for (; at + 4 <= end; at += 4) {
    const here = at + skew;
    target[at] = source[here] ?? 0n;
    target[at + 1] = source[here + 1] ?? 0n;
    target[at + 2] = source[here + 2] ?? 0n;
    target[at + 3] = source[here + 3] ?? 0n;
  }
  for (; at < end; at += 1) target[at] = source[at + skew] ?? 0n;
}

/** Copy `length` octets; each buffer comes as words and as octets. */
export function copyOctets(
  fromWords: Int32Array,
  fromBytes: Uint8Array,
  fromAt: number,
  toWords: Int32Array,
  toBytes: Uint8Array,
  toAt: number,
  length: number,
): void {
  const skew = fromAt - toAt;
  const end = toAt + length;
  let at = toAt;
  if ((skew & 1) !== 0) {
    for (; at < end; at += 1) toBytes[at] = fromBytes[at + skew] ?? 0;
    return;
  }
  for (; (at & 3) !== 0 && at < end; at += 1) toBytes[at] = fromBytes[at + skew] ?? 0;
  let to = at >> 2;
  const last = end >> 2;
  if ((skew & 3) === 0) {
    for (let from = (at + skew) >> 2; to < last; to += 1, from += 1) {
      toWords[to] = fromWords[from] ?? 0;
    }
  } else if (to < last) {
    // Half a word aside: each word is the end of one and the beginning of the next.
    let from = (at + skew) >> 2;
    let word = fromWords[from] ?? 0;
    for (; to < last; to += 1) {
      from += 1;
      const next = fromWords[from] ?? 0;
      toWords[to] = (word >>> 16) | (next << 16);
      word = next;
    }
  }
  at = Math.max(at, last << 2);
  for (; at < end; at += 1) toBytes[at] = fromBytes[at + skew] ?? 0;
}
