/** A router with devices whose other ends a test plays. @module */
import type { Instant } from "../../src/base/time.ts";
import { Prng } from "../../src/base/prng.ts";
import { parseInterfaceAddress, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { type Carrier, Device } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import type { RouterBehaviour } from "../../src/l3/behaviour.ts";
import type { InterfaceSettings } from "../../src/l3/interface.ts";
import { Router } from "../../src/l3/router.ts";
import { LINUX } from "../../src/xen/profile.ts";

/** What a router sent. */
export interface SentFrame {
  readonly on: string;
  readonly at: Instant;
  readonly octets: Uint8Array;
}

/** One router, and what leaves it. */
export class Bench implements Carrier {
  readonly pool = new PacketPool({ slots: 256, largeSlots: 2 });
  readonly router: Router;
  readonly sent: SentFrame[] = [];
  now: Instant = 0;

  constructor(behaviour: Partial<RouterBehaviour> = {}) {
    this.router = new Router({
      name: "router",
      pool: this.pool,
      behaviour: { ...LINUX.router, ...behaviour },
      chance: new Prng(1),
    });
  }

  /** A device with `addresses`, that forwards unless `settings` say otherwise. */
  addDevice(
    name: string,
    addresses: readonly string[],
    { mac = "fe:ff:ff:ff:ff:ff", mtu = 1500, ...settings }: DeviceParts = {},
  ): Device {
    const device = new Device({ name, mac: parseMac(mac), mtu });
    device.attachCarrier(this);
    const { addressing } = this.router;
    const added = addressing.addInterface(device, { isForwarding: true, ...settings });
    for (const words of addresses) {
      const { address, length } = parseInterfaceAddress(words);
      addressing.addAddress(added, address, length);
    }
    return device;
  }

  /** Neighbors of `device` that never change. */
  know(device: Device, address: string, mac: string): void {
    this.router.neighbors.addPermanent(device, parseIpv4(address), parseMac(mac), this.now);
  }

  /** `octets` come in by `device`; the frames that leave before time goes on. */
  receive(device: Device, octets: Uint8Array): SentFrame[] {
    const before = this.sent.length;
    const packet = this.pool.copyIn(octets);
    if (packet === null) throw new Error("the pool is exhausted");
    device.receive(packet, this.now);
    return this.sent.slice(before);
  }

  /** Let time pass; the frames that leave meanwhile. */
  advance(to: Instant): SentFrame[] {
    const before = this.sent.length;
    while (this.router.nextDeadline() <= to) {
      this.now = Math.max(this.now, this.router.nextDeadline());
      this.router.expire(this.now);
    }
    this.now = to;
    return this.sent.slice(before);
  }

  carry({ name }: Device, packet: Packet, now: Instant): void {
    this.sent.push({ on: name, at: now, octets: packet.octets().slice() });
    packet.pool.end(packet, "delivered", "test/sent", now);
  }
}

interface DeviceParts extends Partial<InterfaceSettings> {
  readonly mac?: string;
  readonly mtu?: number;
}
