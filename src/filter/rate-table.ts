/**
 * The accounts that `hashlimit` keeps by addresses and ports (Linux `struct xt_hashlimit_htable`).
 * @module
 */
import type { Jiffies } from "../base/jiffies.ts";
import { type Instant, MILLISECOND } from "../base/time.ts";
import { Account, type Meter } from "./meter.ts";

/** Buckets to begin with; they double as accounts become more. */
const FIRST_BUCKETS = 64;

/** The bits that tell accounts apart; 0 for what does not count. */
export interface AccountMasks {
  readonly source: number;
  readonly destination: number;
  /** The source port is in the upper 16 bits. */
  readonly ports: number;
}

/** What a table is made from: the words of the first rule that names it. */
export interface RateTableOptions {
  readonly meter: Meter;
  readonly masks: AccountMasks;
  /** Most accounts. */
  readonly limit: number;
  /** Milliseconds after its last packet from which an account may go. */
  readonly expire: number;
  /** Milliseconds from one look for such accounts to the next. */
  readonly interval: number;
}

/** A table, which all rules with its name share. Finding an account allocates nothing. */
export class RateTable {
  readonly meter: Meter;
  readonly masks: AccountMasks;
  readonly #jiffies: Jiffies;
  readonly #limit: number;
  readonly #lifetime: number;
  readonly #interval: number;
  #buckets: (Account | null)[] = newBuckets(FIRST_BUCKETS);
  #count = 0;
  /** When the next look for expired accounts is due; NaN before the first packet. */
  #due: Instant = Number.NaN;

  constructor(jiffies: Jiffies, { meter, masks, limit, expire, interval }: RateTableOptions) {
    this.meter = meter;
    this.masks = masks;
    this.#jiffies = jiffies;
    this.#limit = limit;
    this.#lifetime = Math.ceil((expire * MILLISECOND) / jiffies.tick);
    this.#interval = interval * MILLISECOND;
  }

  /** Accounts that there are; some may have expired. */
  get count(): number {
    return this.#count;
  }

  /**
   * A packet of `length` octets comes for the account of these addresses and ports, of which
   * only the bits of {@link masks} may be set.
   * @returns whether it is within the limit; `null` if there is no room for its account.
   */
  take(
    source: number,
    destination: number,
    ports: number,
    length: number,
    now: Instant,
  ): boolean | null {
    this.#collect(now);
    const tick = this.#jiffies.ticks(now);
    const bucket = this.#bucketOf(source, destination, ports);
    let account = this.#buckets[bucket] ?? null;
    while (account !== null && !isOf(account, source, destination, ports)) account = account.next;
    if (account === null) {
      if (this.#count >= this.#limit) return null;
      account = new Account(source, destination, ports, this.#buckets[bucket] ?? null);
      this.#buckets[bucket] = account;
      this.#count += 1;
      this.meter.open(account, tick);
      if (this.#count > this.#buckets.length) this.#grow();
    } else this.meter.advance(account, tick);
    account.expires = tick + this.#lifetime;
    return this.meter.take(account, length);
  }

  #bucketOf(source: number, destination: number, ports: number): number {
    let hash = Math.imul(source ^ 0x9e37_79b9, 0x85eb_ca6b);
    hash = Math.imul((hash ^ (hash >>> 15)) + destination, 0xc2b2_ae35);
    hash = Math.imul((hash ^ (hash >>> 13)) + ports, 0x27d4_eb2f);
    return (hash ^ (hash >>> 16)) & (this.#buckets.length - 1);
  }

  /**
   * Expired accounts go when the kernel's timer would have fired last; nothing has happened to
   * them since. The first packet starts the timer, which in the kernel the first rule does.
   */
  #collect(now: Instant): void {
    if (Number.isNaN(this.#due)) this.#due = this.#jiffies.firing(now, this.#interval);
    if (now < this.#due) return;
    const period = this.#jiffies.firing(this.#due, this.#interval) - this.#due;
    const last = this.#due + Math.floor((now - this.#due) / period) * period;
    this.#due = last + period;
    const tick = this.#jiffies.ticks(last);
    for (let bucket = 0; bucket < this.#buckets.length; bucket += 1) this.#weed(bucket, tick);
  }

  /** Take out what has expired at `tick`. */
  #weed(bucket: number, tick: number): void {
    let kept: Account | null = null;
    let account = this.#buckets[bucket] ?? null;
    while (account !== null) {
      const { next } = account;
      if (account.expires > tick) kept = account;
      else {
        if (kept === null) this.#buckets[bucket] = next;
        else kept.next = next;
        this.#count -= 1;
      }
      account = next;
    }
  }

  #grow(): void {
    const before = this.#buckets;
    this.#buckets = newBuckets(before.length * 2);
    for (const first of before) {
      let account = first;
      while (account !== null) {
        const { next, source, destination, ports } = account;
        const bucket = this.#bucketOf(source, destination, ports);
        account.next = this.#buckets[bucket] ?? null;
        this.#buckets[bucket] = account;
        account = next;
      }
    }
  }
}

const newBuckets = (length: number): (Account | null)[] => Array.from({ length }, () => null);

const isOf = (account: Account, source: number, destination: number, ports: number): boolean =>
  account.source === source && account.destination === destination && account.ports === ports;
