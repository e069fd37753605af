/**
 * One router in two makings, the kernel's and ours: hosts 10.0.0.0/24 behind in0, all others behind
 * out0. It counts packets by rules.
 */
import { Prng } from "../../src/base/prng.ts";
import { ethernetCodec, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { TABLE_NAMES } from "../../src/filter/placement.ts";
import { newRoute } from "../../src/l3/route-table.ts";
import { Router } from "../../src/l3/router.ts";
import { parseInterfaceAddress, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { Firewall } from "../../src/xen/firewall.ts";
import { LINUX } from "../../src/xen/profile.ts";
import type { RouterRequest } from "./kernel-router.ts";

const FAR = "02:00:00:00:00:99";
const INTERFACES = [
  { name: "in0", mac: "02:00:00:00:00:01", mtu: 1500, address: "10.0.0.254/24" },
  { name: "out0", mac: "02:00:00:00:00:02", mtu: 1500, address: "192.0.2.254/24" },
] as const;
const NEIGHBORS = [
  ["10.0.0.1", "in0"],
  ["10.0.0.2", "in0"],
  ["192.0.2.1", "out0"],
  // What no connection translates goes out again, and nobody is told that it cannot be reached.
  ["192.0.2.100", "out0"],
] as const;
const GATEWAY = "192.0.2.1";
const NAT_SOURCE = "192.0.2.100";

/** The nat table of all cases: sources and one destination are translated. */
export const NAT = `*nat
-A PREROUTING -i out0 -d ${NAT_SOURCE} -p udp --dport 7000 -j DNAT --to-destination 10.0.0.2:53
-A POSTROUTING -o out0 -s 10.0.0.1 -j SNAT --to-source ${NAT_SOURCE}
COMMIT
`;

/** All of a request but the rules, the frames and the tables. */
export const KERNEL_WORLD: Pick<RouterRequest, "interfaces" | "ip" | "sysctl"> = {
  interfaces: INTERFACES.map(({ name, mac, mtu }) => ({ name, mac, mtu })),
  ip: [
    ...INTERFACES.map(({ name, address }) => `addr add ${address} dev ${name}`),
    ...NEIGHBORS.map(
      ([address, dev]) => `neigh add ${address} lladdr ${FAR} dev ${dev} nud permanent`,
    ),
    `route add default via ${GATEWAY}`,
  ],
  sysctl: [
    ["net.ipv4.ip_forward", 1],
    ["net.ipv4.conf.all.rp_filter", 0],
    ["net.ipv4.conf.all.send_redirects", 0],
    ["net.ipv4.conf.in0.rp_filter", 0],
    ["net.ipv4.conf.out0.rp_filter", 0],
    ["net.ipv4.conf.in0.send_redirects", 0],
    ["net.ipv4.conf.out0.send_redirects", 0],
  ],
};

/** The frame with an IP packet for the router's device `name`. */
export function frameTo(name: string, packet: Uint8Array): Uint8Array {
  const mac = INTERFACES.find((one) => one.name === name)?.mac ?? FAR;
  const frame = new Uint8Array(ETHERNET_LENGTH + packet.length);
  const header = { dst: parseMac(mac), src: parseMac(FAR), type: EtherType.Ipv4 };
  ethernetCodec.encodeInto(header, frame, 0);
  frame.set(packet, ETHERNET_LENGTH);
  return frame;
}

/** Our router; a tick begins at its time 0. */
export class StateTwin {
  readonly firewall: Firewall;
  readonly #pool = new PacketPool({ slots: 64, largeSlots: 0 });
  readonly #devices = new Map<string, Device>();

  constructor(hz: number, commands: readonly string[]) {
    const jiffies = { ...LINUX.router.jiffies, hz };
    const chance = new Prng(1);
    const behaviour = { ...LINUX.router, jiffies };
    const router = new Router({
      ...{ name: "router", pool: this.#pool, behaviour, chance },
      midnightOffset: 0,
    });
    for (const one of INTERFACES) this.#plug(router, one);
    const gateway = parseIpv4(GATEWAY);
    const prefix = parseInterfaceAddress("0.0.0.0/0");
    router.addressing.fib.add(newRoute({ prefix, device: this.#find("out0"), gateway }));
    for (const [address, name] of NEIGHBORS) {
      router.neighbors.addPermanent(this.#find(name), parseIpv4(address), parseMac(FAR), 0);
    }
    this.firewall = new Firewall(router, LINUX, chance);
    for (const name of TABLE_NAMES) this.firewall.rules.table(name);
    for (const command of commands) this.firewall.iptables(command);
  }

  receive(name: string, octets: Uint8Array, now: number): void {
    const packet = this.#pool.copyIn(octets);
    if (packet === null) throw new Error("the pool is exhausted");
    this.#find(name).receive(packet, now);
  }

  #find(name: string): Device {
    const device = this.#devices.get(name);
    if (device === undefined) throw new Error(`no device ${name}`);
    return device;
  }

  #plug(router: Router, { name, mac, mtu, address }: (typeof INTERFACES)[number]): void {
    const device = new Device({ name, mac: parseMac(mac), mtu });
    device.attachCarrier({
      carry: (_device, packet, now) => packet.pool.end(packet, "delivered", "test/left", now),
    });
    this.#devices.set(name, device);
    const { addressing } = router;
    const added = addressing.addInterface(device, {
      ...{ isForwarding: true, hasProxyArp: false, mediumId: 0, rpFilter: 0 },
      sendsRedirects: false,
    });
    const own = parseInterfaceAddress(address);
    addressing.addAddress(added, own.address, own.length, null);
  }
}

/** The lines of tables as command lines of `iptables`. */
export function commandsOf(text: string): string[] {
  let table = "filter";
  return text.split("\n").flatMap((line) => {
    if (line.startsWith("*")) table = line.slice(1);
    return line.startsWith("-") ? [`-t ${table} ${line}`] : [];
  });
}
