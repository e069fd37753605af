/** One port of a domain, and what the domain's kernel hangs on it. @module */
import type { Instant } from "../../base/time.ts";
import type { SharedInfo } from "./shared-info.ts";

/** What a port is, as `EVTCHNOP_status` tells it. */
export const PortState = {
  closed: 0,
  unbound: 1,
  interdomain: 2,
  pirq: 3,
  virq: 4,
  ipi: 5,
} as const;
export type PortState = (typeof PortState)[keyof typeof PortState];

/** What the kernel of a domain of this thread does with an event. */
export interface UpcallHandler {
  /** The port's bit is cleared already: events from now on come again. */
  upcall(now: Instant): void;
}

/** Wakes the kernel of a domain that runs elsewhere: its page says what is pending. */
export interface EventSignal {
  raise(): void;
}

/** Hands an event to a port's domain. */
export interface EventSink {
  raise(port: EventPort, now: Instant): void;
}

/** A domain as event channels know it. */
export interface EventDomain {
  readonly domid: number;
  readonly info: SharedInfo;
  readonly isPrivileged: boolean;
  /** Processors. */
  readonly vcpus: number;
  /** By number; `null` where free. Its length says which numbers are valid. */
  readonly ports: (EventPort | null)[];
  /** By processor: the ports of its virtual interrupts. */
  readonly virqs: readonly Map<number, EventPort>[];
  /** By processor: 1 while its kernel handles events. */
  readonly isBusy: Uint8Array;
  /** False while the domain is paused: events wait. */
  isRunnable: boolean;
  /** `null`: the kernel is the handlers of this thread. */
  signal: EventSignal | null;
}

/** A port that is not free. */
export class EventPort {
  readonly domain: EventDomain;
  readonly number: number;
  state: PortState = PortState.unbound;
  vcpu = 0;
  /** Who may bind to an unbound port, or holds the other end. */
  remoteDomid = 0;
  peer: EventPort | null = null;
  virq = 0;
  handler: UpcallHandler | null = null;
  readonly #sink: EventSink;

  constructor(domain: EventDomain, number: number, sink: EventSink) {
    this.domain = domain;
    this.number = number;
    this.#sink = sink;
  }

  /**
   * `EVTCHNOP_send` by the port's owner, without a look-up: for rings. To an unbound or closed port
   * it does nothing.
   */
  notify(now: Instant): void {
    const { peer } = this;
    if (peer !== null) this.#sink.raise(peer, now);
  }
}
