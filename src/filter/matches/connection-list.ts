/**
 * The connections that one address or network has, as far as a rule has met them (Linux
 * `struct nf_conncount_list` and `__nf_conncount_add` of net/netfilter/nf_conncount.c, 6.18).
 * @module
 */
import type { Instant } from "../../base/time.ts";
import {
  type ConnectionFacts,
  type Connections,
  ConnectionStatus,
  type ConnectionTuple,
  Existence,
} from "../../l3/connections.ts";

/** Gone connections after which a look at the list ends (`CONNCOUNT_GC_MAX_COLLECT`). */
const MAX_COLLECT = 64;

/**
 * Tuples in the order in which they came. One whose connection is gone or closed goes when the list
 * is looked at, for most packets once a tick at most.
 */
export class ConnectionList {
  readonly #tuples: ConnectionTuple[];
  /** The tick of the last whole look. */
  #looked: number;
  /** How many were left then. */
  #left = 0;

  /** @param first the connection, or what may become one, whose packet makes the list. */
  constructor(first: ConnectionFacts, tick: number) {
    this.#tuples = [tupleOf(first)];
    this.#looked = tick;
  }

  /** Connections that are listed; some may be gone. */
  get count(): number {
    return this.#tuples.length;
  }

  /**
   * A packet with `facts` is here. One that belongs to an assured connection adds nothing: it was
   * listed before, or its first packets never came here. What is not confirmed comes without a look
   * at the others if there was one in this tick, even twice.
   */
  meet(facts: ConnectionFacts, connections: Connections, tick: number, now: Instant): void {
    if ((facts.status & ConnectionStatus.Assured) !== 0) {
      if (tick !== this.#looked) this.sweep(connections, tick, now);
      return;
    }
    const isConfirmed = (facts.status & ConnectionStatus.Confirmed) !== 0;
    const isFresh = tick === this.#looked && this.count - this.#left < MAX_COLLECT;
    if (isConfirmed || !isFresh) {
      if (this.#look(facts, connections, now)) return;
      this.#note(tick);
    }
    this.#tuples.push(tupleOf(facts));
  }

  /** What is gone goes. */
  sweep(connections: Connections, tick: number, now: Instant): void {
    this.#look(null, connections, now);
    this.#note(tick);
  }

  #note(tick: number): void {
    this.#looked = tick;
    this.#left = this.count;
  }

  /** Take out what is gone, up to the tuple of `facts`. @returns true if that is listed. */
  #look(facts: ConnectionFacts | null, connections: Connections, now: Instant): boolean {
    const tuples = this.#tuples;
    let seen = 0;
    let kept = 0;
    let isListed = false;
    for (const tuple of tuples) {
      if (facts !== null && seen - kept > MAX_COLLECT) break;
      seen += 1;
      const existence = connections.existence(tuple, now);
      isListed = existence !== Existence.None && facts !== null && isTupleOf(tuple, facts);
      if (!isListed && existence !== Existence.Open) continue;
      tuples[kept++] = tuple;
      if (isListed || seen - kept > MAX_COLLECT) break;
    }
    tuples.splice(kept, seen - kept);
    return isListed;
  }
}

const tupleOf = ({ protocol, original }: ConnectionFacts): ConnectionTuple => ({
  protocol,
  ...original,
});

const isTupleOf = (tuple: ConnectionTuple, { protocol, original }: ConnectionFacts): boolean =>
  tuple.protocol === protocol &&
  tuple.source === original.source &&
  tuple.destination === original.destination &&
  tuple.sourcePort === original.sourcePort &&
  tuple.destinationPort === original.destinationPort;
