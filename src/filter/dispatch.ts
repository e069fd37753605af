/**
 * Links the steps of a chain, and spares packets most of a long row of rules that each ask for one
 * device or one address: a thousand rules for a thousand vifs cost one look-up. A rule that is left
 * out could not match, so counters and verdicts are those of walking all.
 * @module
 */
import { Dimension, NO_KEY, Step } from "./step.ts";

/** A shorter row is walked: that costs no more than the look-up. */
const SHORTEST_ROW = 8;
const DIMENSIONS = Object.values(Dimension);

/** Link `steps`, and the last one to `end`. @returns where packets begin. */
export function linkSteps(steps: readonly Step[], end: Step): Step {
  let arrival = end;
  let last = steps.length - 1;
  while (last >= 0) {
    const row = findRow(steps, last);
    const step = steps[last];
    if (row !== null) {
      arrival = linkRow(row.steps, row.dimension, arrival);
      last -= row.steps.length;
    } else if (step !== undefined) {
      step.next = arrival;
      arrival = step;
      last -= 1;
    }
  }
  return arrival;
}

/** The longest row that ends at `last`, or `null` if none is long enough. */
function findRow(
  steps: readonly Step[],
  last: number,
): { steps: readonly Step[]; dimension: Dimension } | null {
  let first = last + 1;
  let longest: Dimension = Dimension.Input;
  for (const dimension of DIMENSIONS) {
    const start = startOf(steps, last, dimension);
    if (start < first) {
      first = start;
      longest = dimension;
    }
  }
  if (last - first + 1 < SHORTEST_ROW) return null;
  return { steps: steps.slice(first, last + 1), dimension: longest };
}

function startOf(steps: readonly Step[], last: number, dimension: Dimension): number {
  let start = last + 1;
  for (let step = steps[last]; step !== undefined; step = steps[start - 1]) {
    if (keyOf(step, dimension) === null) break;
    start -= 1;
  }
  return start;
}

/** Each step of the row leads to the next with its key, the last of a key to `after`. */
function linkRow(row: readonly Step[], dimension: Dimension, after: Step): Step {
  const rows = new Map<number, Step>();
  for (const step of row.toReversed()) {
    const key = keyOf(step, dimension) ?? NO_KEY;
    step.next = rows.get(key) ?? after;
    rows.set(key, step);
  }
  return Step.dispatcher(dimension, rows, after);
}

/** What a step names in a dimension, if it names one thing only. */
function keyOf(step: Step, dimension: Dimension): number | null {
  switch (dimension) {
    case Dimension.Input:
      return step.inputKey === NO_KEY ? null : step.inputKey;
    case Dimension.Output:
      return step.outputKey === NO_KEY ? null : step.outputKey;
    case Dimension.Source:
      return step.hasOneSource ? step.source : null;
    case Dimension.Destination:
      return step.hasOneDestination ? step.destination : null;
  }
}
