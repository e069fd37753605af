/**
 * What fields hold until a constructor sets them. The engine keeps the type of a field that never
 * held anything else, and `undefined`, which a private field without a value holds at first, is
 * something else: each use then looks at the type (decision 17).
 * @module
 */

/** Of a field for octets. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);
/** Of a field for words of four. */
export const NO_WORDS: Int32Array = new Int32Array(0);
