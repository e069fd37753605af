/** A translation of endpoints as RFC 4787 section 4 says it, in lists. @module */
import type { Duration, Instant } from "../../src/base/time.ts";
import type { EndpointDependence } from "../../src/nat/endpoint-mapping.ts";

interface Mapping {
  readonly inner: string;
  readonly peer: string;
  readonly outer: string;
  expires: Instant;
  readonly sent: { readonly to: string; readonly until: Instant }[];
}

/** What of a peer's endpoint counts. */
function partOf(peer: string, dependence: EndpointDependence): string {
  if (dependence === "endpoint-independent") return "";
  return dependence === "address-dependent" ? (peer.split(":")[0] ?? "") : peer;
}

export class EndpointModel {
  now: Instant = 0;
  readonly #mapping: EndpointDependence;
  readonly #filtering: EndpointDependence;
  readonly #timeout: Duration;
  readonly #mappings: Mapping[] = [];
  /** Connections that are remembered: who talks to whom, and as whom. */
  #talks: { readonly inner: string; readonly peer: string; readonly outer: string }[] = [];

  constructor(mapping: EndpointDependence, filtering: EndpointDependence, timeout: Duration) {
    this.#mapping = mapping;
    this.#filtering = filtering;
    this.#timeout = timeout;
  }

  /** Outer endpoints in use. */
  get outers(): string[] {
    return this.#live().map(({ outer }) => outer);
  }

  /** Time passes, long enough for all connections to be forgotten. */
  wait(duration: Duration): void {
    this.now += duration;
    this.#talks = [];
  }

  /** The outer endpoint that `inner` must have towards `peer`; `null` for a new one. */
  expected(inner: string, peer: string): string | null {
    const talk = this.#talks.find((one) => one.inner === inner && one.peer === peer);
    if (talk !== undefined) return talk.outer;
    const part = partOf(peer, this.#mapping);
    const same = this.#live().find((one) => one.inner === inner && one.peer === part);
    return same?.outer ?? null;
  }

  /** `inner` was seen as `outer` by `peer`. */
  sent(inner: string, peer: string, outer: string): void {
    const until = this.now + this.#timeout;
    let mapping = this.#live().find((one) => one.inner === inner && one.outer === outer);
    if (mapping === undefined) {
      const part = partOf(peer, this.#mapping);
      mapping = { inner, peer: part, outer, expires: until, sent: [] };
      this.#mappings.push(mapping);
    }
    mapping.expires = until;
    mapping.sent.push({ to: partOf(peer, this.#filtering), until });
    this.#talks.push({ inner, peer, outer });
  }

  /** Who hears what `peer` sends to `outer`; `null` for nobody. */
  called(peer: string, outer: string): string | null {
    const part = partOf(peer, this.#filtering);
    const mapping = this.#live().find((one) => one.outer === outer);
    if (mapping === undefined) return null;
    const isSentTo = mapping.sent.some(({ to, until }) => to === part && until > this.now);
    if (this.#filtering !== "endpoint-independent" && !isSentTo) return null;
    this.#talks.push({ inner: mapping.inner, peer, outer });
    return mapping.inner;
  }

  #live(): Mapping[] {
    return this.#mappings.filter(({ expires }) => expires > this.now);
  }
}
