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

/** Rules that each name one thing in one dimension. */
interface Row {
  readonly steps: readonly Step[];
  readonly dimension: Dimension;
}

/** How the steps of a chain are linked. What stands at its end can grow and shrink. */
export class Links {
  readonly #end: Step;
  #first: Step;
  /** Dimension of the row at the end of the chain; `null` if there is none. */
  #dimension: Dimension | null = null;
  /** Where the steps behind the last row begin, if there is none at the end. */
  readonly #looseFrom: number = 0;
  /** First and last step of the row at the end by what they name. */
  readonly #heads = new Map<number, Step>();
  readonly #tails = new Map<number, Step>();

  /** Link `steps`, and the last one to `end`. */
  constructor(steps: readonly Step[], end: Step) {
    this.#end = end;
    let arrival = end;
    let last = steps.length - 1;
    while (last >= 0) {
      const row = findRow(steps, last);
      const step = steps[last];
      if (row !== null) {
        const isAtEnd = last === steps.length - 1;
        this.#looseFrom = Math.max(this.#looseFrom, last + 1);
        arrival = isAtEnd ? this.#linkEnd(row) : linkRow(row, arrival, new Map(), new Map());
        last -= row.steps.length;
      } else if (step !== undefined) {
        step.next = arrival;
        arrival = step;
        last -= 1;
      }
    }
    this.#first = arrival;
  }

  /** Where packets begin. */
  get first(): Step {
    return this.#first;
  }

  /**
   * A step was put behind all others.
   * @param steps all, with the new one.
   * @returns false if they must be linked anew.
   */
  append(steps: readonly Step[], step: Step): boolean {
    step.next = this.#end;
    if (this.#dimension !== null) {
      const key = keyOf(step, this.#dimension);
      if (key === null) return false;
      const before = this.#tails.get(key);
      if (before === undefined) this.#heads.set(key, step);
      else before.next = step;
      this.#tails.set(key, step);
      return true;
    }
    if (findRow(steps, steps.length - 1) !== null) return false;
    const before = steps.at(-2);
    if (before === undefined) this.#first = step;
    else before.next = step;
    return true;
  }

  /**
   * A step was taken out.
   * @param steps the others.
   * @param index where it stood.
   * @returns false if the others must be linked anew.
   */
  remove(steps: readonly Step[], step: Step, index: number): boolean {
    return this.#dimension === null
      ? this.#removeLoose(steps, step, index)
      : this.#removeFromRow(step, keyOf(step, this.#dimension));
  }

  #removeLoose(steps: readonly Step[], step: Step, index: number): boolean {
    if (index < this.#looseFrom) return false;
    if (index > this.#looseFrom) {
      const before = steps[index - 1];
      if (before !== undefined) before.next = step.next;
      return before !== undefined;
    }
    if (index === 0) this.#first = step.next;
    return index === 0;
  }

  #removeFromRow(step: Step, key: number | null): boolean {
    const head = key === null ? undefined : this.#heads.get(key);
    if (key === null || head === undefined) return false;
    const isLast = this.#tails.get(key) === step;
    if (head === step) {
      if (isLast) {
        this.#heads.delete(key);
        this.#tails.delete(key);
      } else this.#heads.set(key, step.next);
      return true;
    }
    let before = head;
    while (before.next !== step) {
      if (before.next === this.#end) return false;
      before = before.next;
    }
    before.next = step.next;
    if (isLast) this.#tails.set(key, before);
    return true;
  }

  #linkEnd(row: Row): Step {
    this.#dimension = row.dimension;
    return linkRow(row, this.#end, this.#heads, this.#tails);
  }
}

/** The row that ends at `last` and spares packets most, or `null` if none is long enough. */
function findRow(steps: readonly Step[], last: number): Row | null {
  let best: Row | null = null;
  let most = 0;
  for (const dimension of DIMENSIONS) {
    const start = startOf(steps, last, dimension);
    if (last - start + 1 < SHORTEST_ROW) continue;
    const row = { steps: steps.slice(start, last + 1), dimension };
    const spared = sparedBy(row);
    if (spared <= most) continue;
    most = spared;
    best = row;
  }
  return best;
}

/** How many steps of a row a packet is not walked through, about. */
function sparedBy({ steps, dimension }: Row): number {
  const keys = new Set(steps.map((step) => keyOf(step, dimension)));
  return steps.length - steps.length / (keys.size + 1);
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
function linkRow(
  { steps, dimension }: Row,
  after: Step,
  heads: Map<number, Step>,
  tails: Map<number, Step>,
): Step {
  for (const step of steps) {
    const key = keyOf(step, dimension) ?? NO_KEY;
    const before = tails.get(key);
    if (before === undefined) heads.set(key, step);
    else before.next = step;
    step.next = after;
    tails.set(key, step);
  }
  return Step.dispatcher(dimension, heads, after);
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
