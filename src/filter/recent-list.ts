/**
 * Addresses that were seen lately, and when (Linux `struct recent_table` of
 * net/netfilter/xt_recent.c).
 * @module
 */

/** Addresses that a list remembers (`ip_list_tot`); a new one takes the place of the oldest. */
const MAX_ADDRESSES = 100;

/** An address of a {@link RecentList}. */
export class RecentEntry {
  readonly address: number;
  /** Ticks, oldest first until the row is full; then they are written over in turn. */
  readonly stamps: number[] = [];
  /** As the packet came in; 0 is like any other. */
  ttl: number;
  /** One past the stamp that was written last. */
  index = 0;
  older: RecentEntry | null = null;
  newer: RecentEntry | null = null;

  constructor(address: number, ttl: number) {
    this.address = address;
    this.ttl = ttl;
  }

  /** The tick of the last packet. */
  get last(): number {
    return this.stamps[this.index - 1] ?? 0;
  }
}

/** A list, which all rules with its name share. */
export class RecentList {
  /** The bits of addresses that count: what the first rule said. */
  readonly mask: number;
  readonly #entries = new Map<number, RecentEntry>();
  #oldest: RecentEntry | null = null;
  #newest: RecentEntry | null = null;
  /** Stamps that an entry keeps: a power of two. */
  #depth: number;

  constructor(mask: number, depth: number) {
    this.mask = mask;
    this.#depth = depth;
  }

  /** Keep `depth` stamps at least; what is there is forgotten if that is more than before. */
  deepen(depth: number): void {
    if (depth <= this.#depth) return;
    this.#depth = depth;
    this.#entries.clear();
    this.#oldest = null;
    this.#newest = null;
  }

  /** @returns the entry of `address`, if it has `ttl` or one of the two is 0; `null` for none. */
  find(address: number, ttl: number): RecentEntry | null {
    const entry = this.#entries.get(address);
    if (entry === undefined) return null;
    return ttl === 0 || entry.ttl === 0 || entry.ttl === ttl ? entry : null;
  }

  /** Remember an address that is not there. */
  add(address: number, ttl: number, tick: number): void {
    if (this.#entries.size >= MAX_ADDRESSES && this.#oldest !== null) this.remove(this.#oldest);
    const entry = new RecentEntry(address, ttl);
    this.#entries.set(address, entry);
    this.#append(entry);
    this.#stamp(entry, tick);
  }

  /** The address is seen again: it is now the newest. */
  touch(entry: RecentEntry, ttl: number, tick: number): void {
    entry.ttl = ttl;
    this.#stamp(entry, tick);
    this.#unlink(entry);
    this.#append(entry);
  }

  remove(entry: RecentEntry): void {
    this.#entries.delete(entry.address);
    this.#unlink(entry);
  }

  /** Forget the oldest entry if its last packet came before `tick`; but never `kept`. */
  reap(tick: number, kept: RecentEntry | null): void {
    const entry = this.#oldest;
    if (entry !== null && entry !== kept && tick > entry.last) this.remove(entry);
  }

  #stamp(entry: RecentEntry, tick: number): void {
    entry.index %= this.#depth;
    entry.stamps[entry.index] = tick;
    entry.index += 1;
  }

  #append(entry: RecentEntry): void {
    entry.older = this.#newest;
    entry.newer = null;
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink({ older, newer }: RecentEntry): void {
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
  }
}
