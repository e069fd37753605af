/** Devices at the ends of a link, and what arrived at them. @module */
import type { FaultOptions } from "../../src/sim/faults.ts";
import { Lanes } from "../../src/sim/lane.ts";
import { Link, type LinkOptions, type WayOptions } from "../../src/sim/link.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { macOf } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";

/** A frame that arrived: its first four octets are its number. */
export interface Arrival {
  readonly device: string;
  readonly id: number;
  readonly number: number;
  readonly octets: Uint8Array;
  readonly at: number;
}

type MoreOptions = Pick<LinkOptions, "seed" | "toLeft">;

/** A link and the devices at its ends. */
export interface Wire {
  readonly link: Link;
  readonly left: Device;
  readonly right: Device;
}

/** One scheduler, one pool, and as many links as a test wants. */
export class Wires {
  readonly scheduler = new Scheduler();
  readonly lanes: Lanes = new Lanes(this.scheduler);
  readonly pool: PacketPool;
  readonly arrivals: Arrival[] = [];
  #sent = 0;

  constructor(slots = 256) {
    this.pool = new PacketPool({ slots, largeSlots: 0 });
  }

  device(name: string): Device {
    const device = new Device({ name, mac: macOf(0x0200_0000_0001) });
    device.attachStack({ receive: (to, packet, now) => this.#arrive(to, packet, now) });
    return device;
  }

  /** A link from `<name>l` to `<name>r`. */
  link(name: string, toRight: WayOptions, options: MoreOptions = {}): Wire {
    const left = this.device(`${name}l`);
    const right = this.device(`${name}r`);
    const link = new Link({ lanes: this.lanes, left, right, toRight, name, ...options });
    return { link, left, right };
  }

  /** Send a frame of `length` octets with the next number. @returns its number. */
  send(from: Device, length = 64, now = this.scheduler.now): number {
    const packet = this.pool.allocate(length);
    if (packet === null) throw new RangeError("the pool is exhausted");
    const number = this.#sent++;
    this.pool.bytes.fill(0, packet.frame, packet.end);
    this.pool.view.setUint32(packet.frame, number);
    from.transmit(packet, now);
    return number;
  }

  /** Numbers in the order of their arrival. */
  get numbers(): number[] {
    return this.arrivals.map((arrival) => arrival.number);
  }

  #arrive(to: Device, packet: Packet, at: number): void {
    const number = this.pool.view.getUint32(packet.frame);
    const octets = packet.octets().slice();
    this.arrivals.push({ device: to.name, id: packet.id, number, octets, at });
    this.pool.end(packet, "delivered", "test/arrived", at);
  }
}

/** What arrives of `count` numbered frames of 64 octets, one a microsecond. */
export function arrivalsWith(faults: FaultOptions, seed: number, count: number): Arrival[] {
  const wires = new Wires();
  const { left } = wires.link("w", { delay: 10, faults }, { seed });
  for (let index = 0; index < count; index += 1) {
    wires.scheduler.runUntil(index);
    wires.send(left);
  }
  wires.scheduler.runUntil(1_000_000);
  return wires.arrivals;
}
