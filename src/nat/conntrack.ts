/**
 * Connection tracking: Linux's ip_conntrack and nf_conntrack (nf_conntrack_core.c).
 * @module
 */
import { assert } from "../base/assert.ts";
import { Jiffies } from "../base/jiffies.ts";
import type { Machine } from "../base/machine.ts";
import { Tally } from "../base/tally.ts";
import { type Instant, NEVER } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import { type FlowTracker, type Given, Opened as ImportedOpened } from "../wire/path-notes.ts";
import { FlowState as ImportedFlowState, isReply } from "../l3/flow-state.ts";
import {
  Hook,
  HOOK_NAMES,
  type HookContext,
  type HookFunction,
  HookPriority,
  type Hooks,
  Verdict,
} from "../l3/hooks.ts";
import { ICMP, isIcmpError } from "../l3/icmp.ts";
import { IPV4, Protocol } from "../l3/ipv4.ts";
import type { ConntrackBehaviour } from "./behaviour.ts";
import { Evictor } from "./eviction.ts";
import { type FlowEntry, formatFlow } from "./flow-entry.ts";
import {
  FLOW as ImportedFLOW,
  isSteady as ImportedisSteady,
  Scratch,
  stateOf,
  Status as ImportedStatus,
  STATUS_MASK as ImportedSTATUS_MASK,
} from "./flow-record.ts";
import { FlowOpener, Unopened } from "./flow-opener.ts";
import { FlowTable } from "./flow-table.ts";
import { type InvalidCause, Outcome as ImportedOutcome } from "./outcome.ts";
import { checkPacket } from "./packet-check.ts";
import { relate } from "./quotation.ts";
import { entryAt, STATE_NAMES } from "./read-entry.ts";
import { Trackers } from "./trackers.ts";
import { type Tuple, writeTuple } from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const FLOW = ImportedFLOW;
const Status = ImportedStatus;
const STATUS_MASK = ImportedSTATUS_MASK;
const isSteady = ImportedisSteady;
const FlowState = ImportedFlowState;
const Outcome = ImportedOutcome;
const Opened = ImportedOpened;
type Opened = ImportedOpened;
// Read for every packet: as a field it would cost a call.
const PROTOCOL = IPV4.protocol.offset;

/** Why connection tracking drops a packet; `clash`: another connection has one of its tuples. */
export type ConntrackDrop =
  | "conntrack/table-full"
  | "conntrack/clash"
  /** An answer to a SYN that was let through, withheld so that the client begins anew. */
  | "conntrack/out-of-step";

/** What a {@link Conntrack} is made of. */
export interface ConntrackOptions {
  readonly behaviour: ConntrackBehaviour;
  /** The kernel's clock; one of 250 Hz. */
  readonly jiffies?: Jiffies;
}

/** Records that the sweep looks at when time passes. */
const IDLE_SWEEP_STEPS = 64;

/**
 * The connections of one router. Gives every packet its `flow` and `flowState`: at PREROUTING and
 * OUTPUT it looks the packet up, where it leaves it confirms new entries. An entry ends when
 * a packet meets it after its time, or the sweep does.
 */
export class Conntrack implements Machine, FlowTracker {
  /** The entries, for address translation. */
  declare readonly table: FlowTable;
  /** Invalid packets by cause. */
  readonly invalids = new Tally<InvalidCause>();
  declare readonly judgesChecksums: boolean;
  readonly #behaviour: ConntrackBehaviour;
  readonly #jiffies: Jiffies;
  readonly #trackers: Trackers;
  readonly #evictor: Evictor;
  readonly #opener: FlowOpener;
  #instant: Instant = Number.NaN;
  /** Why the last invalid packet was invalid. */
  #cause: InvalidCause = "tcp/state";
  readonly #entering: HookFunction = {
    name: "conntrack",
    notesPaths: true,
    onHook: (packet, context) => this.#enter(packet, context),
  };
  readonly #leaving: HookFunction = {
    name: "conntrack confirm",
    notesPaths: true,
    onHook: (packet, context) => this.#confirm(packet, context),
  };

  constructor({ behaviour, jiffies = new Jiffies() }: ConntrackOptions) {
    this.#behaviour = behaviour;
    this.judgesChecksums = behaviour.verifiesChecksums;
    this.#jiffies = jiffies;
    this.table = new FlowTable(behaviour.limit);
    this.#trackers = new Trackers(this.table, behaviour, jiffies);
    this.#evictor = new Evictor(this.table, behaviour, jiffies);
    const parts = {
      table: this.table,
      behaviour,
      trackers: this.#trackers,
      evictor: this.#evictor,
    };
    this.#opener = new FlowOpener({ ...parts, clashTicks: jiffies.hz });
  }

  /** Hang on the hooks of a stack. */
  attach(hooks: Hooks): void {
    hooks.register(Hook.Prerouting, HookPriority.Conntrack, this.#entering);
    hooks.register(Hook.Output, HookPriority.Conntrack, this.#entering);
    hooks.register(Hook.Postrouting, HookPriority.Confirm, this.#leaving);
    hooks.register(Hook.Input, HookPriority.Confirm, this.#leaving);
  }

  /** Leave the hooks; the entries stay. */
  detach(hooks: Hooks): void {
    hooks.unregister(this.#entering);
    hooks.unregister(this.#leaving);
  }

  /** Look up the packet's connection, or open one. */
  #enter(packet: Packet, context: HookContext): Verdict {
    this.#setClock(context.now);
    // Looked at before, or made as an answer: it is told what it was, even of a forgotten flow.
    if (packet.flowState > FlowState.None) return Verdict.Accept;
    packet.flowState = FlowState.None;
    packet.flow = -1;
    const verdict = this.#classify(packet, context);
    if (packet.path !== null) this.#notePath(packet);
    if (packet.pool.isTracing) this.#trace(packet, context);
    return verdict;
  }

  /** Ways are known of packets whose entry is confirmed, and of those that open one. */
  #notePath(packet: Packet): void {
    const { table } = this;
    const flow = table.flowOf(packet.flow);
    if (flow >= 0 && table.isLive(flow)) {
      packet.path?.track(this, flow, stateOf(table.words, flow), isReply(packet.flowState));
    } else if (flow >= 0 && table.isPending(flow)) packet.path?.open(this);
    else packet.path = null;
  }

  isCurrent(flow: number, state: number): boolean {
    return stateOf(this.table.words, flow) === state;
  }

  expect(flows: Int32Array, from: number, to: number): void {
    this.table.expect(flows, from, to);
  }

  expectNew(
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    given: Given,
  ): void {
    this.#opener.expect(source, destination, ports, protocol, given);
  }

  follow(
    packet: Packet,
    flow: number,
    state: number,
    isAnswer: boolean,
    isJudged: boolean,
    now: Instant,
  ): boolean {
    if (now !== this.#instant) this.#setClock(now);
    const { table } = this;
    if (!isSteady(table.words, flow >> 2, state, table.now)) return false;
    if (!isJudged && !this.#isSound(packet)) return false;
    const direction = isAnswer ? 1 : 0;
    if (packet.pool.view.getUint8(packet.network + PROTOCOL) === Protocol.Udp) {
      const octets = packet.end - packet.network;
      return this.#trackers.followUdp(flow, state & STATUS_MASK, direction, 1, octets);
    }
    const outcome = this.#trackers.followTcp(flow, direction, packet);
    if (outcome === Outcome.Accept && this.isCurrent(flow, state)) return true;
    if (outcome === Outcome.Accept) this.#give(packet, flow, isAnswer);
    else if (outcome === Outcome.Invalid) this.#refuse(packet, this.#trackers.cause);
    return false;
  }

  followAll(
    flow: number,
    state: number,
    isAnswer: boolean,
    packets: number,
    octets: number,
    now: Instant,
  ): boolean {
    if (now !== this.#instant) this.#setClock(now);
    if ((state & Status.SeenReply) === 0) return false;
    if (!isSteady(this.table.words, flow >> 2, state, this.table.now)) return false;
    const direction = isAnswer ? 1 : 0;
    return this.#trackers.followUdp(flow, state & STATUS_MASK, direction, packets, octets);
  }

  /** Judge `packet` of a known way, and note that its checksums hold. */
  #isSound(packet: Packet): boolean {
    if (checkPacket(packet, this.#behaviour, this.judgesChecksums) !== null) return false;
    packet.hasSoundChecksums ||= this.judgesChecksums;
    return true;
  }

  open(packet: Packet, given: Given, isJudged: boolean, now: Instant): Opened {
    this.#setClock(now);
    if (!isJudged && !this.#isSound(packet)) return Opened.No;
    return this.#opener.pass(packet, given);
  }

  /** `packet` belongs to `flow`, whose status is what its packets before have made it. */
  #give(packet: Packet, flow: number, isAnswer: boolean): void {
    const { table } = this;
    const status = FLOW.status.get(table.view, flow);
    packet.flow = table.handleOf(flow);
    if (isAnswer) {
      packet.flowState = FlowState.EstablishedReply;
      FLOW.status.set(table.view, flow, status | Status.SeenReply);
    } else {
      const hasReply = (status & Status.SeenReply) !== 0;
      packet.flowState = hasReply ? FlowState.Established : FlowState.New;
    }
  }

  #classify(packet: Packet, context: HookContext): Verdict {
    const { view } = packet.pool;
    const verifies = this.#behaviour.verifiesChecksums && context.hook === Hook.Prerouting;
    const wrong = checkPacket(packet, this.#behaviour, verifies);
    if (wrong !== null) return this.#refuse(packet, wrong);
    if (IPV4.protocol.get(view, packet.network) === Protocol.Icmp) {
      const type = ICMP.type.get(view, packet.transport);
      if (isIcmpError(type)) {
        const unknown = relate(this.table, this.#behaviour, packet, context.hook);
        return unknown === null ? Verdict.Accept : this.#refuse(packet, unknown);
      }
    }
    const verdict = this.#assign(packet, context);
    // A closed connection begins again: it was forgotten, and the packet opens a new one.
    return packet.flowState === FlowState.None && verdict === Verdict.Accept
      ? this.#assign(packet, context)
      : verdict;
  }

  /** Find or open the packet's entry and track it; the state stays none if it must be repeated. */
  #assign(packet: Packet, context: HookContext): Verdict {
    const { table } = this;
    const found = this.#opener.find(packet);
    const way = found < 0 ? this.#opener.open(packet) : found;
    if (way === Unopened.Full) {
      context.reason = "conntrack/table-full" satisfies ConntrackDrop;
      return Verdict.Drop;
    }
    if (way < 0) return this.#refuse(packet, this.#trackers.cause);
    const flow = table.flowAt(way);
    const direction = way === flow ? 0 : 1;
    const outcome = this.#trackers.track(flow, direction, packet);
    if (outcome === Outcome.Repeat) return Verdict.Accept;
    if (outcome === Outcome.Drop) {
      context.reason = "conntrack/out-of-step" satisfies ConntrackDrop;
      return Verdict.Drop;
    }
    if (outcome === Outcome.Invalid) {
      assert(found >= 0, "what opens a connection is part of it");
      return this.#refuse(packet, this.#trackers.cause);
    }
    this.#give(packet, flow, direction === 1);
    return Verdict.Accept;
  }

  #refuse(packet: Packet, cause: InvalidCause): Verdict {
    this.#cause = cause;
    this.invalids.count(cause);
    packet.flowState = FlowState.Invalid;
    return Verdict.Accept;
  }

  /** The packet leaves: its entry, if new, goes into the table. */
  #confirm(packet: Packet, context: HookContext): Verdict {
    this.#setClock(context.now);
    const { table } = this;
    const flow = table.flowOf(packet.flow);
    if (flow < 0 || isReply(packet.flowState) || !table.isPending(flow)) return Verdict.Accept;
    if (this.#opener.insert(packet, flow)) return Verdict.Accept;
    context.reason = "conntrack/clash" satisfies ConntrackDrop;
    return Verdict.Drop;
  }

  #setClock(now: Instant): void {
    if (now === this.#instant) return;
    this.#instant = now;
    this.table.now = Math.round(this.#jiffies.floor(now) / this.#jiffies.tick) | 0;
    this.#evictor.prune();
  }

  /** The confirmed entries that live at `now`, in the order of their confirmation. */
  entries(now: Instant): FlowEntry[] {
    this.#setClock(now);
    const { table } = this;
    return table
      .flows()
      .filter((flow) => !table.isExpired(flow) && !table.isHidden(flow))
      .map((flow) => this.#entryAt(flow));
  }

  /** The entries at `now` as `conntrack -L` prints them, a line each. */
  text(now: Instant): string {
    return this.entries(now)
      .map((entry) => `${formatFlow(entry)}\n`)
      .join("");
  }

  /** The entry that has `tuple` in either direction at `now`, or `null`. */
  find(tuple: Tuple, now: Instant): FlowEntry | null {
    writeTuple(tuple, this.table.words, Scratch.Probe);
    const way = this.findProbe(now);
    return way < 0 ? null : this.#entryAt(this.table.flowAt(way));
  }

  /** {@link FlowTable.find} at `now`. */
  findProbe(now: Instant): number {
    this.#setClock(now);
    return this.table.find();
  }

  /** The entry that packets with `handle` belong to, or `null` once it is forgotten. */
  entry(handle: number, now: Instant): FlowEntry | null {
    this.#setClock(now);
    const flow = this.table.flowOf(handle);
    return flow < 0 ? null : this.#entryAt(flow);
  }

  /** Ticks that are left to `flow` of the table, or were when it was removed; 0 for a new one. */
  ticksLeft(flow: number, now: Instant): number {
    this.#setClock(now);
    const { view, now: tick } = this.table;
    if ((FLOW.status.get(view, flow) & Status.Confirmed) === 0) return 0;
    return Math.max((FLOW.expires.get(view, flow) - tick) | 0, 0);
  }

  /** A rule resets the confirmed connection of `handle`: it is closed (`nf_ct_set_closing`). */
  close(handle: number, now: Instant): void {
    this.#setClock(now);
    const flow = this.table.flowOf(handle);
    const status = flow < 0 ? 0 : FLOW.status.get(this.table.view, flow);
    if ((status & Status.Confirmed) !== 0) this.#trackers.close(flow);
  }

  /** Forget the entry of `handle`, as `conntrack -D` does. @returns false if there is none. */
  delete(handle: number): boolean {
    const flow = this.table.flowOf(handle);
    if (flow < 0 || !this.table.isLive(flow)) return false;
    this.table.remove(flow);
    return true;
  }

  /** Forget all entries, as `conntrack -F` does. */
  flush(): void {
    for (const flow of this.table.flows()) this.table.remove(flow);
  }

  nextDeadline(): Instant {
    return NEVER;
  }

  /** Sweep a little: entries that nobody meets are in no hurry. */
  expire(now: Instant): void {
    this.#setClock(now);
    this.table.sweep(IDLE_SWEEP_STEPS);
  }

  #entryAt(flow: number): FlowEntry {
    return entryAt(this.table, flow, this.#jiffies.tick, this.#behaviour.countsTraffic);
  }

  #trace(packet: Packet, { hook, now }: HookContext): void {
    const entry = this.entry(packet.flow, now);
    const state = STATE_NAMES.get(packet.flowState) ?? "UNTRACKED";
    const what = entry === null ? `INVALID ${this.#cause}` : `${state} ${formatFlow(entry)}`;
    packet.pool.observer?.step(packet, HOOK_NAMES[hook], `conntrack: ${what}`, now);
  }
}
