/** The xenbus half of blkfront (Linux drivers/block/xen-blkfront.c, and 2.6.18's). @module */
import type { Instant } from "../../base/time.ts";
import { SECTOR_OCTETS } from "../../storage/block-device.ts";
import type { BackFeatures, DiscardFeature, UnansweredRequests } from "../io/blkfront.ts";
import type { FrontendBus, FrontendDevice, FrontendDriver } from "./frontend-bus.ts";
import { scanInteger, XenbusState } from "./xenbus-state.ts";

/** The ring that a front end offers. */
export interface OfferedVbdRing {
  readonly ringRef: number;
  readonly eventChannel: number;
}

/** What the back end says of the disk. */
export interface DiskGeometry {
  /** Of 512 octets. */
  readonly sectors: number;
  /** Bits: CD-ROM 1, removable 2, read-only 4. */
  readonly info: number;
}

/** What a connected back end says. */
export type ConnectedDisk = DiskGeometry & BackFeatures;

/** The rings of one domU's disks: {@link VbdFrontend} opens and closes them. */
export interface GuestVbdPorts {
  /** Allocate and grant a ring for domain `backendId`. @returns `null` if memory is short. */
  open(devid: number, backendId: number, now: Instant): OfferedVbdRing | null;
  /** The back end is there: the disk can be read and written. */
  connected(devid: number, disk: ConnectedDisk, now: Instant): void;
  /** Ask and take nothing more: what is asked for already may still be answered. */
  stop(devid: number, now: Instant): void;
  /** The domain suspends: let go of all rings. @returns what has no answer, by devid. */
  suspend(): ReadonlyMap<number, UnansweredRequests>;
  /** It goes on elsewhere: what is unanswered is asked again once a disk is connected. */
  resume(unanswered: ReadonlyMap<number, UnansweredRequests>): void;
  /** Take everything back; nothing if it was not open. */
  close(devid: number, now: Instant): void;
}

/** The driver of a domU's disks. */
export class VbdFrontend implements FrontendDriver {
  readonly #bus: FrontendBus;
  readonly #ports: GuestVbdPorts;
  readonly #protocol: string;
  readonly #features: readonly (readonly [string, string])[];

  /**
   * @param protocol "x86_32-abi" or "x86_64-abi": how its ring is laid out.
   * @param features written after it.
   */
  constructor(
    bus: FrontendBus,
    ports: GuestVbdPorts,
    protocol: string,
    features: readonly (readonly [string, string])[],
  ) {
    this.#bus = bus;
    this.#ports = ports;
    this.#protocol = protocol;
    this.#features = features;
  }

  backendChanged(device: FrontendDevice, state: XenbusState, now: Instant): void {
    if (state === XenbusState.Connected) this.#connect(device, now);
    else if (device.state === XenbusState.Initialising) this.#offer(device, now);
  }

  stop({ devid }: FrontendDevice, now: Instant): void {
    this.#ports.stop(devid, now);
  }

  close({ devid }: FrontendDevice, now: Instant): void {
    this.#ports.close(devid, now);
  }

  #offer(device: FrontendDevice, now: Instant): void {
    const ring = this.#ports.open(device.devid, device.backendId, now);
    if (ring === null) return;
    this.#bus.client.transaction((client) => {
      client.write(`${device.node}/ring-ref`, String(ring.ringRef));
      client.write(`${device.node}/event-channel`, String(ring.eventChannel));
      client.write(`${device.node}/protocol`, this.#protocol);
      for (const [key, value] of this.#features) client.write(`${device.node}/${key}`, value);
    });
    this.#bus.switchState(device, XenbusState.Initialised);
  }

  #connect(device: FrontendDevice, now: Instant): void {
    if (device.state !== XenbusState.Initialised) return;
    const read = (key: string): number | null =>
      scanInteger(this.#bus.client.find(`${device.backend}/${key}`));
    const sectors = read("sectors");
    const info = read("info");
    if (sectors === null || info === null) return;
    const isPersistent = (read("feature-persistent") ?? 0) !== 0;
    const indirectSegments = read("feature-max-indirect-segments") ?? 0;
    const discard = (read("feature-discard") ?? 0) === 0 ? null : discardOf(read);
    const disk = { sectors, info, isPersistent, indirectSegments, discard };
    this.#ports.connected(device.devid, disk, now);
    this.#bus.switchState(device, XenbusState.Connected);
  }
}

/** `blkfront_setup_discard`: a granularity of 0, or none, is that of a sector. */
function discardOf(read: (key: string) => number | null): DiscardFeature {
  const granularity = read("discard-granularity") ?? 0;
  return {
    granularity: granularity === 0 ? (read("physical-sector-size") ?? SECTOR_OCTETS) : granularity,
    alignment: read("discard-alignment") ?? 0,
    isSecure: (read("discard-secure") ?? 0) !== 0,
  };
}
