/**
 * What Linux remembers of each address it talks to (net/ipv4/inetpeer.c): ICMP's token bucket
 * (RFC 1812 section 4.3.2.8), the redirects it was sent, and the next IP identification.
 * @module
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Jiffies } from "../base/jiffies.ts";
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, SECOND } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";

/** Messages that a peer may get at once (`XRLIM_BURST_FACTOR`). */
const MESSAGES_AT_ONCE = 6;
/** `net.ipv4.route.error_cost` and `error_burst`. */
const ROUTE_ERROR_COST: Duration = SECOND;
const ROUTE_ERROR_BURST = 5 * ROUTE_ERROR_COST;
const REDIRECTS_IGNORED = 9;
const REDIRECT_LOAD: Duration = SECOND / 50;
const REDIRECT_SILENCE: Duration = REDIRECT_LOAD * 2 ** (REDIRECTS_IGNORED + 1);

interface Peer {
  /** Credit for messages, in microseconds. */
  tokens: Duration;
  /** When `tokens` was last brought up to date; for redirects, when the last one went out. */
  last: Instant;
  redirects: number;
  /** The identification of the next packet to this address. */
  nextId: number;
}

/** Limits and counters for each peer of one stack. */
export class Peers {
  readonly #jiffies: Jiffies;
  readonly #chance: Chance;
  readonly #interval: Duration;
  readonly #peers: BoundedMap<Ipv4Addr, Peer>;

  /**
   * @param interval time that a message costs (`icmp_ratelimit`).
   * @param limit peers at most; the one that was added first is forgotten.
   */
  constructor(jiffies: Jiffies, chance: Chance, interval: Duration = SECOND, limit = 4096) {
    this.#jiffies = jiffies;
    this.#chance = chance;
    this.#interval = interval;
    this.#peers = new BoundedMap(limit);
  }

  /** Whether a message to `address` is within its rate: six at once (`inet_peer_xrlim_allow`). */
  mayReport(address: Ipv4Addr, now: Instant): boolean {
    const peer = this.#find(address, now);
    const interval = this.#interval;
    this.#refill(peer, MESSAGES_AT_ONCE * interval, now);
    return spend(peer, interval);
  }

  /** The same bucket, asked once more by the routes that refuse (`ip_error`): five at once. */
  mayRefuse(address: Ipv4Addr, now: Instant): boolean {
    const peer = this.#find(address, now);
    this.#refill(peer, ROUTE_ERROR_BURST, now);
    peer.tokens = Math.min(peer.tokens, ROUTE_ERROR_BURST);
    return spend(peer, ROUTE_ERROR_COST);
  }

  /**
   * Whether `address` is told once more of a better way (`ip_rt_send_redirect`); what is sent is to
   * be noted after that.
   */
  mayRedirect(address: Ipv4Addr, now: Instant): boolean {
    const peer = this.#find(address, now);
    const tick = this.#jiffies.floor(now);
    if (tick > peer.last + REDIRECT_SILENCE) {
      peer.tokens = 0;
      peer.redirects = 0;
    }
    if (peer.redirects >= REDIRECTS_IGNORED) {
      peer.last = tick;
      return false;
    }
    return peer.redirects === 0 || tick > peer.last + REDIRECT_LOAD * 2 ** peer.redirects;
  }

  /** `address` was told of a better way. */
  noteRedirect(address: Ipv4Addr, now: Instant): void {
    const peer = this.#find(address, now);
    peer.last = this.#jiffies.floor(now);
    peer.redirects += 1;
  }

  /** The identification for a packet to `address`: counts up from a random start. */
  nextId(address: Ipv4Addr, now: Instant): number {
    const peer = this.#find(address, now);
    const id = peer.nextId;
    peer.nextId = (id + 1) & 0xffff;
    return id;
  }

  /** What is above the burst is lost when time has passed, not before. */
  #refill(peer: Peer, burst: Duration, now: Instant): void {
    const tick = this.#jiffies.floor(now);
    if (tick === peer.last) return;
    peer.tokens = Math.min(peer.tokens + tick - peer.last, burst);
    peer.last = tick;
  }

  #find(address: Ipv4Addr, now: Instant): Peer {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    const last = this.#jiffies.floor(now) - 60 * SECOND;
    const peer: Peer = { tokens: 0, last, redirects: 0, nextId: this.#chance.below(0x10000) };
    this.#peers.set(address, peer);
    return peer;
  }
}

function spend(peer: Peer, cost: Duration): boolean {
  if (peer.tokens < cost) return false;
  peer.tokens -= cost;
  return true;
}
