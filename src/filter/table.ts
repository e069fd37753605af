/** One table: its chains, the commands that change them, the packets that pass. @module */
import { assert } from "../base/assert.ts";
import type { Packet } from "../wire/packet.ts";
import type { FlowCache } from "../l3/flow-cache.ts";
import { HOOK_NAMES, type HookContext, type HookFunction, Verdict } from "../l3/hooks.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { ChainView, Policy } from "./chain.ts";
import { ChainSet, type Undo } from "./chain-set.ts";
import { Evaluator, Outcome } from "./evaluator.ts";
import { formatLogLine, type LogDetails } from "./log-line.ts";
import type { TableName } from "./placement.ts";
import type { Rule } from "./rule.ts";
import type { LogSink, RuleServices } from "./services.ts";
import type { Counters, Step } from "./step.ts";

/** A rule of a chain, and what it has counted so far. */
export interface ListedRule extends Counters {
  /** From 1. */
  readonly number: number;
  readonly rule: Rule;
}

/**
 * A table of a {@link RuleSet}. Each method but the reading ones changes it as the command of
 * `iptables` does, at once and as a whole.
 * @throws {RuleError} from every change that cannot be made; the table is then as it was.
 */
export class Table implements HookFunction {
  readonly name: TableName;
  readonly notesPaths = true;
  readonly #log: LogSink | null;
  readonly #evaluator = new Evaluator({
    describe: (step, reason, way) => this.#describe(step, reason, way),
    trace: (step, packet, context) => this.#trace(step, packet, context),
  });
  readonly #onChange: () => void;
  #chains: ChainSet;
  #paths: FlowCache | null = null;

  /** @param onChange is called after each change that may have taken rules away. */
  constructor(name: TableName, services: RuleServices, onChange: () => void) {
    this.name = name;
    this.#log = services.log;
    this.#onChange = onChange;
    this.#chains = new ChainSet(name, services);
  }

  /** Packets that take `paths` past the table count here too; `null` for none. */
  attachPaths(paths: FlowCache | null): void {
    this.#paths?.invalidate();
    this.#paths = paths;
  }

  /** Built-in chains in the order of their hooks, then the others by name. */
  get chains(): readonly ChainView[] {
    this.#paths?.settle();
    return [...this.#chains];
  }

  /** True if a rule translates or asks what connection tracking says. */
  get usesConntrack(): boolean {
    return this.#chains.usesConntrack;
  }

  /** What rules share by name. */
  *listNames(): Iterable<string> {
    for (const { steps } of this.#chains) {
      for (const { rule } of steps) {
        for (const { listName } of rule?.matches ?? []) if (listName !== null) yield listName;
      }
    }
  }

  /** The rules of a chain with their counters. @throws {RuleError} if there is no such chain. */
  list(chain: string): readonly ListedRule[] {
    this.#paths?.settle();
    return this.#chains
      .get(chain)
      .steps.flatMap(({ rule, packets, octets }, index) =>
        rule === null ? [] : [{ number: index + 1, rule, packets, octets }],
      );
  }

  /** `-A`. */
  append(chain: string, rule: Rule, counters: Counters | null = null): void {
    this.#insert(chain, null, rule, counters);
  }

  /** `-I`: before the rule with `number`, counted from 1. */
  insert(chain: string, rule: Rule, number = 1, counters: Counters | null = null): void {
    this.#insert(chain, number, rule, counters);
  }

  /** `-R`. */
  replace(chain: string, number: number, rule: Rule): void {
    this.change((chains) => chains.replace(chain, number, rule));
  }

  /** `-D`: the rule with that number, or the first that is equal. */
  delete(chain: string, which: number | Rule): void {
    this.change((chains) => chains.delete(chain, which));
  }

  /** `-F`: every rule of a chain; without a name, of all. */
  flush(chain: string | null = null): void {
    this.change((chains) => chains.flush(chain));
  }

  /** `-Z`: the counters of a rule, of a chain, or of all. */
  zero(chain: string | null = null, number: number | null = null): void {
    this.#paths?.invalidate();
    this.#chains.zero(chain, number);
  }

  /** `-N`. */
  newChain(chain: string): void {
    this.change((chains) => chains.create(chain));
  }

  /** `-X`: a chain without rules that nothing leads to. */
  deleteChain(chain: string): void {
    this.change((chains) => chains.remove(chain));
  }

  /** `-E`. */
  renameChain(from: string, to: string): void {
    this.change((chains) => chains.rename(from, to));
  }

  /** `-P`. */
  setPolicy(chain: string, policy: Policy): void {
    this.change((chains) => chains.setPolicy(chain, policy));
  }

  /**
   * Make a change of more than one step, or of one. It is taken back if a way then leads back to
   * itself, or to a rule that may not stand there.
   */
  change(make: (chains: ChainSet) => Undo): void {
    this.#paths?.invalidate();
    try {
      const undo = make(this.#chains);
      try {
        this.#chains.checkReach();
      } catch (error) {
        undo();
        throw error;
      }
    } finally {
      this.#onChange();
    }
  }

  /**
   * Take over all chains of `chains`, which nobody else has. No change is told of: until all tables
   * that are restored together are there, what their rules share may seem to be nobody's.
   */
  adopt(chains: ChainSet): void {
    assert(chains.table === this.name, "a table takes chains that were made for it");
    chains.checkReach();
    this.#paths?.invalidate();
    this.#chains = chains;
  }

  onHook(packet: Packet, context: HookContext): Verdict {
    const outcome = this.#walk(packet, context);
    return outcome === Outcome.Accept ? Verdict.Accept : Verdict.Drop;
  }

  /** What this table, which is `nat`, asks of translation. @returns as `NatRules.selectNat`. */
  selectNat(packet: Packet, context: HookContext): NatRange | null | "drop" {
    const outcome = this.#walk(packet, context);
    if (outcome === Outcome.Accept) return null;
    return outcome === Outcome.Drop ? "drop" : this.#evaluator.translate(packet, context);
  }

  #insert(chain: string, number: number | null, rule: Rule, counters: Counters | null): void {
    this.change((chains) => chains.insert(chain, number, rule, counters));
  }

  #walk(packet: Packet, context: HookContext): Outcome {
    const chain = this.#chains.at(context.hook);
    return chain === null ? Outcome.Accept : this.#evaluator.walk(chain, packet, context);
  }

  /** @param way the rules that led to it, whose comments say more. */
  #describe(step: Step, reason: string | null, way: readonly Step[]): string {
    const chain = step.home;
    assert(chain !== null, "a packet ends at a rule or at the end of a chain");
    const place = `table ${this.name}, chain ${chain.name}`;
    if (step.rule === null) return `${place}: policy ${chain.policy ?? ""}`;
    const number = chain.steps.indexOf(step) + 1;
    const comments = way.flatMap(({ rule }) =>
      (rule?.matches ?? []).flatMap(({ comment }) => (comment === null ? [] : [`"${comment}"`])),
    );
    const led = comments.length === 0 ? "" : `, by ${comments.join(", ")}`;
    const text = `${place}, rule ${number}: -A ${chain.name} ${step.text}${led}`;
    return reason === "filter/malformed" ? `${text}: the header is cut short` : text;
  }

  /** The kernel's words: to its log, and as a step with the rule instead of the packet. */
  #trace(step: Step, packet: Packet, context: HookContext): void {
    const { home } = step;
    assert(home !== null, "a packet meets the rules and the ends of chains");
    const index = home.steps.indexOf(step);
    const number = index < 0 ? home.steps.length + 1 : index + 1;
    const end = home.hook === null ? "return" : "policy";
    const kind = step.alwaysDecides ? end : "rule";
    const place = `TRACE: ${this.name}:${home.name}:${kind}:${number} `;
    const line = this.#log === null ? "" : formatLogLine(packet, context, TRACE_DETAILS);
    this.#log?.log(TRACE_LEVEL, place + line, packet, context.now);
    if (!packet.pool.isTracing) return;
    const what = `${place}${step.rule === null ? (home.policy ?? "") : step.text}`.trimEnd();
    packet.pool.observer?.step(packet, HOOK_NAMES[context.hook], what, context.now);
  }
}

/** `trace_loginfo`: a warning, with all that LOG can say. */
const TRACE_LEVEL = 4;
const TRACE_DETAILS: LogDetails = {
  hasSequence: true,
  hasTcpOptions: true,
  hasIpOptions: true,
  decodesMac: false,
};
