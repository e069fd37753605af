/**
 * Neighbor cache: RFC 4861 section 7.3.2 states as Linux runs them for ARP (net/core/neighbour.c).
 * @module
 */
import { DeadlineHeap } from "../base/deadline-heap.ts";
import type { Jiffies } from "../base/jiffies.ts";
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, NEVER, SECOND } from "../base/time.ts";
import { type Ipv4Addr, type Mac, MAC_BROADCAST } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import { LONG_AGO, Neighbor, type NeighborState } from "./neighbor.ts";
import type { EthernetTemplate } from "./ethernet.ts";

/** What differs between kernels. */
export interface NeighborBehaviour {
  /** Packets that wait for one address; the oldest is dropped (`unres_qlen`). */
  readonly queueLimit: number;
  /** False: the first request goes out at the next tick (before Linux 2.6.29). */
  readonly probesAtOnce: boolean;
  /** True: of timers that fire in one tick the last set is first (since 4.8). */
  readonly firesLastFirst: boolean;
  /** Entries below which unused ones are never collected (`gc_thresh1`). */
  readonly collectsAbove: number;
}

/** What the cache asks of the stack around it. Every packet handed back is owned by the stack. */
export interface NeighborHost {
  /** Ask for `target`: a request to `dst`, on behalf of `packet` if one waits. */
  solicit(device: Device, target: Ipv4Addr, dst: Mac, packet: Packet | null, now: Instant): void;
  /** Send `packet` to its next hop, whose frames begin with `header`. */
  output(device: Device, packet: Packet, header: EthernetTemplate, now: Instant): void;
  /** Nobody answered for the next hop of `packet`. */
  unreachable(packet: Packet, now: Instant): void;
}

/** What a {@link NeighborCache} works with. */
export interface NeighborCacheOptions {
  readonly host: NeighborHost;
  readonly behaviour: NeighborBehaviour;
  readonly jiffies: Jiffies;
  readonly chance: Chance;
  /** Entries at most (`gc_thresh3`); 1,024. */
  readonly limit?: number;
}

const BASE_REACHABLE: Duration = 30 * SECOND;
const REDRAW_REACHABLE: Duration = 300 * SECOND;
const DELAY_FIRST_PROBE: Duration = 5 * SECOND;
const RETRANSMIT: Duration = SECOND;
const COLLECT_EVERY: Duration = BASE_REACHABLE / 2;
const COLLECT_UNUSED: Duration = 60 * SECOND;
const LOCK: Duration = SECOND;
const UNICAST_PROBES = 3;
const BROADCAST_PROBES = 3;

/** All neighbors of one stack, by device and address. */
export class NeighborCache implements Machine {
  readonly #host: NeighborHost;
  readonly #behaviour: NeighborBehaviour;
  readonly #jiffies: Jiffies;
  readonly #chance: Chance;
  readonly #limit: number;
  readonly #devices = new Map<Device, Map<Ipv4Addr, Neighbor>>();
  readonly #reachable = new Map<Device, { until: Instant; time: Duration }>();
  readonly #timers = new DeadlineHeap<Neighbor>();
  /** In the order of their creation (`gc_list`). */
  readonly #all = new Set<Neighbor>();
  #collectAt: Instant = 0;
  /** The entry that was used last: most frames go where the one before went. */
  #last: Neighbor | null = null;

  constructor({ host, behaviour, jiffies, chance, limit = 1024 }: NeighborCacheOptions) {
    this.#host = host;
    this.#behaviour = behaviour;
    this.#jiffies = jiffies;
    this.#chance = chance;
    this.#limit = limit;
  }

  get size(): number {
    return this.#all.size;
  }

  find(device: Device, address: Ipv4Addr): Neighbor | null {
    return this.#devices.get(device)?.get(address) ?? null;
  }

  /** By device, then address, in the order of their creation. */
  *entries(): IterableIterator<Neighbor> {
    for (const neighbors of this.#devices.values()) yield* neighbors.values();
  }

  /** Set a neighbor that never changes, as `ip neigh add ... nud permanent` does. */
  addPermanent(device: Device, address: Ipv4Addr, mac: Mac, now: Instant): void {
    const neighbor = this.find(device, address) ?? this.#create(device, address, now);
    if (neighbor === null) return;
    this.#cancel(neighbor);
    neighbor.state = "PERMANENT";
    neighbor.mac = mac;
    neighbor.updated = now;
    this.#flush(neighbor, now);
  }

  /**
   * Forget a neighbor, as `ip neigh del` does; the senders of packets that wait hear of it. One
   * that must be asked for that stays.
   * @returns false if there is none.
   */
  delete(device: Device, address: Ipv4Addr, now: Instant): boolean {
    const neighbor = this.find(device, address);
    if (neighbor === null) return false;
    this.#fail(neighbor, now);
    if (neighbor.state === "FAILED") this.#remove(neighbor, now);
    return true;
  }

  /** Forget a device's neighbors, as `ip neigh flush` does; packets that wait are discarded. */
  flush(device: Device, now: Instant): void {
    for (const neighbor of this.#devices.get(device)?.values() ?? []) {
      if (neighbor.state !== "PERMANENT") this.#remove(neighbor, now);
    }
  }

  /** Forget a device that goes away. */
  removeDevice(device: Device, now: Instant): void {
    for (const neighbor of this.#devices.get(device)?.values() ?? []) this.#remove(neighbor, now);
    this.#devices.delete(device);
    this.#reachable.delete(device);
  }

  /**
   * Send `packet` to its `nextHop` on `device`, now or when the address is known. Takes ownership.
   */
  send(device: Device, packet: Packet, now: Instant): void {
    const last = this.#last;
    const isLast = last !== null && last.device === device && last.address === packet.nextHop;
    const neighbor = isLast ? last : this.#findOrCreate(device, packet.nextHop, now);
    if (neighbor === null) {
      packet.pool.end(packet, "discarded", "neighbor/table-full", now);
      return;
    }
    this.#last = neighbor;
    if (neighbor.isSure) {
      if (!neighbor.wasUsed) neighbor.noteUse(now);
      this.#host.output(device, packet, neighbor.header, now);
      return;
    }
    neighbor.noteUse(now);
    if (neighbor.state === "STALE") this.#enter(neighbor, "DELAY", now, DELAY_FIRST_PROBE);
    if (neighbor.isValid) this.#host.output(device, packet, neighbor.header, now);
    else this.#wait(neighbor, packet, now);
  }

  /** A request from `address` came in: learn `mac` as a hint (`neigh_event_ns`). */
  learn(device: Device, address: Ipv4Addr, mac: Mac, now: Instant): void {
    const neighbor = this.#findOrCreate(device, address, now);
    if (neighbor !== null) this.#update(neighbor, mac, "STALE", true, now);
  }

  /**
   * An ARP message says that a known neighbor is at `mac`. Unknown ones are not created.
   * @param isProof a reply to us proves reachability; a request or a broadcast does not.
   * @param isGratuitous overrides an address that changed less than the lock time ago.
   */
  confirm(
    device: Device,
    address: Ipv4Addr,
    mac: Mac,
    isProof: boolean,
    isGratuitous: boolean,
    now: Instant,
  ): void {
    const neighbor = this.find(device, address);
    if (neighbor === null) return;
    const isUnlocked = isGratuitous || now > neighbor.updated + LOCK;
    this.#update(neighbor, mac, isProof ? "REACHABLE" : "STALE", isUnlocked, now);
  }

  nextDeadline(): Instant {
    const collect = this.#all.size > this.#behaviour.collectsAbove ? this.#collectAt : Infinity;
    return Math.min(this.#timers.soonest, collect);
  }

  expire(now: Instant): void {
    while (this.#timers.soonest <= now) this.#fireTick(this.#timers.soonest, now);
    if (now >= this.#collectAt && this.#all.size > this.#behaviour.collectsAbove) {
      this.#collect(now);
    }
  }

  /** `neigh_update`: what a learned address does to an entry. */
  #update(
    neighbor: Neighbor,
    mac: Mac,
    wanted: "REACHABLE" | "STALE",
    mayOverride: boolean,
    now: Instant,
  ): void {
    if (neighbor.state === "PERMANENT") return;
    const wasValid = neighbor.isValid;
    const isSame = wasValid && mac === neighbor.mac;
    if (wanted === "REACHABLE") neighbor.confirmed = now;
    if (wasValid && !isSame && !mayOverride) return;
    const next = isSame && wanted === "STALE" ? neighbor.state : wanted;
    if (next !== neighbor.state) {
      const delay = next === "REACHABLE" ? this.#reachableTime(neighbor.device, now) : 0;
      this.#enter(neighbor, next, now, delay);
    }
    if (!isSame) {
      neighbor.mac = mac;
      neighbor.updated = now;
      if (wanted === "STALE") neighbor.confirmed = LONG_AGO;
    }
    if (!wasValid) this.#flush(neighbor, now);
  }

  /** Fire the timers of one tick, unless an earlier one stops or sets a later one anew. */
  #fireTick(tick: Instant, now: Instant): void {
    const due: Neighbor[] = [];
    for (let one = this.#timers.pop(tick); one !== null; one = this.#timers.pop(tick)) {
      due.push(one);
    }
    if (this.#behaviour.firesLastFirst) due.reverse();
    for (const neighbor of due) if (neighbor.firesAt === tick) this.#fire(neighbor, now);
  }

  /** `neigh_timer_handler`: a reachable entry ages, an unanswered question is asked again. */
  #fire(neighbor: Neighbor, now: Instant): void {
    const reachableUntil = neighbor.confirmed + this.#reachableTime(neighbor.device, now);
    if (neighbor.state === "REACHABLE") {
      if (now <= reachableUntil) this.#schedule(neighbor, now, reachableUntil - now);
      else if (now <= neighbor.used + DELAY_FIRST_PROBE) {
        this.#enter(neighbor, "DELAY", now, DELAY_FIRST_PROBE);
      } else this.#enter(neighbor, "STALE", now, 0);
      return;
    }
    if (neighbor.state === "DELAY") {
      if (now <= neighbor.confirmed + DELAY_FIRST_PROBE) {
        this.#enter(neighbor, "REACHABLE", now, reachableUntil - now);
        return;
      }
      this.#enter(neighbor, "PROBE", now, RETRANSMIT);
      neighbor.probes = 0;
    }
    const isHopeless = neighbor.probes >= this.#probeLimit(neighbor);
    if (isHopeless) this.#fail(neighbor, now);
    else {
      this.#schedule(neighbor, now, RETRANSMIT);
      this.#solicit(neighbor, now);
    }
  }

  #probeLimit({ state }: Neighbor): number {
    return state === "PROBE" ? UNICAST_PROBES : UNICAST_PROBES + BROADCAST_PROBES;
  }

  /**
   * `neigh_invalidate`: report the packets that wait. A report that needs this very neighbor asks
   * for it anew; then it and the packets after it are lost.
   */
  #fail(neighbor: Neighbor, now: Instant): void {
    this.#enter(neighbor, "FAILED", now, 0);
    while (neighbor.state === "FAILED") {
      const packet = neighbor.queue.shift();
      if (packet === undefined) return;
      this.#host.unreachable(packet, now);
    }
    this.#purge(neighbor, "neighbor/failed", now);
  }

  /** `__neigh_event_send`: queue the packet, and ask if nobody asked yet. */
  #wait(neighbor: Neighbor, packet: Packet, now: Instant): void {
    const isFirst = neighbor.state === "FAILED";
    if (neighbor.queue.length >= this.#behaviour.queueLimit) {
      const oldest = neighbor.queue.shift();
      oldest?.pool.end(oldest, "discarded", "neighbor/queue-full", now);
    }
    neighbor.queue.push(packet);
    if (!isFirst) return;
    neighbor.probes = UNICAST_PROBES;
    const { probesAtOnce } = this.#behaviour;
    this.#enter(neighbor, "INCOMPLETE", now, probesAtOnce ? RETRANSMIT : this.#jiffies.tick);
    if (probesAtOnce) this.#solicit(neighbor, now);
  }

  #solicit(neighbor: Neighbor, now: Instant): void {
    const isUnicast = neighbor.probes < UNICAST_PROBES;
    const dst = isUnicast ? neighbor.mac : MAC_BROADCAST;
    neighbor.probes += 1;
    const latest = neighbor.queue.at(-1) ?? null;
    this.#host.solicit(neighbor.device, neighbor.address, dst, latest, now);
  }

  #flush(neighbor: Neighbor, now: Instant): void {
    for (const packet of neighbor.queue.splice(0)) this.send(neighbor.device, packet, now);
  }

  #enter(neighbor: Neighbor, state: NeighborState, now: Instant, delay: Duration): void {
    neighbor.state = state;
    neighbor.updated = now;
    if (state === "STALE" || state === "FAILED") this.#cancel(neighbor);
    else this.#schedule(neighbor, now, delay);
  }

  #schedule(neighbor: Neighbor, now: Instant, delay: Duration): void {
    neighbor.firesAt = this.#jiffies.firing(now, delay);
    this.#timers.set(neighbor, neighbor.firesAt);
  }

  #cancel(neighbor: Neighbor): void {
    neighbor.firesAt = NEVER;
    this.#timers.delete(neighbor);
  }

  #findOrCreate(device: Device, address: Ipv4Addr, now: Instant): Neighbor | null {
    return this.find(device, address) ?? this.#create(device, address, now);
  }

  #create(device: Device, address: Ipv4Addr, now: Instant): Neighbor | null {
    if (this.#all.size >= this.#limit && !this.#evict(now)) return null;
    const neighbor = new Neighbor(device, address, now);
    let neighbors = this.#devices.get(device);
    if (neighbors === undefined) {
      neighbors = new Map();
      this.#devices.set(device, neighbors);
    }
    neighbors.set(address, neighbor);
    this.#all.add(neighbor);
    if (this.#collectAt <= now) this.#collectAt = now + COLLECT_EVERY;
    return neighbor;
  }

  /** `neigh_forced_gc`: make room by forgetting the unused entry that changed longest ago. */
  #evict(now: Instant): boolean {
    let oldest: Neighbor | null = null;
    for (const neighbor of this.#all) {
      const isIdle = neighbor.state === "STALE" || neighbor.state === "FAILED";
      if (isIdle && (oldest === null || neighbor.updated < oldest.updated)) oldest = neighbor;
    }
    if (oldest !== null) this.#remove(oldest, now);
    return oldest !== null;
  }

  #collect(now: Instant): void {
    this.#collectAt = now + COLLECT_EVERY;
    for (const neighbor of this.entries()) {
      const lastUse = Math.max(neighbor.used, neighbor.confirmed);
      const isUnused = neighbor.state === "STALE" && now > lastUse + COLLECT_UNUSED;
      if (isUnused || neighbor.state === "FAILED") this.#remove(neighbor, now);
    }
  }

  #remove(neighbor: Neighbor, now: Instant): void {
    this.#cancel(neighbor);
    this.#devices.get(neighbor.device)?.delete(neighbor.address);
    this.#all.delete(neighbor);
    if (this.#last === neighbor) this.#last = null;
    neighbor.state = "FAILED";
    this.#purge(neighbor, "neighbor/removed", now);
  }

  #purge({ queue }: Neighbor, reason: Reason, now: Instant): void {
    for (const packet of queue.splice(0)) packet.pool.end(packet, "discarded", reason, now);
  }

  /** Half to one and a half of the base time, drawn again after every five minutes of uptime. */
  #reachableTime(device: Device, now: Instant): Duration {
    const known = this.#reachable.get(device);
    if (known !== undefined && now < known.until) return known.time;
    const ticks = BASE_REACHABLE / this.#jiffies.tick;
    const time = (this.#chance.below(ticks) + ticks / 2) * this.#jiffies.tick;
    const until = now + REDRAW_REACHABLE - (this.#jiffies.uptime(now) % REDRAW_REACHABLE);
    this.#reachable.set(device, { until, time });
    return time;
  }
}
