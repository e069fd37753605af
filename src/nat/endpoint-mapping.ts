/**
 * Mappings of endpoints as RFC 4787 section 4 describes them: which outer endpoint an inner one
 * has, for whom, and who was sent to through it.
 * @module
 */
import type { Chance } from "../base/prng.ts";
import type { Duration, Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";

/** On what of the peer's endpoint a behaviour depends (RFC 4787 section 4.1, section 5). */
export type EndpointDependence =
  | "endpoint-independent"
  | "address-dependent"
  | "address-and-port-dependent";

/** How outer ports are found (RFC 4787 section 4.2). */
export interface PortAssignment {
  /**
   * "preserved": the inner port if nobody has it; "overloaded": the inner port though somebody
   * has it; "random": any port.
   */
  readonly ports: "preserved" | "overloaded" | "random";
  /** Even ports stay even, odd ones odd, while there are any (RFC 4787 section 4.2.2). */
  readonly keepsParity: boolean;
}

/** An outer endpoint that stands for an inner one. */
export interface EndpointMapping {
  readonly inner: Ipv4Addr;
  readonly innerPort: number;
  readonly outer: Ipv4Addr;
  readonly outerPort: number;
  /** Whom it is for, as far as mappings depend on that; else 0. */
  readonly peer: number;
  readonly peerPort: number;
  expires: Instant;
}

interface Entry extends EndpointMapping {
  /** When what was sent to an address, and to its ports, is forgotten. */
  readonly sent: Map<number, SentTo>;
}

interface SentTo {
  expires: Instant;
  readonly ports: Map<number, { expires: Instant }>;
}

/** What a table of {@link EndpointMappings} is made of. */
export interface EndpointMappingsOptions extends PortAssignment {
  readonly mapping: EndpointDependence;
  readonly filtering: EndpointDependence;
  readonly timeout: Duration;
  /** Most mappings, and most peers that one of them remembers. */
  readonly limit: number;
  readonly chance: Chance;
  /** True if the peer talks to that endpoint already, of this host's own. */
  isTaken(outer: Ipv4Addr, outerPort: number, peer: number, peerPort: number): boolean;
}

/** Ports below are the system's: a mapping stays on its side (RFC 4787 section 4.2.1). */
const FIRST_USER_PORT = 1024;

/** Mappings by their inner and outer endpoints. */
export class EndpointMappings {
  readonly #options: EndpointMappingsOptions;
  readonly #inner = new Map<number, Map<number, Entry[]>>();
  readonly #outer = new Map<number, Map<number, Entry[]>>();
  #count = 0;

  constructor(options: EndpointMappingsOptions) {
    this.#options = options;
  }

  /** The mappings that live at `now`, in no order. */
  list(now: Instant): EndpointMapping[] {
    return [...this.#inner.values()]
      .flatMap((ports) => [...ports.values()].flat())
      .filter(({ expires }) => expires > now);
  }

  /** The mapping of an inner endpoint for a peer, or `null`. */
  find(
    inner: Ipv4Addr,
    innerPort: number,
    peer: number,
    peerPort: number,
    now: Instant,
  ): EndpointMapping | null {
    const { mapping } = this.#options;
    const entries = this.#inner.get(inner | 0)?.get(innerPort);
    if (entries === undefined) return null;
    for (const entry of entries) {
      const isFor =
        (mapping === "endpoint-independent" || entry.peer === peer) &&
        (mapping !== "address-and-port-dependent" || entry.peerPort === peerPort);
      if (isFor && entry.expires > now) return entry;
    }
    return null;
  }

  /** The mapping that has both endpoints, expired or not; or `null`. */
  findBoth(inner: Ipv4Addr, innerPort: number, outer: Ipv4Addr, outerPort: number): Entry | null {
    const entries = this.#outer.get(outer | 0)?.get(outerPort);
    if (entries === undefined) return null;
    for (const entry of entries) {
      if (entry.inner === inner && entry.innerPort === innerPort) return entry;
    }
    return null;
  }

  /** True if an inner endpoint stands behind the outer one, or did so and nobody does now. */
  has(outer: Ipv4Addr, outerPort: number): boolean {
    return this.#outer.get(outer | 0)?.has(outerPort) ?? false;
  }

  /** The mapping of the outer endpoint that lets the peer in, or `null`. */
  admit(
    outer: Ipv4Addr,
    outerPort: number,
    peer: Ipv4Addr,
    peerPort: number,
    now: Instant,
  ): EndpointMapping | null {
    const entries = this.#outer.get(outer | 0)?.get(outerPort);
    if (entries === undefined) return null;
    for (const entry of entries) {
      if (entry.expires > now && this.#admits(entry, peer, peerPort, now)) return entry;
    }
    return null;
  }

  #admits({ sent }: Entry, peer: Ipv4Addr, peerPort: number, now: Instant): boolean {
    const { filtering } = this.#options;
    if (filtering === "endpoint-independent") return true;
    const known = sent.get(peer | 0);
    if (known === undefined || known.expires <= now) return false;
    if (filtering === "address-dependent") return true;
    const port = known.ports.get(peerPort);
    return port !== undefined && port.expires > now;
  }

  /**
   * Make a mapping of an inner endpoint for a peer, to the address `outer`.
   * @returns `null` if there is no port left.
   */
  open(
    inner: Ipv4Addr,
    innerPort: number,
    peer: number,
    peerPort: number,
    outer: Ipv4Addr,
    now: Instant,
  ): EndpointMapping | null {
    const { mapping, limit, timeout } = this.#options;
    if (this.#count >= limit) this.#sweep(now);
    if (this.#count >= limit) return null;
    const outerPort = this.#choosePort(outer, innerPort, peer, peerPort, now);
    if (outerPort < 0) return null;
    const isForAll = mapping === "endpoint-independent";
    const entry: Entry = {
      inner,
      innerPort,
      outer,
      outerPort,
      peer: isForAll ? 0 : peer,
      peerPort: mapping === "address-and-port-dependent" ? peerPort : 0,
      expires: now + timeout,
      sent: new Map(),
    };
    listOf(this.#inner, inner, innerPort).push(entry);
    listOf(this.#outer, outer, outerPort).push(entry);
    this.#count += 1;
    return entry;
  }

  /** A packet went out: both endpoints' mapping lives on and lets the peer in. */
  refresh(mapping: EndpointMapping, peer: Ipv4Addr, peerPort: number, now: Instant): void {
    const { inner, innerPort, outer, outerPort } = mapping;
    const entry = this.findBoth(inner, innerPort, outer, outerPort);
    if (entry === null) return;
    const expires = now + this.#options.timeout;
    entry.expires = expires;
    let known = entry.sent.get(peer | 0);
    if (known === undefined) {
      known = { expires, ports: new Map() };
      makeRoom(entry.sent, this.#options.limit);
      entry.sent.set(peer | 0, known);
    }
    known.expires = expires;
    const port = known.ports.get(peerPort);
    if (port !== undefined) port.expires = expires;
    else known.ports.set(peerPort, { expires });
  }

  /** @returns -1 if there is none. */
  #choosePort(
    outer: Ipv4Addr,
    innerPort: number,
    peer: number,
    peerPort: number,
    now: Instant,
  ): number {
    const { ports, keepsParity, chance } = this.#options;
    if (ports === "overloaded") return innerPort;
    const isSystem = innerPort < FIRST_USER_PORT;
    const first = isSystem ? 0 : FIRST_USER_PORT;
    const size = (isSystem ? FIRST_USER_PORT : 0x1_0000) - first;
    const drawn = ports === "random" ? chance.below(size) : innerPort - first;
    // An even step back or forth keeps the parity; ports of the other one come last.
    const start = drawn - ((drawn ^ innerPort) & (keepsParity ? 1 : 0));
    const step = keepsParity ? 2 : 1;
    for (let tried = 0; tried < size; tried += 1) {
      const isOther = keepsParity && tried >= size / 2 ? 1 : 0;
      const port = first + ((((start + tried * step + isOther) % size) + size) % size);
      if (port === 0 || !this.#isFree(outer, port, now)) continue;
      if (!this.#options.isTaken(outer, port, peer, peerPort)) return port;
    }
    return -1;
  }

  #isFree(outer: Ipv4Addr, port: number, now: Instant): boolean {
    const entries = this.#outer.get(outer | 0)?.get(port);
    if (entries === undefined) return true;
    for (const entry of entries) if (entry.expires > now) return false;
    for (const entry of [...entries]) this.#release(entry);
    return true;
  }

  #sweep(now: Instant): void {
    for (const ports of this.#inner.values()) {
      for (const entry of [...ports.values()].flat()) {
        if (entry.expires <= now) this.#release(entry);
      }
    }
  }

  #release(entry: Entry): void {
    removeFrom(this.#inner, entry.inner, entry.innerPort, entry);
    removeFrom(this.#outer, entry.outer, entry.outerPort, entry);
    this.#count -= 1;
  }
}

type Index = Map<number, Map<number, Entry[]>>;

function listOf(index: Index, address: Ipv4Addr, port: number): Entry[] {
  const ports = index.get(address | 0) ?? new Map<number, Entry[]>();
  const entries = ports.get(port) ?? [];
  ports.set(port, entries);
  index.set(address | 0, ports);
  return entries;
}

function removeFrom(index: Index, address: Ipv4Addr, port: number, entry: Entry): void {
  const ports = index.get(address | 0);
  const entries = ports?.get(port);
  if (ports === undefined || entries === undefined) return;
  entries.splice(entries.indexOf(entry), 1);
  if (entries.length === 0) ports.delete(port);
  if (ports.size === 0) index.delete(address | 0);
}

/** Forget the peer that was met first if there are `limit`. */
function makeRoom(sent: Map<number, SentTo>, limit: number): void {
  if (sent.size < limit) return;
  const [oldest] = sent.keys();
  if (oldest !== undefined) sent.delete(oldest);
}
