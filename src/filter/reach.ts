/**
 * From which hooks packets come to which rules: what refuses loops and misplaced rules (Linux
 * `mark_source_chains`, `xt_check_match`, `xt_check_target`).
 * @module
 */
import { HOOK_NAMES } from "../l3/hooks.ts";
import type { Chain } from "./chain.ts";
import { RuleError } from "./errors.ts";
import { ALL_HOOKS } from "./placement.ts";
import type { Step } from "./step.ts";

/** A chain on the way of the search, and the place of the rule that is looked at next. */
interface Visit {
  readonly chain: Chain;
  index: number;
}

/** So many rules at once are not followed one by one: everything is found out anew. */
const MANY = 16;

/**
 * Judges changes of one table. What a rule opens is followed from that rule on, as long as nothing
 * is wrong even behind rules that always decide; only if something is, every way is searched.
 */
export class Reach {
  readonly #added: Step[] = [];
  /** No rule, not even one that no packet comes to, closes a loop or is misplaced. */
  #isSound = true;

  /** A rule was put into a chain. */
  add(step: Step): void {
    if (step.chain !== null || placesOf(step) !== ALL_HOOKS) this.#added.push(step);
  }

  /**
   * Judge what was added since the last time. As in Linux, what comes after a rule that always
   * decides is on no way, and chains that no way leads to are not looked at.
   * @throws {RuleError} if a way leads back to itself, or to a rule that may not stand there.
   */
  check(chains: Iterable<Chain>): void {
    const added = this.#added.splice(0);
    if (added.length <= MANY && this.#isSound && added.every(admit)) return;
    const all = [...chains];
    if (this.#isSound && added.length > MANY && recount(all)) return;
    this.#isSound = false;
    for (const chain of all) if (chain.hook !== null) followHook(chain, chain.hook);
    this.#isSound = recount(all);
  }
}

/** Hooks that may lead to a rule, as bits. */
function placesOf({ rule }: Step): number {
  if (rule === null) return ALL_HOOKS;
  const { matches, target } = rule;
  const hooks = target.kind === "extension" ? target.placement.hooks : ALL_HOOKS;
  return matches.reduce((bits, { placement }) => bits & placement.hooks, hooks);
}

/** @returns false if the rule closes a loop or is misplaced, or leads to one that is, perhaps. */
function admit(step: Step): boolean {
  const { home, chain } = step;
  if (home === null) return true;
  home.allowed &= placesOf(step);
  if (!isAllowed(home)) return false;
  return chain === null || (!leadsTo(chain, home) && spread(chain, home.comefrom));
}

const isAllowed = ({ comefrom, allowed }: Chain): boolean => (comefrom & ~allowed) === 0;

function leadsTo(from: Chain, to: Chain): boolean {
  if (from === to) return true;
  if (to.callers.size === 0) return false;
  const seen = new Set([from]);
  for (const chain of seen) for (const callee of chain.callees.keys()) seen.add(callee);
  return seen.has(to);
}

/** Packets of `hooks` come to `start` now. @returns false if a rule may not stand there. */
function spread(start: Chain, hooks: number): boolean {
  const open = [start];
  for (let chain = open.pop(); chain !== undefined; chain = open.pop()) {
    if ((hooks & ~chain.comefrom) === 0) continue;
    chain.comefrom |= hooks;
    if (!isAllowed(chain)) return false;
    open.push(...chain.callees.keys());
  }
  return true;
}

/**
 * Find out anew what {@link admit} builds on: each chain comes after all that lead to it, and none
 * is left over unless some lead back to themselves.
 * @returns true if all rules are sound.
 */
function recount(chains: readonly Chain[]): boolean {
  const waitsFor = new Map<Chain, number>();
  for (const chain of chains) {
    chain.comefrom = chain.hook === null ? 0 : 1 << chain.hook;
    chain.allowed = chain.steps.reduce((bits, step) => bits & placesOf(step), ALL_HOOKS);
    for (const callee of chain.callees.keys()) {
      waitsFor.set(callee, (waitsFor.get(callee) ?? 0) + 1);
    }
  }
  const open = chains.filter((chain) => !waitsFor.has(chain));
  for (const chain of open) {
    for (const callee of chain.callees.keys()) {
      callee.comefrom |= chain.comefrom;
      const left = (waitsFor.get(callee) ?? 0) - 1;
      waitsFor.set(callee, left);
      if (left === 0) open.push(callee);
    }
  }
  return open.length === chains.length && open.every(isAllowed);
}

function followHook(start: Chain, hook: number): void {
  const seen = new Set<Chain>([start]);
  const way: Visit[] = [{ chain: start, index: 0 }];
  const onWay = new Set<Chain>([start]);
  for (let visit = way.at(-1); visit !== undefined; visit = way.at(-1)) {
    const step = visit.chain.steps[visit.index];
    visit.index += 1;
    if (step === undefined || step.alwaysDecides) {
      if (step !== undefined) checkStep(step, hook);
      way.pop();
      onWay.delete(visit.chain);
      continue;
    }
    checkStep(step, hook);
    const { chain } = step;
    if (chain === null) continue;
    if (onWay.has(chain)) {
      throw new RuleError("loop", chain.name, `chain ${chain.name} leads back to itself`);
    }
    if (seen.has(chain)) continue;
    seen.add(chain);
    onWay.add(chain);
    way.push({ chain, index: 0 });
  }
}

function checkStep({ rule }: Step, hook: number): void {
  if (rule === null) return;
  const { matches, target } = rule;
  const placed = target.kind === "extension" ? [...matches, target] : matches;
  for (const { name, placement } of placed) {
    if ((placement.hooks & (1 << hook)) !== 0) continue;
    const place = HOOK_NAMES[hook] ?? "";
    throw new RuleError("rule-place", name, `${name} cannot stand where ${place} leads`);
  }
}
