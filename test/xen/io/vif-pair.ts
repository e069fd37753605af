/** A guest's device and a vif, joined by rings, whose far ends a test plays. @module */
import type { Instant } from "../../../src/base/time.ts";
import { parseMac } from "../../../src/wire/addr.ts";
import { Device, PatchCable, type Stack } from "../../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../../src/wire/packet.ts";
import { Hypervisor, type DomainIo } from "../../../src/xen/hypervisor/hypervisor.ts";
import { joinVif } from "../../../src/xen/io/join-vif.ts";
import { Netback, type NetfrontFeatures } from "../../../src/xen/io/netback.ts";
import { Netfront } from "../../../src/xen/io/netfront.ts";
import {
  NETBACK_2618,
  NETBACK_6,
  type NetbackBehaviour,
  NETFRONT_2618,
  NETFRONT_6,
} from "../../../src/xen/io/netif-behaviour.ts";
import type { TxRate } from "../../../src/xen/io/tx-credit.ts";

/** A frame that came out, and what it said of itself. */
export interface Arrived {
  readonly octets: Uint8Array;
  readonly at: Instant;
  readonly id: number;
  readonly isBlank: boolean;
  readonly isSound: boolean;
  readonly segmentSize: number;
}

/** Keeps what a device receives. */
class Keeper implements Stack {
  readonly frames: Arrived[] = [];
  receive(_device: Device, packet: Packet, now: Instant): void {
    const { id, hasBlankChecksum, hasSoundChecksums, segmentSize } = packet;
    this.frames.push({
      octets: packet.octets().slice(),
      at: now,
      id,
      isBlank: hasBlankChecksum,
      isSound: hasSoundChecksums,
      segmentSize,
    });
    packet.pool.end(packet, "delivered", "test/kept", now);
  }
}

export interface VifPairOptions {
  readonly era?: "2618" | "6";
  readonly behaviour?: Partial<NetbackBehaviour>;
  readonly rate?: TxRate | null;
  readonly onCarrier?: (isOn: boolean, now: Instant) => void;
  readonly features?: NetfrontFeatures;
  readonly isShared?: boolean;
  /** Joined already; true. */
  readonly isJoined?: boolean;
  readonly domid?: number;
  readonly hypervisor?: Hypervisor;
  readonly pool?: PacketPool;
}

/** One vif with both ends. */
export class VifPair {
  readonly pool: PacketPool;
  readonly hypervisor: Hypervisor;
  readonly domain: DomainIo;
  readonly guest: Device;
  readonly vif: Device;
  readonly netback: Netback;
  readonly netfront: Netfront;
  readonly atGuest = new Keeper();
  readonly atVif = new Keeper();
  /** When the back end wants to be woken, as it told. */
  now: Instant = 0;
  readonly #rate: TxRate | null;

  constructor(options: VifPairOptions = {}) {
    const { era = "2618", domid = 3, isShared = false } = options;
    this.pool = options.pool ?? new PacketPool({ slots: 2048, largeSlots: 16 });
    this.hypervisor = options.hypervisor ?? new Hypervisor();
    this.domain = this.hypervisor.createDomain({ domid, pages: 1024, isShared });
    this.guest = new Device({ name: "eth0", mac: parseMac("12:31:39:00:a5:11") });
    this.vif = new Device({ name: `vif${domid}.0`, mac: parseMac("fe:ff:ff:ff:ff:ff") });
    this.guest.attachStack(this.atGuest);
    this.vif.attachStack(this.atVif);
    const { pool, hypervisor } = this;
    const behaviour = {
      ...(era === "6" ? NETBACK_6 : NETBACK_2618),
      ...options.behaviour,
    };
    const { onCarrier = () => undefined } = options;
    this.netback = new Netback({ domid, vif: this.vif, pool, hypervisor, behaviour, onCarrier }, 0);
    new PatchCable(this.netback.device, this.vif);
    this.netfront = new Netfront({
      device: this.guest,
      pool,
      grants: this.domain.grants,
      behaviour: era === "6" ? NETFRONT_6 : NETFRONT_2618,
      ...(options.features === undefined ? {} : { features: options.features }),
    });
    this.#rate = options.rate ?? null;
    if (options.isJoined ?? true) this.join();
  }

  join(): void {
    const { hypervisor, netback, netfront } = this;
    joinVif({ hypervisor, netback, netfront, rate: this.#rate }, this.now);
  }

  /** The guest sends a copy of `octets`. */
  fromGuest(octets: Uint8Array, marks: Partial<Marks> = {}): number {
    return send(this.guest, this.pool, octets, marks, this.now);
  }

  /** Dom0 sends a copy of `octets` to the guest. */
  toGuest(octets: Uint8Array, marks: Partial<Marks> = {}): number {
    return send(this.vif, this.pool, octets, marks, this.now);
  }

  /** Let time pass. */
  advance(to: Instant): void {
    while (this.netback.nextDeadline() <= to) {
      this.now = Math.max(this.now, this.netback.nextDeadline());
      this.netback.expire(this.now);
    }
    this.now = to;
  }
}

type Marks = Pick<Packet, "hasBlankChecksum" | "hasSoundChecksums" | "segmentSize">;

function send(
  device: Device,
  pool: PacketPool,
  octets: Uint8Array,
  marks: Partial<Marks>,
  now: Instant,
): number {
  const packet = pool.copyIn(octets);
  if (packet === null) throw new Error("the pool is exhausted");
  packet.hasBlankChecksum = marks.hasBlankChecksum ?? false;
  packet.hasSoundChecksums = marks.hasSoundChecksums ?? false;
  packet.segmentSize = marks.segmentSize ?? 0;
  const { id } = packet;
  device.transmit(packet, now);
  return id;
}

/** A frame of `length` octets that no other number makes. */
export function frameOf(number: number, length = 60): Uint8Array {
  const octets = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) octets[at] = (number * 31 + at * 7 + (at >> 8)) & 0xff;
  // No type that anybody reads.
  octets[12] = 0x88;
  octets[13] = 0xb5;
  return octets;
}
