/** Neighbors as a list that is searched from end to end: Linux's net/core/neighbour.c, naively. */
import type { Jiffies } from "../../src/base/jiffies.ts";
import { type Duration, type Instant, NEVER, SECOND } from "../../src/base/time.ts";
import type { NeighborBehaviour } from "../../src/l2/neighbor-cache.ts";
import type { NeighborState } from "../../src/l2/neighbor.ts";

/** What happened, in words. */
export type Event = string;

interface Entry {
  readonly device: string;
  readonly address: number;
  state: NeighborState;
  mac: number;
  confirmed: Instant;
  used: Instant;
  updated: Instant;
  probes: number;
  /** A packet was sent to it; the next ones go past the neighbor's own code. */
  hasHeader: boolean;
  readonly queue: number[];
  timer: { readonly at: Instant; readonly set: number } | null;
}

const BROADCAST = 0xffff_ffff_ffff;
const DELAY: Duration = 5 * SECOND;
const HALF_MINUTE: Duration = 30 * SECOND;

/** The naive reference of `NeighborCache`; packets are numbers. */
export class NeighborTable {
  readonly events: Event[] = [];
  now: Instant = 0;
  /** The packet that is sent the same way when `packet` cannot be; `null` for none. */
  answerTo: (packet: number | undefined) => number | null = () => null;
  readonly #behaviour: NeighborBehaviour;
  readonly #jiffies: Jiffies;
  readonly #limit: number;
  #entries: Entry[] = [];
  #timersSet = 0;
  #collectAt: Instant = 0;

  constructor(behaviour: NeighborBehaviour, jiffies: Jiffies, limit: number) {
    this.#behaviour = behaviour;
    this.#jiffies = jiffies;
    this.#limit = limit;
  }

  /** Each entry as `device address state mac queue`, sorted. */
  get entries(): string[] {
    return this.#entries
      .map((e) => `${e.device} ${e.address} ${e.state} ${e.mac} ${e.queue.length}`)
      .toSorted();
  }

  addPermanent(device: string, address: number, mac: number): void {
    const entry = this.#findOrCreate(device, address);
    if (entry === null) return;
    entry.timer = null;
    entry.state = "PERMANENT";
    entry.mac = mac;
    entry.updated = this.now;
    this.#flush(entry);
  }

  removeDevice(device: string): void {
    for (const entry of this.#entries.filter((e) => e.device === device)) this.#drop(entry);
  }

  send(device: string, address: number, packet: number): void {
    const entry = this.#findOrCreate(device, address);
    if (entry === null) {
      this.events.push(`end ${packet} neighbor/table-full`);
      return;
    }
    const isSure = entry.state === "REACHABLE" || entry.state === "PERMANENT";
    if (!isSure || !entry.hasHeader) entry.used = this.now;
    entry.hasHeader ||= isValid(entry);
    if (entry.state === "STALE") this.#enter(entry, "DELAY", DELAY);
    if (isValid(entry)) {
      this.events.push(`output ${packet} to ${entry.mac}`);
      return;
    }
    if (entry.queue.length === this.#behaviour.queueLimit) {
      this.events.push(`end ${entry.queue.shift()} neighbor/queue-full`);
    }
    entry.queue.push(packet);
    if (entry.state !== "FAILED") return;
    entry.probes = 3;
    if (this.#behaviour.probesAtOnce) {
      this.#enter(entry, "INCOMPLETE", SECOND);
      this.#ask(entry);
    } else this.#enter(entry, "INCOMPLETE", this.#jiffies.tick);
  }

  learn(device: string, address: number, mac: number): void {
    const entry = this.#findOrCreate(device, address);
    if (entry !== null) this.#update(entry, mac, "STALE", true);
  }

  confirm(
    device: string,
    address: number,
    mac: number,
    isProof: boolean,
    isGratuitous: boolean,
  ): void {
    const entry = this.#find(device, address);
    if (entry === undefined) return;
    const mayOverride = isGratuitous || this.now > entry.updated + SECOND;
    this.#update(entry, mac, isProof ? "REACHABLE" : "STALE", mayOverride);
  }

  /** Let time pass: every timer fires at its own instant, then the collector. */
  advance(to: Instant): void {
    for (;;) {
      const timers = Math.min(NEVER, ...this.#entries.map(({ timer }) => timer?.at ?? NEVER));
      const isCrowded = this.#entries.length > this.#behaviour.collectsAbove;
      const next = Math.min(timers, isCrowded ? this.#collectAt : NEVER);
      if (next > to) break;
      this.now = Math.max(this.now, next);
      this.#fireAll(next);
      const isStillCrowded = this.#entries.length > this.#behaviour.collectsAbove;
      if (isStillCrowded && this.now >= this.#collectAt) this.#collect();
    }
    this.now = to;
  }

  #fireAll(at: Instant): void {
    const due = this.#entries
      .flatMap((entry) => (entry.timer?.at === at ? [{ entry, timer: entry.timer }] : []))
      .toSorted((left, right) => left.timer.set - right.timer.set);
    if (this.#behaviour.firesLastFirst) due.reverse();
    for (const { entry, timer } of due) {
      if (entry.timer !== timer) continue;
      entry.timer = null;
      this.#fire(entry);
    }
  }

  #fire(entry: Entry): void {
    if (entry.state === "REACHABLE") {
      const until = entry.confirmed + HALF_MINUTE;
      if (this.now <= until) this.#setTimer(entry, until - this.now);
      else if (this.now <= entry.used + DELAY) this.#enter(entry, "DELAY", DELAY);
      else this.#enter(entry, "STALE", 0);
      return;
    }
    if (entry.state === "DELAY") {
      if (this.now <= entry.confirmed + DELAY) {
        this.#enter(entry, "REACHABLE", entry.confirmed + HALF_MINUTE - this.now);
        return;
      }
      this.#enter(entry, "PROBE", SECOND);
      entry.probes = 0;
    }
    if (entry.probes === (entry.state === "PROBE" ? 3 : 6)) {
      this.#enter(entry, "FAILED", 0);
      while (entry.queue.length > 0 && isFailed(entry)) this.#report(entry, entry.queue.shift());
      for (const packet of entry.queue.splice(0)) {
        this.events.push(`end ${packet} neighbor/failed`);
      }
      return;
    }
    this.#setTimer(entry, SECOND);
    this.#ask(entry);
  }

  #report(entry: Entry, packet: number | undefined): void {
    this.events.push(`unreachable ${packet}`);
    const answer = this.answerTo(packet);
    if (answer !== null) this.send(entry.device, entry.address, answer);
  }

  #ask(entry: Entry): void {
    const to = entry.probes < 3 ? entry.mac : BROADCAST;
    entry.probes += 1;
    const packet = entry.queue.at(-1) ?? "none";
    this.events.push(`solicit ${entry.device} ${entry.address} at ${to} for ${packet}`);
  }

  #update(entry: Entry, mac: number, wanted: "REACHABLE" | "STALE", mayOverride: boolean): void {
    if (entry.state === "PERMANENT") return;
    if (wanted === "REACHABLE") entry.confirmed = this.now;
    const wasValid = isValid(entry);
    const isNews = !wasValid || entry.mac !== mac;
    if (wasValid && isNews && !mayOverride) return;
    const isState = isNews || wanted === "REACHABLE" ? wanted : entry.state;
    if (isState !== entry.state) {
      this.#enter(entry, isState, isState === "REACHABLE" ? HALF_MINUTE : 0);
    }
    if (isNews) {
      entry.mac = mac;
      entry.updated = this.now;
      if (wanted === "STALE") entry.confirmed = -Infinity;
    }
    if (!wasValid) this.#flush(entry);
  }

  #flush({ device, address, queue }: Entry): void {
    for (const packet of queue.splice(0)) this.send(device, address, packet);
  }

  #enter(entry: Entry, state: NeighborState, delay: Duration): void {
    entry.state = state;
    entry.updated = this.now;
    if (state === "STALE" || state === "FAILED") entry.timer = null;
    else this.#setTimer(entry, delay);
  }

  /** Setting a timer to the instant that it is set to already does not move it in its bucket. */
  #setTimer(entry: Entry, delay: Duration): void {
    const at = this.#jiffies.firing(this.now, delay);
    if (entry.timer?.at === at) return;
    this.#timersSet += 1;
    entry.timer = { at, set: this.#timersSet };
  }

  #find(device: string, address: number): Entry | undefined {
    return this.#entries.find((e) => e.device === device && e.address === address);
  }

  #findOrCreate(device: string, address: number): Entry | null {
    const known = this.#find(device, address);
    if (known !== undefined) return known;
    if (this.#entries.length >= this.#limit) {
      const [oldest] = this.#entries
        .filter(({ state }) => state === "STALE" || state === "FAILED")
        .toSorted((left, right) => left.updated - right.updated);
      if (oldest === undefined) return null;
      this.#drop(oldest);
    }
    const entry: Entry = {
      device,
      address,
      state: "FAILED",
      mac: 0,
      confirmed: -Infinity,
      used: this.now,
      updated: this.now,
      probes: 0,
      hasHeader: false,
      queue: [],
      timer: null,
    };
    this.#entries.push(entry);
    if (this.#collectAt <= this.now) this.#collectAt = this.now + HALF_MINUTE / 2;
    return entry;
  }

  #collect(): void {
    this.#collectAt = this.now + HALF_MINUTE / 2;
    const isUnused = ({ state, used, confirmed }: Entry): boolean =>
      state === "FAILED" ||
      (state === "STALE" && this.now > Math.max(used, confirmed) + 2 * HALF_MINUTE);
    for (const entry of this.#entries.filter(isUnused)) this.#drop(entry);
  }

  #drop(entry: Entry): void {
    this.#entries = this.#entries.filter((one) => one !== entry);
    for (const packet of entry.queue.splice(0)) {
      this.events.push(`end ${packet} neighbor/removed`);
    }
  }
}

const isFailed = ({ state }: Entry): boolean => state === "FAILED";
const isValid = ({ state }: Entry): boolean => state !== "INCOMPLETE" && state !== "FAILED";
