/** Invariants: what is never true if this library is right. @module */

/** Stop with `invariant` if `condition` does not hold. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${invariant}`);
}
