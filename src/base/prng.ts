/**
 * Seeded chance: sfc32 (Chris Doty-Humphrey's small fast counter generator, 128 bits of state).
 * @module
 */

/** Where a machine draws its chance from. Tests hand in one that replays recorded draws. */
export interface Chance {
  /** An integer from 0 to `bound` - 1, each as likely as the others; `bound` from 1 to 2^32. */
  below(bound: number): number;
}

/** A generator whose whole future follows from its seed. */
export class Prng implements Chance {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /** @param seed any integer below 2^53; @param stream a name: each gives its own sequence. */
  constructor(seed: number, stream = "") {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = hash(stream);
    for (let round = 0; round < 15; round += 1) this.next();
  }

  /** 32 random bits as an unsigned integer. */
  next(): number {
    const result = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /**
   * Daniel Lemire's multiplication: the high word of draw * `bound` is the result; a draw whose
   * low word says that it falls to a result with one draw too many is thrown away.
   */
  below(bound: number): number {
    for (;;) {
      const draw = this.next();
      const low = Math.imul(draw, bound) >>> 0;
      if (low >= bound || low >= 2 ** 32 % bound) {
        return Math.round((draw * bound - low) / 2 ** 32);
      }
    }
  }

  /** True with the given probability, from 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }
}

/** FNV-1a over the characters of `text`. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
