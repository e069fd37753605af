/** FIFO event channels as lists of ports, without words, links or control blocks. @module */

const EINVAL = -22;
const EACCES = -13;
const QUEUES = 16;

interface ModelPort {
  peer: { readonly domid: number; readonly port: number } | null;
  vcpu: number;
  priority: number;
}

interface ModelDomain {
  /** True: its kernel is handlers of this thread. */
  readonly isHere: boolean;
  readonly ports: Map<number, ModelPort>;
  readonly pending: Set<number>;
  readonly unmasked: Set<number>;
  readonly listening: Set<number>;
  /** By processor and priority, in the order of their events. */
  readonly queues: number[][][];
  isRunnable: boolean;
  isUpcallPending: boolean;
  signals: number;
}

/** What domains can do with FIFO events, and what can be seen of it. */
export interface FifoSubject {
  /** A channel from a new port of `domid` to a new one of `remote`. */
  connect(domid: number, remote: number): readonly [number, number];
  close(domid: number, port: number): number;
  send(domid: number, port: number): number;
  unmask(domid: number, port: number): number;
  move(domid: number, port: number, vcpu: number): number;
  prioritize(domid: number, port: number, priority: number): number;
  listen(domid: number, port: number): void;
  ignore(domid: number, port: number): void;
  /** A kernel in its own thread looks. */
  dispatch(domid: number): void;
  pause(domid: number, isRunnable: boolean): void;
  /** All that can be seen of a domain. */
  look(domid: number): unknown;
}

/** All domains of a host, each in the FIFO shape with two processors. */
export class FifoModel implements FifoSubject {
  readonly #domains: ModelDomain[] = [];
  /** Events in the order in which handlers got them. */
  readonly #heard: string[] = [];

  add(isHere: boolean, vcpus: number): void {
    this.#domains.push({
      isHere,
      ports: new Map(),
      pending: new Set(),
      unmasked: new Set(),
      listening: new Set(),
      queues: Array.from({ length: vcpus }, () => Array.from({ length: QUEUES }, () => [])),
      isRunnable: true,
      isUpcallPending: false,
      signals: 0,
    });
  }

  connect(domid: number, remote: number): readonly [number, number] {
    const port = this.#place(domid);
    const other = this.#place(remote);
    this.#port(domid, port).peer = { domid: remote, port: other };
    this.#port(remote, other).peer = { domid, port };
    this.#raise(remote, other);
    return [port, other];
  }

  close(domid: number, port: number): number {
    const domain = this.#of(domid);
    const open = domain.ports.get(port);
    if (open === undefined) return EINVAL;
    if (open.peer !== null) this.#port(open.peer.domid, open.peer.port).peer = null;
    domain.ports.delete(port);
    domain.pending.delete(port);
    if (!domain.isHere) return 0;
    domain.listening.delete(port);
    domain.unmasked.delete(port);
    return 0;
  }

  send(domid: number, port: number): number {
    const open = this.#of(domid).ports.get(port);
    if (open === undefined) return EINVAL;
    if (open.peer !== null) this.#raise(open.peer.domid, open.peer.port);
    return 0;
  }

  unmask(domid: number, port: number): number {
    const domain = this.#of(domid);
    if (!domain.ports.has(port)) return 0;
    domain.unmasked.add(port);
    if (domain.pending.has(port)) this.#raise(domid, port);
    return 0;
  }

  move(domid: number, port: number, vcpu: number): number {
    const open = this.#of(domid).ports.get(port);
    if (open === undefined) return EINVAL;
    open.vcpu = vcpu;
    return 0;
  }

  prioritize(domid: number, port: number, priority: number): number {
    const open = this.#of(domid).ports.get(port);
    if (open === undefined) return EACCES;
    if (priority >= QUEUES) return EINVAL;
    open.priority = priority;
    return 0;
  }

  /** A port that is unmasked already is not looked at again, whatever is pending. */
  listen(domid: number, port: number): void {
    const domain = this.#of(domid);
    if (domain.isHere && !domain.ports.has(port)) return;
    domain.listening.add(port);
    if (domain.unmasked.has(port)) return;
    if (domain.pending.has(port)) this.unmask(domid, port);
    else domain.unmasked.add(port);
  }

  ignore(domid: number, port: number): void {
    const domain = this.#of(domid);
    if (domain.isHere && !domain.ports.has(port)) return;
    domain.listening.delete(port);
    domain.unmasked.delete(port);
  }

  dispatch(domid: number): void {
    const domain = this.#of(domid);
    if (domain.isHere || !domain.isUpcallPending) return;
    domain.isUpcallPending = false;
    this.#drain(domid, 0);
  }

  pause(domid: number, isRunnable: boolean): void {
    const domain = this.#of(domid);
    domain.isRunnable = isRunnable;
    domain.queues.forEach((_, vcpu) => this.#run(domid, vcpu));
  }

  look(domid: number): unknown {
    const domain = this.#of(domid);
    const all = Array.from({ length: 12 }, (_, port) => port);
    return {
      open: all.filter((port) => domain.ports.has(port)),
      pending: all.filter((port) => domain.pending.has(port)),
      unmasked: all.filter((port) => domain.unmasked.has(port)),
      linked: all.filter((port) => isLinked(domain, port)),
      signals: domain.signals,
      heard: this.#heard.join(" "),
    };
  }

  #of(domid: number): ModelDomain {
    const domain = this.#domains[domid];
    if (domain === undefined) throw new Error("the model has the domain");
    return domain;
  }

  #port(domid: number, port: number): ModelPort {
    const open = this.#of(domid).ports.get(port);
    if (open === undefined) throw new Error("the port is open");
    return open;
  }

  #place(domid: number): number {
    const domain = this.#of(domid);
    let port = 1;
    while (domain.ports.has(port) || isLinked(domain, port)) port += 1;
    domain.ports.set(port, { peer: null, vcpu: 0, priority: 7 });
    return port;
  }

  #raise(domid: number, port: number): void {
    const domain = this.#of(domid);
    const { vcpu, priority } = this.#port(domid, port);
    domain.pending.add(port);
    if (!domain.unmasked.has(port) || isLinked(domain, port)) return;
    const queue = domain.queues[vcpu]?.[priority] ?? [];
    queue.push(port);
    if (domain.isHere) this.#run(domid, vcpu);
    else if (queue.length === 1 && !domain.isUpcallPending) {
      domain.isUpcallPending = true;
      domain.signals += 1;
    }
  }

  #run(domid: number, vcpu: number): void {
    const { isHere, isRunnable } = this.#of(domid);
    if (isHere && isRunnable) this.#drain(domid, vcpu);
  }

  #drain(domid: number, vcpu: number): void {
    const domain = this.#of(domid);
    const queues = domain.queues[vcpu] ?? [];
    for (let queue = queues.find(hasPorts); queue !== undefined; queue = queues.find(hasPorts)) {
      const port = queue.shift() ?? 0;
      if (!domain.pending.has(port) || !domain.unmasked.has(port)) continue;
      if (!domain.listening.has(port)) continue;
      domain.pending.delete(port);
      this.#heard.push(`${domid}:${port}`);
    }
  }
}

const hasPorts = (queue: readonly number[]): boolean => queue.length > 0;

const isLinked = ({ queues }: ModelDomain, port: number): boolean =>
  queues.some((all) => all.some((queue) => queue.includes(port)));
