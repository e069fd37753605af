/**
 * From which hooks frames come to which rules: what refuses loops and misplaced targets (Linux
 * `check_chainloops`, `ebt_check_entry`).
 * @module
 */
import { BRIDGE_HOOK_NAMES, type BridgeHook } from "../../l2/bridge-hooks.ts";
import { RuleError } from "../errors.ts";
import type { FrameChain } from "./frame-chain.ts";

/**
 * Follow every way from the built-in chains; chains that no way leads to are not looked at.
 * @throws {RuleError} if a way leads back to itself, or to a target that may not stand there.
 */
export function checkFrameReach(chains: Iterable<FrameChain>): void {
  const done = new Set<FrameChain>();
  for (const chain of chains) {
    if (chain.hook === null) continue;
    checkLoops(chain, new Set(), done);
    followHook(chain, chain.hook, new Set());
  }
}

/** @param way chains that lead here; @param done chains that lead into no loop. */
function checkLoops(chain: FrameChain, way: Set<FrameChain>, done: Set<FrameChain>): void {
  if (way.has(chain)) {
    throw new RuleError("loop", chain.name, `chain ${chain.name} leads back to itself`);
  }
  if (done.has(chain)) return;
  way.add(chain);
  for (const step of chain.steps) if (step.chain !== null) checkLoops(step.chain, way, done);
  way.delete(chain);
  done.add(chain);
}

function followHook(chain: FrameChain, hook: BridgeHook, seen: Set<FrameChain>): void {
  if (seen.has(chain)) return;
  seen.add(chain);
  for (const { rule, chain: next } of chain.steps) {
    const { target } = rule;
    if (target.kind === "extension" && target.hooks !== null && !target.hooks.includes(hook)) {
      const place = BRIDGE_HOOK_NAMES[hook];
      const message = `${target.name} cannot stand where ${place} leads`;
      throw new RuleError("rule-place", target.name, message);
    }
    if (next !== null) followHook(next, hook, seen);
  }
}
