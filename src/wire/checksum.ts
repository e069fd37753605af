/**
 * The Internet checksum: RFC 1071 section 1, and its incremental update: RFC 1624 section 3.
 * @module
 */

/**
 * The ones' complement sum of octets `[at, end)`, at most 65,535, and `initial`, below 2^31, folded
 * to 16 bits; an odd last octet is padded with zero.
 */
export function onesSum(view: DataView, at: number, end: number, initial = 0): number {
  let sum = initial;
  let index = at;
  for (; index + 4 <= end; index += 4) {
    const words = view.getInt32(index);
    sum += (words >>> 16) + (words & 0xffff);
  }
  if (index + 2 <= end) {
    sum += view.getUint16(index);
    index += 2;
  }
  if (index < end) sum += view.getUint8(index) << 8;
  return fold(sum);
}

/** The checksum to write: the complement of {@link onesSum}. */
export function checksum(view: DataView, at: number, end: number, initial = 0): number {
  return ~onesSum(view, at, end, initial) & 0xffff;
}

/** What the pseudo-header adds to a UDP or TCP sum (RFC 768, RFC 9293 section 3.1). */
export function pseudoHeaderSum(
  src: number,
  dst: number,
  protocol: number,
  length: number,
): number {
  return (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + protocol + length;
}

/** The checksum after one 16-bit word changed from `before` to `after`. */
export function update16(sum: number, before: number, after: number): number {
  return ~fold((~sum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** The checksum after one 32-bit word changed from `before` to `after`. */
export function update32(sum: number, before: number, after: number): number {
  return (
    ~fold(
      (~sum & 0xffff) +
        (~(before >>> 16) & 0xffff) +
        (~before & 0xffff) +
        (after >>> 16) +
        (after & 0xffff),
    ) & 0xffff
  );
}

/** Fold carries into 16 bits; `sum` below 2^32. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}
