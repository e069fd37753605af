/**
 * How an event reaches a domain: bits in its memory, then its kernel, in either shape of its ports.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import {
  type EventDomain,
  type EventPort,
  type EventSink,
  handleEvents,
  isIdle,
} from "./event-port.ts";
import type { FifoQueues } from "./fifo-queues.ts";

/** Delivers the events of all domains of a host. */
export class EventDelivery implements EventSink {
  /**
   * Set the port's pending bit and, unless it was set or is masked, tell the domain. Where its
   * handler would find and clear the bit at once, nobody could have seen it, and it is not set.
   */
  raise(port: EventPort, now: Instant): void {
    const { domain, handler, vcpu } = port;
    const { info, isBusy } = domain;
    if (domain.fifo !== null) {
      this.#raiseFifo(port, domain.fifo, now);
      return;
    }
    if (handler !== null && isIdle(domain, vcpu)) {
      const marks = info.wordAt(port.pendingAt) | info.wordAt(port.maskAt);
      if ((marks & port.bit) === 0) {
        isBusy[vcpu] = 1;
        try {
          handler.upcall(now);
        } finally {
          isBusy[vcpu] = 0;
        }
        if (info.isUpcallPending(vcpu)) this.upcall(domain, vcpu, now);
        return;
      }
    }
    if (info.testAndSet(info.pendingWord, port.number)) return;
    if (!info.test(info.maskWord, port.number)) this.#select(domain, vcpu, port.number, now);
  }

  /** Clear a port's mask bit; what is pending comes now. @param port a valid one. */
  unmask(domain: EventDomain, port: number, now: Instant): void {
    const { info, fifo, ports } = domain;
    const vcpu = ports[port]?.vcpu ?? 0;
    if (fifo !== null) {
      if (fifo.unmask(port, vcpu)) this.#interrupt(domain, vcpu, now);
    } else if (info.testAndClear(info.maskWord, port) && info.test(info.pendingWord, port)) {
      this.#select(domain, vcpu, port, now);
    }
  }

  /** The same for a domain with FIFO queues. */
  #raiseFifo(port: EventPort, fifo: FifoQueues, now: Instant): void {
    const { domain, handler, vcpu, number } = port;
    const { info, isBusy, kernel } = domain;
    const isTaken = handler !== null && kernel !== null && isIdle(domain, vcpu);
    if (!isTaken || !fifo.passThrough(number, vcpu)) {
      this.enqueue(domain, fifo, number, vcpu, now);
      return;
    }
    isBusy[vcpu] = 1;
    try {
      handler.upcall(now);
    } finally {
      isBusy[vcpu] = 0;
    }
    if (info.isUpcallPending(vcpu)) this.upcall(domain, vcpu, now);
  }

  enqueue(domain: EventDomain, fifo: FifoQueues, port: number, vcpu: number, now: Instant): void {
    if (!fifo.hasWord(port)) domain.unheard.add(port);
    else if (fifo.setPending(port, vcpu)) this.#interrupt(domain, vcpu, now);
  }

  #select(domain: EventDomain, vcpu: number, port: number, now: Instant): void {
    const { info } = domain;
    if (info.testAndSet(info.selectorOf(vcpu), port >>> info.selectorShift)) return;
    this.#interrupt(domain, vcpu, now);
  }

  #interrupt(domain: EventDomain, vcpu: number, now: Instant): void {
    if (domain.info.exchangeUpcall(vcpu, true)) return;
    if (domain.signal !== null) domain.signal.raise();
    else this.upcall(domain, vcpu, now);
  }

  /** What the kernel of a domain of this thread does when it is interrupted, if it may run. */
  upcall(domain: EventDomain, vcpu: number, now: Instant): void {
    const { info, isBusy } = domain;
    if (!isIdle(domain, vcpu)) return;
    isBusy[vcpu] = 1;
    try {
      while (domain.isRunnable && info.exchangeUpcall(vcpu, false)) {
        if (domain.fifo === null) handleEvents(info, domain.ports, vcpu, now);
        else domain.kernel?.handleEvents(domain.ports, vcpu, now);
      }
    } finally {
      isBusy[vcpu] = 0;
    }
  }
}
