/**
 * The chains of one table, and how they change: the commands of `iptables`, each with its way back
 * (libiptc). A change is judged by where packets come from when {@link ChainSet.checkReach} says.
 * @module
 */
import { Hook, HOOK_NAMES } from "../l3/hooks.ts";
import { Chain, type Policy } from "./chain.ts";
import { RuleError } from "./errors.ts";
import { TABLE_HOOKS, type Placement, type TableName } from "./placement.ts";
import { isTargetName } from "./registry.ts";
import { formatProtocol } from "./protocol-names.ts";
import { Reach } from "./reach.ts";
import { formatRule, type ProtocolTest, type Rule } from "./rule.ts";
import type { RuleServices } from "./services.ts";
import { Flag, type Counters, Step } from "./step.ts";

/** Takes a change back. */
export type Undo = () => void;

const CHAIN_NAME = /^[^-!\s]\S{0,27}$/;

/** Chains by name. Every method throws {@link RuleError} for a change that cannot be made. */
export class ChainSet implements Iterable<Chain> {
  readonly table: TableName;
  readonly #services: RuleServices;
  readonly #builtIn: readonly Chain[];
  readonly #own = new Map<string, Chain>();
  readonly #reach = new Reach();
  #trackedRules = 0;

  constructor(table: TableName, services: RuleServices) {
    this.table = table;
    this.#services = services;
    this.#builtIn = TABLE_HOOKS[table].map((hook) => new Chain(HOOK_NAMES[hook], hook));
  }

  /** Built-in chains in the order of their hooks, then the others by name. */
  *[Symbol.iterator](): Iterator<Chain> {
    yield* this.#builtIn;
    yield* [...this.#own.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** The chain that hangs on `hook`, or `null` if the table has none there. */
  at(hook: Hook): Chain | null {
    return this.#builtIn.find((chain) => chain.hook === hook) ?? null;
  }

  find(name: string): Chain | null {
    return this.#builtIn.find((chain) => chain.name === name) ?? this.#own.get(name) ?? null;
  }

  get(name: string): Chain {
    const chain = this.find(name);
    if (chain === null) throw new RuleError("chain-unknown", name, `there is no chain ${name}`);
    return chain;
  }

  /** True if a rule translates or asks what connection tracking says. */
  get usesConntrack(): boolean {
    return this.#trackedRules > 0;
  }

  /** Judge what was changed since the last time. @throws {RuleError} as {@link Reach.check}. */
  checkReach(): void {
    this.#reach.check(this);
  }

  create(name: string): Undo {
    this.#checkName(name);
    this.#own.set(name, new Chain(name, null));
    return () => this.#own.delete(name);
  }

  /** Only a chain without rules that nothing leads to. */
  remove(name: string): Undo {
    const chain = this.#getOwn(name);
    if (chain.steps.length > 0) {
      throw new RuleError("chain-not-empty", name, `chain ${name} has rules`);
    }
    if (chain.callers.size > 0) {
      throw new RuleError("chain-in-use", name, `rules lead to chain ${name}`);
    }
    this.#own.delete(name);
    return () => this.#own.set(name, chain);
  }

  /** Rules that lead to the chain follow. */
  rename(from: string, to: string): Undo {
    const chain = this.#getOwn(from);
    this.#checkName(to);
    const setName = (name: string): void => {
      this.#own.delete(chain.name);
      chain.name = name;
      this.#own.set(name, chain);
      for (const step of chain.callers) step.redirect(name);
    };
    setName(to);
    return () => setName(from);
  }

  setPolicy(name: string, policy: Policy, counters: Counters | null = null): Undo {
    const chain = this.get(name);
    const { policy: before, end } = chain;
    if (before === null) {
      throw new RuleError("policy", name, `chain ${name} is not built in, it has no policy`);
    }
    const { packets, octets } = end;
    chain.setPolicy(policy);
    if (counters !== null) end.setCounters(counters);
    return () => {
      chain.setPolicy(before);
      end.setCounters({ packets, octets });
    };
  }

  /** Put `rule` before the one with `number`, counted from 1; `null` puts it last. */
  insert(name: string, number: number | null, rule: Rule, counters: Counters | null = null): Undo {
    const chain = this.get(name);
    const index = number === null ? chain.steps.length : number - 1;
    if (index < 0 || index > chain.steps.length) throw badNumber(chain, number);
    const step = this.#newStep(chain, rule, counters);
    this.#splice(chain, index, 0, step);
    return () => this.#splice(chain, index, 1);
  }

  replace(name: string, number: number, rule: Rule, counters: Counters | null = null): Undo {
    const chain = this.get(name);
    const before = chain.steps[number - 1];
    if (before === undefined) throw badNumber(chain, number);
    this.#splice(chain, number - 1, 1, this.#newStep(chain, rule, counters));
    return () => this.#splice(chain, number - 1, 1, before);
  }

  /** Take out the rule with that number, or the first that is equal. */
  delete(name: string, which: number | Rule): Undo {
    const chain = this.get(name);
    const index = typeof which === "number" ? which - 1 : findRule(chain, which);
    const before = chain.steps[index];
    if (before === undefined) throw badNumber(chain, index + 1);
    this.#splice(chain, index, 1);
    return () => this.#splice(chain, index, 0, before);
  }

  /** Change nothing, but refuse if no rule is equal. */
  check(name: string, rule: Rule): Undo {
    findRule(this.get(name), rule);
    return () => undefined;
  }

  /** Take out every rule of the chain; `null` flushes all chains. */
  flush(name: string | null): Undo {
    const flushed = this.#select(name).map((chain) => ({
      chain,
      steps: this.#splice(chain, 0, chain.steps.length),
    }));
    return () => {
      for (const { chain, steps } of flushed) this.#splice(chain, 0, 0, ...steps);
    };
  }

  /** Set counters to zero: of all chains, one chain with its policy, or one rule. */
  zero(name: string | null, number: number | null = null): void {
    for (const chain of this.#select(name)) {
      const one = number === null ? undefined : chain.steps[number - 1];
      if (number !== null && one === undefined) throw badNumber(chain, number);
      const steps = one === undefined ? [...chain.steps, chain.end] : [one];
      for (const step of steps) step.setCounters({ packets: 0, octets: 0 });
    }
  }

  #checkName(name: string): void {
    if (!CHAIN_NAME.test(name) || isTargetName(name)) {
      throw new RuleError("chain-name", name, `no chain can be called "${name}"`);
    }
    if (this.find(name) !== null) {
      throw new RuleError("chain-exists", name, `there is a chain ${name} already`);
    }
  }

  #select(name: string | null): readonly Chain[] {
    return name === null ? [...this] : [this.get(name)];
  }

  #getOwn(name: string): Chain {
    const chain = this.get(name);
    if (chain.hook === null) return chain;
    throw new RuleError("chain-built-in", name, `chain ${name} is built in`);
  }

  /** Every change of rules is made here, or taken back. */
  #splice(chain: Chain, index: number, count: number, ...added: readonly Step[]): Step[] {
    const removed = chain.splice(index, count, ...added);
    for (const step of removed) if (usesConntrack(step)) this.#trackedRules -= 1;
    for (const step of added) {
      if (usesConntrack(step)) this.#trackedRules += 1;
      this.#reach.add(step);
    }
    return removed;
  }

  #newStep(home: Chain, rule: Rule, counters: Counters | null): Step {
    this.#checkRule(home, rule);
    const { target } = rule;
    const isJump = target.kind === "jump" || target.kind === "goto";
    const step = Step.of(rule, home, isJump ? this.#getTarget(target.chain) : null, this.#services);
    // Before connection tracking, a packet that left its known way would have its state too early.
    const isEarly = this.table === "raw" && rule.matches.some((match) => match.usesConntrack);
    if (isEarly) step.flags |= Flag.AsksMore;
    if (counters !== null) step.setCounters(counters);
    return step;
  }

  #getTarget(name: string): Chain {
    const chain = this.find(name);
    if (chain === null) {
      const message = `${name} is no chain here, and no target that is supported`;
      throw new RuleError("chain-unknown", name, message);
    }
    if (chain.hook === null) return chain;
    throw new RuleError("chain-built-in", name, `no rule can lead to built-in chain ${name}`);
  }

  /** What depends on the rule, the chain and the table alone. */
  #checkRule({ hook, name }: Chain, { input, output, protocol, matches, target }: Rule): void {
    const isIncoming = hook === Hook.Prerouting || hook === Hook.Input;
    if (isIncoming && output !== null) throw misplaced("-o", `-o cannot be asked in ${name}`);
    const isOutgoing = hook === Hook.Output || hook === Hook.Postrouting;
    if (isOutgoing && input !== null) throw misplaced("-i", `-i cannot be asked in ${name}`);
    if (target.kind === "drop" && this.table === "nat") {
      throw misplaced("DROP", "the table nat does not filter: DROP cannot stand there");
    }
    for (const match of matches) this.#checkPlacement(match.name, match.placement, protocol);
    if (target.kind !== "extension") return;
    this.#checkPlacement(target.name, target.placement, protocol);
    const objection = target.objection?.(matches) ?? null;
    if (objection !== null) throw misplaced(target.name, objection);
  }

  #checkPlacement(name: string, place: Placement, protocol: ProtocolTest | null): void {
    if (place.table !== null && place.table !== this.table) {
      throw misplaced(name, `${name} belongs into table ${place.table}, not ${this.table}`);
    }
    if (place.protocols === null) return;
    const isAsked = protocol?.isInverted === false && place.protocols.includes(protocol.number);
    if (isAsked) return;
    const names = place.protocols.map(formatProtocol).join(", ");
    throw misplaced(name, `${name} needs a rule with -p ${names}`);
  }
}

/** The place of the first rule that is equal. */
function findRule(chain: Chain, rule: Rule): number {
  const text = formatRule(rule);
  const index = chain.find(text);
  if (index >= 0) return index;
  throw new RuleError("rule-unknown", text, `chain ${chain.name} has no rule "${text}"`);
}

/** What belongs to the nat table alone is about connections; an empty table is not. */
function usesConntrack({ rule }: Step): boolean {
  if (rule === null) return false;
  const { matches, target } = rule;
  const isAbout =
    target.kind === "extension" && (target.usesConntrack || target.placement.table === "nat");
  return isAbout || matches.some((match) => match.usesConntrack);
}

const misplaced = (word: string, message: string): RuleError =>
  new RuleError("rule-place", word, message);

const badNumber = ({ name, steps }: Chain, number: number | null): RuleError =>
  new RuleError("rule-number", number, `chain ${name} has ${steps.length} rules, not ${number}`);
