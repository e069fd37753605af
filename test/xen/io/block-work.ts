/** What a domU does with its disk, the same in whichever thread it runs. @module */
import { Prng } from "../../../src/base/prng.ts";
import type { Blkfront } from "../../../src/xen/io/blkfront.ts";
import { BlockOp } from "../../../src/xen/io/blkif.ts";

/** Sectors of the disk. */
export const WORK_SECTORS = 2048;

/**
 * Requests of a seed: writes, reads of what may have been written, a flush now and then, and
 * discards if the front end offers them.
 */
export class BlockWork {
  /** Requests that ended, and those that ended badly. */
  ended = 0;
  failed = 0;
  /** Reads whose octets are not what was last written there. */
  wrong = 0;
  #started = 0;
  readonly #front: Blkfront;
  readonly #total: number;
  readonly #depth: number;
  readonly #chance: Prng;
  readonly #expected = new Uint8Array(WORK_SECTORS * 512);

  constructor(front: Blkfront, seed: number, total: number, depth: number) {
    this.#front = front;
    this.#total = total;
    this.#depth = depth;
    this.#chance = new Prng(seed);
  }

  /** What the disk must hold once all has ended. */
  get content(): Uint8Array {
    return this.#expected;
  }

  get isDone(): boolean {
    return this.ended === this.#total;
  }

  /** Ask as much as the depth allows. */
  step(now: number): void {
    while (this.#started < this.#total && this.#started - this.ended < this.#depth) {
      this.#started += 1;
      this.#ask(now);
    }
  }

  #ask(now: number): void {
    const kind = this.#chance.below(16);
    const isDiscard = (kind === 1 || kind === 2) && this.#front.discard !== null;
    const sectors = 1 + this.#chance.below(isDiscard ? 600 : this.#front.mostOctets / 512);
    const sector = this.#chance.below(WORK_SECTORS - sectors);
    const place = this.#expected.subarray(sector * 512, (sector + sectors) * 512);
    const octets = new Uint8Array(kind === 0 || isDiscard ? 0 : sectors * 512);
    if (isDiscard) place.fill(0);
    if (kind > 7) place.fill(this.#chance.below(256));
    if (kind > 7) octets.set(place);
    const expected = kind > 0 && kind <= 7 && !isDiscard ? place.slice() : null;
    const transfer = kind > 7 ? BlockOp.write : BlockOp.read;
    const operation = kind === 0 ? BlockOp.flush : isDiscard ? BlockOp.discard : transfer;
    const completion = {
      completed: (status: number): void => {
        this.ended += 1;
        if (status !== 0) this.failed += 1;
        if (expected?.every((octet, index) => octet === octets[index]) === false) this.wrong += 1;
      },
    };
    const request = { operation, sector, octets, sectors, completion };
    if (!this.#front.submit(request, now)) this.failed += 1;
  }
}
