/** Hosts, routers and links in virtual time, and every frame that they sent. @module */
import type { Machine } from "../../src/base/machine.ts";
import { Prng } from "../../src/base/prng.ts";
import type { Duration, Instant } from "../../src/base/time.ts";
import { Host, type HostOptions } from "../../src/guest/host.ts";
import type { RouterBehaviour } from "../../src/l3/behaviour.ts";
import type { Interface, InterfaceSettings } from "../../src/l3/interface.ts";
import { Router } from "../../src/l3/router.ts";
import { Lanes } from "../../src/sim/lane.ts";
import { Link, type WayOptions } from "../../src/sim/link.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { macOf, parseInterfaceAddress, parseIpv4 } from "../../src/wire/addr.ts";
import { Device, type Stack } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { HOST_6, ROUTER_6 } from "../support/behaviour.ts";

/** A frame that a device sent. */
export interface SentFrame {
  readonly from: string;
  readonly at: Instant;
  readonly hex: string;
}

/** A router with its deadlines told to the scheduler. */
class Gate implements Stack, Machine {
  readonly router: Router;
  readonly #scheduler: Scheduler;
  readonly #interfaces = new Map<Device, Interface>();

  constructor(router: Router, scheduler: Scheduler) {
    this.router = router;
    this.#scheduler = scheduler;
    scheduler.add(this);
  }

  add(device: Device, address: string, settings: Partial<InterfaceSettings>): void {
    const { addressing } = this.router;
    const via = addressing.addInterface(device, { isForwarding: true, ...settings });
    const own = parseInterfaceAddress(address);
    addressing.addAddress(via, own.address, own.length);
    this.#interfaces.set(device, via);
    device.attachStack(this);
  }

  receive(device: Device, packet: Packet, now: Instant): void {
    this.#interfaces.get(device)?.receive(device, packet, now);
    this.#scheduler.reschedule(this);
  }

  nextDeadline(): Instant {
    return this.router.nextDeadline();
  }

  expire(now: Instant): void {
    this.router.expire(now);
  }
}

interface TestRouterOptions {
  /** Of the devices, in their order. */
  readonly mtus?: readonly number[];
  readonly settings?: Partial<InterfaceSettings>;
  readonly behaviour?: RouterBehaviour;
}

/** One scheduler, one pool, and what a test puts on them. */
export class Net {
  readonly scheduler = new Scheduler();
  readonly pool: PacketPool;
  /** In the order in which they were sent, of all devices. */
  readonly sent: SentFrame[] = [];
  readonly #lanes = new Lanes(this.scheduler);
  readonly #seed: number;
  #macs = 0;
  #links = 0;

  constructor(seed = 1, slots = 256) {
    this.#seed = seed;
    this.pool = new PacketPool({ slots, largeSlots: 4 });
    this.pool.observe({
      received: () => {},
      transmitted: (device, packet, at) => {
        if (device.name === "lo") return;
        this.sent.push({ from: device.description, at, hex: hexOf(packet.octets()) });
      },
      ended: () => {},
      step: () => {},
    });
  }

  get now(): Instant {
    return this.scheduler.now;
  }

  /** A host at `address` ("10.0.0.1/24") with a default route by `gateway`. */
  host(
    name: string,
    address: string,
    gateway: string | null = null,
    options: Partial<HostOptions> = {},
  ): Host {
    const host = new Host({
      name,
      mac: this.nextMac(),
      pool: this.pool,
      behaviour: HOST_6,
      chance: new Prng(this.#seed, name),
      onChange: (changed) => this.scheduler.reschedule(changed),
      ...options,
    });
    const { address: own, length } = parseInterfaceAddress(address);
    const next = gateway === null ? null : parseIpv4(gateway);
    host.configure({ address: own, length, gateway: next }, this.now);
    this.scheduler.add(host);
    return host;
  }

  /** A router with a device for each address, described by both. */
  router(
    name: string,
    addresses: readonly string[],
    { mtus = [], settings = {}, behaviour = ROUTER_6 }: TestRouterOptions = {},
  ): { router: Router; devices: readonly Device[] } {
    const chance = new Prng(this.#seed, name);
    const router = new Router({ name, pool: this.pool, behaviour, chance });
    const gate = new Gate(router, this.scheduler);
    const devices = addresses.map((address, index) => {
      const mac = this.nextMac();
      const mtu = mtus[index] ?? 1500;
      const device = new Device({
        name: `eth${index}`,
        mac,
        mtu,
        description: `${name} ${address}`,
      });
      gate.add(device, address, settings);
      return device;
    });
    return { router, devices };
  }

  join(left: Device, right: Device | undefined, delay: Duration = 100, way: WayOptions = {}): void {
    if (right === undefined) throw new RangeError("no device to join");
    this.#links += 1;
    const name = `link ${this.#links}`;
    const toRight = { delay, ...way };
    const link = { lanes: this.#lanes, left, right, toRight, name, seed: this.#seed };
    new Link(link);
  }

  run(duration: Duration): void {
    this.scheduler.runUntil(this.now + duration);
  }

  /** Frames of one device, as hexadecimal text. */
  framesOf(from: string): string[] {
    return this.sent.filter((frame) => frame.from === from).map(({ hex }) => hex);
  }

  nextMac(): ReturnType<typeof macOf> {
    this.#macs += 1;
    return macOf(0x1231_3900_0000 + this.#macs);
  }
}

/** Octets as hexadecimal text. */
export function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}
