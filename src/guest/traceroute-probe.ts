/**
 * The probes of one traceroute: what each waits for, and to which hop a late end belongs, as
 * Butskoy's traceroute 2 judges it.
 * @module
 */
import { type Duration, type Instant, MILLISECOND } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { IcmpType, TimeExceeded, Unreachable } from "../l3/icmp.ts";
import type { SendFailure } from "../l4/datagram.ts";
import type { ToolHost } from "./tool.ts";

/** What answered a probe. */
export interface TracerouteAnswer {
  readonly address: Ipv4Addr;
  readonly rtt: Duration;
  /** Of the packet that answered. */
  readonly ttl: number;
  /** The ICMP message's; `null` for a datagram. */
  readonly type: number | null;
  /** The ICMP message's; 0 for a datagram. */
  readonly code: number;
  /** As traceroute prints it behind the time: "!H"; empty for what is expected. */
  readonly mark: string;
}

/** One probe, its state included. */
export interface Probe {
  /** `null` before it is sent. */
  sentAt: Instant | null;
  answer: TracerouteAnswer | null;
  /** Answered or given up. */
  isDone: boolean;
  /** The way ends where it was answered. */
  isFinal: boolean;
}

/** What came to a method: which probe it answers, and how. */
export interface ProbeEvent {
  readonly index: number;
  readonly from: Ipv4Addr;
  readonly ttl: number;
  /** `null` for a datagram. */
  readonly type: number | null;
  readonly code: number;
  /** Of "fragmentation needed". */
  readonly mtu: number;
  readonly at: Instant;
}

/** Sends the probes of one method and hears what comes back. */
export interface Probing {
  /** Send probe `index`. @returns `null` if it was sent, or why not. */
  send(index: number, ttl: number, now: Instant): SendFailure | null;
  /** Take what one `poll` of the program finds: at most one event a probe, ever. */
  take(): readonly ProbeEvent[];
  /** True if something came that was not taken. */
  readonly hasNews: boolean;
  /** Probe `index` has its answer, or was given up. */
  forget(index: number): void;
  /** Hear no more. */
  close(): void;
}

/** What a method knows of the run. */
export interface ProbingSetup {
  readonly host: ToolHost;
  readonly target: Ipv4Addr;
  readonly length: number;
  readonly tos: number;
  /** 0 for the method's own. */
  readonly port: number;
  /** Called when news came to a method that had none. */
  readonly onNews: (now: Instant) => void;
}

/** How long probes wait; each factor is of a known round trip, 0 for none. */
export interface TraceroutePatience {
  /** At most. */
  readonly wait: Duration;
  /** Times what the same hop took. */
  readonly here: number;
  /** Times what the next answering hop took. */
  readonly near: number;
}

/** Added to a round trip before a factor multiplies it. */
const PRECISION: Duration = MILLISECOND;

const UNREACHABLE_MARKS = new Map<number, string>([
  [Unreachable.Net, "!N"],
  [Unreachable.Host, "!H"],
  [Unreachable.Protocol, "!P"],
  [Unreachable.Port, ""],
  [Unreachable.SourceRouteFailed, "!S"],
  [6, "!N"], // network unknown
  [7, "!H"], // host unknown
  [8, "!N"], // source host isolated
  [9, "!X"], // network prohibited
  [Unreachable.HostProhibited, "!X"],
  [11, "!N"], // network, for this type of service
  [12, "!H"], // host, for this type of service
  [Unreachable.AdministrativelyProhibited, "!X"],
  [14, "!V"], // precedence violated
  [15, "!C"], // precedence cut off
]);

/** True if an ICMP message says that the probe ended on its way, as most do. */
export function isOnTheWay(type: number, code: number): boolean {
  return type === IcmpType.TimeExceeded && code === TimeExceeded.InTransit;
}

/** What traceroute prints of an ICMP error; `mtu` counts for "fragmentation needed". */
export function markOf(type: number, code: number, mtu: number): string {
  if (isOnTheWay(type, code)) return "";
  if (type !== IcmpType.Unreachable) return `!<${type}-${code}>`;
  if (code === Unreachable.FragmentationNeeded) return `!F-${mtu}`;
  return UNREACHABLE_MARKS.get(code) ?? `!<${code}>`;
}

/** Every probe that may be sent, hop by hop. */
export class ProbeTable {
  readonly probes: readonly Probe[];
  readonly perHop: number;
  readonly #patience: TraceroutePatience;

  constructor(maxHops: number, perHop: number, patience: TraceroutePatience) {
    this.probes = Array.from({ length: maxHops * perHop }, () => newProbe());
    this.perHop = perHop;
    this.#patience = patience;
  }

  /** The TTL of probe `index`. */
  ttlOf(index: number): number {
    return Math.floor(index / this.perHop) + 1;
  }

  /** When to give up probe `index`, which was sent at `sentAt` (`get_timeout`). */
  expiryOf(index: number, sentAt: Instant): Instant {
    const { wait, here, near } = this.#patience;
    const first = index - (index % this.perHop);
    const sameHop = here > 0 ? this.#answeredRtt(first, first + this.perHop, false) : null;
    if (sameHop !== null) return sentAt + Math.min((sameHop + PRECISION) * here, wait);
    const later = near > 0 ? this.#answeredRtt(index + 1, this.probes.length, true) : null;
    return sentAt + (later === null ? wait : Math.min((later + PRECISION) * near, wait));
  }

  /**
   * Probe `index` was given up. If an error that came to a later one ends the way at this hop,
   * the error is moved here (`check_expired`): a host that answers few probes answers any.
   */
  settle(index: number): void {
    const first = index - (index % this.perHop);
    const before = this.probes.slice(first, index);
    if (before.some(({ isFinal }) => !isFinal)) return;
    const later = this.#nextDone(index);
    const found = this.probes[later];
    const given = this.probes[index];
    if (found === undefined || given === undefined) return;
    if (found.answer === null || found.answer.mark === "") return;
    const isHopFinal = before.length > 0 || later < first + this.perHop;
    if (!isHopFinal && !this.#belongs(index, found.answer)) return;
    Object.assign(given, found);
    // It was sent, so it is not sent again; nobody waits for it any more.
    Object.assign(found, newProbe(), { sentAt: Number.NEGATIVE_INFINITY });
  }

  /** The first later probe whose end is known; -1 if there is none among those under way. */
  #nextDone(index: number): number {
    for (let later = index + 1; later < this.probes.length; later += 1) {
      const probe = this.probes[later];
      if (probe === undefined || probe.sentAt === null) return -1;
      if (probe.isDone) return later;
    }
    return -1;
  }

  /** Whether what sent `answer` stands at the hop of probe `index`, or before it. */
  #belongs(index: number, answer: TracerouteAnswer): boolean {
    const before = this.probes.slice(0, index).toReversed();
    if (before.some((probe) => probe.answer?.address === answer.address)) return true;
    let distance = hopsBehind(answer.ttl);
    const nearer = before.findIndex(
      ({ answer: one, isFinal }) => one !== null && !isFinal && hopsBehind(one.ttl) < distance,
    );
    const one = before[nearer]?.answer ?? null;
    if (one !== null) distance += this.ttlOf(index - 1 - nearer) - hopsBehind(one.ttl);
    return distance <= this.ttlOf(index);
  }

  /** The first round trip that took time among probes `[from, to)`, if sent in a row. */
  #answeredRtt(from: number, to: number, mustBeSent: boolean): Duration | null {
    for (let index = from; index < to; index += 1) {
      const probe = this.probes[index];
      if (probe === undefined || (mustBeSent && probe.sentAt === null)) return null;
      if (probe.answer !== null && probe.answer.rtt > 0) return probe.answer.rtt;
    }
    return null;
  }
}

function newProbe(): Probe {
  return { sentAt: null, answer: null, isDone: false, isFinal: false };
}

/** Hops that a packet took that came in with `ttl`, if it left with 64, 128 or 255. */
function hopsBehind(ttl: number): number {
  if (ttl <= 64) return 65 - ttl;
  return (ttl <= 128 ? 129 : 256) - ttl;
}
