/** Event channels as sets of ports, without bits, words or shared pages. @module */

const EPERM = -1;
const ENOENT = -2;
const ESRCH = -3;
const EEXIST = -17;
const EINVAL = -22;
/** Ports that are valid before any domain needs more. */
const VALID = 128;
const OF_PROCESSOR = [0, 1, 7];

interface ModelPort {
  state: number;
  vcpu: number;
  remoteDomid: number;
  remotePort: number;
  virq: number;
}

interface ModelDomain {
  readonly vcpus: number;
  /** Ports that share one selector bit; 0 for a domain whose kernel is handlers. */
  readonly group: number;
  readonly ports: Map<number, ModelPort>;
  readonly pending: Set<number>;
  readonly unmasked: Set<number>;
  readonly selected: Set<number>;
  /** Ports with a handler. */
  readonly listening: Set<number>;
  /** Events that handlers got, by port. */
  readonly heard: Map<number, number>;
  isUpcallPending: boolean;
  isRunnable: boolean;
  signals: number;
}

/** What domains can do with events, and what can be seen of it. */
export interface EventSubject {
  alloc(domid: number, remote: number, by: number): number;
  bind(domid: number, remote: number, port: number): number;
  virq(domid: number, virq: number, vcpu: number): number;
  ipi(domid: number, vcpu: number): number;
  close(domid: number, port: number): number;
  send(domid: number, port: number): number;
  unmask(domid: number, port: number): number;
  bindVcpu(domid: number, port: number, vcpu: number): number;
  reset(domid: number, by: number): number;
  raiseVirq(domid: number, virq: number, vcpu: number): void;
  listen(domid: number, port: number): void;
  /** The kernel of a domain in its own thread looks. */
  dispatch(domid: number): void;
  pause(domid: number, isRunnable: boolean): void;
  destroy(domid: number): void;
  /** All that can be seen of a domain. */
  look(domid: number): unknown;
}

/** All domains of a host; domain 0 is privileged. */
export class EventModel implements EventSubject {
  readonly #domains = new Map<number, ModelDomain>();

  add(domid: number, vcpus: number, group: number): void {
    this.#domains.set(domid, {
      vcpus,
      group,
      ports: new Map([[0, portOf(0)]]),
      pending: new Set(),
      unmasked: new Set(),
      selected: new Set(),
      listening: new Set(),
      heard: new Map(),
      isUpcallPending: false,
      isRunnable: true,
      signals: 0,
    });
  }

  alloc(domid: number, remote: number, by: number): number {
    if (domid !== by && (by !== 0 || !this.#domains.has(0))) return EPERM;
    const domain = this.#domains.get(domid);
    return domain === undefined ? ESRCH : place(domain, { ...portOf(1), remoteDomid: remote });
  }

  bind(domid: number, remote: number, remotePort: number): number {
    const domain = this.#domains.get(domid);
    const other = this.#domains.get(remote);
    if (domain === undefined || other === undefined) return ESRCH;
    const peer = other.ports.get(remotePort);
    if (peer?.state !== 1 || peer.remoteDomid !== domid) return EINVAL;
    const number = place(domain, { ...portOf(2), remoteDomid: remote, remotePort });
    Object.assign(peer, { state: 2, remoteDomid: domid, remotePort: number });
    raise(domain, number);
    return number;
  }

  virq(domid: number, virq: number, vcpu: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return ESRCH;
    if (virq >= 24 || (!OF_PROCESSOR.includes(virq) && vcpu !== 0)) return EINVAL;
    if (vcpu >= domain.vcpus) return ENOENT;
    return this.#virqPort(domain, virq, vcpu) < 0
      ? place(domain, { ...portOf(4), virq, vcpu })
      : EEXIST;
  }

  ipi(domid: number, vcpu: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return ESRCH;
    return vcpu < domain.vcpus ? place(domain, { ...portOf(5), vcpu }) : ENOENT;
  }

  close(domid: number, port: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return ESRCH;
    const open = domain.ports.get(port);
    if (open === undefined || open.state === 0) return EINVAL;
    if (open.state === 2) {
      const peer = this.#domains.get(open.remoteDomid)?.ports.get(open.remotePort);
      if (peer !== undefined) Object.assign(peer, { ...portOf(1), vcpu: peer.vcpu });
      if (peer !== undefined) peer.remoteDomid = domid;
    }
    domain.ports.delete(port);
    domain.pending.delete(port);
    if (domain.group === 0) domain.listening.delete(port);
    return 0;
  }

  send(domid: number, port: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return ESRCH;
    const open = domain.ports.get(port);
    if (open?.state === 2) {
      const peer = this.#domains.get(open.remoteDomid);
      if (peer !== undefined) raise(peer, open.remotePort);
    } else if (open?.state === 5) {
      raise(domain, port);
    } else if (open?.state !== 1) {
      return EINVAL;
    }
    return 0;
  }

  unmask(domid: number, port: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return ESRCH;
    if (port >= VALID) return EINVAL;
    const wasMasked = !domain.unmasked.has(port);
    domain.unmasked.add(port);
    if (wasMasked && domain.pending.has(port)) select(domain, port, true);
    return 0;
  }

  bindVcpu(domid: number, port: number, vcpu: number): number {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return ESRCH;
    if (vcpu >= domain.vcpus) return ENOENT;
    const open = domain.ports.get(port);
    const isFree = open === undefined || open.state === 0 || open.state === 5;
    if (isFree || (open.state === 4 && OF_PROCESSOR.includes(open.virq))) return EINVAL;
    open.vcpu = vcpu;
    return 0;
  }

  reset(domid: number, by: number): number {
    if (domid !== by && by !== 0) return EPERM;
    const domain = this.#domains.get(domid);
    if (domain === undefined) return ESRCH;
    for (const port of domain.ports.keys()) this.close(domid, port);
    return 0;
  }

  raiseVirq(domid: number, virq: number, vcpu: number): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    const port = this.#virqPort(domain, virq, vcpu);
    if (port >= 0) raise(domain, port);
  }

  listen(domid: number, port: number): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    const state = domain.ports.get(port)?.state ?? 0;
    if (domain.group === 0 && state === 0) return;
    domain.listening.add(port);
    const wasMasked = !domain.unmasked.has(port);
    domain.unmasked.add(port);
    if (wasMasked && domain.pending.has(port)) select(domain, port, false);
  }

  dispatch(domid: number): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined || domain.group === 0 || !domain.isUpcallPending) return;
    domain.isUpcallPending = false;
    for (const port of domain.pending) {
      const isSelected = domain.selected.has(Math.floor(port / domain.group));
      if (isSelected && domain.unmasked.has(port)) handle(domain, port);
    }
    domain.selected.clear();
  }

  pause(domid: number, isRunnable: boolean): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    domain.isRunnable = isRunnable;
    if (domain.group === 0) run(domain);
  }

  destroy(domid: number): void {
    this.reset(domid, 0);
    this.#domains.delete(domid);
  }

  look(domid: number): unknown {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return null;
    return {
      ports: Array.from({ length: 12 }, (_, port) => domain.ports.get(port) ?? portOf(0)),
      pending: Array.from({ length: 12 }, (_, port) => domain.pending.has(port)),
      unmasked: Array.from({ length: 12 }, (_, port) => domain.unmasked.has(port)),
      heard: Array.from({ length: 12 }, (_, port) => domain.heard.get(port) ?? 0),
      signals: domain.signals,
    };
  }

  /** By whom an interrupt was bound, not by whom it is heard: that may have moved. */
  #virqPort(domain: ModelDomain, virq: number, vcpu: number): number {
    for (const [number, port] of domain.ports) {
      const isBoundThere = OF_PROCESSOR.includes(virq) ? port.vcpu === vcpu : vcpu === 0;
      if (port.state === 4 && port.virq === virq && isBoundThere) return number;
    }
    return -1;
  }
}

function portOf(state: number): ModelPort {
  return { state, vcpu: 0, remoteDomid: 0, remotePort: 0, virq: 0 };
}

/** The lowest free number. */
function place(domain: ModelDomain, port: ModelPort): number {
  let number = 0;
  while (domain.ports.has(number)) number += 1;
  domain.ports.set(number, port);
  return number;
}

function raise(domain: ModelDomain, port: number): void {
  if (domain.pending.has(port)) return;
  domain.pending.add(port);
  if (domain.unmasked.has(port)) select(domain, port, true);
}

function select(domain: ModelDomain, port: number, isByXen: boolean): void {
  if (domain.group === 0) {
    run(domain);
    return;
  }
  const group = Math.floor(port / domain.group);
  const isNew = !domain.selected.has(group);
  domain.selected.add(group);
  if (isByXen && isNew && !domain.isUpcallPending) domain.signals += 1;
  if (!isByXen || isNew) domain.isUpcallPending = true;
}

function run(domain: ModelDomain): void {
  if (!domain.isRunnable) return;
  for (const port of domain.pending) if (domain.unmasked.has(port)) handle(domain, port);
}

/** A port without a handler is masked when it is met. */
function handle(domain: ModelDomain, port: number): void {
  if (domain.listening.has(port)) {
    domain.pending.delete(port);
    domain.heard.set(port, (domain.heard.get(port) ?? 0) + 1);
  } else {
    domain.unmasked.delete(port);
  }
}
