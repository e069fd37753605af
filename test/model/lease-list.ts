/** Leases of one pool as a list that is searched from end to end. @module */
import { type Instant, NEVER, SECOND } from "../../src/base/time.ts";
import { type Lease, secondsOf, type Tenancy } from "../../src/dhcp/lease-table.ts";
import type { Ipv4Addr } from "../../src/wire/addr.ts";

/** A lease, and the turn in which it came to where it is. */
type Entry = Pick<Lease, "address"> & { -readonly [K in keyof Tenancy]: Tenancy[K] } & {
  turn: number;
};

/** Of nobody any more. */
const NOBODY = { clientId: null, hardware: null, hostName: null, agent: [] };

/** The naive reference of `LeaseTable`. */
export class LeaseList {
  readonly #entries: Entry[];
  #turn = 0;

  /** @param leases of one pool, the first to be given first. */
  constructor(leases: Iterable<Lease>) {
    this.#entries = [...leases].map((lease, index) => ({ ...lease, turn: -index }));
  }

  get size(): number {
    return this.#entries.length;
  }

  find(address: Ipv4Addr): Entry | undefined {
    return this.#entries.find((entry) => entry.address === address);
  }

  /** The free lease that ends first, of those that end together the last that came. */
  findFree(now: Instant): Ipv4Addr | null {
    const free = this.#inOrder("free");
    const [first] = free.length > 0 ? free : this.#inOrder("abandoned");
    const isOffered = first?.state === "free" && first.ends > secondsOf(now);
    return first === undefined || isOffered ? null : first.address;
  }

  #inOrder(state: Lease["state"]): readonly Entry[] {
    const inState = this.#entries.filter((entry) => entry.state === state);
    return inState.sort((one, other) =>
      one.ends === other.ends ? other.turn - one.turn : one.ends - other.ends,
    );
  }

  update(address: Ipv4Addr, change: Partial<Tenancy>): void {
    this.#turn += 1;
    Object.assign(this.find(address) ?? {}, change, { turn: this.#turn });
  }

  release(address: Ipv4Addr, now: Instant): void {
    if (this.find(address)?.state === "free") return;
    this.update(address, { state: "free", ends: secondsOf(now), hostName: null, agent: [] });
  }

  abandon(address: Ipv4Addr, seconds: number, now: Instant): void {
    const ends = secondsOf(now) + seconds;
    this.update(address, { ...NOBODY, state: "abandoned", ends });
  }

  nextDeadline(): Instant {
    const taken = this.#entries.filter(({ state }) => state !== "free");
    return Math.min(NEVER, ...taken.map(({ ends }) => ends * SECOND));
  }

  /** Addresses of those that a client identifier had last, in the order of addresses. */
  ofClientId(clientId: Uint8Array): Ipv4Addr[] {
    const wanted = String(clientId);
    const own = this.#entries.filter((entry) => String(entry.clientId) === wanted);
    return own.map(({ address }) => address).sort((one, other) => one - other);
  }

  expire(now: Instant): void {
    const due = this.#entries
      .filter(({ state, ends }) => state !== "free" && ends * SECOND <= now)
      .sort((one, other) =>
        one.ends === other.ends ? one.turn - other.turn : one.ends - other.ends,
      );
    for (const { address } of due) {
      this.update(address, { state: "free", hostName: null, agent: [] });
    }
  }
}
