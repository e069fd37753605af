/**
 * From which hooks packets come to which rules: what refuses loops and misplaced rules (Linux
 * `mark_source_chains`, `xt_check_match`, `xt_check_target`).
 * @module
 */
import { HOOK_NAMES } from "../l3/hooks.ts";
import type { Chain } from "./chain.ts";
import { RuleError } from "./errors.ts";
import { ALL_HOOKS } from "./placement.ts";
import type { Rule } from "./rule.ts";
import type { Step } from "./step.ts";

/** A chain on the way of the search, and the place of the rule that is looked at next. */
interface Visit {
  readonly chain: Chain;
  index: number;
}

/**
 * Follow every way from the built-in chains. As in Linux, what comes after a rule that always
 * decides is not on any way, and chains that no way leads to are not looked at.
 * @throws {RuleError} if a way leads back to itself, or to a rule that may not stand there.
 */
export function checkReach(chains: Iterable<Chain>): void {
  for (const chain of chains) if (chain.hook !== null) followHook(chain, chain.hook);
}

/** True for a rule that leads to a chain, or holds what may not stand where every hook leads. */
export function dependsOnReach({ matches, target }: Rule): boolean {
  if (target.kind === "jump" || target.kind === "goto") return true;
  const placed = target.kind === "extension" ? [...matches, target] : matches;
  return placed.some(({ placement }) => placement.hooks !== ALL_HOOKS);
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
