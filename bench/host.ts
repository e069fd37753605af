/** The host that the bench measures: one domU or many, of the profile `ec2-2010`. @module */
import { Prng } from "../src/base/prng.ts";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../src/l2/ethernet.ts";
import { IPV4, Protocol, sealHeader } from "../src/l3/ipv4.ts";
import { sealUdp, UDP } from "../src/l4/udp.ts";
import {
  type Ipv4Addr,
  ipv4Of,
  type Mac,
  macOf,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../src/wire/addr.ts";
import { type Carrier, Device, PatchCable, type Stack } from "../src/wire/device.ts";
import { viewOf } from "../src/wire/field.ts";
import { type Packet, PacketPool } from "../src/wire/packet.ts";
import { Dom0 } from "../src/xen/dom0.ts";
import type { DomainMemory } from "../src/xen/hypervisor/domain-memory.ts";
import { Hypervisor } from "../src/xen/hypervisor/hypervisor.ts";
import { joinVif } from "../src/xen/io/join-vif.ts";
import { NETBACK_2618, NETFRONT_2618 } from "../src/xen/io/netif-behaviour.ts";
import { Netback } from "../src/xen/io/netback.ts";
import { Netfront } from "../src/xen/io/netfront.ts";
import { EC2_2010, type Profile } from "../src/xen/profile.ts";
import type { Permission } from "../src/xen/permission.ts";
import { SecurityGroups } from "../src/xen/security-group.ts";

export const DOM0 = parseIpv4("10.254.168.2");
export const PEER = parseIpv4("93.184.216.34");
export const UPLINK = { mac: parseMac("02:00:00:00:00:02"), address: parseIpv4("216.182.232.10") };
export const FABRIC = { mac: parseMac("02:00:00:00:00:99"), address: parseIpv4("216.182.232.1") };
/** Octets of a frame. */
export const FRAME = 64;
/** With a table (`ip_conntrack_max`) that holds all flows of the bench. */
const { flows } = EC2_2010;
const PROFILE: Profile = {
  ...EC2_2010,
  flows: { ...flows, conntrack: { ...flows.conntrack, limit: 2 ** 18 } },
};

/** Who sits at a vif. */
export interface BenchGuest {
  readonly domid: number;
  readonly mac: Mac;
  readonly address: Ipv4Addr;
  readonly publicAddress: Ipv4Addr;
}

/** The domU with `index`, from 0. */
export const guestOf = (index: number): BenchGuest => ({
  domid: index + 3,
  mac: macOf(0x1231_3900_a511 + index),
  address: ipv4Of(0x0afe_aadf + index),
  publicAddress: ipv4Of(0x4b65_a007 + index),
});

/** Ends what a device sends, or a domU receives, as the end of the world. */
export class Sink implements Carrier, Stack {
  frames = 0;
  receive(_device: Device, packet: Packet, now: number): void {
    this.frames += 1;
    packet.pool.end(packet, "delivered", "bench/received", now);
  }
  carry(_from: Device, packet: Packet, now: number): void {
    this.frames += 1;
    packet.pool.end(packet, "delivered", "bench/sent", now);
  }
  carryAll(
    _from: Device,
    packets: readonly Packet[],
    count: number,
    _octets: number,
    now: number,
  ): void {
    this.frames += count;
    packets[0]?.pool.endAll(packets, count, "delivered", "bench/sent", now);
  }
}

/** A domU in the bench: its memory, and the front end of its vif. */
export interface BenchDomain {
  readonly memory: DomainMemory;
  /** Its eth0. */
  readonly device: Device;
  readonly netfront: Netfront;
}

/** A host in the bench. */
export interface BenchHost {
  readonly pool: PacketPool;
  readonly dom0: Dom0;
  readonly vifs: readonly Device[];
  /** In the order of their vifs. */
  readonly domains: readonly BenchDomain[];
  readonly sink: Sink;
}

/** How large a host is. */
export interface BenchSize {
  readonly vifs: number;
  /** Permissions of its one group; the last lets the bench's packets in. */
  readonly rules: number;
}

/** A host whose neighbors are known, and that sends into a {@link Sink}. */
export function newHost({ vifs: count, rules }: BenchSize = { vifs: 1, rules: 1 }): BenchHost {
  const pool = new PacketPool();
  const securityGroups = new SecurityGroups({ permissions: rules });
  const others = Array.from({ length: rules - 1 }, (_, index): Permission => {
    const source = { address: ipv4Of(0xc000_0200 + index), length: 32 };
    return { protocol: "tcp", ports: { lower: 80, upper: 80 }, source };
  });
  const open: Permission = { protocol: "udp", source: parsePrefix("0.0.0.0/0") };
  securityGroups.define("default", [...others, open]);
  const dom0 = new Dom0({
    name: "bench",
    pool,
    profile: PROFILE,
    chance: new Prng(1),
    privateAddress: DOM0,
    uplink: { ...UPLINK, length: 20, gateway: FABRIC.address },
    securityGroups,
    dhcpdConf: DHCPD_CONF,
    dhcpdStartTime: 0,
  });
  const sink = new Sink();
  const hypervisor = new Hypervisor();
  const domains: BenchDomain[] = [];
  const vifs = Array.from({ length: count }, (_, index) => {
    const { address, ...guest } = guestOf(index);
    const config = { ...guest, domain: `dom_${32_504_936 + index}`, addresses: [address] };
    const { device } = dom0.addVif({ ...config, securityGroups: ["default"] }, 0);
    domains.push(connect(hypervisor, pool, guest, device, sink));
    dom0.router.neighbors.addPermanent(device, address, guest.mac, 0);
    return device;
  });
  dom0.uplink.attachCarrier(sink);
  dom0.gateway.neighbors.addPermanent(dom0.uplink, FABRIC.address, FABRIC.mac, 0);
  return { pool, dom0, vifs, domains, sink };
}

/** Join `vif` to a new domain by rings; what Dom0 sends to it ends in `sink`. */
function connect(
  hypervisor: Hypervisor,
  pool: PacketPool,
  { domid, mac }: Pick<BenchGuest, "domid" | "mac">,
  vif: Device,
  sink: Sink,
): BenchDomain {
  const { memory, grants } = hypervisor.createDomain({ domid, pages: 2048 });
  const netback = new Netback({ domid, vif, pool, hypervisor, behaviour: NETBACK_2618 }, 0);
  new PatchCable(netback.device, vif);
  const device = new Device({ name: "eth0", mac });
  device.attachStack(sink);
  const netfront = new Netfront({ device, pool, grants, behaviour: NETFRONT_2618 });
  joinVif({ hypervisor, netback, netfront }, 0);
  return { memory, device, netfront };
}

const DHCPD_CONF = `authoritative; default-lease-time 86400; server-identifier 169.254.1.0;
shared-network vifs { subnet 10.254.168.0 netmask 255.255.255.0 { }
 subnet 10.254.170.0 netmask 255.255.254.0 { option routers 10.254.170.1; } }
`;

/** A frame of 64 octets without its check sequence. */
export function udpFrame(
  dst: Mac,
  src: Mac,
  from: Ipv4Addr,
  to: Ipv4Addr,
  ports: [number, number],
): Uint8Array {
  const bytes = new Uint8Array(FRAME);
  const view = viewOf(bytes);
  const ip = ETHERNET_LENGTH;
  writeEthernet(view, 0, dst, src, EtherType.Ipv4);
  IPV4.versionIhl.set(view, ip, 0x45);
  IPV4.totalLength.set(view, ip, FRAME - ip);
  IPV4.ttl.set(view, ip, 64);
  IPV4.protocol.set(view, ip, Protocol.Udp);
  IPV4.src.set(view, ip, from);
  IPV4.dst.set(view, ip, to);
  sealHeader(view, ip);
  UDP.srcPort.set(view, ip + 20, ports[0]);
  UDP.dstPort.set(view, ip + 20, ports[1]);
  sealUdp(view, ip + 20, FRAME, from, to);
  return bytes;
}
