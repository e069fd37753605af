/** Every way of packets through the chains of a table, walked rule by rule. @module */
import type { ChainView } from "../../src/filter/chain.ts";
import { formatRule, type Rule } from "../../src/filter/rule.ts";

/** The naive reference of `Reach`. @returns true if no way closes a loop or meets a stray rule. */
export function isReachSound(chains: readonly ChainView[]): boolean {
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  const walk = (name: string, hook: number, way: readonly string[]): boolean => {
    if (way.includes(name)) return false;
    for (const { rule } of byName.get(name)?.steps ?? []) {
      if (rule === null) continue;
      const { matches, target } = rule;
      const placed = target.kind === "extension" ? [...matches, target] : matches;
      if (placed.some(({ placement }) => (placement.hooks & (1 << hook)) === 0)) return false;
      const leads = target.kind === "jump" || target.kind === "goto";
      if (leads && !walk(target.chain, hook, [...way, name])) return false;
      if (isEnd(rule)) return true;
    }
    return true;
  };
  return chains.every(({ name, hook }) => hook === null || walk(name, hook, []));
}

const isEnd = (rule: Rule): boolean => /^-j (?:ACCEPT|DROP|RETURN)$/.test(formatRule(rule));
