/**
 * Frames under way, first in, first out: a ring, never a heap.
 *
 * Every way that only delays shares the lane of its delay. Frames of one delay fall due in the
 * order in which they were sent, whichever link they are on, and a thousand links with traffic
 * cost the scheduler one deadline.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Machine } from "../base/machine.ts";
import { type Duration, type Instant, NEVER } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import type { Scheduler } from "./scheduler.ts";

/** Where frames arrive: takes ownership. Every device is one. */
export interface Receiver {
  receive(packet: Packet, now: Instant): void;
  /** Its name in messages. */
  toString(): string;
}

const INITIAL_CAPACITY = 16;

/** Frames in the order in which they were put and fall due. Bounded by the packet pools. */
export class Lane implements Machine {
  readonly #scheduler: Scheduler;
  #packets: (Packet | null)[] = freePlaces(INITIAL_CAPACITY);
  #receivers: (Receiver | null)[] = freePlaces(INITIAL_CAPACITY);
  #dues = new Float64Array(INITIAL_CAPACITY);
  #head = 0;
  #size = 0;
  #lastDue: Instant = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Frames under way. */
  get size(): number {
    return this.#size;
  }

  /** Let `receiver` get `packet` at `due`, not before anything put earlier. Takes ownership. */
  put(packet: Packet, receiver: Receiver, due: Instant): void {
    assert(due >= this.#lastDue, "a lane does not overtake");
    this.#lastDue = due;
    if (this.#size === this.#dues.length) this.#grow();
    const place = (this.#head + this.#size) & (this.#dues.length - 1);
    this.#packets[place] = packet;
    this.#receivers[place] = receiver;
    this.#dues[place] = due;
    this.#size += 1;
    // An idle lane is unknown to the scheduler, so a link that nobody holds any more is freed.
    if (this.#size === 1) this.#scheduler.add(this);
  }

  nextDeadline(): Instant {
    return this.#size === 0 ? NEVER : (this.#dues[this.#head] ?? NEVER);
  }

  /** Hand over what is due. What is put meanwhile waits for its turn, even if it is due now. */
  expire(now: Instant): void {
    for (let left = this.#size; left > 0 && this.nextDeadline() <= now; left -= 1) {
      const packet = this.#packets[this.#head] ?? null;
      const receiver = this.#receivers[this.#head] ?? null;
      assert(packet !== null && receiver !== null, "a place within the size of a lane is taken");
      this.#packets[this.#head] = null;
      this.#receivers[this.#head] = null;
      this.#head = (this.#head + 1) & (this.#dues.length - 1);
      this.#size -= 1;
      receiver.receive(packet, now);
    }
    if (this.#size === 0) this.#scheduler.remove(this);
  }

  toString(): string {
    return `frames under way to ${String(this.#receivers[this.#head] ?? "nobody")}`;
  }

  #grow(): void {
    const capacity = this.#dues.length;
    const straight = <T>(ring: readonly T[]): T[] => [
      ...ring.slice(this.#head),
      ...ring.slice(0, this.#head),
    ];
    const free = freePlaces(capacity);
    const dues = new Float64Array(2 * capacity);
    dues.set(this.#dues.subarray(this.#head));
    dues.set(this.#dues.subarray(0, this.#head), capacity - this.#head);
    this.#packets = [...straight(this.#packets), ...free];
    this.#receivers = [...straight(this.#receivers), ...free];
    this.#dues = dues;
    this.#head = 0;
  }
}

/** The lanes that links of one scheduler share, one a delay. */
export class Lanes {
  /** Who drives the lanes. */
  readonly scheduler: Scheduler;
  readonly #lanes = new Map<Duration, Lane>();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  /** The lane of all frames that are under way for exactly `delay`. */
  of(delay: Duration): Lane {
    const lane = this.#lanes.get(delay) ?? new Lane(this.scheduler);
    this.#lanes.set(delay, lane);
    return lane;
  }
}

function freePlaces(count: number): null[] {
  return Array.from({ length: count }, () => null);
}
