/**
 * How a domain comes to FIFO event channels: what it asks of Xen (4.17: `common/event_fifo.c`), and
 * what a current kernel does for it when it boots and binds ports.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import { Errno } from "./errno.ts";
import type { EventDelivery } from "./event-delivery.ts";
import type { EventDomain } from "./event-port.ts";
import { clearPage, FifoKernel, maskPage } from "./fifo-kernel.ts";
import { PAGE_PORTS } from "./fifo-layout.ts";
import { type ControlPlace, FifoQueues } from "./fifo-queues.ts";

/**
 * `EVTCHNOP_init_control`. The first block moves the domain to the FIFO shape: what is pending then
 * comes once its port has a word. @returns as `EventChannels.initControl`.
 */
export function initControl(domain: EventDomain, place: ControlPlace): number {
  if (domain.fifo !== null) return domain.fifo.mapControl(place);
  const { info, vcpus, ports, unheard } = domain;
  const fifo = new FifoQueues(info, vcpus, ports.length);
  const result = fifo.mapControl(place);
  if (result < 0) return result;
  domain.fifo = fifo;
  for (let port = 1; port < ports.length; port += 1) {
    if (info.test(info.pendingWord, port)) unheard.add(port);
  }
  return 0;
}

/** `EVTCHNOP_expand_array`. @returns as `EventChannels.expandArray`. */
export function expandArray(
  domain: EventDomain,
  gfn: number,
  delivery: EventDelivery,
  now: Instant,
): number {
  const { fifo, ports, unheard } = domain;
  if (fifo === null) return Errno.EOPNOTSUPP;
  const first = fifo.addPage(gfn);
  if (first < 0) return first;
  const end = Math.min(first + PAGE_PORTS, ports.length);
  for (let port = first; port < end; port += 1) {
    // Xen never forgets that it was so; only a later array can show it.
    if (unheard.has(port)) delivery.enqueue(domain, fifo, port, ports[port]?.vcpu ?? 0, now);
  }
  return 0;
}

/** A kernel boots: a control block for each of its processors. @returns `null` without memory. */
export function startKernel(domain: EventDomain): FifoKernel | null {
  const { info, vcpus } = domain;
  const kernel = new FifoKernel(info);
  for (let vcpu = 0; vcpu < vcpus; vcpu += 1) {
    const gfn = info.memory.allocate();
    if (gfn < 0) break;
    clearPage(info, gfn);
    initControl(domain, { vcpu, gfn, offset: 0 });
    kernel.addControl(gfn);
  }
  domain.kernel = domain.fifo === null ? null : kernel;
  return domain.kernel;
}

/** A kernel is to use a port. @returns as `EventChannels.setUpPort`. */
export function setUpPort(
  domain: EventDomain,
  port: number,
  delivery: EventDelivery,
  now: Instant,
): number {
  const { kernel, info } = domain;
  while (kernel !== null && kernel.ports <= port) {
    const gfn = info.memory.allocate();
    if (gfn < 0) return Errno.ENOMEM;
    maskPage(info, gfn);
    kernel.addPage(gfn);
    expandArray(domain, gfn, delivery, now);
  }
  return 0;
}
