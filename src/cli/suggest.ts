/** "Did you mean": the nearest of some known words. @module */

/** Letters that may differ, as a part of the longer word. */
const TOLERANCE = 0.4;

/**
 * The known word that `word` most likely stands for: the fewest inserted, deleted, replaced or
 * swapped letters, regardless of case; the first of equals.
 * @returns `null` if none is near.
 */
export function nearest(word: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let least = Infinity;
  for (const candidate of known) {
    const distance = distanceOf(word.toLowerCase(), candidate.toLowerCase());
    const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) * TOLERANCE));
    if (distance > allowed || distance >= least) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

/** "did you mean "ping"?", or else what is known: "expected one of ping, udp". */
export function hint(word: string, known: readonly string[]): string {
  const guess = nearest(word, known);
  if (guess !== null) return `did you mean "${guess}"?`;
  return known.length === 0 ? "none is known here" : `expected one of ${known.join(", ")}`;
}

/** Edits between two words; a swap of neighbors is one edit (optimal string alignment). */
function distanceOf(left: string, right: string): number {
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let at = 1; at <= left.length; at += 1) {
    const next = [at];
    for (let to = 1; to <= right.length; to += 1) {
      const same = left[at - 1] === right[to - 1] ? 0 : 1;
      const isSwap = left[at - 1] === right[to - 2] && left[at - 2] === right[to - 1];
      const costs = [
        1 + (next[to - 1] ?? 0),
        1 + (row[to] ?? 0),
        same + (row[to - 1] ?? 0),
        at > 1 && to > 1 && isSwap ? 1 + (before[to - 2] ?? 0) : Infinity,
      ];
      next.push(Math.min(...costs));
    }
    before = row;
    row = next;
  }
  return row[right.length] ?? left.length;
}
