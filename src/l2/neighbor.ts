/**
 * One neighbor and its state: RFC 4861 section 7.3.2, as Linux keeps it (struct neighbour).
 * @module
 */
import { type Instant, NEVER } from "../base/time.ts";
import { type Ipv4Addr, type Mac, MAC_ZERO } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import { EthernetTemplate, EtherType } from "./ethernet.ts";

/** As `ip neigh` prints them, in the order of `NUD_*`. */
export type NeighborState =
  | "INCOMPLETE"
  | "REACHABLE"
  | "STALE"
  | "DELAY"
  | "PROBE"
  | "FAILED"
  | "PERMANENT";

/** An instant before every other. */
export const LONG_AGO: Instant = Number.NEGATIVE_INFINITY;

/** One neighbor: an address on a device, and what is known of its link-layer address. */
export class Neighbor {
  declare readonly device: Device;
  declare readonly address: Ipv4Addr;
  #state: NeighborState = "FAILED";
  #isReady = false;
  #mac: Mac = MAC_ZERO;
  #header: EthernetTemplate;
  #wasUsed = false;
  /** When its reachability was last proved. */
  confirmed: Instant = LONG_AGO;
  /** When a packet last needed it while it was not reachable, or first while it was. */
  declare used: Instant;
  /** When its state or address last changed. */
  declare updated: Instant;
  /** Requests sent since it was last known. */
  probes = 0;
  /** Packets that wait for its address. */
  readonly queue: Packet[] = [];
  /** When its timer fires. */
  firesAt: Instant = NEVER;

  constructor(device: Device, address: Ipv4Addr, now: Instant) {
    this.device = device;
    this.address = address;
    this.used = now;
    this.updated = now;
    this.#header = this.#newHeader();
  }

  get state(): NeighborState {
    return this.#state;
  }

  set state(state: NeighborState) {
    this.#state = state;
    this.#isReady = this.#wasUsed && this.isSure;
  }

  get mac(): Mac {
    return this.#mac;
  }

  set mac(mac: Mac) {
    this.#mac = mac;
    this.#header = this.#newHeader();
  }

  /** What frames of IPv4 to the neighbor begin with. */
  get header(): EthernetTemplate {
    return this.#header;
  }

  #newHeader(): EthernetTemplate {
    return new EthernetTemplate(this.#mac, this.device.mac, EtherType.Ipv4);
  }

  /** True once a packet needed its address: Linux then has its header at hand. */
  get wasUsed(): boolean {
    return this.#wasUsed;
  }

  /** A packet needs it; only valid neighbors get a header. */
  noteUse(now: Instant): void {
    this.used = now;
    this.#wasUsed ||= this.isValid;
    this.#isReady = this.#wasUsed && this.isSure;
  }

  /** True if a packet is sent to it at once, and nothing needs to be noted. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** True if nothing is to be asked before a packet is sent to it. */
  get isSure(): boolean {
    return this.#state === "REACHABLE" || this.#state === "PERMANENT";
  }

  get isValid(): boolean {
    return this.#state !== "INCOMPLETE" && this.#state !== "FAILED";
  }
}
