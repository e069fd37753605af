/** The rings of a host's vifs: what the xenbus halves of netback and netfront open. @module */
import type { Instant } from "../../base/time.ts";
import type { DomainIo, Hypervisor } from "../hypervisor/hypervisor.ts";
import { Companions, type VifCompanions } from "../io/companions.ts";
import type { Netback } from "../io/netback.ts";
import type { Netfront } from "../io/netfront.ts";
import { parseRate } from "../io/tx-credit.ts";
import type { VifPorts, VifRings } from "./vif-backend.ts";
import type { GuestVifPorts, OfferedVifRings } from "./vif-frontend.ts";

interface HostVif {
  readonly netback: Netback;
  /** What a front end of this thread shares with it; `null` for one that is elsewhere. */
  companions: VifCompanions | null;
}

/** Dom0's side: the {@link Netback} of each vif that is online. */
export class HostVifRings implements VifPorts {
  readonly #vifs = new Map<string, HostVif>();

  /** A vif came online. */
  add(handle: number, netback: Netback): void {
    this.#vifs.set(keyOf(netback.domid, handle), { netback, companions: null });
  }

  /** A vif goes offline. */
  remove(domid: number, handle: number): void {
    this.#vifs.delete(keyOf(domid, handle));
  }

  /** A front end of this thread offers rings; `null`: no more. */
  share(domid: number, handle: number, companions: VifCompanions | null): void {
    const vif = this.#vifs.get(keyOf(domid, handle));
    if (vif !== undefined) vif.companions = companions;
  }

  connect(rings: VifRings, now: Instant): boolean {
    const { domid, handle, txRingRef, rxRingRef, eventChannel } = rings;
    const vif = this.#vifs.get(keyOf(domid, handle));
    if (vif === undefined || txRingRef < 0 || rxRingRef < 0) return false;
    const announcement = {
      txRing: txRingRef,
      rxRing: rxRingRef,
      port: eventChannel,
      features: {
        sg: rings.hasScatterGather,
        gsoTcpv4: rings.hasTcpOffload,
        rxNotify: rings.isRxNotified,
        noCsumOffload: rings.lacksChecksumOffload,
      },
    };
    const rate = parseRate(rings.rate ?? "");
    return vif.netback.connect(announcement, rate, vif.companions, now) === null;
  }

  changeRate(domid: number, handle: number, rate: string | null, now: Instant): void {
    this.#vifs.get(keyOf(domid, handle))?.netback.changeRate(parseRate(rate ?? ""), now);
  }

  disconnect(domid: number, handle: number, now: Instant): void {
    this.#vifs.get(keyOf(domid, handle))?.netback.disconnect(now);
  }
}

/** What the vifs of one domU stand on. */
export interface GuestVifRingsOptions {
  readonly io: DomainIo;
  readonly hypervisor: Hypervisor;
  readonly host: HostVifRings;
  /** The driver of a vif; `null` for a vif that the domU has no device for. */
  readonly netfront: (handle: number) => Netfront | null;
}

interface OpenVif {
  readonly netfront: Netfront;
  readonly port: number;
  readonly companions: VifCompanions;
}

/** Frames that both rings take. */
const RING_FRAMES = 2;

/** A domU's side: the {@link Netfront} of each of its vifs. */
export class GuestVifRings implements GuestVifPorts {
  readonly #options: GuestVifRingsOptions;
  readonly #open = new Map<number, OpenVif>();

  constructor(options: GuestVifRingsOptions) {
    this.#options = options;
  }

  open(handle: number, backendId: number, now: Instant): OfferedVifRings | null {
    const { io, hypervisor, host } = this.#options;
    const { memory, grants } = io;
    const { events } = hypervisor;
    const netfront = this.#options.netfront(handle);
    const isShort = memory.pages - memory.allocated < RING_FRAMES || grants.available < RING_FRAMES;
    if (netfront === null || isShort) return null;
    const number = events.allocUnbound(memory.domid, backendId);
    const port = events.portOf(memory.domid, number);
    if (port === null) return null;
    const companions: VifCompanions = { tx: new Companions(), rx: new Companions() };
    const { txRing, rxRing } = netfront.open(port, companions);
    host.share(memory.domid, handle, companions);
    events.setHandler(memory.domid, number, netfront, now);
    this.#open.set(handle, { netfront, port: number, companions });
    return { txRingRef: txRing, rxRingRef: rxRing, eventChannel: number };
  }

  connected(handle: number, now: Instant): void {
    this.#open.get(handle)?.netfront.start(now);
  }

  stop(handle: number): void {
    this.#open.get(handle)?.netfront.stop();
  }

  close(handle: number, now: Instant): void {
    const { io, hypervisor, host } = this.#options;
    const open = this.#open.get(handle);
    if (open === undefined) return;
    this.#open.delete(handle);
    host.share(io.memory.domid, handle, null);
    open.netfront.close(now);
    // Where Dom0 let go before, what the guest sent since is nobody else's.
    open.companions.tx.clear("netfront/closed", now);
    open.companions.rx.clear("netfront/closed", now);
    hypervisor.events.close(io.memory.domid, open.port);
  }
}

const keyOf = (domid: number, handle: number): string => `${domid}.${handle}`;
