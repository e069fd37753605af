/** One step of a run: what it does, what comes of it, and whether that was expected. @module */
import { EmulatorError } from "../../base/errors.ts";
import { type Duration, type Instant, SECOND } from "../../base/time.ts";
import { formatIpv4, type Ipv4Addr } from "../../wire/addr.ts";
import type { Device } from "../../wire/device.ts";
import type { Packet, Reason } from "../../wire/packet.ts";
import { ICMP, IcmpType } from "../../l3/icmp.ts";
import { headerLengthOf, IPV4, isFragment, Protocol } from "../../l3/ipv4.ts";
import { UDP } from "../../l4/udp.ts";
import type { UdpSocket } from "../../l4/udp-layer.ts";
import type { Host } from "../../guest/host.ts";
import type { Ping, PingEvent } from "../../guest/ping.ts";
import type { Traceroute, TracerouteHop } from "../../guest/traceroute.ts";
import { summaryOf } from "../../pcap/summary.ts";
import type { Domain } from "../../zone/domain.ts";
import type { VmState } from "../../zone/vm.ts";
import type { Judgement, RunEvent } from "./events.ts";
import { act, awaitLife } from "./life-step.ts";
import type { Action, LifeAction, StepPlan } from "./plan.ts";
import type { Claim, Watch } from "./watch.ts";
import { domainEvent, type World } from "./world.ts";

/** What a step works on. */
export interface StepContext {
  readonly world: World;
  readonly watch: Watch;
  readonly tell: (event: RunEvent) => void;
  /** A domain was launched. */
  readonly onGuest: (domain: Domain) => void;
  /** Nothing more is waited for; packets may still be under way. */
  readonly onDone: (step: StepRun, now: Instant) => void;
}

/** How long echoes of a datagram, and what a raw frame brings about, are waited for. */
const PATIENCE: Duration = SECOND;

/** Actions that claim packets. */
type Probe = Extract<Action, { readonly kind: "ping" | "traceroute" | "udp" }>;

/** A step that began. */
export class StepRun {
  readonly plan: StepPlan;
  readonly #context: StepContext;
  #claim: Claim | null = null;
  #replies = 0;
  #lastTtl: number | null = null;
  #hops: readonly (Ipv4Addr | null)[] = [];
  /** Whose state is judged, and how it stood when the step was done. */
  #domain: Domain | null = null;
  #stood: { readonly state: VmState; readonly domid: number } | null = null;
  /** Where the step's tool runs, and what is done when that guest is no more. */
  #tool: { readonly host: Host; readonly abandon: (now: Instant) => void } | null = null;

  constructor(plan: StepPlan, context: StepContext) {
    this.plan = plan;
    this.#context = context;
  }

  /** Do what the step says. @throws {EmulatorError} if that is not possible now. */
  begin(now: Instant): void {
    const { action } = this.plan;
    switch (action.kind) {
      case "ping":
        this.#ping(action, now);
        break;
      case "traceroute":
        this.#traceroute(action, now);
        break;
      case "udp":
        this.#udp(action, now);
        break;
      case "send":
        this.#send(action.from, action.frame, now);
        break;
      case "reboot":
      case "crash":
      case "pause":
      case "unpause":
      case "save":
      case "restore": {
        const running = this.#context.world.domain(action.domain);
        this.#domain = running.domain;
        act(action, this.#context.world, running);
        awaitLife(this.#context.world, running.domain, (at) => this.#finish(at));
        break;
      }
      default:
        this.#change(action, now);
        this.#finish(now);
    }
  }

  /** True if what becomes of a domain of that name is this step's doing. */
  changes(name: string): boolean {
    const { action } = this.plan;
    return "domain" in action && action.domain === name;
  }

  /** A guest is no more: its tool will not come to an end. */
  guestEnded(host: Host, now: Instant): void {
    if (this.#tool?.host !== host) return;
    const { abandon } = this.#tool;
    this.#tool = null;
    abandon(now);
  }

  /** Whether each expectation holds, with what came instead. */
  judge(): Judgement[] {
    const { replies, hops, received, dropped, state, domid } = this.plan.expect;
    const judgements: Judgement[] = [];
    const add = (key: string, expected: unknown, actual: unknown, holds: boolean): void => {
      judgements.push({ key, expected, actual, holds });
    };
    if (replies !== undefined) add("replies", replies, this.#replies, replies === this.#replies);
    if (hops !== undefined) {
      const actual = this.#hops.slice(0, hops.length);
      const holds = hops.every((hop, index) => actual[index] === hop);
      add("hops", hops.map(hopText), actual.map(hopText), holds);
    }
    const arrived = this.#claim?.received.size ?? 0;
    if (received !== undefined) add("received", received, arrived, received === arrived);
    if (dropped !== undefined) {
      const reasons = [...(this.#claim?.drops ?? [])].sort();
      add("dropped", dropped, reasons, reasons.includes(dropped));
    }
    const { state: stood = null, domid: number = null } = this.#stood ?? {};
    if (state !== undefined) add("state", state, stood, state === stood);
    if (domid !== undefined) add("domid", domid, number, domid === number);
    return judgements;
  }

  #ping(action: Action & { readonly kind: "ping" }, now: Instant): void {
    const { host, target } = this.#origin(action);
    const { count, size, interval } = action;
    const tool: Ping = host.ping(
      {
        target,
        count,
        size,
        ...(interval === undefined ? {} : { interval }),
        onEvent: (event, at) => this.#onPing(event, at),
        onDone: (ping, at) => this.#onPinged(ping, at),
      },
      now,
    );
    this.#tool = { host, abandon: (at) => this.#onPinged(tool, at) };
    this.#claimOf(host.device, (packet, at) => {
      const { view } = packet.pool;
      if (IPV4.dst.get(view, at) !== target || isFragment(view, at)) return false;
      if (IPV4.protocol.get(view, at) !== Protocol.Icmp) return false;
      const icmp = at + headerLengthOf(view, at);
      return ICMP.type.get(view, icmp) === IcmpType.Echo && ICMP.id.get(view, icmp) === tool.id;
    });
  }

  #onPing(event: PingEvent, at: Instant): void {
    if (event.kind !== "reply") return;
    if (!event.isDuplicate) this.#replies += 1;
    this.#lastTtl = event.ttl;
    const { sequence, ttl, rtt } = event;
    this.#tellReply(event.from, sequence, ttl, rtt, at);
  }

  #onPinged(ping: Ping, at: Instant): void {
    const { transmitted, received, duplicates, errors, minRtt, maxRtt, totalRtt } = ping;
    const answers = received + duplicates;
    const ofAnswers = (value: number): number | null => (answers === 0 ? null : Math.round(value));
    this.#context.tell({
      event: "ping",
      at,
      step: this.plan.index,
      target: formatIpv4(ping.target),
      transmitted,
      received,
      duplicates,
      errors,
      ttl: this.#lastTtl,
      minRttUs: ofAnswers(minRtt),
      avgRttUs: ofAnswers(totalRtt / answers),
      maxRttUs: ofAnswers(maxRtt),
    });
    this.#finish(at);
  }

  #traceroute(action: Action & { readonly kind: "traceroute" }, now: Instant): void {
    const { host, target } = this.#origin(action);
    const protocol = action.method === "icmp" ? Protocol.Icmp : Protocol.Udp;
    const tool: Traceroute = host.traceroute(
      { target, method: action.method, onDone: (traceroute, at) => this.#onTraced(traceroute, at) },
      now,
    );
    this.#tool = { host, abandon: (at) => this.#onTraced(tool, at) };
    this.#claimOf(host.device, ({ pool: { view } }, at) => {
      return IPV4.dst.get(view, at) === target && IPV4.protocol.get(view, at) === protocol;
    });
  }

  #onTraced({ hops, target, isReached }: Traceroute, at: Instant): void {
    this.#hops = hops.map(({ answers }) => answers.find((one) => one !== null)?.address ?? null);
    this.#context.tell({
      event: "traceroute",
      at,
      step: this.plan.index,
      target: formatIpv4(target),
      isReached,
      hops: hops.map(hopEvent),
    });
    this.#finish(at);
  }

  #udp(action: Action & { readonly kind: "udp" }, now: Instant): void {
    const { host, target } = this.#origin(action);
    const { port } = action;
    const socket: UdpSocket = host.udp.bind(0, ({ src, ttl }, _socket, at) => {
      this.#replies += 1;
      this.#tellReply(src, 0, ttl, at - now, at);
    });
    this.#claimOf(host.device, ({ pool: { view } }, at) => {
      if (IPV4.dst.get(view, at) !== target || isFragment(view, at)) return false;
      if (IPV4.protocol.get(view, at) !== Protocol.Udp) return false;
      const udp = at + headerLengthOf(view, at);
      return UDP.srcPort.get(view, udp) === socket.port && UDP.dstPort.get(view, udp) === port;
    });
    const failure = socket.send(new TextEncoder().encode(action.payload), target, port, now);
    if (failure !== null) {
      socket.close();
      throw new EmulatorError("udp", action.to, `${action.from} cannot send: ${failure}`);
    }
    this.#context.world.zone.at(now + PATIENCE, (at) => {
      socket.close();
      this.#context.tell({
        event: "udp",
        at,
        step: this.plan.index,
        target: formatIpv4(target),
        port,
        received: this.#claim?.received.size ?? 0,
        replies: this.#replies,
      });
      this.#finish(at);
    });
  }

  #send(from: string, frame: Uint8Array, now: Instant): void {
    const { world, watch, tell } = this.#context;
    const { domain } = world.domain(from);
    const { pool } = world.zone;
    const { external, guest } = domain;
    const claim = this.#newClaim(domain.backend.device, () => false);
    const packet = watch.claimOne(claim, () => {
      if (external !== null) external.transmit(frame);
      if (guest === null) return;
      const copy = pool.copyIn(frame);
      if (copy !== null) guest.host.device.transmit(copy, now);
    });
    const summary = summaryOf(frame);
    const { index: step } = this.plan;
    tell({ event: "send", at: now, step, packet, octets: frame.length, summary });
    world.zone.at(now + PATIENCE, (at) => this.#finish(at));
  }

  /** The actions that are over at once. */
  #change(
    action: Exclude<Action, Probe | LifeAction | { readonly kind: "send" }>,
    now: Instant,
  ): void {
    const { world, tell } = this.#context;
    switch (action.kind) {
      case "launch": {
        const running = world.launch(action.host, action.domain);
        this.#context.onGuest(running.domain);
        this.#domain = running.domain;
        tell(domainEvent(running, this.plan.index, now));
        break;
      }
      case "shutdown":
        world.shutdown(action.domain, now);
        break;
      case "associate":
        world.associate(action.domain, action.address);
        break;
      case "disassociate":
        world.associate(action.domain, null);
        break;
      case "securityGroup":
        world.zone.setSecurityGroup(action.name, action.permissions);
        break;
      case "faults":
        world.zone.setFaults(action.of, action.faults);
    }
  }

  #origin({ from, to }: Probe) {
    const { world } = this.#context;
    return { host: world.machine(from), target: world.addressOf(to, from) };
  }

  #claimOf(device: Device, matches: (packet: Packet, at: number) => boolean): void {
    this.#context.watch.claim(this.#newClaim(device, matches));
  }

  #newClaim(device: Device, matches: Claim["matches"]): Claim {
    const { index: step } = this.plan;
    const claim = { step, device, matches, received: new Set<number>(), drops: new Set<Reason>() };
    this.#claim = claim;
    return claim;
  }

  #tellReply(
    from: Ipv4Addr,
    sequence: number,
    ttl: number,
    rttUs: number | null,
    at: Instant,
  ): void {
    const { index: step } = this.plan;
    this.#context.tell({ event: "reply", at, step, from: formatIpv4(from), sequence, ttl, rttUs });
  }

  #finish(now: Instant): void {
    this.#tool = null;
    if (this.#domain !== null) {
      const { state, domid } = this.#domain;
      this.#stood = { state, domid };
    }
    if (this.#claim !== null) this.#context.watch.release(this.#claim);
    this.#context.onDone(this, now);
  }
}

const hopText = (hop: Ipv4Addr | null): string => (hop === null ? "*" : formatIpv4(hop));

function hopEvent({ ttl, answers }: TracerouteHop) {
  return {
    ttl,
    answers: answers.map((answer) =>
      answer === null
        ? null
        : { address: formatIpv4(answer.address), rttUs: answer.rtt, mark: answer.mark },
    ),
  };
}
