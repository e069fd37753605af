/**
 * Walks a packet through the chains of one table (Linux `ipt_do_table`). Allocates nothing.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Device } from "../wire/device.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import { type PathNotes, PortBits } from "../wire/path-notes.ts";
import { HOOK_NAMES, type HookContext } from "../l3/hooks.ts";
import { IPV4 } from "../l3/ipv4.ts";
import { UDP } from "../l4/udp.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { Chain } from "./chain.ts";
import { MatchResult } from "./match.ts";
import { destinationPort, MALFORMED_PORTS, sourcePort } from "./matches/ports.ts";
import { deviceKey, Flag, NO_KEY, Op, type Step } from "./step.ts";

/** What the rules decide; on {@link Outcome.Translate}, {@link Evaluator.translate} knows how. */
export const Outcome = { Accept: 0, Drop: 1, Translate: 2 } as const;
/** One of {@link Outcome}. */
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

const OFFSET_MASK = 0x1fff;
/** The ports have not been looked at. */
const UNREAD = -3;

/** Tells people of a walk. */
export interface Narrator {
  /**
   * In words, where the rules decided about a packet.
   * @param way the steps that jumped and led it there, the first first.
   */
  describe(step: Step, reason: Reason | null, way: readonly Step[]): string;
  /** A traced packet meets the conditions of `step`. */
  trace(step: Step, packet: Packet, context: HookContext): void;
}

/**
 * The walks through one table. A target that sends packets may begin a walk while one is under way
 * if it ends the packet that it was asked about: the walk that it interrupts does not go on.
 */
export class Evaluator {
  readonly #narrator: Narrator;
  /** Steps that jumped and wait for the packet's return. */
  readonly #callers: Step[] = [];
  #decided: Step | null = null;
  #lastInput: Device | null = null;
  #lastInputKey: number = NO_KEY;
  #lastOutput: Device | null = null;
  #lastOutputKey: number = NO_KEY;

  constructor(narrator: Narrator) {
    this.#narrator = narrator;
  }

  /**
   * How the packet of the walk before, which came to {@link Outcome.Translate}, is translated.
   * @returns the range; "drop" if there is no address to translate to, and `context` says so.
   */
  translate(packet: Packet, context: HookContext): NatRange | "drop" {
    const step = this.#decided;
    assert(step !== null, "a step has decided to translate");
    const range = step.translator.rangeFor(packet, context);
    if (typeof range !== "string") return range;
    this.#drop(step, step.reason ?? range, packet, context, 0);
    return "drop";
  }

  /**
   * Walk `packet`, which is borrowed, through built-in chain `start`.
   * On {@link Outcome.Drop}, `context` says why.
   */
  walk(start: Chain, packet: Packet, context: HookContext): Outcome {
    const { path } = packet;
    const { view } = packet.pool;
    const at = packet.network;
    const source = IPV4.src.get(view, at) | 0;
    const destination = IPV4.dst.get(view, at) | 0;
    const protocol = IPV4.protocol.get(view, at);
    const isLater = (IPV4.flagsFragment.get(view, at) & OFFSET_MASK) !== 0;
    const inputKey = this.#keyOfInput(context.input);
    const outputKey = this.#keyOfOutput(context.output);
    let sport = UNREAD;
    let dport = UNREAD;
    let depth = 0;
    let step = start.first;
    for (;;) {
      if (cannotMatch(step, source, destination, protocol, inputKey, outputKey)) {
        step = step.next;
        continue;
      }
      if ((step.flags & Flag.Place) !== 0 && !step.admits(context, isLater)) {
        step = step.next;
        continue;
      }
      if ((step.flags & Flag.Ports) !== 0) {
        if (sport === UNREAD) {
          sport = sourcePort(packet, protocol);
          if (sport >= 0) dport = destinationPort(packet);
        }
        if (sport === MALFORMED_PORTS) {
          return this.#drop(step, "filter/malformed", packet, context, depth);
        }
        if (hasOtherPorts(step, sport, dport, path)) {
          step = step.next;
          continue;
        }
      }
      if ((step.flags & Flag.Matches) !== 0) {
        if (path !== null) noteMatches(path, step, packet);
        const result = step.ask(packet, context);
        if (result === MatchResult.Malformed) {
          return this.#drop(step, "filter/malformed", packet, context, depth);
        }
        if (result === MatchResult.No) {
          step = step.next;
          continue;
        }
      }
      if (step.op === Op.Dispatch) {
        step = step.dispatch(source, destination, inputKey, outputKey);
        continue;
      }
      step.packets += 1;
      step.octets += packet.end - at;
      path?.count(step);
      if (packet.isTraced) this.#narrator.trace(step, packet, context);
      if (step.op === Op.Continue) step = step.next;
      else if (step.op === Op.Return) {
        depth -= 1;
        step = depth < 0 ? start.end : this.#returnTo(depth);
      } else if (step.op === Op.Jump || step.op === Op.Goto) {
        if (step.op === Op.Jump) this.#callers[depth++] = step;
        step = step.target.first;
      } else if (step.op === Op.Act) {
        if ((step.flags & Flag.DoesMore) !== 0) path?.spoil();
        const reason = step.act(packet, context);
        if (reason !== null) return this.#drop(step, step.reason ?? reason, packet, context, 0);
        step = step.next;
      } else return this.#decide(step, packet, context, depth);
    }
  }

  #returnTo(depth: number): Step {
    const caller = this.#callers[depth];
    assert(caller !== undefined, "a packet returns to where it jumped");
    return caller.next;
  }

  /** @param depth how many of {@link Evaluator.#callers} led to `step`. */
  #decide(step: Step, packet: Packet, context: HookContext, depth: number): Outcome {
    if (step.op === Op.Accept) {
      if (packet.pool.isTracing && step.rule !== null) this.#tell(step, packet, context, depth);
      return Outcome.Accept;
    }
    if (step.op === Op.Drop) {
      return this.#drop(step, step.reason ?? "filter/dropped", packet, context, depth);
    }
    if ((step.flags & Flag.DoesMore) !== 0) packet.path?.spoilOpening();
    this.#decided = step;
    return Outcome.Translate;
  }

  /** @param depth as in {@link Evaluator.#decide}; 0 where others may have walked since. */
  #drop(step: Step, reason: Reason, packet: Packet, context: HookContext, depth: number): Outcome {
    context.reason = reason;
    if (packet.pool.isTracing) {
      context.detail = this.#narrator.describe(step, reason, this.#callers.slice(0, depth));
    }
    return Outcome.Drop;
  }

  #tell(step: Step, packet: Packet, { hook, now }: HookContext, depth: number): void {
    const words = this.#narrator.describe(step, null, this.#callers.slice(0, depth));
    packet.pool.observer?.step(packet, HOOK_NAMES[hook], words, now);
  }

  /** Packets that follow one another often come in by one device. */
  #keyOfInput(device: Device | null): number {
    if (device !== this.#lastInput) {
      this.#lastInput = device;
      this.#lastInputKey = device === null ? NO_KEY : deviceKey(device.name);
    }
    return this.#lastInputKey;
  }

  #keyOfOutput(device: Device | null): number {
    if (device !== this.#lastOutput) {
      this.#lastOutput = device;
      this.#lastOutputKey = device === null ? NO_KEY : deviceKey(device.name);
    }
    return this.#lastOutputKey;
  }
}

function cannotMatch(
  step: Step,
  source: number,
  destination: number,
  protocol: number,
  inputKey: number,
  outputKey: number,
): boolean {
  const { flags } = step;
  return (
    ((source & step.sourceMask) === step.source) === ((flags & Flag.NotSource) !== 0) ||
    ((destination & step.destinationMask) === step.destination) ===
      ((flags & Flag.NotDestination) !== 0) ||
    (step.inputKey !== NO_KEY && step.inputKey !== inputKey) ||
    (step.outputKey !== NO_KEY && step.outputKey !== outputKey) ||
    (step.protocol !== 0 && (step.protocol === protocol) === ((flags & Flag.NotProtocol) !== 0))
  );
}

/** `path` hears that the matches are asked. */
function noteMatches(path: PathNotes, step: Step, packet: Packet): void {
  if ((step.flags & Flag.AsksMore) !== 0) path.spoil();
  if (step.askedPorts === PortBits.None) return;
  const sport = UDP.srcPort.get(packet.pool.view, packet.transport);
  const dport = destinationPort(packet);
  if ((step.askedPorts & PortBits.Connection) !== 0) path.spoilOpening();
  if ((step.askedPorts & PortBits.Source) !== 0) path.askSourcePort(sport, sport, sport);
  if ((step.askedPorts & PortBits.Destination) !== 0) path.askDestinationPort(dport, dport, dport);
}

function hasOtherPorts(step: Step, sport: number, dport: number, path: PathNotes | null): boolean {
  if (path !== null) {
    path.askSourcePort(sport, step.lowerSourcePort, step.upperSourcePort);
    path.askDestinationPort(dport, step.lowerDestinationPort, step.upperDestinationPort);
  }
  return (
    sport < step.lowerSourcePort ||
    sport > step.upperSourcePort ||
    dport < step.lowerDestinationPort ||
    dport > step.upperDestinationPort
  );
}
