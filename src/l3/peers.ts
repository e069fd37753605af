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

const MESSAGE_COST: Duration = SECOND;
const MESSAGE_BURST = 6 * MESSAGE_COST;
const ROUTE_ERROR_BURST = 5 * MESSAGE_COST;
const REDIRECTS_IGNORED = 9;
const REDIRECT_LOAD: Duration = SECOND / 50;
const REDIRECT_SILENCE: Duration = REDIRECT_LOAD * 2 ** (REDIRECTS_IGNORED + 1);

interface Peer {
  /** Credit for messages, in microseconds; one message costs a second. */
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
  readonly #peers: BoundedMap<Ipv4Addr, Peer>;

  /** @param limit peers at most; the one that was added first is forgotten. */
  constructor(jiffies: Jiffies, chance: Chance, limit = 4096) {
    this.#jiffies = jiffies;
    this.#chance = chance;
    this.#peers = new BoundedMap(limit);
  }

  /** Whether an ICMP error to `address` is within its rate: one a second, six at once. */
  mayReport(address: Ipv4Addr, now: Instant): boolean {
    return this.#spend(this.#find(address, now), MESSAGE_BURST, now);
  }

  /** The same bucket, asked once more by the routes that refuse (`ip_error`): five at once. */
  mayRefuse(address: Ipv4Addr, now: Instant): boolean {
    return this.#spend(this.#find(address, now), ROUTE_ERROR_BURST, now);
  }

  /** Whether `address` is told once more of a better way (`ip_rt_send_redirect`). */
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
    const isDue = peer.redirects === 0 || tick > peer.last + REDIRECT_LOAD * 2 ** peer.redirects;
    if (!isDue) return false;
    peer.last = tick;
    peer.redirects += 1;
    return true;
  }

  /** The identification for a packet to `address`: counts up from a random start. */
  nextId(address: Ipv4Addr, now: Instant): number {
    const peer = this.#find(address, now);
    const id = peer.nextId;
    peer.nextId = (id + 1) & 0xffff;
    return id;
  }

  #spend(peer: Peer, burst: Duration, now: Instant): boolean {
    const tick = this.#jiffies.floor(now);
    peer.tokens = Math.min(peer.tokens + tick - peer.last, burst);
    peer.last = tick;
    if (peer.tokens < MESSAGE_COST) return false;
    peer.tokens -= MESSAGE_COST;
    return true;
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
