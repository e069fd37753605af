/** Plays a scenario in virtual time, from boot to the last expectation. @module */
import { EmulatorError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type Duration, type Instant, MILLISECOND, MINUTE, SECOND } from "../../base/time.ts";
import { formatIpv4 } from "../../wire/addr.ts";
import type { Device } from "../../wire/device.ts";
import { findOption, Option } from "../../dhcp/options.ts";
import { DhcpType, type DhcpMessage } from "../../dhcp/message.ts";
import type { DiskSource } from "../../storage/disk-source.ts";
import type { Host } from "../../guest/host.ts";
import type { Domain } from "../../zone/domain.ts";
import type { DomainEvent } from "../../zone/domain-event.ts";
import type { Zone } from "../../zone/zone.ts";
import { faultAt, InputError } from "../failure.ts";
import type { RunEvent } from "./events.ts";
import { lifeEvent } from "./life-step.ts";
import type { Plan, StepPlan } from "./plan.ts";
import { StepRun } from "./step-run.ts";
import { Watch } from "./watch.ts";
import { domainEvent, World } from "./world.ts";
import { wordsOf } from "./words.ts";

/** Where a capture goes. */
export interface CaptureTarget {
  /** Takes a chunk, which is borrowed until return. */
  readonly sink: (chunk: Uint8Array) => void;
  /** Write what was taken; called between slices of the run. */
  flush(): Promise<void>;
}

/** How a scenario is played. */
export interface PlayOptions {
  readonly plan: Plan;
  /** Instead of the plan's; `null` for the plan's. */
  readonly seed: number | null;
  /** Instead of the plan's; `null` for the plan's. */
  readonly until: Instant | null;
  /** `null` for no capture. */
  readonly capture: CaptureTarget | null;
  /** Packets whose way {@link Zone.explain} remembers; 0 for none. */
  readonly traceLimit: number;
  readonly log: Logger;
  /** Microseconds since 1970 at the start; the zone's. */
  readonly epoch?: number;
  /** Where disks lie; in memory. */
  readonly disks?: DiskSource;
  /** Aborted by Ctrl-C: the run ends where it is. */
  readonly signal: AbortSignal;
  /** Told each event, in order. */
  readonly onEvent: (event: RunEvent) => void;
  /** Told where the run is between its slices, and where it ends as far as is known. */
  readonly onSlice?: (now: Instant, end: Instant) => void;
}

/** What is left of a run. */
export interface PlayOutcome {
  readonly world: World;
  /** Expectations that failed. */
  readonly failed: number;
  readonly isInterrupted: boolean;
}

/** What is still under way when a step is done may take so long to arrive. */
const SETTLE: Duration = SECOND;
/** A run without steps and end: time to boot. */
const BOOT: Duration = 30 * SECOND;
/** A step that is not done so long after the last one began never will be. */
const PATIENCE: Duration = 10 * MINUTE;
/** RFC 2131 section 3.3: a lease without end. */
const INFINITE_SECONDS = 0xffff_ffff;
/** Real time that one slice of the run should take. */
const SLICE_MS = 20;

/**
 * Play a scenario. The capture gets all there is even if the run is interrupted or fails.
 * @throws {InputError} if a step asks for what is not possible then, and what the capture throws.
 */
export async function play(options: PlayOptions): Promise<PlayOutcome> {
  const player = new Player(options);
  try {
    player.start();
    await player.run();
  } finally {
    player.zone.close();
    await options.capture?.flush();
  }
  return player.end();
}

/** Plays one scenario; {@link play} drives it in virtual time, `dom0 serve` in real time. */
export class Player {
  readonly #options: PlayOptions;
  readonly #plan: Plan;
  readonly #seed: number;
  readonly #world: World;
  readonly #watch: Watch;
  /** Steps in the order of their time. */
  readonly #steps: readonly StepPlan[];
  readonly #end: Instant | null;
  #settled = 0;
  #settledAt: Instant | null = null;
  /** Steps that wait for something. */
  readonly #underWay = new Set<StepRun>();
  /** The guest of each domain, as it was last. */
  readonly #guests = new Map<Domain, Host>();
  #held = 0;
  #failed = 0;

  constructor(options: PlayOptions) {
    const { plan, traceLimit, log, epoch, disks } = options;
    this.#options = options;
    this.#plan = plan;
    this.#seed = options.seed ?? plan.seed;
    this.#end = options.until ?? plan.until;
    this.#steps = plan.steps.toSorted((left, right) => left.at - right.at);
    this.#world = new World({ plan, seed: this.#seed, traceLimit, log, epoch, disks });
    this.#watch = new Watch(
      {
        drop: (drop) => options.onEvent({ event: "drop", ...drop }),
        dhcp: (device, message, { id }, now) => this.#onDhcp(device, message, id, now),
      },
      (device) => this.#world.nameOf(device),
    );
  }

  get zone(): Zone {
    return this.#world.zone;
  }

  get world(): World {
    return this.#world;
  }

  /** Launch the domains; steps come in their time. @throws {InputError} as {@link World}. */
  start(): void {
    const { capture, onEvent } = this.#options;
    if (capture !== null) this.zone.capture.writeTo(capture.sink);
    this.zone.observe(this.#watch);
    onEvent(this.#startEvent());
    for (const [, host] of this.#world.internet) this.#watch.addMachine(host.device);
    this.#world.launchAll((running) => {
      this.#meet(running.domain);
      onEvent(domainEvent(running, null, this.zone.now));
    });
    this.zone.onDomain((event) => this.#onDomain(event));
    for (const step of this.#steps) this.zone.at(step.at, (now) => this.#begin(step, now));
  }

  /**
   * Run to the end, in slices that each take about {@link SLICE_MS}, so that Ctrl-C is heard and
   * the capture is written. Where the run ends does not depend on how long they take: while it is
   * not known, a slice is no longer than a {@link SETTLE}.
   */
  async run(slice: Duration = 100 * MILLISECOND): Promise<void> {
    const { signal, capture } = this.#options;
    const { now } = this.zone;
    const last = this.#steps.at(-1)?.at ?? BOOT;
    const end = this.#endAfter(last);
    if (now >= end || signal.aborted) return;
    const isEndKnown = this.#end !== null || now < last;
    const bound = this.#end ?? (now < last ? last : end);
    const began = performance.now();
    await this.zone.run({
      until: Math.min(now + (isEndKnown ? slice : Math.min(slice, SETTLE)), bound),
    });
    const took = performance.now() - began;
    await capture?.flush();
    this.#options.onSlice?.(this.zone.now, this.#endAfter(last));
    await breathe();
    const isLong = took > SLICE_MS && slice > MILLISECOND;
    await this.run(isLong ? Math.round(slice / 2) : took < SLICE_MS / 2 ? slice * 2 : slice);
  }

  /** Tell what the run came to. */
  end(): PlayOutcome {
    const isInterrupted = this.#options.signal.aborted;
    const { pool, now } = this.zone;
    this.#options.onEvent({
      event: "end",
      at: now,
      isInterrupted,
      packets: pool.allocated,
      live: pool.live,
      ends: this.#watch.ends,
      held: this.#held,
      failed: this.#failed,
      unreached: this.#steps.length - this.#settled,
    });
    return { world: this.#world, failed: this.#failed, isInterrupted };
  }

  /** When the run ends, as far as is known: once all steps are settled, a while after the last. */
  #endAfter(last: Instant): Instant {
    if (this.#end !== null) return this.#end;
    if (this.#steps.length === 0) return last;
    return this.#settledAt === null ? last + PATIENCE : this.#settledAt + SETTLE;
  }

  #begin(plan: StepPlan, now: Instant): void {
    const { index, line, action, says } = plan;
    const step: StepRun = new StepRun(plan, {
      world: this.#world,
      watch: this.#watch,
      tell: this.#options.onEvent,
      onGuest: (domain) => this.#meet(domain),
      onDone: (done, at) => {
        this.#underWay.delete(done);
        this.zone.at(at + SETTLE, (later) => this.#settle(done, later));
      },
    });
    this.#underWay.add(step);
    const words = wordsOf(action);
    this.#options.onEvent({
      event: "step",
      at: now,
      step: index,
      says,
      action: action.kind,
      words,
    });
    try {
      step.begin(now);
    } catch (error) {
      if (!(error instanceof EmulatorError)) throw error;
      const key = `steps[${index}].${action.kind}`;
      throw new InputError([faultAt({ file: this.#plan.file, line }, key, error.message)]);
    }
  }

  /** Judge a step; what its packets came to is known now. */
  #settle(step: StepRun, at: Instant): void {
    const { index, line } = step.plan;
    for (const judgement of step.judge()) {
      if (judgement.holds) this.#held += 1;
      else this.#failed += 1;
      this.#options.onEvent({ event: "judgement", at, step: index, line, ...judgement });
    }
    this.#options.onEvent({ event: "settled", at, step: index });
    this.#settled += 1;
    if (this.#settled === this.#steps.length) this.#settledAt = at;
  }

  /** A domain lives on with another guest, or ended. */
  #onDomain(event: DomainEvent): void {
    const { kind, domain, now } = event;
    const step = [...this.#underWay].findLast((one) => one.changes(domain.name)) ?? null;
    // A step that says so tells of the end itself.
    if (step?.plan.action.kind !== "shutdown") {
      this.#options.onEvent(lifeEvent(event, step?.plan.index ?? null));
    }
    if (kind === "ended") this.#world.forget(domain);
    else if (kind !== "started") return;
    const host = kind === "ended" ? null : (domain.guest?.host ?? null);
    const last = this.#guests.get(domain) ?? null;
    if (last === host) return;
    if (last !== null) for (const one of this.#underWay) one.guestEnded(last, now);
    this.#meet(domain, host);
  }

  /** What comes to the device of a domain's guest has arrived. */
  #meet(domain: Domain, host: Host | null = domain.guest?.host ?? null): void {
    if (host === null) this.#guests.delete(domain);
    else {
      this.#guests.set(domain, host);
      this.#watch.addMachine(host.device);
    }
  }

  #onDhcp(device: Device, message: DhcpMessage, packet: number, at: Instant): void {
    const { options, yiaddr } = message;
    if (findOption(options, Option.MessageType) !== DhcpType.Ack) return;
    const server = findOption(options, Option.ServerIdentifier);
    const seconds = findOption(options, Option.LeaseTime);
    this.#options.onEvent({
      event: "lease",
      at,
      domain: this.#world.nameOf(device),
      address: formatIpv4(yiaddr),
      server: server === null ? null : formatIpv4(server),
      seconds: seconds === INFINITE_SECONDS ? null : seconds,
      packet,
    });
  }

  #startEvent(): RunEvent {
    const { file, title, profile } = this.#plan;
    return {
      event: "start",
      at: 0,
      scenario: file,
      title,
      seed: this.#seed,
      profile,
      hosts: [...this.#world.hosts].map(({ name, dom0 }) => ({
        name,
        privateAddress: formatIpv4(dom0.privateAddress),
        externalAddress: formatIpv4(dom0.externalAddress),
      })),
      fabric: formatIpv4(this.zone.fabric.address),
      internet: this.#plan.internet.map(({ name, address }) => ({
        name,
        address: formatIpv4(address),
      })),
    };
  }
}

/** Let the event loop turn: signals and streams want to be heard. */
async function breathe(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
