/**
 * Event channels: one bit from one domain to another (Xen 3.1, 4.17: `common/event_channel.c`).
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
import { type EventBehaviour, EVENTS_3_1 } from "./event-behaviour.ts";
import { EventDelivery } from "./event-delivery.ts";
import {
  bindPort,
  closePort,
  type EventDomain,
  EventPort,
  type EventSignal,
  freePort,
  PortState,
  type UpcallHandler,
} from "./event-port.ts";
import type { FifoKernel } from "./fifo-kernel.ts";
import { FIFO_PORTS } from "./fifo-layout.ts";
import { expandArray, initControl, setUpPort, startKernel } from "./fifo-operations.ts";
import type { ControlPlace } from "./fifo-queues.ts";
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
  /** The last port that its toolstack lets it have; no limit but that of its events' shape. */
  readonly lastPort?: number;
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
export class EventChannels {
  readonly #domains = new Map<number, EventDomain>();
  readonly #delivery = new EventDelivery();
  readonly #behaviour: EventBehaviour;

  constructor(behaviour: EventBehaviour = EVENTS_3_1) {
    this.#behaviour = behaviour;
  }

  /**
   * A domain comes: port 0 is taken, its shared page allocated, every port masked, as its kernel
   * does when it boots. @returns the page's frame.
   * @throws {OptionError} if the domain is there, or its memory has no free frame.
   */
  create(options: EventDomainOptions): number {
    const { memory, isPrivileged = false, vcpus = 1, is32Bit = false } = options;
    const { lastPort = FIFO_PORTS - 1 } = options;
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
      fifo: null,
      kernel: null,
      lastPort,
      unheard: new Set(),
    };
    this.#open(domain, freePort(domain, this.#behaviour.bucket)).state = PortState.closed;
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
    return isFree(open) ? null : open;
  }

  /** A port of `domid` that `remote` may bind to; for another domain only if `by` is privileged. */
  allocUnbound(domid: number, remote: number, by = domid): number {
    const domain = this.#permitted(domid, by);
    if (typeof domain === "number") return domain;
    const number = freePort(domain, this.#behaviour.bucket);
    if (number < 0) return number;
    this.#open(domain, number).remoteDomid = remote === DOMID_SELF ? by : remote;
    return number;
  }

  /** Bind a new port of `domid` to a port that `remote` left unbound for it; it is pending then. */
  bindInterdomain(domid: number, remote: number, remotePort: number): number {
    const domain = this.#domains.get(domid);
    const other = this.#domains.get(remote === DOMID_SELF ? domid : remote);
    if (domain === undefined || other === undefined) return Errno.ESRCH;
    const number = freePort(domain, this.#behaviour.bucket);
    if (number < 0) return number;
    const peer = other.ports[remotePort] ?? null;
    if (peer?.state !== PortState.unbound || peer.remoteDomid !== domid) return Errno.EINVAL;
    const port = this.#open(domain, number);
    bindPort(port, peer);
    bindPort(peer, port);
    this.#delivery.raise(port, 0);
    return number;
  }

  /** A port for a virtual interrupt; `EEXIST` if the processor has one for it. */
  bindVirq(domid: number, virq: number, vcpu = 0): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (virq < 0 || virq >= VIRQS) return Errno.EINVAL;
    if (vcpu !== 0 && !this.#isOfProcessor(virq)) return Errno.EINVAL;
    const virqs = domain.virqs[vcpu];
    if (virqs === undefined) return Errno.ENOENT;
    if (virqs.has(virq)) return Errno.EEXIST;
    const number = freePort(domain, this.#behaviour.bucket);
    if (number < 0) return number;
    const port = this.#open(domain, number);
    port.state = PortState.virq;
    port.virq = virq;
    port.vcpu = vcpu;
    virqs.set(virq, port);
    return number;
  }

  /** A port by which the domain's processors call each other. */
  bindIpi(domid: number, vcpu: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (!(vcpu >= 0 && vcpu < domain.vcpus)) return Errno.ENOENT;
    const number = freePort(domain, this.#behaviour.bucket);
    if (number < 0) return number;
    const port = this.#open(domain, number);
    port.state = PortState.ipi;
    port.vcpu = vcpu;
    return number;
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
    const { signal, kernel } = open.domain;
    // Linux masks what it lets go of; where the kernel runs elsewhere, that is its own affair.
    if (signal === null) kernel?.mask(port);
    closePort(open);
    return 0;
  }

  /** An event to the port's peer, or to the domain itself by an IPI; to nobody if it is unbound. */
  send(domid: number, port: number, now: Instant): number {
    const open = this.portOf(domid, port);
    if (open === null) return this.#domains.has(domid) ? Errno.EINVAL : Errno.ESRCH;
    if (open.peer !== null) this.#delivery.raise(open.peer, now);
    else if (open.state === PortState.ipi) this.#delivery.raise(open, now);
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
    if (open.state === PortState.virq && this.#isOfProcessor(open.virq)) return Errno.EINVAL;
    open.vcpu = vcpu;
    return 0;
  }

  /** Clear the port's mask bit; what is pending comes now. */
  unmask(domid: number, port: number, now: Instant): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    const open = domain.ports[port];
    if (open === undefined) return Errno.EINVAL;
    if (this.#behaviour.sparesFreePorts && isFree(open)) return 0;
    this.#delivery.unmask(domain, port, now);
    return 0;
  }

  /**
   * Close all ports of a domain; of another one only if `by` is privileged and, since Xen 4.4, the
   * domain is paused. It is back to the two-level shape then.
   */
  reset(domid: number, by = domid): number {
    const domain = this.#permitted(domid, by);
    if (typeof domain === "number") return domain;
    if (this.#behaviour.hasFifo && domain.domid !== by && domain.isRunnable) return Errno.EINVAL;
    for (const port of domain.ports) {
      if (port !== null && port.state !== PortState.closed) closePort(port);
    }
    domain.fifo = null;
    domain.kernel = null;
    return 0;
  }

  /**
   * `EVTCHNOP_init_control`: a processor's control block; the first one moves the domain to the
   * FIFO shape. @returns 0; `ENOSYS` before Xen 4.4, `ENOENT` for no such processor, `EINVAL` for a
   * block that cannot be, or a second one.
   */
  initControl(domid: number, place: ControlPlace): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    return this.#behaviour.hasFifo ? initControl(domain, place) : Errno.ENOSYS;
  }

  /**
   * `EVTCHNOP_expand_array`: words of the next 1,024 ports. @returns 0; `ENOSYS` before Xen 4.4,
   * `EOPNOTSUPP` without a control block, `ENOSPC` if all ports have words, `EINVAL` for no frame.
   */
  expandArray(domid: number, gfn: number, now: Instant): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (!this.#behaviour.hasFifo) return Errno.ENOSYS;
    return expandArray(domain, gfn, this.#delivery, now);
  }

  /** `EVTCHNOP_set_priority`: 0 to 15, the highest first. @returns 0; `EINVAL`, `EACCES` for a
   * free port, `ENOSYS` without FIFO. */
  setPriority(domid: number, port: number, priority: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return Errno.ESRCH;
    if (!this.#behaviour.hasFifo) return Errno.ENOSYS;
    const open = domain.ports[port];
    if (open === undefined) return Errno.EINVAL;
    if (domain.fifo === null) return Errno.ENOSYS;
    return isFree(open) ? Errno.EACCES : domain.fifo.setPriority(port, priority);
  }

  /**
   * A current kernel boots, or goes on after a restore, in this thread or another: it takes to the
   * FIFO shape if Xen has it. @returns how it reads its queues; `null`: it keeps the other shape.
   */
  startKernel(domid: number): FifoKernel | null {
    const domain = this.#domains.get(domid);
    if (domain === undefined || !this.#behaviour.hasFifo || domain.fifo !== null) return null;
    return startKernel(domain);
  }

  /** Such a kernel is to use a port: it gives Xen words for it, masked. @returns 0; `ENOMEM`. */
  setUpPort(domid: number, port: number, now: Instant): number {
    const domain = this.#domains.get(domid);
    return domain === undefined ? Errno.ESRCH : setUpPort(domain, port, this.#delivery, now);
  }

  /** Xen raises a virtual interrupt, if the domain has a port for it. */
  raiseVirq(domid: number, virq: number, now: Instant, vcpu = 0): void {
    const port = this.#domains.get(domid)?.virqs[vcpu]?.get(virq);
    if (port !== undefined) this.#delivery.raise(port, now);
  }

  /**
   * The kernel of a domain of this thread takes the port's events, and unmasks it: what is pending
   * comes now. `null` masks it. @returns 0; an errno.
   */
  setHandler(domid: number, port: number, handler: UpcallHandler | null, now: Instant): number {
    const open = this.portOf(domid, port);
    if (open === null) return this.#domains.has(domid) ? Errno.EINVAL : Errno.ESRCH;
    const { info, fifo, kernel } = open.domain;
    if (fifo !== null) {
      if (kernel === null) return Errno.EINVAL;
      const failure = setUpPort(open.domain, port, this.#delivery, now);
      if (failure < 0) return failure;
      open.handler = handler;
      if (handler === null) kernel.mask(port);
      else if (kernel.unmask(port)) this.unmask(domid, port, now);
      return 0;
    }
    open.handler = handler;
    if (handler !== null) return this.unmask(domid, port, now);
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
    for (let vcpu = 0; vcpu < domain.vcpus; vcpu += 1) this.#delivery.upcall(domain, vcpu, now);
  }

  #isOfProcessor(virq: number): boolean {
    return this.#behaviour.processorVirqs.includes(virq);
  }

  #permitted(domid: number, by: number): EventDomain | number {
    const target = domid === DOMID_SELF ? by : domid;
    if (target !== by && this.#domains.get(by)?.isPrivileged !== true) return Errno.EPERM;
    return this.#domains.get(target) ?? Errno.ESRCH;
  }

  /** A free port becomes an unbound one. */
  #open(domain: EventDomain, number: number): EventPort {
    const port = new EventPort(domain, number, this.#delivery);
    domain.ports[number] = port;
    domain.fifo?.initPort(number);
    return port;
  }
}

/** True for port 0, too, which nobody may use. */
const isFree = (port: EventPort | null): boolean =>
  port === null || port.state === PortState.closed;
