/**
 * The connections that one address or network has, as far as a rule has met them (Linux
 * `__nf_conncount_add` of 6.18).
 * @module
 */
import type { Jiffies } from "../../base/jiffies.ts";
import type { Instant } from "../../base/time.ts";
import type { Connections } from "../../l3/connections.ts";

/** Connections by `Packet.flow`, in the order in which they came. */
export class ConnectionList {
  readonly #jiffies: Jiffies;
  readonly #flows: number[] = [];
  /** The tick at which the last one came; -1 before the first. */
  #last = -1;

  constructor(jiffies: Jiffies) {
    this.#jiffies = jiffies;
  }

  /** Connections that are listed; some may have closed since. */
  get count(): number {
    return this.#flows.length;
  }

  /**
   * A packet of `flow` is here; -1 for one of no connection, which counts until the next look.
   * Closed connections before its own go. Within one tick, new ones come without a look at the
   * others, even twice: dropped first packets count.
   */
  add(flow: number, isConfirmed: boolean, connections: Connections, now: Instant): void {
    const tick = this.#jiffies.ticks(now);
    if ((isConfirmed || tick !== this.#last) && this.#weed(flow, connections, now)) return;
    this.#flows.push(flow);
    this.#last = tick;
  }

  /** Closed connections go. */
  sweep(connections: Connections, now: Instant): void {
    this.#weed(-1, connections, now);
  }

  /** Take out what has closed, up to `flow`. @returns true if `flow` is listed. */
  #weed(flow: number, connections: Connections, now: Instant): boolean {
    const flows = this.#flows;
    let kept = 0;
    let isListed = false;
    for (const one of flows) {
      isListed ||= one === flow && one >= 0;
      if (isListed || connections.isOpen(one, now)) flows[kept++] = one;
    }
    flows.length = kept;
    return isListed;
  }
}
