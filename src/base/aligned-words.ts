/**
 * Tables that begin where a line of the processor's cache does. A record that fills a line then
 * lies in one; else it lies in two, as allocators put their own words before what they give.
 * @module
 */

/** Octets from which on a table is aligned; smaller ones live in a near cache anyway. */
const WORTHWHILE = 2 ** 18;
/** Octets of a page of WebAssembly, whose memories begin with one. */
const PAGE = 65_536;

/**
 * `length` words of 0. The buffer is longer than they are if it could be aligned, for which there
 * must be WebAssembly and address space.
 */
export function alignedWords(length: number): Int32Array {
  const octets = length * Int32Array.BYTES_PER_ELEMENT;
  if (octets >= WORTHWHILE && typeof WebAssembly !== "undefined") {
    const pages = Math.ceil(octets / PAGE);
    try {
      const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
      return new Int32Array(buffer, 0, length);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return new Int32Array(length);
}
