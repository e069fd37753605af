/**
 * How `hashlimit` reckons: credit for packets, credit for octets, and windows of time, in the
 * kernel's 64-bit arithmetic, overflows included (Linux `rateinfo_init`, `rateinfo_recalc` and
 * `hashlimit_byte_cost` of net/netfilter/xt_hashlimit.c, revision 3).
 * @module
 */
import { MAX_UINT } from "./values.ts";

/** What one second counts in the period of a rate of packets. */
export const PACKET_SCALE = 1_000_000;
/** Octets are counted in chunks of 2^4. */
const CHUNK_BITS = 4;
const SECONDS_A_DAY = 86_400n;
const TWO_64 = 2n ** 64n;

/** What is kept of one sender, receiver or pair; what the numbers mean, its meter says. */
export class Account {
  /** The tick of the last change. */
  last = 0;
  high = 0;
  low = 0;
  left = 0;
  /** The tick from which it may go. */
  expires = 0;
  /** Whose it is; what does not count is 0. */
  readonly source: number;
  readonly destination: number;
  readonly ports: number;
  /** The next in its bucket. */
  next: Account | null;

  constructor(source: number, destination: number, ports: number, next: Account | null) {
    this.source = source;
    this.destination = destination;
    this.ports = ports;
    this.next = next;
  }
}

/** Reckons for the accounts of one table. */
export interface Meter {
  /** Rules that share a table must have meters of one kind. */
  readonly kind: "packets" | "octets" | "window of packets" | "window of octets";
  /** Open `account`. */
  open(account: Account, tick: number): void;
  /** Time has passed. */
  advance(account: Account, tick: number): void;
  /** A packet of `length` octets comes. @returns true if that is within the limit. */
  take(account: Account, length: number): boolean;
}

/** The power of two at or below `limit`, as its exponent. */
const exponentBelow = (limit: bigint): number => limit.toString(2).length - 1;

/**
 * Credit for packets: `high` in ticks, `low` in parts of a tick, together 64 bits.
 * Numbers of 64 bits would cost an allocation for each packet.
 */
export class PacketMeter implements Meter {
  readonly kind = "packets";
  /** Ticks at which the 64 bits overflow. */
  readonly #wrap: number;
  readonly #unit: number;
  readonly #costHigh: number;
  readonly #costLow: number;
  readonly #capHigh: number;
  readonly #capLow: number;
  /** True if a burst is worth less than one packet: the numbers have overflown. */
  readonly hasOverflown: boolean;

  /** @param period seconds between two packets, times {@link PACKET_SCALE}. */
  constructor(hz: number, period: number, burst: number) {
    const ticks = BigInt(hz);
    const bits = exponentBelow((TWO_64 - 1n) / (ticks * SECONDS_A_DAY));
    const unit = 2n ** BigInt(bits);
    const credits = (user: bigint): bigint =>
      (user * ((ticks * unit) / BigInt(PACKET_SCALE))) % TWO_64;
    const cost = credits(BigInt(period));
    const cap = credits(BigInt(period) * BigInt(burst));
    this.hasOverflown = cap < cost;
    this.#unit = Number(unit);
    this.#wrap = Number(TWO_64 / unit);
    this.#costHigh = Number(cost / unit);
    this.#costLow = Number(cost % unit);
    this.#capHigh = Number(cap / unit);
    this.#capLow = Number(cap % unit);
  }

  open(account: Account, tick: number): void {
    account.last = tick;
    account.high = this.#capHigh;
    account.low = this.#capLow;
  }

  advance(account: Account, tick: number): void {
    account.high = (account.high + (tick - account.last)) % this.#wrap;
    account.last = tick;
    const isFull =
      account.high > this.#capHigh ||
      (account.high === this.#capHigh && account.low > this.#capLow);
    if (isFull) this.open(account, tick);
  }

  take(account: Account): boolean {
    const high = account.high - this.#costHigh;
    const low = account.low - this.#costLow;
    if (high < 0 || (high === 0 && low < 0)) return false;
    account.high = low < 0 ? high - 1 : high;
    account.low = low < 0 ? low + this.#unit : low;
    return true;
  }
}

/** Credit for octets: `high`; and how often it may yet be filled up at once: `left`. */
export class OctetMeter implements Meter {
  readonly kind = "octets";
  readonly #unit: number;
  readonly #full: number;
  readonly #burst: number;
  /** What a chunk costs; 0 for a rate that is too high. */
  readonly cost: number;

  /** @param period what {@link periodOf} says of the rate. */
  constructor(hz: number, period: number, burst: number) {
    this.#unit = 2 ** exponentBelow(BigInt(Math.floor(MAX_UINT / hz)));
    this.#full = this.#unit * hz;
    this.#burst = burst;
    this.cost = Number((BigInt(period) * BigInt(this.#full)) >> 32n);
  }

  open(account: Account, tick: number): void {
    account.last = tick;
    account.high = this.#full;
    account.left = this.#burst;
  }

  advance(account: Account, tick: number): void {
    account.high = Math.min(account.high + this.#unit * (tick - account.last), this.#full);
    account.last = tick;
  }

  take(account: Account, length: number): boolean {
    const cost = Math.min(((length >>> CHUNK_BITS) + 1) * this.cost, this.#full);
    if (account.high < cost && account.left > 0) {
      account.left -= 1;
      account.high = this.#full;
    }
    if (account.high < cost) return false;
    account.high -= cost;
    return true;
  }
}

/** `--hashlimit-rate-match`: `high` counts in this window, `low` is 1 if the last was too full. */
export class WindowMeter implements Meter {
  readonly kind: "window of packets" | "window of octets";
  /** What may come in a second. */
  readonly #rate: number;
  readonly #burst: number;
  /** Ticks of 32 bits. */
  readonly #interval: number;

  constructor(hz: number, period: number, burst: number, seconds: number, ofOctets: boolean) {
    this.kind = ofOctets ? "window of octets" : "window of packets";
    this.#interval = Math.imul(seconds, hz) >>> 0;
    this.#rate = ofOctets ? octetsOf(period) : Math.floor(PACKET_SCALE / period);
    if (ofOctets) this.#burst = burst === 0 ? this.#rate : burst * this.#rate;
    else this.#burst = burst + this.#rate;
  }

  open(account: Account, tick: number): void {
    account.last = tick;
    account.high = 0;
    account.low = 0;
  }

  advance(account: Account, tick: number): void {
    const passed = tick - account.last;
    if (passed === 0 || passed < this.#interval) return;
    account.last = tick;
    account.low = account.high * this.#interval > passed * this.#rate ? 1 : 0;
    account.high = 0;
  }

  take(account: Account, length: number): boolean {
    account.high += this.kind === "window of octets" ? length : 1;
    return account.low === 0 && account.high <= this.#burst;
  }
}

/** The period by which rules keep a rate of octets a second (`bytes_to_cost`). */
export const periodOf = (octets: number): number =>
  Math.floor(MAX_UINT / (Math.floor(octets / 2 ** CHUNK_BITS) + 1));

/** The rate that a period stands for (`cost_to_bytes`, `user2rate_bytes`). */
export const octetsOf = (period: number): number =>
  (Math.floor(MAX_UINT / period) - 1) * 2 ** CHUNK_BITS;
