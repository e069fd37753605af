/**
 * Octets that fill with options one after the other.
 * @module
 */

/** Octets of an option's code and length. */
const HEADER = 2;
const END = 255;

/** A place that fills with options. */
export class OptionPlace {
  readonly octets: Uint8Array;
  /** Octets that stay free behind an option that is put whole. */
  readonly wholeReserve: number;
  /** Octets that stay free behind a part of an option. */
  readonly partReserve: number;
  used = 0;

  constructor(length: number, wholeReserve: number, partReserve: number) {
    this.octets = new Uint8Array(length);
    this.wholeReserve = wholeReserve;
    this.partReserve = partReserve;
  }

  /** Octets of a value that still fit if `reserve` octets stay free. */
  room(reserve: number): number {
    return this.octets.length - this.used - HEADER - reserve;
  }

  put(code: number, value: Uint8Array): void {
    this.octets[this.used] = code;
    this.octets[this.used + 1] = value.length;
    this.octets.set(value, this.used + HEADER);
    this.used += HEADER + value.length;
  }

  /** The octets with End behind the options, and zeros after it; `null` if it holds none. */
  close(): Uint8Array | null {
    if (this.used === 0) return null;
    this.octets.fill(0, this.used);
    this.octets[this.used] = END;
    return this.octets;
  }
}
