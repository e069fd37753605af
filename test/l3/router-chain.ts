/**
 * Many hosts one behind the other, of two routers each, on whose wires frames that leave together
 * come in together: each burst makes the next one while it leaves.
 * @module
 */
import { Prng } from "../../src/base/prng.ts";
import { EtherType, ETHERNET_LENGTH, writeEthernet } from "../../src/l2/ethernet.ts";
import { IPV4, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { newRoute } from "../../src/l3/route-table.ts";
import { Router } from "../../src/l3/router.ts";
import { sealUdp, UDP } from "../../src/l4/udp.ts";
import {
  type Ipv4Addr,
  ipv4Of,
  type Mac,
  macOf,
  parseInterfaceAddress,
  parseIpv4,
  parsePrefix,
} from "../../src/wire/addr.ts";
import { type Carrier, Device, PatchCable } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { Firewall } from "../../src/xen/firewall.ts";
import { EC2_2010 } from "../../src/xen/profile.ts";
import { hexOf } from "../guest/net.ts";

const NEAR = parseIpv4("10.0.0.9");
const FAR = parseIpv4("192.168.0.9");
const RIGHT = parsePrefix("192.168.0.0/16");
const ALL = parsePrefix("0.0.0.0/0");
/** Of the devices, from left to right; what stands at both ends has the numbers next to them. */
const macAt = (number: number): Mac => macOf(0x02_00_00_00_01_00 + number);

/** What one datagram of a flow is like. */
export interface Datagram {
  readonly port: number;
  readonly isBack: boolean;
  readonly size: number;
  readonly ttl: number;
  readonly hasChecksum: boolean;
}

/** A cable of which no router knows where it leads. */
class Wire implements Carrier {
  readonly #left: Device;
  readonly #right: Device;
  readonly #chain: RouterChain;

  constructor(left: Device, right: Device, chain: RouterChain) {
    this.#left = left;
    this.#right = right;
    this.#chain = chain;
    left.attachCarrier(this);
    right.attachCarrier(this);
  }

  carry(from: Device, packet: Packet, now: number): void {
    this.#peerOf(from).receive(packet, now);
  }

  carryAll(
    from: Device,
    packets: readonly Packet[],
    count: number,
    octets: number,
    now: number,
  ): void {
    this.#chain.depth += 1;
    this.#chain.deepest = Math.max(this.#chain.deepest, this.#chain.depth);
    this.#peerOf(from).receiveAll(packets, count, octets, now);
    this.#chain.depth -= 1;
  }

  #peerOf(device: Device): Device {
    return device === this.#left ? this.#right : this.#left;
  }
}

/** A chain of hosts, and all that can be told of it. */
export class RouterChain {
  readonly sent: string[] = [];
  readonly firewalls: Firewall[] = [];
  readonly pool = new PacketPool({ slots: 512, largeSlots: 0 });
  /** Bursts that are on wires, and the most there ever were. */
  depth = 0;
  deepest = 0;
  /** Called for each frame that leaves the chain; may throw. */
  onSent: (() => void) | null = null;
  readonly #routers: Router[] = [];
  readonly #devices: Device[] = [];
  #now = 0;

  constructor(hosts: number, hasCache: boolean) {
    const count = hosts * 2;
    for (let index = 0; index < count; index += 1) this.#addRouter(index, hasCache);
    for (let index = 1; index < count; index += 1) {
      const [left, right] = [this.#device(index * 2 - 1), this.#device(index * 2)];
      if (index % 2 === 1) new PatchCable(left, right);
      else new Wire(left, right, this);
    }
    for (const device of [this.#device(0), this.#device(count * 2 - 1)]) {
      device.attachCarrier({
        carry: ({ name }, packet, now) => {
          this.sent.push(`${now} ${name} ${hexOf(packet.octets())}`);
          packet.pool.end(packet, "delivered", "test/sent", now);
          this.onSent?.();
        },
      });
    }
  }

  /** Datagrams come in together at one end. */
  receiveAll(isBack: boolean, datagrams: readonly Datagram[]): void {
    const device = this.#device(isBack ? this.#devices.length - 1 : 0);
    const packets = datagrams.map((one) => this.#packetOf({ ...one, isBack }, device));
    const octets = packets.reduce((sum, { length }) => sum + length, 0);
    device.receiveAll(packets, packets.length, octets, this.#now);
  }

  wait(duration: number): void {
    this.#now += duration;
    for (const router of this.#routers) router.expire(this.#now);
    for (const { machines } of this.firewalls) {
      for (const machine of machines) machine.expire(this.#now);
    }
  }

  /** Packets that took known ways. */
  get hits(): number {
    return this.#routers.reduce((sum, { hooks }) => sum + hooks.paths.hits, 0);
  }

  /** Every way in which two chains could be told apart. */
  state(): unknown {
    return {
      sent: this.sent,
      ends: this.pool.ends.entries(),
      live: this.pool.live,
      rules: this.firewalls.map(({ rules }) => rules.save({ hasCounters: true })),
      flows: this.firewalls.map(({ conntrack }) => conntrack?.text(this.#now)),
      devices: this.#devices.map(({ name, rxFrames, rxOctets, txFrames, txOctets, ends }) => [
        ...[name, rxFrames, rxOctets, txFrames, txOctets],
        ends.entries(),
      ]),
    };
  }

  #device(index: number): Device {
    const device = this.#devices[index];
    if (device === undefined) throw new RangeError(`no device ${index}`);
    return device;
  }

  /** A router between two devices; every fourth one translates what leaves to the right. */
  #addRouter(index: number, hasCache: boolean): void {
    const { pool } = this;
    const chance = new Prng(index + 1);
    const router = new Router({ name: `r${index}`, pool, behaviour: EC2_2010.router, chance });
    router.hooks.paths.isEnabled = hasCache;
    for (const [side, prefix] of [ALL, RIGHT].entries()) {
      const number = index * 2 + side;
      const device = new Device({ name: `eth${number}`, mac: macAt(number) });
      const added = router.addressing.addInterface(device, { isForwarding: true });
      const { address, length } = parseInterfaceAddress(`172.16.${number}.1/24`);
      router.addressing.addAddress(added, address, length);
      const gateway = ipv4Of(address + 1);
      router.addressing.fib.add(newRoute({ prefix, device, gateway }));
      router.neighbors.addPermanent(device, gateway, macAt(number + (side === 0 ? -1 : 1)), 0);
      this.#devices.push(device);
    }
    const firewall = new Firewall(router, EC2_2010, chance);
    firewall.iptables("-A FORWARD -p udp -m udp --dport 7 -j ACCEPT");
    if (index % 4 === 3) {
      const own = `172.17.${index}.1`;
      firewall.iptables(`-t nat -A POSTROUTING -o eth${index * 2 + 1} -j SNAT --to-source ${own}`);
    }
    this.#routers.push(router);
    this.firewalls.push(firewall);
  }

  #packetOf(datagram: Datagram, device: Device): Packet {
    const packet = this.pool.copyIn(frameOf(datagram, device, this.#lastSource));
    if (packet === null) throw new RangeError("the pool is exhausted");
    return packet;
  }

  /** Whom the right end answers: what the last translation made of the left one. */
  get #lastSource(): Ipv4Addr {
    const last = this.#routers.length - 1;
    const translator = last - ((last + 1) % 4);
    return translator < 0 ? NEAR : parseIpv4(`172.17.${translator}.1`);
  }
}

function frameOf(datagram: Datagram, device: Device, answered: Ipv4Addr): Uint8Array {
  const { port, isBack, size, ttl, hasChecksum } = datagram;
  const octets = new Uint8Array(ETHERNET_LENGTH + 28 + size);
  const view = viewOf(octets);
  const at = ETHERNET_LENGTH;
  const [src, dst] = isBack ? [FAR, answered] : [NEAR, FAR];
  writeEthernet(view, 0, device.mac, macOf(device.mac + (isBack ? 1 : -1)), EtherType.Ipv4);
  IPV4.versionIhl.set(view, at, 0x45);
  IPV4.totalLength.set(view, at, octets.length - at);
  IPV4.ttl.set(view, at, ttl);
  IPV4.protocol.set(view, at, Protocol.Udp);
  IPV4.src.set(view, at, src);
  IPV4.dst.set(view, at, dst);
  sealHeader(view, at);
  UDP.srcPort.set(view, at + 20, isBack ? 7 : port);
  UDP.dstPort.set(view, at + 20, isBack ? port : 7);
  sealUdp(view, at + 20, octets.length, src, dst);
  if (!hasChecksum) UDP.checksum.set(view, at + 20, 0);
  return octets;
}
