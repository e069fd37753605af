/**
 * The DHCP client of a host: RFC 2131 section 4.4, figure 5.
 *
 * Times are those of RFC 2131 section 4.1; the octets are those of a {@link ClientStyle}. What is
 * sent or told may be answered before the call returns, so each step does that last.
 * @module
 */
import { assert } from "../base/assert.ts";
import { EmulatorError, OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, NEVER, SECOND } from "../base/time.ts";
import { formatMac, IPV4_ANY, type Ipv4Addr, type Mac } from "../wire/addr.ts";
import {
  type ClientDiscard,
  type ClientLease,
  type ClientOffer,
  leaseOf,
  offerOf,
  typeOfReply,
} from "./client-lease.ts";
import { type ClientRequest, type ClientWords, ClientWriter } from "./client-message.ts";
import { type ClientStyle, DHCLIENT_4_4_3 } from "./client-style.ts";
import { decodeMessage, type DhcpMessage, DhcpType } from "./message.ts";
import { findOption, Option, type RawOption } from "./options.ts";

/** Where the client is in figure 5; "stopped" is before and after. */
export type ClientState =
  | "stopped"
  | "init"
  | "selecting"
  | "requesting"
  | "bound"
  | "renewing"
  | "rebinding"
  | "init-reboot"
  | "rebooting";

/** What happened to the host's address. `from` is the IP source of the server's message. */
export type ClientEvent =
  /** Use the address from now on. */
  | { readonly kind: "bound"; readonly lease: ClientLease; readonly from: Ipv4Addr }
  /** Use it for longer; the address may be another than that of `previous`. */
  | {
      readonly kind: "renewed";
      readonly lease: ClientLease;
      readonly previous: ClientLease;
      readonly from: Ipv4Addr;
    }
  /** Use the address no more. */
  | { readonly kind: "expired"; readonly lease: ClientLease }
  /** A server refused. `lease` must be used no more, and is `null` if none was in use. */
  | {
      readonly kind: "naked";
      readonly lease: ClientLease | null;
      /** The server's reason; empty if it gave none. */
      readonly message: string;
      readonly from: Ipv4Addr;
    };

/** What a client acts on. */
export interface ClientSink {
  transmit(request: ClientRequest, now: Instant): void;
  notify(event: ClientEvent, now: Instant): void;
}

/** How a message came. */
export interface ClientEnvelope {
  /** Its IP source. */
  readonly source: Ipv4Addr;
}

/** Who the client is, what it acts on, and where it may differ. */
export interface DhcpClientOptions {
  readonly mac: Mac;
  readonly sink: ClientSink;
  readonly chance: Chance;
  /** Which client; {@link DHCLIENT_4_4_3}. */
  readonly style?: ClientStyle;
  /** Codes of the options to ask for; the style's. */
  readonly parameters?: readonly number[];
  /** Further options to send, such as a host name; none. */
  readonly options?: readonly RawOption[];
  /** True asks for broadcast answers while there is no address; false. */
  readonly wantsBroadcast?: boolean;
  /** True waits one to ten seconds first, as RFC 2131 section 4.4.1 wishes; false, as dhclient. */
  readonly desynchronizes?: boolean;
  /** How long offers are collected, from the first DISCOVER on; 0 takes the first offer. */
  readonly selectionTime?: Duration;
}

/** REQUESTs before the client begins anew, about 60 seconds: RFC 2131 section 3.1, step 5. */
const REQUEST_ATTEMPTS = 4;
/** Doublings of the four seconds of the first wait, up to 64 seconds: RFC 2131 section 4.1. */
const MOST_DOUBLINGS = 4;
/** RFC 2131 section 4.4.5. */
const SHORTEST_RENEWAL_WAIT = 60 * SECOND;
/** RFC 2131 section 3.1, step 5. */
const WAIT_AFTER_DECLINE = 10 * SECOND;
const MOST_SECS = 0xffff;

/** One interface's client. */
export class DhcpClient implements Machine {
  readonly mac: Mac;
  readonly style: ClientStyle;
  readonly #sink: ClientSink;
  readonly #chance: Chance;
  readonly #writer: ClientWriter;
  readonly #desynchronizes: boolean;
  readonly #selectionTime: Duration;
  #state: ClientState = "stopped";
  #deadline: Instant = NEVER;
  #xid = 0;
  /** When this acquisition or renewal began: `secs` counts from there. */
  #began: Instant = 0;
  /** `secs` of the last DISCOVER. */
  #discoverSecs = 0;
  /** When the address was asked for: a lease counts from there. */
  #asked: Instant = 0;
  /** Messages that were sent in this state. */
  #attempts = 0;
  /** Addresses that were refused since the last lease. */
  #refusals = 0;
  /** What is asked for, or will be when offers have been collected. */
  #offer: ClientOffer | null = null;
  #lease: ClientLease | null = null;
  /** The address that the client had, and would like to have again. */
  #hint: Ipv4Addr | null = null;

  /** @throws {OptionError} for an option that cannot be used. */
  constructor({
    mac,
    sink,
    chance,
    style = DHCLIENT_4_4_3,
    parameters = style.parameters,
    options = [],
    wantsBroadcast = false,
    desynchronizes = false,
    selectionTime = 0,
  }: DhcpClientOptions) {
    if (!Number.isInteger(selectionTime) || selectionTime < 0) {
      throw new OptionError("selectionTime", selectionTime, "microseconds from 0");
    }
    this.mac = mac;
    this.style = style;
    this.#sink = sink;
    this.#chance = chance;
    this.#writer = new ClientWriter(style, { mac, parameters, options }, wantsBroadcast);
    this.#desynchronizes = desynchronizes;
    this.#selectionTime = selectionTime;
  }

  get state(): ClientState {
    return this.#state;
  }

  /** What the host holds; `null` while it has no address. */
  get lease(): ClientLease | null {
    return this.#lease;
  }

  /**
   * Begin. A lease of an earlier run that is not over is asked for again (INIT-REBOOT).
   * @throws {EmulatorError} if the client runs.
   */
  start(now: Instant, previous: ClientLease | null = null): void {
    if (this.#state !== "stopped") {
      throw new EmulatorError("dhcp-client-runs", this.#state, `${this.toString()} runs already`);
    }
    const wait = this.#desynchronizes ? SECOND + this.#chance.below(9 * SECOND + 1) : 0;
    this.#hint = previous?.address ?? null;
    const isHeld = previous !== null && previous.expiry > now;
    this.#enter(isHeld ? "init-reboot" : "init", now + wait);
    this.expire(now);
  }

  /**
   * A message came to port 68. `payload` is borrowed until return.
   * @returns `null` if it was of use, or why it was not.
   */
  receive(payload: Uint8Array, envelope: ClientEnvelope, now: Instant): ClientDiscard | null {
    this.expire(now);
    const message = decodeMessage(payload);
    if (typeof message === "string") return message;
    const type = typeOfReply(message, this.#xid, this.mac);
    if (typeof type === "string") return type;
    if (type === DhcpType.Offer) return this.#takeOffer(message, now);
    const isAsking = this.#state === "requesting" || this.#state === "rebooting";
    const isRenewing = this.#state === "renewing" || this.#state === "rebinding";
    if (!isAsking && !isRenewing) return "dhcp/state";
    if (type === DhcpType.Ack) return this.#takeAck(message, envelope, now);
    this.#takeNak(message, envelope, now);
    return null;
  }

  /**
   * Someone else has the address: refuse it, and begin anew after ten seconds at the least.
   * @throws {EmulatorError} if there is no lease.
   */
  decline(now: Instant): void {
    const lease = this.#lease;
    if (lease === null) {
      throw new EmulatorError("dhcp-no-lease", null, `${this.toString()} has no lease to decline`);
    }
    const { server, address: requested } = lease;
    const { countsOn } = this.style;
    const xid = countsOn ? this.#newXid() : this.#xid;
    const secs = countsOn ? this.#secsAt(now) : 0;
    this.#lease = null;
    this.#hint = null;
    this.#enter("init", now + Math.max(WAIT_AFTER_DECLINE, this.#waitAfterRefusal()));
    const ciaddr = IPV4_ANY;
    const words = { type: DhcpType.Decline, server, requested, xid, secs, ciaddr };
    this.#sink.transmit(this.#writer.broadcast(words, ciaddr), now);
  }

  /** Stop, and give the lease back if there is one. */
  release(now: Instant): void {
    const lease = this.#lease;
    this.#lease = null;
    this.#enter("stopped", NEVER);
    if (lease === null) return;
    const { server, address: ciaddr } = lease;
    const xid = this.#newXid();
    const secs = this.style.countsOn ? this.#secsAt(now) : 0;
    const words = { type: DhcpType.Release, server, requested: null, xid, secs, ciaddr };
    this.#sink.transmit(this.#writer.unicast(words, server), now);
  }

  nextDeadline(): Instant {
    return this.#deadline;
  }

  expire(now: Instant): void {
    while (this.#deadline <= now) this.#step(now);
  }

  toString(): string {
    return `the DHCP client of ${formatMac(this.mac)}`;
  }

  /** The arrows of figure 5 that time draws. */
  #step(now: Instant): void {
    if (this.#lease !== null && now >= this.#lease.expiry) {
      this.#loseLease(this.#lease, now);
    } else if (this.#lease !== null) {
      this.#renew(this.#lease, now);
    } else if (this.#state === "init") {
      this.#begin("selecting", now);
      this.#discover(now);
    } else if (this.#state === "init-reboot") {
      assert(this.#hint !== null, "a host that reboots remembers its address");
      this.#begin("rebooting", now);
      this.#offer = { address: this.#hint, server: null };
      this.#asked = now;
      this.#request(now);
    } else if (this.#state === "selecting" && this.#offer === null) {
      this.#discover(now);
    } else if (this.#state === "selecting") {
      this.#state = "requesting";
      this.#attempts = 0;
      this.#asked = now;
      this.#request(now);
    } else if (this.#attempts < REQUEST_ATTEMPTS) {
      this.#request(now);
    } else {
      this.#enter("init", now);
    }
  }

  /** A new exchange under a new `xid`. */
  #begin(state: ClientState, now: Instant): void {
    this.#state = state;
    this.#xid = this.#newXid();
    this.#began = now;
    this.#attempts = 0;
    this.#offer = null;
  }

  #discover(now: Instant): void {
    this.#waitForAnswer(now);
    this.#discoverSecs = this.#secsAt(now);
    const words = { type: DhcpType.Discover, server: null, requested: this.#hint };
    this.#broadcast({ ...words, secs: this.#discoverSecs }, now);
  }

  #request(now: Instant): void {
    assert(this.#offer !== null, "a client that asks knows for what");
    this.#waitForAnswer(now);
    const repeats = this.#state === "requesting" && this.style.keepsSecs;
    const secs = repeats ? this.#discoverSecs : this.#secsAt(now);
    const { server, address: requested } = this.#offer;
    this.#broadcast({ type: DhcpType.Request, server, requested, secs }, now);
  }

  /** Ask for more time: the server first, from T2 on everyone (RFC 2131 section 4.4.5). */
  #renew(lease: ClientLease, now: Instant): void {
    if (this.#state === "bound") this.#began = now;
    this.#state = now < lease.rebinding ? "renewing" : "rebinding";
    const end = this.#state === "renewing" ? lease.rebinding : lease.expiry;
    const wait = Math.max(Math.ceil((end - now) / 2), SHORTEST_RENEWAL_WAIT);
    this.#deadline = Math.min(now + wait, end);
    this.#asked = now;
    const xid = this.#xid;
    const secs = this.#secsAt(now);
    const { address: ciaddr } = lease;
    const words = { type: DhcpType.Request, server: null, requested: null, xid, secs, ciaddr };
    const server = this.#state === "renewing" ? lease.server : null;
    this.#sink.transmit(this.#writer.unicast(words, server), now);
  }

  #loseLease(lease: ClientLease, now: Instant): void {
    this.#lease = null;
    this.#enter("init", now);
    this.#sink.notify({ kind: "expired", lease }, now);
  }

  #takeOffer(message: DhcpMessage, now: Instant): ClientDiscard | null {
    if (this.#state !== "selecting") return "dhcp/state";
    const offer = offerOf(message);
    if (typeof offer === "string") return offer;
    if (this.#offer === null || offer.address === this.#hint) this.#offer = offer;
    this.#deadline = this.#began + this.#selectionTime;
    this.expire(now);
    return null;
  }

  #takeAck(
    message: DhcpMessage,
    { source: from }: ClientEnvelope,
    now: Instant,
  ): ClientDiscard | null {
    const lease = leaseOf(message, this.#asked, this.#chance);
    if (typeof lease === "string") return lease;
    if (lease.expiry <= now) return "dhcp/lease-time";
    const previous = this.#lease;
    this.#lease = lease;
    this.#hint = lease.address;
    this.#refusals = 0;
    this.#enter("bound", lease.renewal);
    if (previous === null) this.#sink.notify({ kind: "bound", lease, from }, now);
    else this.#sink.notify({ kind: "renewed", lease, previous, from }, now);
    this.expire(now);
    return null;
  }

  #takeNak(message: DhcpMessage, { source: from }: ClientEnvelope, now: Instant): void {
    const lease = this.#lease;
    this.#lease = null;
    this.#hint = null;
    this.#enter("init", now + this.#waitAfterRefusal());
    const text = findOption(message.options, Option.Message) ?? "";
    this.#sink.notify({ kind: "naked", lease, message: text, from }, now);
    this.expire(now);
  }

  #enter(state: ClientState, deadline: Instant): void {
    this.#state = state;
    this.#deadline = deadline;
  }

  #waitForAnswer(now: Instant): void {
    this.#deadline = now + this.#backoff(this.#attempts);
    this.#attempts += 1;
  }

  /** 4, 8, 16, 32, then always 64 seconds, give or take one: RFC 2131 section 4.1. */
  #backoff(doublings: number): Duration {
    const fuzz = this.#chance.below(2 * SECOND + 1) - SECOND;
    return 4 * SECOND * 2 ** Math.min(doublings, MOST_DOUBLINGS) + fuzz;
  }

  /** None once; then a server that offers only to refuse is asked less and less often. */
  #waitAfterRefusal(): Duration {
    this.#refusals += 1;
    return this.#refusals === 1 ? 0 : this.#backoff(this.#refusals - 2);
  }

  #newXid(): number {
    return this.#chance.below(2 ** 32);
  }

  #secsAt(now: Instant): number {
    return Math.min(Math.floor((now - this.#began) / SECOND), MOST_SECS);
  }

  /** Say something to everyone while there is no address. */
  #broadcast(words: Omit<ClientWords, "xid" | "ciaddr">, now: Instant): void {
    const all = { ...words, xid: this.#xid, ciaddr: IPV4_ANY };
    this.#sink.transmit(this.#writer.broadcast(all, IPV4_ANY), now);
  }
}
