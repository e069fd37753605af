/**
 * Leases of pool addresses: who holds which until when, as ISC dhcpd's `server/mdb.c` keeps them.
 *
 * Fixed addresses are not in the table: a host has its address by declaration.
 * @module
 */
import { assert } from "../base/assert.ts";
import { DeadlineHeap } from "../base/deadline-heap.ts";
import { OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import { type Instant, NEVER, SECOND } from "../base/time.ts";
import { type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import {
  type Host,
  hardwareKey,
  keyOf,
  type Networks,
  type Pool,
  type PoolRange,
  type SharedNetwork,
  type Subnet,
} from "./dhcpd-networks.ts";
import type { RawOption } from "./options.ts";

/** ISC dhcpd's binding states without failover's. A lease that was only offered is `free`. */
export type LeaseState = "free" | "active" | "abandoned";

/** A hardware address as a message has it. */
export interface HardwareAddress {
  readonly htype: number;
  readonly octets: Uint8Array;
}

/** Whole seconds since the start of the run; minus infinity is "before all times". */
export type Seconds = number;

/** Who has an address. */
export interface Tenancy {
  readonly state: LeaseState;
  readonly starts: Seconds;
  /** When the state ends; of a free lease, until when it should not be offered to another. */
  readonly ends: Seconds;
  /** When the client was heard last. */
  readonly heard: Seconds;
  /** `null` if the client gave none, or there is no client. */
  readonly clientId: Uint8Array | null;
  readonly hardware: HardwareAddress | null;
  /** The whole field of the message that the hardware address is from. */
  readonly chaddr: Uint8Array | null;
  /** What the client calls itself; `null` if it did not say when the lease changed last. */
  readonly hostName: Uint8Array | null;
  /** What a relay agent put into the client's last message that passed one. */
  readonly agent: readonly RawOption[];
  /** True after an offer that could not repeat the old times: the next answer will not either. */
  readonly mustRenew: boolean;
}

/** An address and who has it. Only {@link LeaseTable} changes leases that are in it. */
export interface Lease extends Tenancy {
  readonly address: Ipv4Addr;
  readonly subnet: Subnet;
  /** `null` for a fixed address. */
  readonly pool: Pool | null;
  /** The declaration that a fixed address comes from. */
  readonly host: Host | null;
}

/** How large the table may be, and what it does with abandoned leases. */
export interface LeaseTableOptions {
  /** Addresses that all pools together may have; 65,536. */
  readonly limit?: number;
  /** If an abandoned lease is free again after its time; true. If not, it is given in need. */
  readonly forgetsAbandoned?: boolean;
}

type Row = { -readonly [K in keyof Lease]: Lease[K] } & { readonly pool: Pool };

interface Queues {
  /** Soonest end first; among equals the one that came last first. */
  readonly free: Row[];
  readonly abandoned: Row[];
}

/** The seconds of `now`, as ISC dhcpd counts: without the fraction. */
export const secondsOf = (now: Instant): Seconds => Math.floor(now / SECOND);

/** A fixed address as a lease, which no table holds. */
export function fixedLease(host: Host, subnet: Subnet, address: Ipv4Addr): Lease {
  return { ...VIRGIN, address, subnet, pool: null, host };
}

/** Nobody has held it. */
const VIRGIN: Tenancy = {
  state: "free",
  starts: Number.NEGATIVE_INFINITY,
  ends: Number.NEGATIVE_INFINITY,
  heard: Number.NEGATIVE_INFINITY,
  clientId: null,
  hardware: null,
  chaddr: null,
  hostName: null,
  agent: [],
  mustRenew: false,
};

/** What is left of an active lease that has come to its end. */
const FORGOTTEN: Partial<Tenancy> = { state: "free", hostName: null, agent: [] };

/** All leases of all pools. */
export class LeaseTable implements Machine {
  readonly limit: number;
  readonly #forgetsAbandoned: boolean;
  readonly #rows = new Map<Ipv4Addr, Row>();
  readonly #queues = new Map<Pool, Queues>();
  readonly #byClientId = new Map<string, Row[]>();
  readonly #byHardware = new Map<string, Row[]>();
  readonly #deadlines = new DeadlineHeap<Row>();

  /** @throws {OptionError} if the pools have more addresses than the limit. */
  constructor(
    networks: Networks,
    { limit = 65_536, forgetsAbandoned = true }: LeaseTableOptions = {},
  ) {
    if (!Number.isInteger(limit) || limit < 0) {
      throw new OptionError("limit", limit, "a whole number from 0");
    }
    this.limit = limit;
    this.#forgetsAbandoned = forgetsAbandoned;
    const rows: Row[] = [];
    for (const share of networks.shares) {
      for (const pool of share.pools) {
        this.#queues.set(pool, { free: [], abandoned: [] });
        for (const range of pool.ranges) rows.push(...this.#rowsOf(range, pool));
      }
    }
    this.#enqueueAll(rows);
  }

  /** Addresses in the table. */
  get size(): number {
    return this.#rows.size;
  }

  /** All leases, by pool and address. */
  leases(): Iterable<Lease> {
    return this.#rows.values();
  }

  findByAddress(address: Ipv4Addr): Lease | null {
    return this.#rows.get(address) ?? null;
  }

  /** The leases that a client identifier had last, the one to give it again first. */
  findByClientId(clientId: Uint8Array): readonly Lease[] {
    return this.#byClientId.get(keyOf(clientId)) ?? [];
  }

  /** The leases that a hardware address had last, the one to give it again first. */
  findByHardware({ htype, octets }: HardwareAddress): readonly Lease[] {
    return this.#byHardware.get(hardwareKey(htype, octets)) ?? [];
  }

  /**
   * A lease that could be given to a new client: one that never had a client before one that had,
   * the longest free first, an abandoned one if there is no other.
   * @returns `null` if all are taken or offered.
   */
  findFree(share: SharedNetwork, isPermitted: (pool: Pool) => boolean, now: Instant): Lease | null {
    let best: Row | null = null;
    for (const pool of share.pools) {
      const candidate = isPermitted(pool) ? this.#candidate(pool, secondsOf(now)) : null;
      if (candidate !== null && (best === null || isBetter(candidate, best))) best = candidate;
    }
    return best;
  }

  /** Change a lease that this table holds. */
  update(lease: Lease, change: Partial<Tenancy>, now: Instant): void {
    const row = this.#rows.get(lease.address);
    assert(row !== undefined && row === lease, "a changed lease is in its table");
    remove(this.#queueOf(row) ?? [], row);
    const { clientId = row.clientId, hardware = row.hardware } = change;
    if (change.clientId !== undefined || change.hardware !== undefined) {
      this.#index(row, clientId, hardware);
    }
    Object.assign(row, change);
    this.#enqueue(row, now);
  }

  /** The client gives the address back. It may have it again for as long as nobody else asks. */
  release(lease: Lease, now: Instant): void {
    if (lease.state === "free") return;
    this.update(lease, { ...FORGOTTEN, ends: secondsOf(now) }, now);
  }

  /** Somebody else uses the address: do not give it away for so many seconds. */
  abandon(lease: Lease, seconds: Seconds, now: Instant): void {
    const ends = secondsOf(now) + (this.#forgetsAbandoned ? seconds : 0);
    const nobody = { clientId: null, hardware: null, hostName: null, agent: [] };
    this.update(lease, { ...nobody, state: "abandoned", ends }, now);
  }

  /** Take over what `older` knew of the addresses that are still in a pool. */
  inherit(older: LeaseTable, now: Instant): void {
    for (const before of older.leases()) {
      const row = this.#rows.get(before.address);
      const isVirgin = before.state === "free" && before.ends === VIRGIN.ends;
      if (row === undefined || isVirgin) continue;
      const { address: _, subnet: __, pool: ___, host: ____, ...tenancy } = before;
      this.update(row, tenancy, now);
    }
  }

  nextDeadline(): Instant {
    return this.#deadlines.soonest;
  }

  expire(now: Instant): void {
    for (let row = this.#deadlines.pop(now); row !== null; row = this.#deadlines.pop(now)) {
      this.update(row, FORGOTTEN, now);
    }
  }

  #rowsOf({ low, high, subnet }: PoolRange, pool: Pool): readonly Row[] {
    if (high - low + 1 > this.limit - this.size) {
      throw new OptionError("limit", this.limit, "as many leases as the pools have addresses");
    }
    return Array.from({ length: high - low + 1 }, (_, index) => {
      const row: Row = { ...VIRGIN, address: ipv4Of(low + index), subnet, pool, host: null };
      this.#rows.set(row.address, row);
      return row;
    });
  }

  /**
   * The first order of the free leases. ISC dhcpd walks its hash table of addresses and puts each
   * behind the one before if that is of the same pool, else in front of all others of its pool.
   */
  #enqueueAll(rows: readonly Row[]): void {
    const runs = new Map<Pool, Row[][]>();
    let last: Pool | null = null;
    for (const row of [...rows].sort((one, other) => bucketOf(one) - bucketOf(other))) {
      const ofPool = runs.get(row.pool) ?? [];
      runs.set(row.pool, ofPool);
      if (row.pool === last) ofPool[0]?.push(row);
      else ofPool.unshift([row]);
      last = row.pool;
    }
    for (const [pool, ofPool] of runs) this.#queuesOf(pool).free.push(...ofPool.flat());
  }

  #candidate(pool: Pool, seconds: Seconds): Row | null {
    const { free, abandoned } = this.#queuesOf(pool);
    const first = free[0] ?? abandoned[0] ?? null;
    const isDue = first?.state === "abandoned" && this.#forgetsAbandoned;
    return first !== null && (isDue || first.ends <= seconds) ? first : null;
  }

  #queuesOf(pool: Pool): Queues {
    const queues = this.#queues.get(pool);
    assert(queues !== undefined, "a pool of the configuration has queues");
    return queues;
  }

  #queueOf({ pool, state }: Row): Row[] | null {
    return state === "active" ? null : this.#queuesOf(pool)[state];
  }

  /**
   * Note whose the lease is now. ISC dhcpd does so before it changes the lease's state and times:
   * the old ones say where among the client's leases this one comes.
   */
  #index(row: Row, clientId: Uint8Array | null, hardware: HardwareAddress | null): void {
    if (row.clientId !== null) leaveIndex(this.#byClientId, keyOf(row.clientId), row);
    if (row.hardware !== null) leaveIndex(this.#byHardware, keyOfHardware(row.hardware), row);
    if (clientId !== null) enterIndex(this.#byClientId, keyOf(clientId), row);
    if (hardware !== null) enterIndex(this.#byHardware, keyOfHardware(hardware), row);
  }

  #enqueue(row: Row, now: Instant): void {
    const { state, ends } = row;
    const queue = this.#queueOf(row);
    if (queue !== null) insertBefore(queue, row, (other) => other.ends >= ends);
    const isLasting = state === "free" || (state === "abandoned" && !this.#forgetsAbandoned);
    this.#deadlines.set(row, isLasting ? NEVER : Math.max(ends * SECOND, now));
  }
}

/** ISC dhcpd's `LEASE_HASH_SIZE`. */
const LEASE_BUCKETS = 100_003;

const bucketOf = ({ address }: Lease): number => address % LEASE_BUCKETS;

const keyOfHardware = ({ htype, octets }: HardwareAddress): string => hardwareKey(htype, octets);

function isBetter(candidate: Row, best: Row): boolean {
  if (candidate.state === "abandoned") {
    return best.state === "abandoned" && candidate.ends < best.ends;
  }
  if (best.state === "abandoned") return true;
  if (isUsed(candidate) && !isUsed(best)) return false;
  return (isUsed(best) && !isUsed(candidate)) || candidate.ends < best.ends;
}

const isUsed = ({ clientId, hardware }: Row): boolean => clientId !== null || hardware !== null;

/** True if a client should rather resume `one` than `other`, or either. */
function isPreferred(one: Lease, other: Lease): boolean {
  if (other.state === "active") return one.state === "active" && one.ends >= other.ends;
  if (other.state === "abandoned") return one.state !== "abandoned" || one.heard >= other.heard;
  return one.state === "active" || (one.state === "free" && one.heard >= other.heard);
}

function insertBefore<T>(list: T[], item: T, isAfter: (other: T) => boolean): void {
  const at = list.findIndex(isAfter);
  list.splice(at < 0 ? list.length : at, 0, item);
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}

function enterIndex(index: Map<string, Row[]>, key: string, row: Row): void {
  const rows = index.get(key) ?? [];
  insertBefore(rows, row, (other) => isPreferred(row, other));
  index.set(key, rows);
}

function leaveIndex(index: Map<string, Row[]>, key: string, row: Row): void {
  const rows = index.get(key) ?? [];
  remove(rows, row);
  if (rows.length === 0) index.delete(key);
}
