/**
 * A rule made ready: its tests as numbers, its matches bound, a link to what comes next. Packets
 * are judged by walking from step to step; nothing of a rule's text is looked at.
 *
 * Objects linked to one another are walked twice as fast as rows of a typed array: one shape, no
 * bounds to check, no index to compute.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Device } from "../wire/device.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import { PortBits } from "../wire/path-notes.ts";
import type { HookContext } from "../l3/hooks.ts";
import type { Chain } from "./chain.ts";
import { type Match, type Matcher, MatchResult } from "./match.ts";
import { PortMatcher } from "./matches/ports.ts";
import { type AddressTest, asksForDevice, type DeviceTest, formatRule, type Rule } from "./rule.ts";
import type { RuleServices } from "./services.ts";
import {
  type Action,
  type FilterReason,
  reasonOf,
  type Target,
  type Translator,
} from "./target.ts";
import { ALL_PORTS } from "./values.ts";

/** What happens at a step that a packet matches. */
export const Op = {
  /** Nothing; the rules go on. */
  Continue: 0,
  Accept: 1,
  Drop: 2,
  Return: 3,
  Jump: 4,
  Goto: 5,
  /** An {@link Action} decides. */
  Act: 6,
  /** A {@link Translator} will be asked. */
  Translate: 7,
  /** Not a rule: looks up which of the rules that follow can match at all. */
  Dispatch: 8,
} as const;
/** One of {@link Op}. */
export type Op = (typeof Op)[keyof typeof Op];

/** What a step asks beyond the plain comparisons. */
export const Flag = {
  NotSource: 1,
  NotDestination: 2,
  NotProtocol: 4,
  /** {@link Step.admits} must be asked: names of devices, fragments. */
  Place: 8,
  /** The ports are asked, as numbers. */
  Ports: 16,
  /** {@link Step.ask} must be asked: matches. */
  Matches: 32,
  /** A match is not pure. */
  AsksMore: 64,
  /** The target is not pure. */
  DoesMore: 128,
} as const;

/** What the rules of a long row name, each one of it. */
export const Dimension = { Input: 0, Output: 1, Source: 2, Destination: 3 } as const;
/** One of {@link Dimension}. */
export type Dimension = (typeof Dimension)[keyof typeof Dimension];

/** Judges the name of a device; asked about the same device again, it remembers. */
class DeviceMatcher {
  readonly #name: string;
  readonly #isPrefix: boolean;
  readonly #isInverted: boolean;
  #last: Device | null = null;
  #isLastMatch: boolean;

  constructor({ name, isInverted }: DeviceTest) {
    this.#isPrefix = name.endsWith("+");
    this.#name = this.#isPrefix ? name.slice(0, -1) : name;
    this.#isInverted = isInverted;
    this.#isLastMatch = isInverted;
  }

  /** A packet without a device has one without a name (`nulldevname`). */
  matches(device: Device | null): boolean {
    if (device === this.#last) return this.#isLastMatch;
    const name = device === null ? "" : device.name;
    const isSame = this.#isPrefix ? name.startsWith(this.#name) : name === this.#name;
    this.#last = device;
    this.#isLastMatch = isSame !== this.#isInverted;
    return this.#isLastMatch;
  }
}

/** The key of no device. */
export const NO_KEY = 0;

/** A number for the name of a device (FNV-1a), never {@link NO_KEY}; equal names, equal keys. */
export function deviceKey(name: string): number {
  let key = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    key = Math.imul(key ^ name.charCodeAt(index), 0x01000193);
  }
  return key | 1;
}

const NO_MATCHERS: readonly Matcher[] = [];

/** Packets that a rule matched, and their octets from the IP header on. */
export interface Counters {
  readonly packets: number;
  readonly octets: number;
}

interface StepParts {
  readonly rule?: Rule | null;
  readonly home?: Chain | null;
  readonly chain?: Chain | null;
  readonly reason?: Reason | null;
}

/** One place on a packet's way through a chain, with its counters. */
export class Step {
  /** What it was made from; `null` for the end of a chain and for a dispatcher. */
  rule: Rule | null;
  /** Why a packet that is dropped here is; `null` leaves it to the action. */
  readonly reason: Reason | null;
  op: Op = Op.Continue;
  flags = 0;
  source = 0;
  sourceMask = 0;
  destination = 0;
  destinationMask = 0;
  /** {@link deviceKey} of the only device that can match; {@link NO_KEY} if there may be more. */
  inputKey: number = NO_KEY;
  outputKey: number = NO_KEY;
  /** 0 for any. */
  protocol = 0;
  lowerSourcePort: number = ALL_PORTS.lower;
  upperSourcePort: number = ALL_PORTS.upper;
  lowerDestinationPort: number = ALL_PORTS.lower;
  upperDestinationPort: number = ALL_PORTS.upper;
  /** Which ports the matches depend on that are not compared as numbers: {@link PortBits}. */
  askedPorts: number = PortBits.None;
  /** Where a packet goes that does not match, or that nothing happens to. */
  next: Step = this;
  /** Where it stands. */
  readonly home: Chain | null;
  /** Where it leads; `null` if it does not jump. */
  readonly chain: Chain | null;
  packets = 0;
  octets = 0;
  #input: DeviceMatcher | null = null;
  #output: DeviceMatcher | null = null;
  /** 0 asks nothing, 1 for later fragments, 2 for all others. */
  #fragment = 0;
  #text: string | null = null;
  #matchers = NO_MATCHERS;
  #action: Action | null = null;
  #translator: Translator | null = null;
  #dimension: Dimension = Dimension.Input;
  #rows: ReadonlyMap<number, Step> | null = null;

  /** A step that every packet matches and nothing happens at. */
  constructor({ rule = null, home = null, chain = null, reason = null }: StepParts) {
    this.rule = rule;
    this.home = home;
    this.chain = chain;
    this.reason = reason;
  }

  /**
   * Make `rule` ready for a place in `home`.
   * @param chain where it jumps to; `null` if it does not.
   * @throws {RuleError} if a service that it needs is missing.
   */
  static of(rule: Rule, home: Chain, chain: Chain | null, services: RuleServices): Step {
    const step = new Step({ rule, home, chain, reason: reasonOf(rule.matches) });
    step.#setAddresses(rule.source, rule.destination);
    step.#setDevices(rule.input, rule.output);
    if (rule.protocol !== null) step.protocol = rule.protocol.number;
    if (rule.protocol?.isInverted === true) step.flags |= Flag.NotProtocol;
    if (rule.fragment !== null) step.#fragment = rule.fragment.isInverted ? 2 : 1;
    step.#setMatches(rule.matches, services);
    step.#setTarget(rule.target, services);
    const hasDevice = step.#input !== null || step.#output !== null;
    if (hasDevice || step.#fragment !== 0) step.flags |= Flag.Place;
    if (step.#matchers.length > 0) step.flags |= Flag.Matches;
    if (!rule.matches.every((match) => match.isPure)) step.flags |= Flag.AsksMore;
    if (rule.target.kind === "extension" && !rule.target.isPure) step.flags |= Flag.DoesMore;
    return step;
  }

  /**
   * A step before a row of rules that leads straight to the first that can match.
   * @param rows that step by what it names in `dimension`.
   * @param after where packets go that no rule of the row can match.
   */
  static dispatcher(dimension: Dimension, rows: ReadonlyMap<number, Step>, after: Step): Step {
    const step = new Step({});
    step.op = Op.Dispatch;
    step.#dimension = dimension;
    step.#rows = rows;
    step.next = after;
    return step;
  }

  /** Where {@link Op.Dispatch} leads a packet. */
  dispatch(source: number, destination: number, inputKey: number, outputKey: number): Step {
    const isAddress = this.#dimension >= Dimension.Source;
    const isFirst = this.#dimension === Dimension.Input || this.#dimension === Dimension.Source;
    const device = isFirst ? inputKey : outputKey;
    const address = isFirst ? source : destination;
    return this.#rows?.get(isAddress ? address : device) ?? this.next;
  }

  /** The rule as {@link formatRule} prints it; empty for what is no rule. */
  get text(): string {
    this.#text ??= this.rule === null ? "" : formatRule(this.rule);
    return this.#text;
  }

  setCounters({ packets, octets }: Counters): void {
    this.packets = packets;
    this.octets = octets;
  }

  /** The chain that the step leads to is called `name` from now on. */
  redirect(name: string): void {
    const { rule } = this;
    assert(rule !== null, "a rule leads to a chain");
    const { kind } = rule.target;
    assert(kind === "jump" || kind === "goto", "a rule that leads to a chain jumps");
    this.rule = { ...rule, target: { kind, chain: name } };
    this.#text = null;
  }

  /** True for ACCEPT, DROP and RETURN without any condition (`unconditional`). */
  get alwaysDecides(): boolean {
    const { op, rule } = this;
    if (op !== Op.Accept && op !== Op.Drop && op !== Op.Return) return false;
    if (rule === null) return true;
    const { source, destination, input, output, protocol, fragment, matches } = rule;
    const tests = [source, destination, input, output, protocol, fragment];
    return matches.length === 0 && tests.every((test) => test === null);
  }

  /** True if the only source that can match is {@link source}. */
  get hasOneSource(): boolean {
    return this.sourceMask === -1 && (this.flags & Flag.NotSource) === 0;
  }

  /** True if the only destination that can match is {@link destination}. */
  get hasOneDestination(): boolean {
    return this.destinationMask === -1 && (this.flags & Flag.NotDestination) === 0;
  }

  /** True unless the names of the devices or a test for fragments say no. */
  admits({ input, output }: HookContext, isLaterFragment: boolean): boolean {
    return (
      (this.#input === null || this.#input.matches(input)) &&
      (this.#output === null || this.#output.matches(output)) &&
      (this.#fragment === 0 || isLaterFragment === (this.#fragment === 1))
    );
  }

  /** What the matches say, those aside that are compared as numbers. */
  ask(packet: Packet, context: HookContext): MatchResult {
    for (const matcher of this.#matchers) {
      const result = matcher.matches(packet, context);
      if (result !== MatchResult.Yes) return result;
    }
    return MatchResult.Yes;
  }

  /** Do what {@link Op.Act} asks. @returns `null` if the rules go on, or why the packet ends. */
  act(packet: Packet, context: HookContext): FilterReason | null {
    assert(this.#action !== null, "a step that acts has an action");
    return this.#action.apply(packet, context);
  }

  /** Where {@link Op.Jump} and {@link Op.Goto} lead. */
  get target(): Chain {
    assert(this.chain !== null, "a step that jumps has a chain to jump to");
    return this.chain;
  }

  /** What {@link Op.Translate} asks. */
  get translator(): Translator {
    assert(this.#translator !== null, "a step that translates has a translator");
    return this.#translator;
  }

  #setAddresses(source: AddressTest | null, destination: AddressTest | null): void {
    if (source !== null) {
      this.source = source.address | 0;
      this.sourceMask = source.mask | 0;
      if (source.isInverted) this.flags |= Flag.NotSource;
    }
    if (destination !== null) {
      this.destination = destination.address | 0;
      this.destinationMask = destination.mask | 0;
      if (destination.isInverted) this.flags |= Flag.NotDestination;
    }
  }

  #setDevices(input: DeviceTest | null, output: DeviceTest | null): void {
    if (asksForDevice(input)) {
      this.#input = new DeviceMatcher(input);
      this.inputKey = keyOf(input);
    }
    if (asksForDevice(output)) {
      this.#output = new DeviceMatcher(output);
      this.outputKey = keyOf(output);
    }
  }

  /** Ports that come first are compared as numbers, without asking a matcher. */
  #setMatches(matches: readonly Match[], services: RuleServices): void {
    const matchers: Matcher[] = [];
    for (const match of matches) {
      const matcher = match.bind(services);
      if (matcher === null) continue;
      const isFirst = matchers.length === 0 && (this.flags & Flag.Ports) === 0;
      if (isFirst && matcher instanceof PortMatcher && matcher.isPlain) this.#setPorts(matcher);
      else {
        matchers.push(matcher);
        this.askedPorts |= match.askedPorts;
      }
    }
    this.#matchers = matchers;
  }

  #setPorts({ source, destination }: PortMatcher): void {
    this.flags |= Flag.Ports;
    this.lowerSourcePort = source.lower;
    this.upperSourcePort = source.upper;
    this.lowerDestinationPort = destination.lower;
    this.upperDestinationPort = destination.upper;
  }

  #setTarget(target: Target, services: RuleServices): void {
    if (target.kind !== "extension") {
      this.op = STANDARD_OPS[target.kind];
      return;
    }
    const bound = target.bind(services);
    if (bound.kind === "action") {
      this.op = Op.Act;
      this.#action = bound.action;
    } else {
      this.op = Op.Translate;
      this.#translator = bound.translator;
    }
  }
}

const STANDARD_OPS = {
  none: Op.Continue,
  accept: Op.Accept,
  drop: Op.Drop,
  return: Op.Return,
  jump: Op.Jump,
  goto: Op.Goto,
} as const;

const keyOf = ({ name, isInverted }: DeviceTest): number =>
  isInverted || name.endsWith("+") ? NO_KEY : deviceKey(name);
