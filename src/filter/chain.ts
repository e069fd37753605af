/** A chain: rules in order, and what happens after the last. @module */
import { assert } from "../base/assert.ts";
import type { Hook } from "../l3/hooks.ts";
import { Links } from "./dispatch.ts";
import { ALL_HOOKS } from "./placement.ts";
import { Op, Step } from "./step.ts";

/** What a built-in chain does with packets that no rule decides about. */
export type Policy = "ACCEPT" | "DROP";

/** A chain to look at. */
export type ChainView = Pick<Chain, "name" | "hook" | "policy" | "steps" | "end">;

/** Steps of one chain, the last of which is its end. */
export class Chain {
  name: string;
  /** Where a built-in chain hangs; `null` for a chain that only jumps lead to. */
  readonly hook: Hook | null;
  /** The policy, or the way back: every packet that comes so far matches. It counts them. */
  readonly end: Step;
  /** The rules, of whichever chain, that lead here. */
  readonly callers = new Set<Step>();
  /** Where rules lead from here, and how many of them. */
  readonly callees = new Map<Chain, number>();
  /** Hooks that may lead here, as bits, and perhaps more (Linux `comefrom`); see reach.ts. */
  comefrom: number;
  /** Hooks that may lead to every rule, as bits, and perhaps fewer. */
  allowed: number = ALL_HOOKS;
  readonly #steps: Step[] = [];
  /** `null` if the steps must be linked anew. */
  #links: Links | null = null;
  /** What they begin with; `null` if that is to be asked. */
  #first: Step | null = null;

  constructor(name: string, hook: Hook | null) {
    this.name = name;
    this.hook = hook;
    this.end = new Step({ home: this, reason: "filter/policy" });
    this.end.op = hook === null ? Op.Return : Op.Accept;
    this.comefrom = hook === null ? 0 : 1 << hook;
  }

  /** In order, without the end. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Where packets begin. */
  get first(): Step {
    return this.#first ?? this.#link();
  }

  /** `null` for a chain that is not built in. */
  get policy(): Policy | null {
    if (this.hook === null) return null;
    return this.end.op === Op.Drop ? "DROP" : "ACCEPT";
  }

  setPolicy(policy: Policy): void {
    assert(this.hook !== null, "a built-in chain has a policy");
    this.end.op = policy === "DROP" ? Op.Drop : Op.Accept;
  }

  /** Put `added` in the place of `count` steps from `index` on. @returns what was there. */
  splice(index: number, count: number, ...added: readonly Step[]): Step[] {
    const removed = this.#steps.splice(index, count, ...added);
    this.#first = null;
    if (!this.#keepsLinks(index, removed, added)) this.#links = null;
    for (const step of removed) this.#uncall(step);
    for (const step of added) this.#call(step);
    return removed;
  }

  /** The place of the first rule that reads as `text`; -1 if there is none. */
  find(text: string): number {
    return this.#steps.findIndex((step) => step.text === text);
  }

  #link(): Step {
    this.#links ??= new Links(this.#steps, this.end);
    this.#first = this.#links.first;
    return this.#first;
  }

  /** One step more at the end, or one less, does not touch the others. */
  #keepsLinks(index: number, removed: readonly Step[], added: readonly Step[]): boolean {
    const [gone] = removed;
    const [come] = added;
    if (this.#links === null || removed.length + added.length !== 1) return false;
    if (gone !== undefined) return this.#links.remove(this.#steps, gone, index);
    const isLast = index === this.#steps.length - 1;
    return come !== undefined && isLast && this.#links.append(this.#steps, come);
  }

  #call(step: Step): void {
    const { chain } = step;
    if (chain === null) return;
    chain.callers.add(step);
    this.callees.set(chain, (this.callees.get(chain) ?? 0) + 1);
  }

  #uncall(step: Step): void {
    const { chain } = step;
    if (chain === null) return;
    chain.callers.delete(step);
    const others = (this.callees.get(chain) ?? 0) - 1;
    if (others > 0) this.callees.set(chain, others);
    else this.callees.delete(chain);
  }
}
