/**
 * What the domains of a host did, as processor time: frames, octets and disk requests, each at a
 * price, and the boot of a guest. Accounts alone: nothing waits for a processor.
 * @module
 */
import type { Duration } from "../base/time.ts";
import type { WorkSource } from "../xen/hypervisor/credit-scheduler.ts";
import type { Device } from "../wire/device.ts";

/** Prices in microseconds of a processor; with the hypercalls that go with each. */
export interface CpuPrices {
  /** A guest's kernel boots. */
  readonly boot: Duration;
  /** A frame that a guest sends or takes. */
  readonly guestFrame: Duration;
  /** The same frame in Dom0: netback, routes and rules. */
  readonly dom0Frame: Duration;
  /** An octet of a frame, on either side: it is copied and summed. */
  readonly octet: Duration;
  /** A request to a disk, in the guest, and in Dom0. */
  readonly request: Duration;
}

/**
 * Guesses for a 2.6 GHz Opteron of 2007, from the rates of netback of the time: some 100,000 frames
 * a second of a core in the guest, half of that in Dom0.
 */
export const CPU_PRICES: CpuPrices = {
  boot: 3_000_000,
  guestFrame: 10,
  dom0Frame: 20,
  octet: 0.001,
  request: 30,
};

interface Account {
  /** Its vif in Dom0, whose counters tell; `null` while it is offline. */
  vif: Device | null;
  /** What was taken of the counters already. */
  frames: number;
  octets: number;
  requests: number;
  /** Not taken yet, for what can be counted no more. */
  guest: Duration;
  dom0: Duration;
}

const DOM0 = 0;

/** The accounts of one host. */
export class CpuWork implements WorkSource {
  readonly #prices: CpuPrices;
  readonly #requestsOf: (domid: number) => number;
  readonly #accounts = new Map<number, Account>();
  /** Of Dom0, for domains that are gone. */
  #left: Duration = 0;

  /** @param requestsOf disk requests of a domain so far. */
  constructor(prices: CpuPrices, requestsOf: (domid: number) => number) {
    this.#prices = prices;
    this.#requestsOf = requestsOf;
  }

  /** A domain's vif is online. */
  addVif(domid: number, vif: Device): void {
    const account = this.#of(domid);
    account.vif = vif;
    account.frames = 0;
    account.octets = 0;
  }

  /** It goes offline. */
  removeVif(domid: number): void {
    const account = this.#accounts.get(domid);
    if (account === undefined) return;
    this.#count(domid, account);
    account.vif = null;
  }

  /** A domain's guest boots. */
  boot(domid: number): void {
    this.#of(domid).guest += this.#prices.boot;
  }

  /** A domain is gone. */
  delete(domid: number): void {
    const account = this.#accounts.get(domid);
    if (account === undefined) return;
    this.#count(domid, account);
    this.#left += account.dom0;
    this.#accounts.delete(domid);
  }

  take(give: (domid: number, work: Duration) => void): void {
    let dom0 = this.#left;
    this.#left = 0;
    for (const [domid, account] of this.#accounts) {
      this.#count(domid, account);
      // Whole microseconds; the rest is for the next time.
      const whole = Math.floor(account.guest);
      account.guest -= whole;
      dom0 += account.dom0;
      account.dom0 = 0;
      if (whole > 0) give(domid, whole);
    }
    this.#left = dom0 % 1;
    if (dom0 >= 1) give(DOM0, Math.floor(dom0));
  }

  #of(domid: number): Account {
    const known = this.#accounts.get(domid);
    if (known !== undefined) return known;
    const fresh = { vif: null, frames: 0, octets: 0, requests: 0, guest: 0, dom0: 0 };
    this.#accounts.set(domid, fresh);
    return fresh;
  }

  #count(domid: number, account: Account): void {
    const { guestFrame, dom0Frame, octet, request } = this.#prices;
    const requests = this.#requestsOf(domid);
    const asked = (requests - account.requests) * request;
    account.requests = requests;
    account.guest += asked;
    account.dom0 += asked;
    const { vif } = account;
    if (vif === null) return;
    const frames = vif.rxFrames + vif.txFrames;
    const octets = vif.rxOctets + vif.txOctets;
    const copied = (octets - account.octets) * octet;
    account.guest += (frames - account.frames) * guestFrame + copied;
    account.dom0 += (frames - account.frames) * dom0Frame + copied;
    account.frames = frames;
    account.octets = octets;
  }
}
