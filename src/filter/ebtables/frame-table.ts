/**
 * One table about frames: its chains, how they change, the frames that pass (Linux `ebt_do_table`).
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { Device } from "../../wire/device.ts";
import type { Packet } from "../../wire/packet.ts";
import { BRIDGE_HOOK_NAMES, BridgeHook, type FrameContext } from "../../l2/bridge-hooks.ts";
import { RuleError } from "../errors.ts";
import type { Counters } from "../step.ts";
import { payloadAt } from "./frame.ts";
import { FrameChain, type FramePolicy } from "./frame-chain.ts";
import type { FrameServices } from "./frame-match.ts";
import { checkFrameReach } from "./frame-reach.ts";
import { formatFrameRule, type FrameRule } from "./frame-rule.ts";
import { FrameStep } from "./frame-step.ts";
import {
  type FrameReason,
  type FrameTableName,
  findVerdict,
  FrameVerdict,
} from "./frame-target.ts";
import { findFrameTarget } from "./registry.ts";

/** The built-in chains of each table, in the order in which they are printed. */
const FRAME_TABLE_HOOKS: Readonly<Record<FrameTableName, readonly BridgeHook[]>> = {
  filter: [BridgeHook.Input, BridgeHook.Forward, BridgeHook.Output],
  nat: [BridgeHook.Prerouting, BridgeHook.Output, BridgeHook.Postrouting],
};

/** Hooks where a frame has come in by a port, and those where it leaves by one. */
const WITH_INPUT: readonly number[] = [BridgeHook.Prerouting, BridgeHook.Input, BridgeHook.Forward];
const WITH_OUTPUT: readonly number[] = [
  BridgeHook.Forward,
  BridgeHook.Output,
  BridgeHook.Postrouting,
];

const CHAIN_NAME = /^[^-!\s]\S{0,27}$/;

/** Chains by name. Every method throws {@link RuleError} for a change that cannot be made. */
export class FrameTable implements Iterable<FrameChain> {
  readonly name: FrameTableName;
  readonly #services: FrameServices;
  readonly #builtIn: readonly FrameChain[];
  readonly #own = new Map<string, FrameChain>();
  /** Steps that jumped and wait for the frame's return. */
  readonly #callers: FrameStep[] = [];

  constructor(name: FrameTableName, services: FrameServices) {
    this.name = name;
    this.#services = services;
    this.#builtIn = FRAME_TABLE_HOOKS[name].map(
      (hook) => new FrameChain(BRIDGE_HOOK_NAMES[hook], hook),
    );
  }

  /** Built-in chains in the order of their hooks, then the others by name. */
  *[Symbol.iterator](): Iterator<FrameChain> {
    yield* this.#builtIn;
    yield* [...this.#own.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** Walk `packet` through the chain on the hook. @returns false if it is dropped. */
  judge(packet: Packet, context: FrameContext): boolean {
    const chain = this.#at(context.hook);
    return chain === null || this.#walk(chain, packet, context);
  }

  find(name: string): FrameChain | null {
    return this.#builtIn.find((chain) => chain.name === name) ?? this.#own.get(name) ?? null;
  }

  get(name: string): FrameChain {
    const chain = this.find(name);
    if (chain === null) throw new RuleError("chain-unknown", name, `there is no chain ${name}`);
    return chain;
  }

  create(name: string): void {
    this.#checkName(name);
    this.#own.set(name, new FrameChain(name, null));
  }

  /** With its rules; nothing may lead to it. `null`: all that are not built in. */
  remove(name: string | null): void {
    const removed = name === null ? [...this.#own.values()] : [this.#getOwn(name)];
    const callers = this.#steps().filter(([home]) => !removed.includes(home));
    const led = removed.find((chain) => callers.some(([, step]) => step.chain === chain));
    if (led !== undefined) {
      throw new RuleError("chain-in-use", led.name, `rules lead to chain ${led.name}`);
    }
    for (const chain of removed) this.#own.delete(chain.name);
  }

  /** Rules that lead to the chain follow. */
  rename(from: string, to: string): void {
    const chain = this.#getOwn(from);
    this.#checkName(to);
    this.#own.delete(from);
    chain.name = to;
    this.#own.set(to, chain);
    for (const [, step] of this.#steps()) if (step.chain === chain) step.forgetText();
  }

  setPolicy(name: string, policy: FramePolicy): void {
    const chain = this.get(name);
    if (chain.hook !== null && policy === FrameVerdict.Return) {
      throw new RuleError("policy", name, `built-in chain ${name} has nowhere to return to`);
    }
    chain.policy = policy;
  }

  /** @param number of the place, from 1; `null` for the end. */
  insert(name: string, number: number | null, rule: FrameRule, counters: Counters | null): void {
    const home = this.get(name);
    const index = number === null ? home.steps.length : number - 1;
    if (index > home.steps.length) throw badNumber(home, number);
    const step = this.#newStep(home, rule);
    if (counters !== null) step.setCounters(counters);
    home.splice(index, 0, step);
    try {
      checkFrameReach(this);
    } catch (error) {
      home.splice(index, 1);
      throw error;
    }
  }

  /** The rules from number `which` to `last`, or the first that is equal. */
  delete(name: string, which: number | FrameRule, last = which): void {
    const chain = this.get(name);
    const { steps } = chain;
    if (typeof which === "number" && typeof last === "number") {
      if (which > steps.length || last < which) throw badNumber(chain, which);
      chain.splice(which - 1, last - which + 1);
      return;
    }
    const text = typeof which === "number" ? "" : formatFrameRule(which);
    const index = steps.findIndex((step) => step.text === text);
    if (index < 0) throw new RuleError("rule-unknown", text, `chain ${name} has no such rule`);
    chain.splice(index, 1);
  }

  /** Every rule of a chain; `null`: of all. */
  flush(name: string | null): void {
    for (const chain of this.#select(name)) chain.splice(0, chain.steps.length);
  }

  /** The counters of a chain's rules; `null`: of all. */
  zero(name: string | null): void {
    for (const { steps } of this.#select(name)) {
      for (const step of steps) step.setCounters({ packets: 0, octets: 0 });
    }
  }

  #at(hook: BridgeHook): FrameChain | null {
    for (const chain of this.#builtIn) if (chain.hook === hook) return chain;
    return null;
  }

  #walk(start: FrameChain, packet: Packet, context: FrameContext): boolean {
    const length = packet.end - payloadAt(packet);
    const { input } = context;
    let chain = start;
    let step = start.first.follow(input);
    let depth = 0;
    for (;;) {
      if (step !== null && !step.matches(packet, context)) {
        step = nextOf(step, input);
        continue;
      }
      let verdict: FrameVerdict = chain.policy;
      if (step !== null) {
        step.packets += 1;
        step.octets += length;
        step.tell(packet, context);
        if (step.chain !== null) {
          this.#callers[depth] = step;
          depth += 1;
          chain = step.chain;
          step = chain.first.follow(input);
          continue;
        }
        context.reason = "filter/dropped" satisfies FrameReason;
        verdict = step.action === null ? step.verdict : step.action.apply(packet, context);
        if (verdict === FrameVerdict.Continue) {
          step = nextOf(step, input);
          continue;
        }
      }
      if (verdict === FrameVerdict.Return && depth > 0) {
        depth -= 1;
        const caller = this.#callers[depth];
        assert(caller !== undefined, "a frame returns to where it jumped");
        chain = caller.home;
        step = nextOf(caller, input);
        continue;
      }
      const isPolicy = step === null || verdict === FrameVerdict.Return;
      if (verdict === FrameVerdict.Return) verdict = start.policy;
      if (verdict === FrameVerdict.Accept) return true;
      this.#drop(chain, isPolicy ? null : step, packet, context);
      return false;
    }
  }

  #drop(chain: FrameChain, step: FrameStep | null, packet: Packet, context: FrameContext): void {
    if (step === null) context.reason = "filter/policy" satisfies FrameReason;
    if (!packet.pool.isTracing) return;
    const place = `ebtables table ${this.name}, chain ${chain.name}`;
    context.detail =
      step === null
        ? `${place}: policy DROP`
        : `${place}, rule ${chain.steps.indexOf(step) + 1}: -A ${chain.name} ${step.text}`;
  }

  #steps(): [FrameChain, FrameStep][] {
    return [...this].flatMap((chain) =>
      chain.steps.map((step): [FrameChain, FrameStep] => [chain, step]),
    );
  }

  #newStep(home: FrameChain, rule: FrameRule): FrameStep {
    const { target } = rule;
    this.#checkPlace(home, rule);
    if (target.kind !== "jump") return new FrameStep(rule, home, null, this.#services);
    const chain = this.find(target.chain);
    if (chain === null) {
      const message = `${target.chain} is no chain here, and no target that is supported`;
      throw new RuleError("chain-unknown", target.chain, message);
    }
    if (chain.hook === null) return new FrameStep(rule, home, chain, this.#services);
    const message = `no rule can lead to built-in chain ${target.chain}`;
    throw new RuleError("chain-built-in", target.chain, message);
  }

  /** What depends on the rule, the chain and the table alone. */
  #checkPlace({ hook, name }: FrameChain, rule: FrameRule): void {
    const { input, logicalInput, output, logicalOutput, target } = rule;
    if (hook !== null && !WITH_INPUT.includes(hook)) {
      if (input !== null) throw misplaced("-i", `-i cannot be asked in ${name}`);
      if (logicalInput !== null) throw misplaced("--logical-in", `not to be asked in ${name}`);
    }
    if (hook !== null && !WITH_OUTPUT.includes(hook)) {
      if (output !== null) throw misplaced("-o", `-o cannot be asked in ${name}`);
      if (logicalOutput !== null) throw misplaced("--logical-out", `not to be asked in ${name}`);
    }
    if (target.kind === "extension" && target.table !== null && target.table !== this.name) {
      const message = `${target.name} belongs into table ${target.table}, not ${this.name}`;
      throw misplaced(target.name, message);
    }
  }

  #checkName(name: string): void {
    const isTaken = findVerdict(name) !== null || findFrameTarget(name) !== null;
    if (!CHAIN_NAME.test(name) || isTaken) {
      throw new RuleError("chain-name", name, `a chain cannot be called "${name}"`);
    }
    if (this.find(name) !== null) {
      throw new RuleError("chain-exists", name, `there is a chain ${name} already`);
    }
  }

  #select(name: string | null): readonly FrameChain[] {
    return name === null ? [...this] : [this.get(name)];
  }

  #getOwn(name: string): FrameChain {
    const chain = this.get(name);
    if (chain.hook === null) return chain;
    throw new RuleError("chain-built-in", name, `chain ${name} is built in`);
  }
}

function nextOf({ next }: FrameStep, input: Device | null): FrameStep | null {
  assert(next !== null, "a step that frames come to is linked");
  return next.follow(input);
}

const misplaced = (word: string, message: string): RuleError =>
  new RuleError("rule-place", word, message);

const badNumber = ({ name, steps }: FrameChain, number: number | null): RuleError =>
  new RuleError("rule-number", number, `chain ${name} has ${steps.length} rules, not ${number}`);
