/**
 * The lanes of one router and the passages that begin with them, by the numbers that records have
 * for them.
 * @module
 */
import type { Device } from "../wire/device.ts";
import type { FlowTracker } from "../wire/path-notes.ts";
import type { Neighbor } from "../l2/neighbor.ts";
import type { Crossing } from "./crossing.ts";
import { type FlowNotes, Lane } from "./flow-path.ts";
import { hashOf } from "./flow-records.ts";
import { Passage } from "./passage.ts";

/** Lanes that may be known at a time. */
const MOST_LANES = 8192;
/** Passages that may be known at a time, outlived ones included. */
const MOST_PASSAGES = 65_536;
/** The lane of flows that must be asked each time. */
export const ASK = 0;
/** The passage of flows that leave the host, or of which it is not known where they come in. */
const NO_PASSAGE = 0;

/** Lanes and passages of one router. */
export class Lanes {
  readonly #lanes: (Lane | null)[] = [null];
  readonly #byHash = new Map<number, number[]>();
  readonly #passages: (Passage | null)[] = [null];

  /** The lane with `index`; `null` for {@link ASK}. */
  at(index: number): Lane | null {
    return this.#lanes[index] ?? null;
  }

  /** The passage with `index`; `null` for 0. */
  passageAt(index: number): Passage | null {
    return this.#passages[index] ?? null;
  }

  /** True if there may be no more passages until all are forgotten. */
  get isFull(): boolean {
    return this.#passages.length > MOST_PASSAGES;
  }

  /** Forget all. */
  clear(): void {
    this.#lanes.length = 1;
    this.#byHash.clear();
    this.#passages.length = 1;
  }

  /** Bring the counters that packets passed up to date. */
  settle(): void {
    for (const lane of this.#lanes) lane?.settle();
  }

  /** Index of the lane that `notes` lead to; {@link ASK} if there may be no more. */
  of(notes: FlowNotes, neighbor: Neighbor, output: Device, mtu: number): number {
    const hash = hashOf(notes.countersLength, neighbor.address | 0, mtu, notes.third);
    let indices = this.#byHash.get(hash);
    if (indices === undefined) {
      indices = [];
      this.#byHash.set(hash, indices);
    }
    for (const index of indices) {
      if (this.#lanes[index]?.serves(notes, neighbor, output, mtu) === true) return index;
    }
    if (this.#lanes.length > MOST_LANES) return ASK;
    indices.push(this.#lanes.length);
    return this.#lanes.push(new Lane(notes, neighbor, output, mtu)) - 1;
  }

  /** Index of the passage from `first` over `crossing` to `second`; 0 if there may be no more. */
  passageOf(first: Lane, crossing: Crossing, second: Lane, tracker: FlowTracker): number {
    const known = first.passages.get(second) ?? NO_PASSAGE;
    if (this.#passages[known]?.isCurrent === true) return known;
    if (this.isFull) return NO_PASSAGE;
    const index = this.#passages.push(new Passage(first, crossing, second, tracker)) - 1;
    first.passages.set(second, index);
    return index;
  }
}
