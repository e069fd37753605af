/** Ports of event channels, and what a kernel does with their events. @module */
import type { Instant } from "../../base/time.ts";
import { Errno } from "./errno.ts";
import type { FifoKernel } from "./fifo-kernel.ts";
import { FIFO_PORTS } from "./fifo-layout.ts";
import type { FifoQueues } from "./fifo-queues.ts";
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

/** Rings the other end of a channel: a port of this thread, or what stands for it elsewhere. */
export interface Notifier {
  notify(now: Instant): void;
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
  /** `null`: the domain uses the two-level shape. */
  fifo: FifoQueues | null;
  /** How a kernel of this project reads `fifo`; `null` without it, or for another kernel. */
  kernel: FifoKernel | null;
  /** The last port that the toolstack lets it have. */
  readonly lastPort: number;
  /** Ports with an event that no word of the event array could take. */
  readonly unheard: Set<number>;
}

/** True if nothing keeps the processor from handling an event this instant. */
export function isIdle({ info, isBusy, isRunnable, signal }: EventDomain, vcpu: number): boolean {
  return isRunnable && signal === null && isBusy[vcpu] === 0 && !info.isUpcallMasked(vcpu);
}

/** A port that is not free. */
export class EventPort implements Notifier {
  declare readonly domain: EventDomain;
  declare readonly number: number;
  /** Its bit in its word of pending bits and in that of mask bits. */
  declare readonly bit: number;
  declare readonly pendingAt: number;
  declare readonly maskAt: number;
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
    this.bit = 1 << (number & 31);
    this.pendingAt = domain.info.pendingWord + (number >>> 5);
    this.maskAt = domain.info.maskWord + (number >>> 5);
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

/** Make `port` one end of an interdomain channel; `peer` is to be bound to it likewise. */
export function bindPort(port: EventPort, peer: EventPort): void {
  port.state = PortState.interdomain;
  port.remoteDomid = peer.domain.domid;
  port.peer = peer;
}

/** Free `port`; its peer is unbound again. */
export function closePort(port: EventPort): void {
  const { domain, peer, number } = port;
  if (port.state === PortState.virq) {
    for (const virqs of domain.virqs) {
      if (virqs.get(port.virq) === port) virqs.delete(port.virq);
    }
  }
  if (peer !== null) {
    peer.state = PortState.unbound;
    peer.remoteDomid = domain.domid;
    peer.peer = null;
  }
  if (domain.fifo === null) domain.info.testAndClear(domain.info.pendingWord, number);
  else domain.fifo.clearPending(number);
  port.state = PortState.closed;
  port.peer = null;
  port.handler = null;
  domain.ports[number] = null;
}

/**
 * The lowest free port that is in no queue any more.
 * @param bucket ports that become valid at once, where more are needed.
 * @returns `ENOSPC`.
 */
export function freePort({ ports, info, fifo, lastPort }: EventDomain, bucket: number): number {
  let number = ports.indexOf(null);
  while (number >= 0 && fifo?.isBusy(number) === true) number = ports.indexOf(null, number + 1);
  if (number < 0) number = ports.length;
  const limit = fifo === null ? info.ports : FIFO_PORTS;
  if (number > lastPort || number >= limit) return Errno.ENOSPC;
  if (number === ports.length) {
    for (let count = 0; count < bucket; count += 1) ports.push(null);
    fifo?.grow(ports.length);
  }
  return number;
}

/** Run the handlers of all that the selector of `vcpu` names. */
export function handleEvents(
  info: SharedInfo,
  ports: readonly ({ readonly handler: UpcallHandler | null } | null)[],
  vcpu: number,
  now: Instant,
): void {
  const selector = info.selectorOf(vcpu);
  const wordsOfBit = 1 << (info.selectorShift - 5);
  for (let half = 0; half < wordsOfBit; half += 1) {
    let bits = info.exchangeWord(selector + half, 0);
    while (bits !== 0) {
      const bit = 31 - Math.clz32(bits & -bits);
      bits &= bits - 1;
      const first = (half * 32 + bit) * wordsOfBit;
      for (let word = first; word < first + wordsOfBit; word += 1) {
        for (let active = info.activeOf(word); active !== 0; active = info.activeOf(word)) {
          const number = word * 32 + 31 - Math.clz32(active & -active);
          const handler = ports[number]?.handler ?? null;
          if (handler === null) {
            info.testAndSet(info.maskWord, number);
          } else {
            info.testAndClear(info.pendingWord, number);
            handler.upcall(now);
          }
        }
      }
    }
  }
}
