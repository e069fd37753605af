/**
 * netback: Dom0's half of a vif. Frames of the guest come out of its tx ring and go to the vif;
 * frames from the vif go into its rx ring (Xen's split network driver, public/io/netif.h).
 * @module
 */
import type { Machine } from "../../base/machine.ts";
import { type Instant, NEVER } from "../../base/time.ts";
import { Device, type Stack } from "../../wire/device.ts";
import type { Packet, PacketPool, Reason } from "../../wire/packet.ts";
import type { EventPort, UpcallHandler } from "../hypervisor/event-port.ts";
import { GrantMap } from "../hypervisor/grant-operations.ts";
import type { GrantTable } from "../hypervisor/grant-table.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { VifCompanions } from "./companions.ts";
import type { NetbackBehaviour } from "./netif-behaviour.ts";
import { NetbackRx } from "./netback-rx.ts";
import { NetbackTx, sizeOf } from "./netback-tx.ts";
import { RX_SLOT, TX_SLOT } from "./netif.ts";
import { BackRing } from "./shared-ring.ts";
import { TxCredit, type TxRate } from "./tx-credit.ts";

/** What a {@link Netback} is made from. */
export interface NetbackOptions {
  /** Of the guest. */
  readonly domid: number;
  /** The vif in Dom0: what the front end takes becomes what it takes. */
  readonly vif: Device;
  readonly pool: PacketPool;
  readonly hypervisor: Hypervisor;
  readonly behaviour: NetbackBehaviour;
  /** Told when the deadline may have moved: the place of a scheduler's `reschedule`. */
  readonly onChange?: (netback: Machine) => void;
  /** Told when a connected guest loses its carrier, for it takes nothing, and has it again. */
  readonly onCarrier?: (isOn: boolean, now: Instant) => void;
}

/** What a front end wrote into its directory. */
export interface NetfrontAnnouncement {
  readonly txRing: number;
  readonly rxRing: number;
  /** The guest's port, unbound for Dom0. */
  readonly port: number;
  readonly features: NetfrontFeatures;
}

/** `feature-...` of a front end; each is absent, which is false, unless it says so. */
export interface NetfrontFeatures {
  /** `feature-sg`: frames may fill several slots. */
  readonly sg?: boolean;
  /** `feature-gso-tcpv4`: large segments are taken. */
  readonly gsoTcpv4?: boolean;
  /** `feature-rx-notify`: posted buffers are told. */
  readonly rxNotify?: boolean;
  /** `feature-no-csum-offload`: blank checksums are not taken. */
  readonly noCsumOffload?: boolean;
}

/** Why a front end cannot be connected. */
export type ConnectFailure = "no-domain" | "tx-ring" | "rx-ring" | "event-channel" | "connected";

const DOM0 = 0;

interface Connection {
  readonly tx: NetbackTx;
  readonly rx: NetbackRx;
  readonly txRing: BackRing;
  readonly table: GrantTable;
  readonly handles: readonly number[];
  readonly port: EventPort;
}

/** One vif's back end. Join its {@link device} to the vif's device by a link. */
export class Netback implements Stack, UpcallHandler, Machine {
  /** The end towards the guest of the link between guest and vif. */
  readonly device: Device;
  readonly domid: number;
  readonly #options: NetbackOptions;
  readonly #credit: TxCredit;
  #connection: Connection | null = null;
  #companions: VifCompanions | null = null;
  #isDisabled = false;
  #wasConnected = false;

  /** @param now when the vif comes to be: credit is counted from here. */
  constructor(options: NetbackOptions, now: Instant) {
    const { domid, vif, behaviour } = options;
    this.domid = domid;
    this.#options = options;
    this.device = new Device({ name: `netback${domid}`, mac: vif.mac, mtu: vif.mtu });
    this.device.attachStack(this);
    this.#credit = new TxCredit(behaviour.jiffies, behaviour.leastBurst, now);
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** True once the guest did what no sound driver does (`vif->disabled`). */
  get isDisabled(): boolean {
    return this.#isDisabled;
  }

  /** False while the guest takes no frames, or none is connected (`netif_carrier_ok`). */
  get hasCarrier(): boolean {
    return !this.#isDisabled && (this.#connection?.rx.hasCarrier ?? false);
  }

  /** Frames that came from the guest, were refused, and went to it; its losses of the carrier. */
  get counters(): Readonly<Record<"taken" | "refused" | "given" | "stalls", number>> {
    const { tx = null, rx = null } = this.#connection ?? {};
    return {
      taken: tx?.frames ?? 0,
      refused: tx?.errors ?? 0,
      given: rx?.frames ?? 0,
      stalls: rx?.stalls ?? 0,
    };
  }

  /**
   * Map the rings that the front end announced and bind its port.
   * @param rate the node `rate`, read; `null` for no limit.
   * @param companions where the front end runs in this thread, what it shares with this end.
   * @returns `null`; or why not, and nothing has changed.
   */
  connect(
    announcement: NetfrontAnnouncement,
    rate: TxRate | null,
    companions: VifCompanions | null,
    now: Instant,
  ): ConnectFailure | null {
    const { hypervisor, domid } = this.#options;
    if (this.#connection !== null) return "connected";
    const table = hypervisor.grants.find(domid);
    if (table === null) return "no-domain";
    const mapper = hypervisor.dom0.table;
    const txHandle = mapper.map(domid, announcement.txRing, GrantMap.host);
    if (txHandle < 0) return "tx-ring";
    const rxHandle = mapper.map(domid, announcement.rxRing, GrantMap.host);
    if (rxHandle < 0) {
      mapper.unmap(txHandle);
      return "rx-ring";
    }
    const { events } = hypervisor;
    const number = events.bindInterdomain(DOM0, domid, announcement.port);
    const port = number < 0 ? null : events.portOf(DOM0, number);
    if (port === null) {
      mapper.unmap(txHandle);
      mapper.unmap(rxHandle);
      return "event-channel";
    }
    this.#companions = companions;
    this.#open(announcement.features, table, [txHandle, rxHandle], port, now);
    this.#credit.setRate(rate);
    if (this.#wasConnected || this.#options.behaviour.restartsCredit) this.#credit.restart(now);
    this.#wasConnected = true;
    this.#announce(announcement.features);
    events.setHandler(DOM0, port.number, this, now);
    return null;
  }

  /** The node `rate` says something else; nothing while no front end is connected. */
  changeRate(rate: TxRate | null, now: Instant): void {
    if (this.#connection === null || this.#isDisabled) return;
    this.#credit.changeRate(rate, now);
    this.#options.onChange?.(this);
  }

  /** The front end goes, or the domain: what waits is dropped, the rings are unmapped. */
  disconnect(now: Instant): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.#connection = null;
    this.#isDisabled = false;
    connection.tx.stop();
    connection.rx.stop("netback/disconnected", now);
    this.#companions?.tx.clear("netback/disconnected", now);
    this.#companions?.rx.clear("netback/disconnected", now);
    this.#companions = null;
    this.#credit.setRate(null);
    this.#announce({ noCsumOffload: true });
    const { hypervisor } = this.#options;
    hypervisor.events.close(DOM0, connection.port.number);
    for (const handle of connection.handles) hypervisor.dom0.table.unmap(handle);
    this.#options.onChange?.(this);
  }

  /** A frame for the guest. Takes ownership. */
  receive(_device: Device, packet: Packet, now: Instant): void {
    const reason = this.#reasonAgainst();
    if (reason === null) {
      const { rx } = this.#connection ?? {};
      const before = rx?.deadline ?? NEVER;
      rx?.receive(packet, now);
      if (rx?.deadline !== before) this.#options.onChange?.(this);
    } else packet.pool.end(packet, "dropped", reason, now);
  }

  /** The guest sent an event: requests, or buffers. */
  upcall(now: Instant): void {
    const connection = this.#connection;
    if (connection === null || this.#isDisabled) return;
    const { tx, rx } = connection;
    const credit = this.#credit;
    // Compared one by one: what a function answers of them, V8 would keep on its heap.
    const txBefore = tx.deadline;
    const rxBefore = rx.deadline;
    const creditBefore = credit.deadline;
    tx.run(now);
    rx.resume(now);
    if (tx.deadline !== txBefore || rx.deadline !== rxBefore || credit.deadline !== creditBefore) {
      this.#options.onChange?.(this);
    }
  }

  nextDeadline(): Instant {
    const { tx = null, rx = null } = this.#connection ?? {};
    if (tx === null || rx === null) return NEVER;
    return Math.min(tx.deadline, rx.deadline, this.#credit.deadline);
  }

  expire(now: Instant): void {
    const connection = this.#connection;
    if (connection === null) return;
    const { tx, rx, txRing, table } = connection;
    const hasCredit = this.#credit.deadline <= now;
    if (hasCredit) this.#credit.refill(sizeOf(table.memory.words, txRing));
    if (hasCredit || tx.deadline <= now) tx.run(now);
    rx.expire(now);
  }

  toString(): string {
    return this.device.name;
  }

  #open(
    features: NetfrontFeatures,
    table: GrantTable,
    handles: readonly [number, number],
    port: EventPort,
    now: Instant,
  ): void {
    const { behaviour, pool, hypervisor } = this.#options;
    const mapper = hypervisor.dom0.table;
    const { memory } = table;
    const [txHandle, rxHandle] = handles;
    const ringOf = (handle: number, entryOctets: number): BackRing =>
      new BackRing({ memory, gfn: mapper.frameOf(handle), entryOctets });
    const txRing = ringOf(txHandle, TX_SLOT);
    const companions = this.#companions;
    const notify = (at: Instant): void => port.notify(at);
    // Not spread: V8 gives each such object a shape of its own, and looks it up each time.
    const tx = new NetbackTx({
      table,
      behaviour,
      notify,
      ring: txRing,
      pool,
      device: this.device,
      credit: this.#credit,
      companions: companions?.tx ?? null,
      onFatal: (at) => this.#disable(at),
    });
    const rxParts = {
      table,
      behaviour,
      notify,
      ring: ringOf(rxHandle, RX_SLOT),
      companions: companions?.rx ?? null,
      takesSlots: features.sg === true || features.gsoTcpv4 === true,
      tellsBuffers: features.rxNotify === true,
      onCarrier: (isOn: boolean, at: Instant): void => this.#options.onCarrier?.(isOn, at),
    };
    const rx = new NetbackRx(rxParts, now);
    this.#connection = { tx, rx, txRing, table, handles, port };
  }

  /** What the vif takes is what the front end takes. */
  #announce({ sg = false, gsoTcpv4 = false, noCsumOffload = false }: NetfrontFeatures): void {
    const { vif, behaviour } = this.#options;
    vif.takesBlankChecksums = !noCsumOffload && behaviour.sendsBlanks;
    vif.takesLargeSegments = sg && gsoTcpv4 && !noCsumOffload;
  }

  #reasonAgainst(): Reason | null {
    const connection = this.#connection;
    if (connection === null) return "netback/no-frontend";
    if (!connection.rx.hasCarrier) return "netback/no-carrier";
    return this.#isDisabled ? "netback/disabled" : null;
  }

  /** `xenvif_fatal_tx_err`: nothing goes either way until the front end connects anew. */
  #disable(now: Instant): void {
    this.#isDisabled = true;
    this.#connection?.rx.stop("netback/disabled", now);
    this.#credit.setRate(null);
  }
}
