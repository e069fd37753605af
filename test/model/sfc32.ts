/** sfc32 on unbounded integers, reduced to 32 bits after every step. @module */

const WORD = 1n << 32n;

/** The naive reference of `Prng.next`: the generator from its four words of state. */
export function* sfc32(a: bigint, b: bigint, c: bigint, counter: bigint): Generator<number, never> {
  let state = [a, b, c, counter] as const;
  for (;;) {
    const [x, y, z, count] = state;
    const sum = (x + y + count) % WORD;
    const rotated = ((z << 21n) % WORD) + (z >> 11n);
    state = [y ^ (y >> 9n), (z * 9n) % WORD, (rotated + sum) % WORD, (count + 1n) % WORD];
    yield Number(sum);
  }
}
