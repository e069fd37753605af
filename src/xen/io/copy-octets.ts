/**
 * Copies octets between two buffers by words where it can: a frame is too short for the price of a
 * window on either. What lies before and behind is left alone.
 * @module
 */

/**
 * Copy `length` octets into a buffer where the rest of the first and the last word may be written,
 * too: a packet's slot.
 */
export function copyIntoSlot(
  fromWords: Int32Array,
  fromBytes: Uint8Array,
  fromAt: number,
  toWords: Int32Array,
  toBytes: Uint8Array,
  toAt: number,
  length: number,
): void {
  if (((fromAt - toAt) & 3) !== 0) {
    copyOctets(fromWords, fromBytes, fromAt, toWords, toBytes, toAt, length);
    return;
  }
  const end = (toAt + length + 3) >> 2;
  let to = toAt >> 2;
  let from = fromAt >> 2;
  for (; to + 4 <= end; to += 4, from += 4) {
    toWords[to] = fromWords[from] ?? 0;
    toWords[to + 1] = fromWords[from + 1] ?? 0;
    toWords[to + 2] = fromWords[from + 2] ?? 0;
    toWords[to + 3] = fromWords[from + 3] ?? 0;
  }
  for (; to < end; to += 1, from += 1) toWords[to] = fromWords[from] ?? 0;
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
