/**
 * The whole Dom0 of the profile `ec2-2010`: a vif's frame crosses anti-spoofing, connection tracking and
 * the security groups of the first router, 1:1 NAT in the second, and leaves by the uplink.
 * @module
 */
import { Prng } from "../src/base/prng.ts";
import { ARP, ARP_LENGTH, ArpOp, writeArp } from "../src/l2/arp.ts";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../src/l2/ethernet.ts";
import { IPV4, Protocol, sealHeader } from "../src/l3/ipv4.ts";
import { sealUdp, UDP } from "../src/l4/udp.ts";
import {
  formatIpv4,
  type Ipv4Addr,
  MAC_BROADCAST,
  MAC_ZERO,
  type Mac,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../src/wire/addr.ts";
import type { Carrier, Device } from "../src/wire/device.ts";
import { viewOf } from "../src/wire/field.ts";
import { type Packet, PacketPool } from "../src/wire/packet.ts";
import { Dom0 } from "../src/xen/dom0.ts";
import { EC2_2010 } from "../src/xen/profile.ts";
import { SecurityGroups } from "../src/xen/security-group.ts";
import type { Case } from "./harness.ts";

const GUEST = { mac: parseMac("12:31:39:00:a5:11"), address: parseIpv4("10.254.170.223") };
const PUBLIC = parseIpv4("75.101.160.7");
const DOM0 = parseIpv4("10.254.168.2");
const PEER = parseIpv4("93.184.216.34");
const FABRIC = { mac: parseMac("02:00:00:00:00:99"), address: parseIpv4("216.182.232.1") };
const FRAME = 64;

/** Ends what a device sends, as the end of the world. */
class Sink implements Carrier {
  frames = 0;
  carry(_from: Device, packet: Packet, now: number): void {
    this.frames += 1;
    packet.pool.end(packet, "delivered", "bench/sent", now);
  }
}

function host() {
  const pool = new PacketPool();
  const securityGroups = new SecurityGroups();
  securityGroups.define("default", [{ protocol: "udp", source: parsePrefix("0.0.0.0/0") }]);
  const dom0 = new Dom0({
    name: "bench",
    pool,
    profile: EC2_2010,
    chance: new Prng(1),
    privateAddress: DOM0,
    uplink: {
      mac: parseMac("02:00:00:00:00:02"),
      address: parseIpv4("216.182.232.10"),
      length: 20,
      gateway: FABRIC.address,
    },
    securityGroups,
    dhcpdConf: dhcpdConf(),
    dhcpdStartTime: 0,
  });
  const vif = dom0.addVif(
    {
      domid: 3,
      domain: "dom_32504936",
      mac: GUEST.mac,
      addresses: [GUEST.address],
      publicAddress: PUBLIC,
      securityGroups: ["default"],
      hostName: "domU-12-31-39-00-A5-11",
    },
    0,
  ).device;
  const sink = new Sink();
  for (const device of [vif, dom0.uplink]) device.attachCarrier(sink);
  dom0.router.neighbors.addPermanent(vif, GUEST.address, GUEST.mac, 0);
  dom0.gateway.neighbors.addPermanent(dom0.uplink, FABRIC.address, FABRIC.mac, 0);
  return { pool, dom0, vif, sink };
}

function dhcpdConf(): string {
  return `authoritative; default-lease-time 86400; server-identifier 169.254.1.0;
shared-network vifs { subnet 10.254.168.0 netmask 255.255.255.0 { }
 subnet 10.254.170.0 netmask 255.255.254.0 { option routers 10.254.170.1; } }
`;
}

function udpFrame(
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

/** 64-octet UDP of an established flow, from the domU to the uplink. */
export function establishedFrame(): Case {
  const { pool, dom0, vif, sink } = host();
  const out = udpFrame(EC2_2010.vifMac, GUEST.mac, GUEST.address, PEER, [40_000, 7]);
  const back = udpFrame(dom0.uplink.mac, FABRIC.mac, PEER, PUBLIC, [7, 40_000]);
  const send = (device: Device, frame: Uint8Array): void => {
    const packet = pool.copyIn(frame);
    if (packet !== null) device.receive(packet, 0);
  };
  send(vif, out);
  send(dom0.uplink, back);
  if (sink.frames !== 2) throw new Error(`the flow to ${formatIpv4(PEER)} is not established`);
  return {
    name: "64-octet UDP frame, domU to uplink, whole Dom0, established",
    run: (count) => {
      const before = sink.frames;
      for (let done = 0; done < count; done += 1) send(vif, out);
      if (sink.frames - before !== count) throw new Error("a frame did not leave");
    },
  };
}

/** A domU's question for Dom0's own address, answered at once. */
export function arpAnswer(): Case {
  const { pool, vif, sink } = host();
  const question = new Uint8Array(ETHERNET_LENGTH + ARP_LENGTH);
  const view = viewOf(question);
  writeEthernet(view, 0, MAC_BROADCAST, GUEST.mac, EtherType.Arp);
  writeArp(view, ETHERNET_LENGTH, ArpOp.Request, GUEST.mac, GUEST.address, MAC_ZERO, DOM0);
  if (ARP.tpa.get(view, ETHERNET_LENGTH) !== DOM0) throw new Error("the question is for Dom0");
  return {
    name: "ARP question and answer",
    run: (count) => {
      const before = sink.frames;
      for (let done = 0; done < count; done += 1) {
        const packet = pool.copyIn(question);
        if (packet !== null) vif.receive(packet, 0);
      }
      if (sink.frames - before !== count) throw new Error("a question was not answered");
    },
  };
}

/** DISCOVER, OFFER, REQUEST, ACK: two messages in, two out, by frames on the vif. */
export function dhcpExchange(frames: readonly [Uint8Array, Uint8Array]): Case {
  const { pool, vif, sink } = host();
  return {
    name: "DHCP exchange: DISCOVER, OFFER, REQUEST, ACK",
    run: (count) => {
      const before = sink.frames;
      for (let done = 0; done < count; done += 1) {
        for (const frame of frames) {
          const packet = pool.copyIn(frame);
          if (packet !== null) vif.receive(packet, 0);
        }
      }
      if (sink.frames - before !== 2 * count) throw new Error("a message was not answered");
    },
  };
}
