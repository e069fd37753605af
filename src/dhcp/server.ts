/**
 * A dhcpd on a host: started and restarted by scripts, deaf while it starts (RFC 2131 section 4.3).
 *
 * Xen 3: the vif scripts restart dhcpd for each new vif, because it opens its interfaces only when
 * it starts. Clients that speak in that window are not heard and ask again.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import { type Duration, type Instant, NEVER, SECOND } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { type DhcpAnswer, DhcpdEngine, type DhcpInput, silence } from "./dhcpd-engine.ts";
import { type DhcpdProfile, ISC_3_0_5 } from "./dhcpd-profile.ts";
import type { DhcpReply } from "./dhcpd-reply.ts";
import type { DhcpdSetup } from "./dhcpd-setup.ts";
import type { Lease } from "./lease-table.ts";

/** Which dhcpd, and how large and how slow. */
export interface DhcpServerOptions {
  /** Which dhcpd; {@link ISC_3_0_5}. */
  readonly profile?: DhcpdProfile;
  /** How long a start takes in which nothing is heard; a second. */
  readonly startTime?: Duration;
  /** Addresses that all pools together may have; 65,536. */
  readonly leaseLimit?: number;
  /** Which second since 1970 the instant 0 is; 2010-02-01. It cannot count past 2038. */
  readonly epoch?: number;
  /** Takes each offer that waited for a ping; none waits for a fixed address. */
  readonly transmit?: (reply: DhcpReply, now: Instant) => void;
}

/** The server. Before its first start it hears nothing. */
export class DhcpServer implements Machine {
  readonly #profile: DhcpdProfile;
  readonly #startTime: Duration;
  readonly #limits: { readonly limit: number; readonly epoch: number };
  readonly #transmit: (reply: DhcpReply, now: Instant) => void;
  #engine: DhcpdEngine | null = null;
  #readyAt: Instant = NEVER;
  /** The last process's table: its lease file. */
  #file: DhcpdEngine["table"] | null = null;

  /** @throws {OptionError} for a start time that is no duration. */
  constructor({
    profile = ISC_3_0_5,
    startTime = SECOND,
    leaseLimit = 65_536,
    epoch = 1_264_982_400,
    transmit = () => {},
  }: DhcpServerOptions = {}) {
    if (!Number.isInteger(startTime) || startTime < 0) {
      throw new OptionError("startTime", startTime, "microseconds from 0");
    }
    this.#profile = profile;
    this.#startTime = startTime;
    this.#limits = { limit: leaseLimit, epoch };
    this.#transmit = transmit;
  }

  /** True from a start until a stop. */
  get isRunning(): boolean {
    return this.#engine !== null;
  }

  /** The leases of pool addresses, by pool and address. */
  leases(): Iterable<Lease> {
    return this.#file?.leases() ?? [];
  }

  /**
   * Stop, and start with what there is to start with now. Offers that wait for a ping are lost,
   * leases are not.
   * @returns from when on messages are heard; {@link NEVER} if no interface has a subnet, and the
   *   process ends at once.
   * @throws {OptionError} if the pools are too large; the server is then stopped.
   */
  restart(now: Instant, setup: DhcpdSetup): Instant {
    this.stop();
    if (!setup.hasNetwork) return NEVER;
    const engine = new DhcpdEngine(this.#profile, setup, this.#limits);
    if (this.#file !== null) engine.table.inherit(this.#file, now);
    this.#engine = engine;
    this.#file = engine.table;
    this.#readyAt = now + this.#startTime;
    return this.#readyAt;
  }

  /** End the process: nothing is heard until the next start. */
  stop(): void {
    this.#engine = null;
    this.#readyAt = NEVER;
  }

  /** A message for port 67 came in on a device. Never throws, whatever its octets. */
  receive(input: DhcpInput, now: Instant): DhcpAnswer {
    if (this.#engine === null || now < this.#readyAt) return silence("dhcp/not-running");
    return this.#engine.receive(input, now);
  }

  /** An ICMP echo reply came from an address that an answer said to ping. */
  echoed(address: Ipv4Addr, now: Instant): void {
    this.#engine?.echoed(address, now);
  }

  nextDeadline(): Instant {
    return this.#engine?.nextDeadline() ?? NEVER;
  }

  expire(now: Instant): void {
    for (const reply of this.#engine?.expire(now) ?? []) this.#transmit(reply, now);
  }
}
