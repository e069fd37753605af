/**
 * A chain of rules about frames, and what happens after the last. Long rows of rules that each ask
 * for one port cost one look-up: a thousand rules for a thousand vifs. What is left out could not
 * match, so counters and verdicts are those of walking all.
 * @module
 */
import type { Device } from "../../wire/device.ts";
import type { BridgeHook } from "../../l2/bridge-hooks.ts";
import type { FrameStep } from "./frame-step.ts";
import { FrameVerdict } from "./frame-target.ts";

/** What happens to frames that no rule decides about; a built-in chain cannot return. */
export type FramePolicy = Exclude<FrameVerdict, typeof FrameVerdict.Continue>;

/** A shorter row is walked: that costs no more than the look-up. */
const SHORTEST_ROW = 8;

/** Where a frame goes on: a step, the first of a row for its port, or the end of the chain. */
export class FrameLink {
  readonly #step: FrameStep | null;
  readonly #row: ReadonlyMap<string, FrameStep> | null;

  /** @param row the first steps of a row by the ports that they ask for; others go to `step`. */
  constructor(step: FrameStep | null, row: ReadonlyMap<string, FrameStep> | null = null) {
    this.#step = step;
    this.#row = row;
  }

  /** @returns the step for a frame that came in by `input`; `null` at the end of the chain. */
  follow(input: Device | null): FrameStep | null {
    if (this.#row === null || input === null) return this.#step;
    return this.#row.get(input.name) ?? this.#step;
  }
}

/** The end of every chain. */
const CHAIN_END = new FrameLink(null);

/** Rules in order. */
export class FrameChain {
  name: string;
  /** Where a built-in chain hangs; `null` for a chain that only jumps lead to. */
  readonly hook: BridgeHook | null;
  policy: FramePolicy = FrameVerdict.Accept;
  readonly #steps: FrameStep[] = [];
  #first = CHAIN_END;
  #isLinked = true;

  constructor(name: string, hook: BridgeHook | null) {
    this.name = name;
    this.hook = hook;
  }

  get steps(): readonly FrameStep[] {
    return this.#steps;
  }

  /** Where frames begin. */
  get first(): FrameLink {
    if (!this.#isLinked) {
      this.#first = link(this.#steps);
      this.#isLinked = true;
    }
    return this.#first;
  }

  /** Put `added` in the place of `count` steps from `index` on. */
  splice(index: number, count: number, ...added: readonly FrameStep[]): void {
    this.#isLinked = false;
    this.#steps.splice(index, count, ...added);
  }
}

/** Lead each step to the next, and into rows. @returns the way to the first. */
function link(steps: readonly FrameStep[]): FrameLink {
  let arrival = CHAIN_END;
  let last = steps.length - 1;
  while (last >= 0) {
    let first = last + 1;
    while (steps[first - 1]?.onlyInput != null) first -= 1;
    if (last - first + 1 >= SHORTEST_ROW) {
      arrival = linkRow(steps.slice(first, last + 1), arrival);
      last = first - 1;
    } else {
      const step = steps[last];
      if (step !== undefined) {
        step.next = arrival;
        arrival = new FrameLink(step);
      }
      last -= 1;
    }
  }
  return arrival;
}

/** Each step of the row leads to the next for its port, the last of a port to `after`. */
function linkRow(row: readonly FrameStep[], after: FrameLink): FrameLink {
  const firsts = new Map<string, FrameStep>();
  for (const step of row.toReversed()) {
    const port = step.onlyInput ?? "";
    const next = firsts.get(port);
    step.next = next === undefined ? after : new FrameLink(next);
    firsts.set(port, step);
  }
  return new FrameLink(after.follow(null), firsts);
}
