/** What became of the packets of a run, in numbers, and what they say, in words. @module */
import { BoundedMap } from "../../base/bounded-map.ts";
import { summaryOf } from "../../pcap/summary.ts";
import type { Device } from "../../wire/device.ts";
import type { Fate, Observer, Packet, Reason } from "../../wire/packet.ts";

/** How many packets ended alike. */
export interface EndCount {
  readonly fate: Fate;
  readonly reason: Reason;
  readonly count: number;
}

/** In the order in which they are told. */
const FATES: readonly Fate[] = ["delivered", "consumed", "dropped", "discarded"];

/** Counts the ends of packets; remembers what they said where they were seen first. */
export class Account implements Observer {
  readonly #counts = new Map<Reason, { fate: Fate; count: number }>();
  readonly #summaries: BoundedMap<number, string> | null;

  /** @param remembered packets whose words are kept; 0 for none. */
  constructor(remembered: number) {
    this.#summaries = remembered === 0 ? null : new BoundedMap(remembered);
  }

  /** By fate, then by number, the largest first. */
  get ends(): EndCount[] {
    const ends = [...this.#counts].map(([reason, { fate, count }]) => ({ fate, reason, count }));
    return ends.sort(
      (left, right) =>
        FATES.indexOf(left.fate) - FATES.indexOf(right.fate) || right.count - left.count,
    );
  }

  /** What a packet said, or `null`; it is forgotten then. */
  takeSummary(id: number): string | null {
    const summary = this.#summaries?.get(id) ?? null;
    this.#summaries?.delete(id);
    return summary;
  }

  received(_device: Device, packet: Packet): void {
    this.#summarize(packet);
  }

  transmitted(_device: Device, packet: Packet): void {
    this.#summarize(packet);
  }

  ended(_packet: Packet, fate: Fate, reason: Reason): void {
    const known = this.#counts.get(reason);
    if (known === undefined) this.#counts.set(reason, { fate, count: 1 });
    else known.count += 1;
  }

  step(): void {}

  #summarize(packet: Packet): void {
    if (this.#summaries === null || this.#summaries.get(packet.id) !== undefined) return;
    this.#summaries.set(packet.id, summaryOf(packet.octets()));
  }
}
