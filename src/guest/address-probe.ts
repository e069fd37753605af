/**
 * Address conflict detection: RFC 5227 section 2.1, its announcements RFC 5227 section 2.3.
 * @module
 */
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, NEVER, SECOND } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr, MAC_BROADCAST, MAC_ZERO } from "../wire/addr.ts";
import type { Device, Tap } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import { ARP, ArpOp, checkArp } from "../l2/arp.ts";
import type { ArpResponder } from "../l2/arp-responder.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../l2/ethernet.ts";

/** The constants of RFC 5227 section 1.1. */
const PROBE_WAIT: Duration = SECOND;
const PROBE_NUM = 3;
const PROBE_MIN: Duration = SECOND;
const PROBE_MAX: Duration = 2 * SECOND;
const ANNOUNCE_WAIT: Duration = 2 * SECOND;
const ANNOUNCE_NUM = 2;
const ANNOUNCE_INTERVAL: Duration = 2 * SECOND;

/** What an {@link AddressProbe} is made from. */
export interface AddressProbeOptions {
  readonly device: Device;
  /** Sends the host's messages. */
  readonly arp: ArpResponder;
  readonly chance: Chance;
  readonly address: Ipv4Addr;
  /** Nobody has the address: called before it is announced. */
  readonly onClaimed: (now: Instant) => void;
  /** Somebody has it, or wants it too; the probe is over. */
  readonly onConflict: (now: Instant) => void;
}

/** Asks three times whether anybody has an address, and then tells everybody twice. */
export class AddressProbe implements Machine, Tap {
  readonly address: Ipv4Addr;
  readonly #options: AddressProbeOptions;
  #deadline: Instant;
  #probes = 0;
  #announcements = 0;
  #isClaimed = false;
  #hasConflict = false;

  /** Begins at `now`, after a random wait. */
  constructor(options: AddressProbeOptions, now: Instant) {
    this.address = options.address;
    this.#options = options;
    this.#deadline = now + options.chance.below(PROBE_WAIT + 1);
    options.device.addTap(this);
  }

  /** True once all is said, or a conflict ended it. */
  get isDone(): boolean {
    return this.#deadline === NEVER;
  }

  /** True as soon as the address may be used. */
  get isClaimed(): boolean {
    return this.#isClaimed;
  }

  /** End it early. */
  stop(): void {
    this.#options.device.removeTap(this);
    this.#deadline = NEVER;
  }

  /** An ARP message from another station about the address, while it is not ours, is a conflict. */
  tap(device: Device, packet: Packet, now: Instant): void {
    const { view } = packet.pool;
    const at = packet.frame + ETHERNET_LENGTH;
    if (packet.end <= at || ETHERNET.type.get(view, packet.frame) !== EtherType.Arp) return;
    if (this.#isClaimed || checkArp(view, at, packet.end) !== null) return;
    if (ARP.sha.get(view, at) === device.mac) return;
    const spa = ARP.spa.get(view, at);
    const isProbe = spa === IPV4_ANY && ARP.op.get(view, at) === ArpOp.Request;
    const isConflict = isProbe ? ARP.tpa.get(view, at) === this.address : spa === this.address;
    if (!isConflict) return;
    this.#hasConflict = true;
    this.#deadline = now;
  }

  nextDeadline(): Instant {
    return this.#deadline;
  }

  expire(now: Instant): void {
    if (now < this.#deadline) return;
    if (this.#hasConflict) {
      this.stop();
      this.#options.onConflict(now);
    } else if (this.#probes < PROBE_NUM) this.#probe(now);
    else this.#announce(now);
  }

  #probe(now: Instant): void {
    const { chance } = this.#options;
    this.#probes += 1;
    const spacing = PROBE_MIN + chance.below(PROBE_MAX - PROBE_MIN + 1);
    this.#deadline = now + (this.#probes < PROBE_NUM ? spacing : ANNOUNCE_WAIT);
    this.#send(IPV4_ANY, now);
  }

  #announce(now: Instant): void {
    this.#announcements += 1;
    if (this.#announcements < ANNOUNCE_NUM) this.#deadline = now + ANNOUNCE_INTERVAL;
    else this.stop();
    if (!this.#isClaimed) {
      this.#isClaimed = true;
      this.#options.onClaimed(now);
    }
    this.#send(this.address, now);
  }

  #send(spa: Ipv4Addr, now: Instant): void {
    const { arp, device } = this.#options;
    arp.transmit(device, ArpOp.Request, MAC_BROADCAST, spa, MAC_ZERO, this.address, now);
  }
}
