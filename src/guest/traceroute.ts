/**
 * Traceroute as Butskoy's traceroute 2 (Debian's) does it: probes of rising TTL, sixteen under
 * way at once, by UDP to rising ports or by ICMP echo.
 * @module
 */
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import { type Duration, type Instant, MILLISECOND, NEVER, SECOND } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { IPV4_MIN_LENGTH } from "../l3/ipv4.ts";
import type { SendFailure } from "../l4/datagram.ts";
import { IcmpProbing } from "./traceroute-icmp.ts";
import {
  isOnTheWay,
  markOf,
  type Probe,
  type ProbeEvent,
  ProbeTable,
  type Probing,
  type TracerouteAnswer,
} from "./traceroute-probe.ts";
import { UdpProbing } from "./traceroute-udp.ts";
import { requireWhole, type Tool, type ToolHost } from "./tool.ts";

/** What `traceroute` is called with; its letters in brackets. */
export interface TracerouteOptions {
  readonly target: Ipv4Addr;
  /** "udp", or "icmp" (-I). */
  readonly method?: "udp" | "icmp";
  /** The first TTL (-f); 1. */
  readonly firstHop?: number;
  /** The last TTL (-m), up to 255; 30. */
  readonly maxHops?: number;
  /** Probes of each TTL (-q), up to 10; 3. */
  readonly probesPerHop?: number;
  /** Probes under way at once (-N), from 1; 16. */
  readonly atOnce?: number;
  /** How long a probe waits at most (-w); 5 s. */
  readonly wait?: Duration;
  /** Times what another probe of the hop took (-w, second number); 3, 0 for no such limit. */
  readonly here?: number;
  /** Times what a probe of a later hop took (-w, third number); 10, 0 for no such limit. */
  readonly near?: number;
  /** Between probes (-z); 0. */
  readonly pause?: Duration;
  /** Octets of the IP packet, 28 to 65,000; 60. */
  readonly length?: number;
  /** The whole octet (-t); 0. */
  readonly tos?: number;
  /** The first port (-p), or the first sequence number of echo; 33,434 or 1. */
  readonly port?: number;
  /** Called for each hop that is complete, in order. */
  readonly onHop?: (hop: TracerouteHop, now: Instant) => void;
  /** Called once, when it is over. */
  readonly onDone?: (traceroute: Traceroute, now: Instant) => void;
}

/** What came back for one TTL. */
export interface TracerouteHop {
  readonly ttl: number;
  /** One a probe, in their order; `null` prints as a star. */
  readonly answers: readonly (TracerouteAnswer | null)[];
}

const SHORTEST = IPV4_MIN_LENGTH + 8;
const LONGEST = 65_000;

/** One run of `traceroute`. */
export class Traceroute implements Tool {
  readonly target: Ipv4Addr;
  isDone = false;
  /** Why it gave up; `null` if it did not. */
  failure: SendFailure | null = null;
  /** Complete hops. */
  readonly hops: TracerouteHop[] = [];
  readonly #options: TracerouteOptions;
  readonly #probing: Probing;
  readonly #table: ProbeTable;
  readonly #atOnce: number;
  readonly #pause: Duration;
  /** The first probe whose end is unknown, and one past the last that counts. */
  #start: number;
  #end: number;
  #lastSent: Instant = Number.NEGATIVE_INFINITY;
  #wakeAt: Instant;
  #newsAt: Instant = NEVER;

  /** @throws {OptionError} for a value out of its range. */
  constructor(host: ToolHost, options: TracerouteOptions, now: Instant) {
    const { firstHop = 1, maxHops = 30, probesPerHop = 3, atOnce = 16 } = options;
    const { wait = 5 * SECOND, here = 3, near = 10, length = 60, tos = 0, port = 0 } = options;
    const { pause = 0 } = options;
    requireWhole("maxHops", maxHops, 1, 255);
    requireWhole("firstHop", firstHop, 1, maxHops);
    requireWhole("probesPerHop", probesPerHop, 1, 10);
    requireWhole("atOnce", atOnce, 1, 255 * 10);
    requireWhole("length", length, SHORTEST, LONGEST);
    requireWhole("port", port, 0, 0xffff);
    requireWhole("wait", wait, 1, Number.MAX_SAFE_INTEGER);
    requireWhole("pause", pause, 0, Number.MAX_SAFE_INTEGER);
    requireFactor("here", here);
    requireFactor("near", near);
    this.#options = options;
    this.target = options.target;
    this.#table = new ProbeTable(maxHops, probesPerHop, { wait, here, near });
    this.#atOnce = atOnce;
    this.#pause = pause;
    this.#start = (firstHop - 1) * probesPerHop;
    this.#end = this.#table.probes.length;
    this.#wakeAt = now;
    const onNews = (at: Instant): void => {
      this.#newsAt = at;
    };
    const setup = { host, target: options.target, length, tos, port, onNews };
    this.#probing = options.method === "icmp" ? new IcmpProbing(setup) : new UdpProbing(setup);
  }

  /** True if the last hop is the target itself. */
  get isReached(): boolean {
    const last = this.hops.at(-1)?.answers ?? [];
    return last.some((answer) => answer?.address === this.target);
  }

  nextDeadline(): Instant {
    return Math.min(this.#wakeAt, this.#newsAt);
  }

  expire(now: Instant): void {
    if (now < this.nextDeadline()) return;
    this.#newsAt = NEVER;
    for (const event of this.#probing.take()) this.#accept(event);
    this.#pass(now);
    if (this.#probing.hasNews && !this.isDone) this.#newsAt = now;
  }

  stop(now: Instant): void {
    if (this.isDone) return;
    this.isDone = true;
    this.#wakeAt = NEVER;
    this.#newsAt = NEVER;
    this.#probing.close();
    this.#options.onDone?.(this, now);
  }

  #accept({ index, from, ttl, type, code, mtu, at }: ProbeEvent): void {
    const probe = this.#probe(index);
    if (probe.isDone || probe.sentAt === null) return;
    const mark = type === null ? "" : markOf(type, code, mtu);
    const rtt = at - probe.sentAt;
    probe.answer = { address: from, rtt, ttl, type, code, mark };
    probe.isFinal = type === null || !isOnTheWay(type, code);
    this.#complete(index);
  }

  /** `do_it`: settle what is over, send what may be sent, and sleep until the first gives up. */
  #pass(now: Instant): void {
    while (this.#start < this.#end) {
      const next = this.#passOnce(now);
      if (this.isDone) return;
      if (next === NEVER) continue;
      // poll(2) waits whole milliseconds.
      this.#wakeAt = now + Math.ceil((next - now) / MILLISECOND) * MILLISECOND;
      return;
    }
    this.stop(now);
  }

  /** One walk over the probes. @returns when to look again; `NEVER` for at once. */
  #passOnce(now: Instant): Instant {
    let next = NEVER;
    let underWay = 0;
    for (let index = this.#start; index < this.#end; index += 1) {
      const probe = this.#probe(index);
      if (index === this.#start && !probe.isDone && probe.sentAt !== null) {
        const expiry = this.#table.expiryOf(index, probe.sentAt);
        if (expiry > now) next = expiry;
        else {
          this.#complete(index);
          this.#table.settle(index);
        }
      }
      if (probe.isDone) {
        if (index === this.#start) this.#advance(now);
        if (this.isDone) return next;
        if (probe.isFinal) this.#end = this.#table.ttlOf(index) * this.#table.perHop;
        continue;
      }
      if (probe.sentAt === null) {
        const pauseEnd = this.#lastSent + this.#pause;
        if (pauseEnd > now) return pauseEnd;
        if (!this.#send(index, next !== NEVER, now)) return next;
      }
      if (next === NEVER) next = this.#table.expiryOf(index, probe.sentAt ?? now);
      underWay += 1;
      if (underWay >= this.#atOnce) break;
    }
    return next;
  }

  /** @returns false if the probe was not sent; without a later chance, that is the end. */
  #send(index: number, hasChance: boolean, now: Instant): boolean {
    const probe = this.#probe(index);
    probe.sentAt = now;
    const failure = this.#probing.send(index, this.#table.ttlOf(index), now);
    if (failure === null) {
      this.#lastSent = now;
      return true;
    }
    probe.sentAt = null;
    if (failure === "no-room" && hasChance) return false;
    this.failure = failure;
    this.stop(now);
    return false;
  }

  #complete(index: number): void {
    this.#probe(index).isDone = true;
    this.#probing.forget(index);
  }

  /** The first open probe is over: its hop is, if it was the last of it. */
  #advance(now: Instant): void {
    const { perHop, probes } = this.#table;
    this.#start += 1;
    if (this.#start % perHop > 0) return;
    const first = this.#start - perHop;
    const answers = probes.slice(first, this.#start).map(({ answer }) => answer);
    const hop = { ttl: this.#table.ttlOf(first), answers };
    this.hops.push(hop);
    this.#options.onHop?.(hop, now);
  }

  #probe(index: number): Probe {
    const probe = this.#table.probes[index];
    assert(probe !== undefined, "a probe of the table");
    return probe;
  }
}

function requireFactor(option: string, value: number): void {
  if (value >= 0 && value < Infinity) return;
  throw new OptionError(option, value, "a number from 0");
}
