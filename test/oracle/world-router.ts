/** Plays frames through the emulated router of a {@link World}. @module */
import { DAY, type Duration, SECOND } from "../../src/base/time.ts";
import { Prng } from "../../src/base/prng.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { type Carrier, Device } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import type { RouterBehaviour } from "../../src/l3/behaviour.ts";
import type { InterfaceSettings } from "../../src/l3/interface.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { Router } from "../../src/l3/router.ts";
import { LINUX } from "../../src/xen/profile.ts";
import { ClosedUdp } from "./closed-udp.ts";
import {
  type InputFrame,
  parseAddressWords,
  parseRouteWords,
  type TimedFrame,
  type World,
  type WorldInterface,
} from "./world.ts";

/** A current kernel, set up as {@link sysctls} does it. */
const BEHAVIOUR: RouterBehaviour = {
  ...LINUX.router,
  arp: { ...LINUX.router.arp, proxyDelay: 0 },
  neighbor: { ...LINUX.router.neighbor, queueLimit: 4096 },
  icmpGlobalLimit: null,
};

/** How a kernel counts its ticks. */
export interface Ticks {
  /** The number of some tick. */
  readonly number: number;
  /** When that tick began, as a real time in microseconds. */
  readonly began: number;
  /** Ticks a second. */
  readonly hz: number;
}

/** The real time of a run, so that stamps and ticks are the kernel's. */
export interface Clock {
  /** When the run started, in microseconds. */
  readonly start: number;
  readonly jiffies: Ticks;
}

/** The router of a world; what it sends is kept. */
export class WorldRouter implements Carrier {
  readonly pool = new PacketPool({ slots: 4096, largeSlots: 8 });
  readonly router: Router;
  readonly sent: TimedFrame[] = [];
  readonly #devices = new Map<string, Device>();

  constructor(
    world: World,
    { start, jiffies: ticks }: Clock,
    behaviour: RouterBehaviour = BEHAVIOUR,
  ) {
    const { jiffies } = behaviour;
    const age = Math.round((ticks.number * SECOND) / ticks.hz) - (ticks.began - start);
    this.router = new Router({
      name: "router",
      pool: this.pool,
      behaviour: { ...behaviour, jiffies: { ...jiffies, hz: ticks.hz, age } },
      chance: new Prng(1),
      midnightOffset: start % DAY,
    });
    this.router.setProtocol(Protocol.Udp, new ClosedUdp(this.router));
    for (const one of world.interfaces) this.#addInterface(one);
    const find = (name: string): Device => this.#find(name);
    const deviceTo = (gateway: string): Device => {
      const device = this.router.addressing.fib.find(parseIpv4(gateway))?.device;
      if (!device) throw new Error(`no way to gateway ${gateway}`);
      return device;
    };
    for (const words of world.routes) {
      const route = parseRouteWords(words, find, deviceTo);
      if (!this.router.addressing.fib.add(route)) throw new Error(`route exists: ${words}`);
    }
  }

  /** Let time pass, with all that it brings. */
  expire(until: Duration): void {
    while (this.router.nextDeadline() <= until) this.router.expire(this.router.nextDeadline());
  }

  receive({ interface: name, octets }: InputFrame, now: Duration): void {
    this.expire(now);
    const packet = this.pool.copyIn(Buffer.from(octets, "hex"));
    if (packet === null) throw new Error("the pool is exhausted");
    this.#find(name).receive(packet, now);
  }

  carry({ name }: Device, packet: Packet, now: Duration): void {
    const octets = Buffer.from(packet.octets()).toString("hex");
    this.sent.push({ interface: name, octets, at: now });
    packet.pool.end(packet, "delivered", "test/sent", now);
  }

  #find(name: string): Device {
    const device = this.#devices.get(name);
    if (device === undefined) throw new Error(`no interface ${name}`);
    return device;
  }

  #addInterface({ name, mac, mtu, addresses, neighbors, sysctl }: WorldInterface): void {
    const device = new Device({ name, mac: parseMac(mac), mtu });
    device.attachCarrier(this);
    this.#devices.set(name, device);
    const { addressing } = this.router;
    const added = addressing.addInterface(device, settingsOf(sysctl));
    for (const words of addresses) {
      const { address, length, broadcast } = parseAddressWords(words);
      const to = broadcast === null ? null : parseIpv4(broadcast);
      addressing.addAddress(added, address, length, to);
    }
    for (const [address, to] of Object.entries<string>(neighbors)) {
      this.router.neighbors.addPermanent(device, parseIpv4(address), parseMac(to), 0);
    }
  }
}

function settingsOf(sysctl: WorldInterface["sysctl"]): InterfaceSettings {
  const rpFilter = sysctl.rp_filter ?? 0;
  return {
    isForwarding: sysctl.forwarding !== 0,
    hasProxyArp: sysctl.proxy_arp === 1,
    mediumId: sysctl.medium_id ?? 0,
    rpFilter: rpFilter === 1 || rpFilter === 2 ? rpFilter : 0,
    sendsRedirects: sysctl.send_redirects !== 0,
  };
}
