/**
 * Event channels: one bit from one domain to another (Xen 3.1: `common/event_channel.c`).
 *
 * A port's pending bit stands in the domain's own page; many sends before the domain looks are one
 * event. Where the domain's kernel is objects of this thread, its handlers run within the sender's
 * call, lowest port first, but never one within another on the same processor: what comes meanwhile
 * waits until the running one has returned.
 * @module
 */
import { OptionError } from "../../base/errors.ts";
import type { Instant } from "../../base/time.ts";
import { type DomainMemory, DOMID_SELF } from "./domain-memory.ts";
import { Errno } from "./errno.ts";
import {
  bindPort,
  closePort,
  type EventDomain,
  EventPort,
  type EventSignal,
  type EventSink,
  handleEvents,
  isIdle,
  PortState,
  type UpcallHandler,
} from "./event-port.ts";
import { MAX_VCPUS, SharedInfo } from "./shared-info.ts";

/** Virtual interrupts. */
export const Virq = {
  timer: 0,
  debug: 1,
  console: 2,
  domExc: 3,
  traceBuffer: 4,
  debugger: 6,
} as const;

const VIRQS = 24;
/** Interrupts that each processor has its own of: timer, debug, XenOprof. */
const isOfProcessor = (virq: number): boolean => virq === 0 || virq === 1 || virq === 7;
/** Ports become valid by so many at once. */
const BUCKET = 128;
const PIRQS = 256;

/** What a domain takes part with. */
export interface EventDomainOptions {
  readonly memory: DomainMemory;
  /** True for Dom0. */
  readonly isPrivileged?: boolean;
  /** 1 to 32; 1. */
  readonly vcpus?: number;
  /** True: the page and the number of ports of a 32-bit kernel. */
  readonly is32Bit?: boolean;
}

/** `EVTCHNOP_status`. */
export interface PortStatus {
  readonly state: PortState;
  /** Processor that its events go to. */
  readonly vcpu: number;
  /** Of an unbound port: who may bind. Of an interdomain one: the other end. Else 0. */
  readonly remoteDomid: number;
  /** Of an interdomain port; else 0. */
  readonly remotePort: number;
  /** Of a virtual interrupt; else 0. */
  readonly virq: number;
}

/**
 * The ports of all domains of a host. Operations answer a port or 0, or a negative {@link Errno}:
 * `ESRCH` where the domain does not exist, `EINVAL` for a port that is not what it must be.
 */
export class EventChannels implements EventSink {
  readonly #domains = new Map<number, EventDomain>();

  /**
   * A domain comes: port 0 is taken, its shared page allocated, every port masked, as its kernel
   * does when it boots. @returns the page's frame.
   * @throws {OptionError} if the domain is there, or its memory has no free frame.
   */
  create(options: EventDomainOptions): number {
    const { memory, isPrivileged = false, vcpus = 1, is32Bit = false } = options;
    const { domid } = memory;
    if (this.#domains.has(domid)) throw new OptionError("domid", domid, "a domain without events");
    if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS) {
      throw new OptionError("vcpus", vcpus, `1 to ${MAX_VCPUS}`);
    }
    const gfn = memory.allocate();
    if (gfn < 0) throw new OptionError("memory", memory.pages, "a free frame");
    const domain: EventDomain = {
      domid,
      info: new SharedInfo(memory, gfn, is32Bit),
      isPrivileged,
      vcpus,
      ports: [],
      virqs: Array.from({ length: vcpus }, () => new Map<number, EventPort>()),
      isBusy: new Uint8Array(vcpus),
      isRunnable: true,
      signal: null,
    };
    const reserved = this.#open(domain);
    if (typeof reserved !== "number") reserved.state = PortState.closed;
    domain.info.maskAll();
    this.#domains.set(domid, domain);
    return gfn;
  }

  /** A domain died: its ports are closed, and their peers unbound. */
  destroy(domid: number): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    for (const port of domain.ports) if (port !== null) closePort(port);
    domain.ports.length = 0;
    this.#domains.delete(domid);
  }

  /** Its shared page; `null` for no such domain. */
  sharedInfo(domid: number): SharedInfo | null {
    return this.#domains.get(domid)?.info ?? null;
  }

  /** The port for repeated notification, while it is open; `null` if it is free. */
  portOf(domid: number, port: number): EventPort | null {
    const open = this.#domains.get(domid)?.ports[port] ?? null;
    return open === null || open.state === PortState.closed ? null : open;
  }

  /** A port of `domid` that `remote` may bind to; for another domain only if `by` is privileged. */
  allocUnbound(domid: number, remote: number, by = domid): number {
    const domain = this.#permitted(domid, by);
    if (typeof domain === "number") return domain;
    const port = this.#open(domain);
    if (typeof port === "number") return port;
    port.remoteDomid = remote === DOMID_SELF ? by : remote;
    return port.number;
  }

  /** Bind a new port of `domid` to a port that `remote` left unbound for it; it is pending then. */
  bindInterdomain(domid: number, remote: number, remotePort: number): number {
    const domain = this.#domains.get(domid);
    const other = this.#domains.get(remote === DOMID_SELF ? domid : remote);
    if (domain === undefined || other === undefined) return Errno.ESRCH;
    const port = this.#open(domain);
    if (typeof port === "number") return port;
    const peer = other.ports[remotePort] ?? null;
    if (peer?.state !== PortState.unbound || peer.remoteDomid !== domid || peer === port) {
      domain.ports[port.number] = null;
      return Errno.EINVAL;
    }
    bindPort(port, peer);
    bindPort(peer, port);
    this.raise(port, 0);
    return port.number;
  }

  /** A port for a virtual interrupt; `EEXIST` if the processor has one for it. */
  bindVirq(domid: number, virq: number, vcpu = 0): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (virq < 0 || virq >= VIRQS || (!isOfProcessor(virq) && vcpu !== 0)) return Errno.EINVAL;
    const virqs = domain.virqs[vcpu];
    if (virqs === undefined) return Errno.ENOENT;
    if (virqs.has(virq)) return Errno.EEXIST;
    const port = this.#open(domain);
    if (typeof port === "number") return port;
    port.state = PortState.virq;
    port.virq = virq;
    port.vcpu = vcpu;
    virqs.set(virq, port);
    return port.number;
  }

  /** A port by which the domain's processors call each other. */
  bindIpi(domid: number, vcpu: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (!(vcpu >= 0 && vcpu < domain.vcpus)) return Errno.ENOENT;
    const port = this.#open(domain);
    if (typeof port === "number") return port;
    port.state = PortState.ipi;
    port.vcpu = vcpu;
    return port.number;
  }

  /** Physical interrupts: a domU may have none, and there are none here. @returns an errno. */
  bindPirq(domid: number, pirq: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (pirq < 0 || pirq >= PIRQS) return Errno.EINVAL;
    return domain.isPrivileged ? Errno.EINVAL : Errno.EPERM;
  }

  /** Free a port; its peer is unbound again, for this domain. */
  close(domid: number, port: number): number {
    const open = this.portOf(domid, port);
    if (open === null) return this.#domains.has(domid) ? Errno.EINVAL : Errno.ESRCH;
    closePort(open);
    return 0;
  }

  /** An event to the port's peer, or to the domain itself by an IPI; to nobody if it is unbound. */
  send(domid: number, port: number, now: Instant): number {
    const open = this.portOf(domid, port);
    if (open === null) return this.#domains.has(domid) ? Errno.EINVAL : Errno.ESRCH;
    if (open.peer !== null) this.raise(open.peer, now);
    else if (open.state === PortState.ipi) this.raise(open, now);
    else if (open.state !== PortState.unbound) return Errno.EINVAL;
    return 0;
  }

  /** What a port is; of another domain only if `by` is privileged. */
  status(domid: number, port: number, by = domid): PortStatus | number {
    const domain = this.#permitted(domid, by);
    if (typeof domain === "number") return domain;
    const open = domain.ports[port];
    if (open === undefined) return Errno.EINVAL;
    return {
      state: open?.state ?? PortState.closed,
      vcpu: open?.vcpu ?? 0,
      remoteDomid: open?.remoteDomid ?? 0,
      remotePort: open?.peer?.number ?? 0,
      virq: open?.virq ?? 0,
    };
  }

  /** Send the port's events to another processor; not those of an IPI or of its own interrupts. */
  bindVcpu(domid: number, port: number, vcpu: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (!(vcpu >= 0 && vcpu < domain.vcpus)) return Errno.ENOENT;
    const open = this.portOf(domid, port);
    if (open === null || open.state === PortState.ipi) return Errno.EINVAL;
    if (open.state === PortState.virq && isOfProcessor(open.virq)) return Errno.EINVAL;
    open.vcpu = vcpu;
    return 0;
  }

  /** Clear the port's mask bit; what is pending comes now. */
  unmask(domid: number, port: number, now: Instant): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    const open = domain.ports[port];
    if (open === undefined) return Errno.EINVAL;
    const { info } = domain;
    if (info.testAndClear(info.maskWord, port) && info.test(info.pendingWord, port)) {
      this.#select(domain, open?.vcpu ?? 0, port, now);
    }
    return 0;
  }

  /** Close all ports of a domain; of another one only if `by` is privileged. */
  reset(domid: number, by = domid): number {
    const domain = this.#permitted(domid, by);
    if (typeof domain === "number") return domain;
    for (const port of domain.ports) {
      if (port !== null && port.state !== PortState.closed) closePort(port);
    }
    return 0;
  }

  /** Xen raises a virtual interrupt, if the domain has a port for it. */
  raiseVirq(domid: number, virq: number, now: Instant, vcpu = 0): void {
    const port = this.#domains.get(domid)?.virqs[vcpu]?.get(virq);
    if (port !== undefined) this.raise(port, now);
  }

  /**
   * The kernel of a domain of this thread takes the port's events, and unmasks it: what is pending
   * comes now. `null` masks it. @returns 0; an errno.
   */
  setHandler(domid: number, port: number, handler: UpcallHandler | null, now: Instant): number {
    const open = this.portOf(domid, port);
    if (open === null) return this.#domains.has(domid) ? Errno.EINVAL : Errno.ESRCH;
    open.handler = handler;
    if (handler !== null) return this.unmask(domid, port, now);
    const { info } = open.domain;
    info.testAndSet(info.maskWord, port);
    return 0;
  }

  /** The domain's kernel runs elsewhere, and `signal` wakes it; `null`: handlers of this thread. */
  setSignal(domid: number, signal: EventSignal | null): void {
    const domain = this.#domains.get(domid);
    if (domain !== undefined) domain.signal = signal;
  }

  /** A paused domain handles no events; they come when it runs again. */
  setRunnable(domid: number, isRunnable: boolean, now: Instant): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    domain.isRunnable = isRunnable;
    for (let vcpu = 0; vcpu < domain.vcpus; vcpu += 1) this.#upcall(domain, vcpu, now);
  }

  /**
   * Set the port's pending bit and, unless it was set or is masked, tell the domain. Where its
   * handler would find and clear the bit at once, nobody could have seen it, and it is not set.
   */
  raise(port: EventPort, now: Instant): void {
    const { domain, handler, vcpu } = port;
    const { info, isBusy } = domain;
    if (handler !== null && isIdle(domain, vcpu)) {
      const marks = info.wordAt(port.pendingAt) | info.wordAt(port.maskAt);
      if ((marks & port.bit) === 0) {
        isBusy[vcpu] = 1;
        try {
          handler.upcall(now);
        } finally {
          isBusy[vcpu] = 0;
        }
        if (info.isUpcallPending(vcpu)) this.#upcall(domain, vcpu, now);
        return;
      }
    }
    if (info.testAndSet(info.pendingWord, port.number)) return;
    if (!info.test(info.maskWord, port.number)) this.#select(domain, vcpu, port.number, now);
  }

  #permitted(domid: number, by: number): EventDomain | number {
    const target = domid === DOMID_SELF ? by : domid;
    if (target !== by && this.#domains.get(by)?.isPrivileged !== true) return Errno.EPERM;
    return this.#domains.get(target) ?? Errno.ESRCH;
  }

  /** The lowest free port, taken as unbound. */
  #open(domain: EventDomain): EventPort | number {
    const { ports, info } = domain;
    let number = ports.indexOf(null);
    if (number < 0) {
      number = ports.length;
      if (number >= info.ports) return Errno.ENOSPC;
      for (let count = 0; count < BUCKET; count += 1) ports.push(null);
    }
    const port = new EventPort(domain, number, this);
    ports[number] = port;
    return port;
  }

  #select(domain: EventDomain, vcpu: number, port: number, now: Instant): void {
    const { info } = domain;
    if (info.testAndSet(info.selectorOf(vcpu), port >>> info.selectorShift)) return;
    if (info.exchangeUpcall(vcpu, true)) return;
    if (domain.signal !== null) domain.signal.raise();
    else this.#upcall(domain, vcpu, now);
  }

  /** What the kernel of a domain of this thread does when it is interrupted. */
  #upcall(domain: EventDomain, vcpu: number, now: Instant): void {
    const { info, isBusy } = domain;
    if (!isIdle(domain, vcpu)) return;
    isBusy[vcpu] = 1;
    try {
      while (domain.isRunnable && info.exchangeUpcall(vcpu, false)) {
        handleEvents(info, domain.ports, vcpu, now);
      }
    } finally {
      isBusy[vcpu] = 0;
    }
  }
}
