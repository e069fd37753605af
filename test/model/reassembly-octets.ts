/**
 * Reassembly octet by octet: what Linux makes of the pieces of one datagram before 4.19 ("trim")
 * and
 * since ("discard"), from net/ipv4/ip_fragment.c and inet_fragment.c, naively.
 * @module
 */

/** A fragment: its payload, where that starts, and whether more follows. */
export interface Fragment {
  readonly start: number;
  readonly octets: Uint8Array;
  readonly hasMore: boolean;
}

/** Who put an octet where it lies. */
interface Owned {
  readonly octet: number;
  /** The first octet that the piece still holds. */
  readonly start: number;
}

/** The octets of one datagram whose pieces trim one another. */
export class TrimmedOctets {
  #octets = new Map<number, Owned>();
  #length = 0;
  #hasLast = false;

  /** @returns the payload once it is whole. */
  receive({ start, octets, hasMore }: Fragment): Uint8Array | null {
    const end = start + (hasMore ? octets.length - (octets.length % 8) : octets.length);
    const isWrong = hasMore
      ? end > this.#length && this.#hasLast
      : end < this.#length || (this.#hasLast && end !== this.#length);
    if (isWrong) return null;
    if (!hasMore) this.#hasLast = true;
    this.#length = Math.max(this.#length, end);
    if (end === start && this.#octets.size === 0) this.#forget();
    if (end === start) return null;
    this.#write(start, octets.subarray(0, end - start));
    const isWhole = this.#hasLast && this.#octets.size === this.#length;
    if (!isWhole) return null;
    const whole = Uint8Array.from({ length: this.#length }, (_, at) => this.#octetAt(at));
    this.#forget();
    return whole;
  }

  /** Octets of pieces that start before this one stay; the others give way to it. */
  #write(start: number, octets: Uint8Array): void {
    const isKept = (at: number): boolean => (this.#octets.get(at)?.start ?? start) < start;
    const free = [...octets.keys()].map((at) => start + at).filter((at) => !isKept(at));
    const [first] = free;
    if (first === undefined) return;
    const last = start + octets.length;
    const beheaded = new Set(free.map((at) => this.#octets.get(at)?.start));
    for (const at of free) this.#octets.set(at, { octet: octets[at - start] ?? 0, start: first });
    for (const [at, one] of this.#octets) {
      const isRest = at >= last && one.start < last && beheaded.has(one.start);
      if (isRest) this.#octets.set(at, { octet: one.octet, start: last });
    }
  }

  #octetAt(at: number): number {
    return this.#octets.get(at)?.octet ?? 0;
  }

  #forget(): void {
    this.#octets = new Map();
    this.#length = 0;
    this.#hasLast = false;
  }
}

/** The octets of one datagram that is given up at the first contradiction. */
export class StrictOctets {
  /** The run that holds each octet, by the octet's place. */
  #runs = new Map<number, number>();
  #octets = new Map<number, number>();
  #lastRun = -1;
  #length = 0;
  #hasLast = false;

  /** @returns the payload once it is whole. */
  receive({ start, octets, hasMore }: Fragment): Uint8Array | null {
    const end = start + (hasMore ? octets.length - (octets.length % 8) : octets.length);
    const isWrong = hasMore
      ? end > this.#length && this.#hasLast
      : end < this.#length || (this.#hasLast && end !== this.#length);
    if (isWrong || end === start) {
      this.#forget();
      return null;
    }
    const places = Array.from({ length: end - start }, (_, at) => start + at);
    const runs = new Set(places.map((at) => this.#runs.get(at) ?? -1));
    const isNew = runs.size === 1 && runs.has(-1);
    if (!isNew) {
      if (runs.size > 1) this.#forget();
      else this.#hasLast ||= !hasMore;
      return null;
    }
    this.#hasLast ||= !hasMore;
    const top = Math.max(-1, ...this.#octets.keys()) + 1;
    const isAppended = start === top && this.#octets.size > 0;
    const run = isAppended ? this.#lastRun : start;
    if (end > top) this.#lastRun = run;
    for (const at of places) {
      this.#runs.set(at, run);
      this.#octets.set(at, octets[at - start] ?? 0);
    }
    this.#length = Math.max(this.#length, end);
    if (!this.#hasLast || this.#octets.size < this.#length) return null;
    const whole = Uint8Array.from({ length: this.#length }, (_, at) => this.#octets.get(at) ?? 0);
    this.#forget();
    return whole;
  }

  #forget(): void {
    this.#runs = new Map();
    this.#octets = new Map();
    this.#lastRun = -1;
    this.#length = 0;
    this.#hasLast = false;
  }
}
