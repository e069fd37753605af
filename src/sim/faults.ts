/**
 * A bad wire: loss, corruption, duplication and reordering, by seeded chance.
 *
 * Each fault draws from a stream of its own, once a frame (corruption: once a flipped bit),
 * whatever the others did to that frame. So frame 17 is lost or not by the seed alone, and
 * switching one fault on moves no decision of another.
 * @module
 */
import { DeadlineHeap } from "../base/deadline-heap.ts";
import { OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import { Prng } from "../base/prng.ts";
import { type Duration, type Instant, MILLISECOND } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import type { Receiver } from "./lane.ts";
import type { Scheduler } from "./scheduler.ts";

/** Probabilities from 0 to 1; each is 0 unless given. */
export interface FaultOptions {
  /** That a frame is lost. */
  readonly loss?: number;
  /** That a bit of a frame is flipped. */
  readonly corruption?: number;
  /** That a second copy of a frame arrives, right after it. */
  readonly duplication?: number;
  /** That a frame is held back, so that later ones overtake it. */
  readonly reordering?: number;
  /** The longest time that a frame is held back, from 1 us; 1 ms. The shortest is 1 us. */
  readonly holdBack?: Duration;
}

/** What the faults of one direction need. */
export interface FaultSetup {
  readonly scheduler: Scheduler;
  /** Gets what survives. */
  readonly target: Receiver;
  /** Any integer below 2^53. */
  readonly seed: number;
  /** Tells this direction from every other of the same seed. */
  readonly stream: string;
}

/** The far end of one direction of a link. Frames held back are bounded by the packet pools. */
export class Faults implements Receiver, Machine {
  /** Frames that ended here. */
  lost = 0;
  /** Bits that were flipped. */
  flippedBits = 0;
  /** Copies that were made; none is made while the pool is exhausted. */
  duplicated = 0;
  /** Frames that were made to wait. */
  heldBack = 0;
  readonly #scheduler: Scheduler;
  readonly #target: Receiver;
  readonly #loss: Coin;
  readonly #duplication: Coin;
  readonly #reordering: Coin;
  readonly #corruption: BitErrors | null;
  readonly #holdBack: Duration;
  readonly #waits: Prng;
  readonly #held = new DeadlineHeap<Packet>();

  constructor(options: FaultOptions, { scheduler, target, seed, stream }: FaultSetup) {
    const { loss = 0, corruption = 0, duplication = 0, reordering = 0 } = options;
    const { holdBack = MILLISECOND } = options;
    requireProbabilities({ loss, corruption, duplication, reordering });
    if (!Number.isInteger(holdBack) || holdBack < 1 || holdBack > 2 ** 32) {
      throw new OptionError("holdBack", holdBack, "microseconds from 1 to 2^32");
    }
    this.#scheduler = scheduler;
    this.#target = target;
    this.#loss = new Coin(loss, new Prng(seed, `${stream}/loss`));
    this.#duplication = new Coin(duplication, new Prng(seed, `${stream}/duplication`));
    this.#reordering = new Coin(reordering, new Prng(seed, `${stream}/reordering`));
    this.#corruption =
      corruption > 0 ? new BitErrors(corruption, new Prng(seed, `${stream}/corruption`)) : null;
    this.#holdBack = holdBack;
    this.#waits = new Prng(seed, `${stream}/waits`);
  }

  /** Frames that are held back now. */
  get held(): number {
    return this.#held.size;
  }

  receive(packet: Packet, now: Instant): void {
    const isLost = this.#loss.toss();
    const isDuplicated = this.#duplication.toss();
    const isHeldBack = this.#reordering.toss();
    this.flippedBits += this.#corruption?.flip(packet) ?? 0;
    if (isLost) {
      this.lost += 1;
      packet.pool.end(packet, "dropped", "link/lost", now);
      return;
    }
    // Copied first: whoever gets the original may end it and reuse its slot.
    const copy = isDuplicated ? copyOf(packet) : null;
    if (isHeldBack) this.#hold(packet, now);
    else this.#target.receive(packet, now);
    if (copy === null) return;
    this.duplicated += 1;
    this.#target.receive(copy, now);
  }

  nextDeadline(): Instant {
    return this.#held.soonest;
  }

  expire(now: Instant): void {
    for (let packet = this.#held.pop(now); packet !== null; packet = this.#held.pop(now)) {
      this.#target.receive(packet, now);
    }
    if (this.#held.size === 0) this.#scheduler.remove(this);
  }

  toString(): string {
    return `frames held back from ${String(this.#target)}`;
  }

  #hold(packet: Packet, now: Instant): void {
    this.heldBack += 1;
    this.#held.set(packet, now + 1 + this.#waits.below(this.#holdBack));
    this.#scheduler.add(this);
  }
}

/** Falls on one side with a given probability. */
class Coin {
  readonly #probability: number;
  readonly #prng: Prng;

  constructor(probability: number, prng: Prng) {
    this.#probability = probability;
    this.#prng = prng;
  }

  toss(): boolean {
    return this.#probability > 0 && this.#prng.chance(this.#probability);
  }
}

/** Powers of two that a gap between flipped bits is put together from: gaps below 2^32. */
const GAP_BITS = 32;

/**
 * Flips each bit that passes with one probability, at the cost of one draw a flip: what is drawn
 * is the gap to the next one, geometrically distributed.
 */
class BitErrors {
  readonly #prng: Prng;
  /** At index i: the probability that 2^i bits in a row stay whole. */
  readonly #intact: number[] = [];
  /** Bits that pass whole before the next flip. */
  #gap: number;

  constructor(probability: number, prng: Prng) {
    this.#prng = prng;
    for (let index = 0, intact = 1 - probability; index < GAP_BITS; index += 1) {
      this.#intact.push(intact);
      intact *= intact;
    }
    this.#gap = this.#draw();
  }

  /** @returns how many bits of `packet` were flipped. */
  flip(packet: Packet): number {
    const bits = 8 * packet.length;
    let flipped = 0;
    let bit = this.#gap;
    while (bit < bits) {
      const at = packet.frame + (bit >>> 3);
      packet.pool.view.setUint8(at, packet.pool.view.getUint8(at) ^ (0x80 >>> (bit & 7)));
      flipped += 1;
      bit += 1 + this.#draw();
    }
    this.#gap = bit - bits;
    if (flipped > 0) packet.hasSoundChecksums = false;
    return flipped;
  }

  /**
   * The largest n for which n bits stay whole with more than a drawn probability, found from the
   * highest power of two down. Only multiplies: a logarithm may differ from engine to engine.
   */
  #draw(): number {
    const drawn = (this.#prng.next() + 0.5) / 2 ** 32;
    let gap = 0;
    let intact = 1;
    for (let index = GAP_BITS - 1; index >= 0; index -= 1) {
      const further = intact * (this.#intact[index] ?? 0);
      if (further <= drawn) continue;
      intact = further;
      gap += 2 ** index;
    }
    return gap;
  }
}

/** A copy under the same id; `null` if the pool is exhausted. */
function copyOf(packet: Packet): Packet | null {
  const copy = packet.pool.derive(packet, packet.length);
  if (copy !== null) packet.pool.bytes.copyWithin(copy.frame, packet.frame, packet.end);
  return copy;
}

function requireProbabilities(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(value >= 0 && value <= 1)) {
      throw new OptionError(name, value, "a probability from 0 to 1");
    }
  }
}
