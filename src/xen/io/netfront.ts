/**
 * netfront: the guest's half of a vif. What the guest's device sends goes through the tx ring; what
 * comes out of the rx ring, the device receives. All of it happens in the guest's own memory.
 * @module
 */
import { EmulatorError } from "../../base/errors.ts";
import type { Instant } from "../../base/time.ts";
import type { Carrier, Device } from "../../wire/device.ts";
import type { Packet, PacketPool } from "../../wire/packet.ts";
import type { UpcallHandler } from "../hypervisor/event-port.ts";
import type { GuestGrants } from "../hypervisor/guest-grants.ts";
import type { VifCompanions } from "./companions.ts";
import type { NetfrontAnnouncement, NetfrontFeatures } from "./netback.ts";
import type { NetfrontBehaviour } from "./netif-behaviour.ts";
import { NetfrontRx } from "./netfront-rx.ts";
import { NetfrontTx } from "./netfront-tx.ts";
import { NETIF_SLOTS, RX_SLOT, TX_SLOT } from "./netif.ts";
import { PagePool } from "./page-pool.ts";
import { FrontRing, initializeRing } from "./shared-ring.ts";

/** The guest's end of an event channel; an {@link EventPort} is one. */
export interface GuestPort {
  readonly number: number;
  /** Send an event to Dom0. */
  notify(now: Instant): void;
}

/** What a {@link Netfront} is made from. */
export interface NetfrontOptions {
  /** The guest's device: this becomes its carrier. */
  readonly device: Device;
  readonly pool: PacketPool;
  readonly grants: GuestGrants;
  readonly behaviour: NetfrontBehaviour;
  /** All that the driver knows. */
  readonly features?: NetfrontFeatures;
  /** Frames that wait while the ring is full; 1,000, as a guest's `txqueuelen`. */
  readonly queueLimit?: number;
}

/** Buffers of both rings, all slots taken. */
const MOST_PAGES = 2 * NETIF_SLOTS;
const DOM0 = 0;
const ALL_FEATURES: NetfrontFeatures = { sg: true, gsoTcpv4: true, rxNotify: true };

interface Opened {
  readonly rings: readonly [FrontRing, FrontRing];
  readonly refs: readonly [number, number];
  readonly port: GuestPort;
  readonly tx: NetfrontTx;
  readonly rx: NetfrontRx;
}

/** One vif's front end. */
export class Netfront implements Carrier, UpcallHandler {
  readonly features: NetfrontFeatures;
  readonly #options: NetfrontOptions;
  readonly #pages: PagePool;
  #opened: Opened | null = null;
  #isStarted = false;

  constructor(options: NetfrontOptions) {
    this.#options = options;
    this.features = options.features ?? ALL_FEATURES;
    this.#pages = new PagePool(options.grants.memory, MOST_PAGES);
    options.device.attachCarrier(this);
  }

  /** True from {@link start} to {@link stop}: frames go both ways. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** The way out, for who has frames in the guest's memory; `null` if there are no rings. */
  get tx(): NetfrontTx | null {
    return this.#opened?.tx ?? null;
  }

  /** Frames that went out, were refused, and came in. */
  get counters(): { readonly sent: number; readonly refused: number; readonly received: number } {
    const { tx = null, rx = null } = this.#opened ?? {};
    return { sent: tx?.frames ?? 0, refused: tx?.errors ?? 0, received: rx?.frames ?? 0 };
  }

  /**
   * Allocate and grant both rings (`setup_device`).
   * @param port unbound, for Dom0.
   * @param companions where Dom0 runs in this thread, what both ends share.
   * @returns what the front end writes into its directory.
   * @throws {EmulatorError} if it is open, or the memory is full.
   */
  open(port: GuestPort, companions: VifCompanions | null): NetfrontAnnouncement {
    const { device, grants, pool, behaviour, queueLimit = 1000 } = this.#options;
    if (this.#opened !== null) throw new EmulatorError("netfront-open", device.name, "it is open");
    const [txRing, txRef] = this.#newRing(TX_SLOT);
    const [rxRing, rxRef] = this.#newRing(RX_SLOT);
    const pages = this.#pages;
    const notify = (now: Instant): void => port.notify(now);
    // Not spread: V8 gives each such object a shape of its own, and looks it up each time.
    const tx = new NetfrontTx({
      grants,
      pages,
      behaviour,
      notify,
      ring: txRing,
      companions: companions?.tx ?? null,
      queueLimit,
    });
    const rx = new NetfrontRx({
      grants,
      pages,
      behaviour,
      notify,
      ring: rxRing,
      companions: companions?.rx ?? null,
      pool,
      device,
    });
    this.#opened = { rings: [txRing, rxRing], refs: [txRef, rxRef], port, tx, rx };
    return { txRing: txRef, rxRing: rxRef, port: port.number, features: this.features };
  }

  /** Dom0 is connected: post buffers, and let frames go (`network_connect`). */
  start(now: Instant): void {
    const opened = this.#opened;
    if (opened === null) return;
    this.#isStarted = true;
    const { noCsumOffload = false, sg = false, gsoTcpv4 = false } = this.features;
    const { device } = this.#options;
    device.takesBlankChecksums = !noCsumOffload;
    device.takesLargeSegments = !noCsumOffload && sg && gsoTcpv4;
    opened.port.notify(now);
    opened.rx.fill(now);
    opened.tx.run(now);
  }

  /** Dom0 closes: no frame goes any more. It maps the rings still. */
  stop(): void {
    this.#isStarted = false;
    const { device } = this.#options;
    device.takesBlankChecksums = false;
    device.takesLargeSegments = false;
  }

  /** Dom0 is gone, or the device: what waits is dropped, rings and pages are freed. */
  close(now: Instant): void {
    const opened = this.#opened;
    if (opened === null) return;
    this.#opened = null;
    this.stop();
    const { grants } = this.#options;
    opened.tx.stop("netfront/closed", now);
    opened.rx.stop();
    this.#pages.clear();
    opened.refs.forEach((ref, index) => {
      const gfn = opened.rings[index]?.gfn ?? -1;
      if (grants.revoke(ref)) grants.memory.free(gfn);
    });
  }

  /** A frame that the guest's device sends. Takes ownership. */
  carry(_from: Device, packet: Packet, now: Instant): void {
    const { tx = null } = this.#opened ?? {};
    if (tx !== null && this.#isStarted) tx.send(packet, now);
    else packet.pool.end(packet, "dropped", "netfront/no-carrier", now);
  }

  /** Dom0 sent an event: answers, or frames. */
  upcall(now: Instant): void {
    const opened = this.#opened;
    if (opened === null || !this.#isStarted) return;
    opened.tx.run(now);
    opened.rx.run(now);
  }

  #newRing(entryOctets: number): [FrontRing, number] {
    const { grants, device } = this.#options;
    const { memory } = grants;
    const gfn = memory.allocate();
    const ref = gfn < 0 ? -1 : grants.grant(DOM0, gfn, false);
    if (ref < 0) throw new EmulatorError("netfront-memory", device.name, "no page for a ring");
    initializeRing(memory, gfn);
    return [new FrontRing({ memory, gfn, entryOctets }), ref];
  }
}
