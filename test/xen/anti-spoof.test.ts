import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ARP_LENGTH, ArpOp, writeArp } from "../../src/l2/arp.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType, writeEthernet } from "../../src/l2/ethernet.ts";
import { IPV4, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { sealUdp, UDP } from "../../src/l4/udp.ts";
import {
  type Ipv4Addr,
  MAC_BROADCAST,
  MAC_ZERO,
  type Mac,
  parseIpv4,
  parseMac,
} from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { Dom0 } from "../../src/xen/dom0.ts";
import { EC2_2010 } from "../../src/xen/profile.ts";
import { dhcpdText } from "../../src/zone/dhcpd-text.ts";
import { chance, FIRST, FIRST_PUBLIC, OUTSIDE, SECOND } from "../support/hosts.ts";
import { Recorder } from "../support/replay.ts";

const DOM0 = parseIpv4("10.254.168.2");
const FOREIGN_MAC = parseMac("12:31:39:00:A5:99");
const VIF_MAC = EC2_2010.vifMac;

function twoVifs() {
  const pool = new PacketPool();
  const blocks = [{ address: parseIpv4("10.254.170.0"), length: 23 }];
  const dom0 = new Dom0({
    name: "host",
    pool,
    profile: EC2_2010,
    chance: chance(),
    privateAddress: DOM0,
    uplink: {
      mac: parseMac("02:00:00:00:00:02"),
      address: parseIpv4("216.182.232.10"),
      length: 20,
      gateway: parseIpv4("216.182.232.1"),
    },
    dhcpdConf: dhcpdText(DOM0, blocks),
    dhcpdStartTime: 0,
  });
  const config = (
    domid: number,
    { mac, address }: typeof FIRST,
    publicAddress: Ipv4Addr | null,
  ) => ({
    domid,
    domain: `dom_${domid}`,
    mac,
    addresses: [address],
    publicAddress,
  });
  const vif = dom0.addVif(config(3, FIRST, FIRST_PUBLIC), 0).device;
  const other = dom0.addVif(config(4, SECOND, null), 0).device;
  const recorder = new Recorder();
  for (const device of [vif, other, dom0.uplink]) recorder.attach(device);
  dom0.router.neighbors.addPermanent(vif, FIRST.address, FIRST.mac, 0);
  dom0.router.neighbors.addPermanent(other, SECOND.address, SECOND.mac, 0);
  dom0.gateway.neighbors.addPermanent(
    dom0.uplink,
    parseIpv4("216.182.232.1"),
    parseMac("02:00:00:00:00:99"),
    0,
  );
  const send = (frame: Uint8Array): void => {
    const packet = pool.copyIn(frame);
    if (packet !== null) vif.receive(packet, 1_000_000);
  };
  const sent = (device: Device): number => recorder.frames.get(device)?.length ?? 0;
  const all = (): number =>
    [vif, other, dom0.uplink].reduce((sum, device) => sum + sent(device), 0);
  return { pool, dom0, vif, other, recorder, send, sent, all };
}

interface Udp {
  readonly srcMac?: Mac;
  readonly src?: Ipv4Addr;
  readonly dst?: Ipv4Addr;
  readonly ttl?: number;
  readonly ports?: readonly [number, number];
}

function udp({
  srcMac = FIRST.mac,
  src = FIRST.address,
  dst = OUTSIDE,
  ttl = 64,
  ports = [4000, 7],
}: Udp = {}): Uint8Array {
  const bytes = new Uint8Array(60);
  const view = viewOf(bytes);
  const ip = ETHERNET_LENGTH;
  writeEthernet(view, 0, VIF_MAC, srcMac, EtherType.Ipv4);
  bytes.set([0x45, 0, 0, bytes.length - ip, 0, 1, 0, 0, ttl, Protocol.Udp], ip);
  IPV4.src.set(view, ip, src);
  IPV4.dst.set(view, ip, dst);
  sealHeader(view, ip);
  UDP.srcPort.set(view, ip + 20, ports[0]);
  UDP.dstPort.set(view, ip + 20, ports[1]);
  sealUdp(view, ip + 20, bytes.length, src, dst);
  return bytes;
}

function arp(
  op: number,
  sha: Mac,
  spa: Ipv4Addr,
  tpa: Ipv4Addr,
  srcMac: Mac = FIRST.mac,
): Uint8Array {
  const bytes = new Uint8Array(ETHERNET_LENGTH + ARP_LENGTH);
  writeEthernet(viewOf(bytes), 0, MAC_BROADCAST, srcMac, EtherType.Arp);
  writeArp(viewOf(bytes), ETHERNET_LENGTH, op, sha, spa, MAC_ZERO, tpa);
  return bytes;
}

function ofType(type: number): Uint8Array {
  const bytes = new Uint8Array(60).fill(0x5a);
  writeEthernet(viewOf(bytes), 0, VIF_MAC, FIRST.mac, type);
  return bytes;
}

const FORGERIES: readonly (readonly [string, Uint8Array, string])[] = [
  ["a foreign source MAC", udp({ srcMac: FOREIGN_MAC }), "anti-spoof/source-mac"],
  ["a foreign source address", udp({ src: SECOND.address }), "anti-spoof/source-address"],
  ["an outside source address", udp({ src: parseIpv4("8.8.8.8") }), "anti-spoof/source-address"],
  ["Dom0's own source address", udp({ src: DOM0 }), "anti-spoof/source-address"],
  [
    "a foreign source whose time to live is over",
    udp({ src: parseIpv4("8.8.8.8"), ttl: 1 }),
    "anti-spoof/source-address",
  ],
  ["its own public address", udp({ src: FIRST_PUBLIC }), "anti-spoof/source-address"],
  [
    "a DHCP server's offer to the neighbour",
    udp({ dst: SECOND.address, ports: [67, 68] }),
    "anti-spoof/dhcp-server",
  ],
  [
    "a DHCP server's broadcast",
    udp({ dst: parseIpv4("255.255.255.255"), ports: [67, 68] }),
    "anti-spoof/dhcp-server",
  ],
  [
    "ARP with a foreign sender MAC",
    arp(ArpOp.Request, FOREIGN_MAC, FIRST.address, DOM0),
    "anti-spoof/arp-sender-mac",
  ],
  [
    "ARP with a foreign sender address",
    arp(ArpOp.Request, FIRST.mac, SECOND.address, DOM0),
    "anti-spoof/arp-sender-address",
  ],
  [
    "an ARP reply for the neighbour",
    arp(ArpOp.Reply, FIRST.mac, SECOND.address, DOM0),
    "anti-spoof/arp-sender-address",
  ],
  [
    "an ARP reply for nobody",
    arp(ArpOp.Reply, FIRST.mac, parseIpv4("0.0.0.0"), DOM0),
    "anti-spoof/arp-sender-address",
  ],
  [
    "an ARP frame from a foreign MAC",
    arp(ArpOp.Request, FIRST.mac, FIRST.address, DOM0, FOREIGN_MAC),
    "anti-spoof/source-mac",
  ],
  ["IPv6", ofType(EtherType.Ipv6), "ethernet/ipv6"],
  ["an 802.1Q tag", ofType(EtherType.Vlan), "ethernet/vlan"],
  ["an unknown EtherType", ofType(0x88b5), "ethernet/type"],
  ["an 802.3 length", ofType(46), "ethernet/length"],
];

describe("anti-spoofing", () => {
  it.each(FORGERIES)("lets nothing out for %s, under its own reason", (_, frame, reason) => {
    const { vif, pool, send, all } = twoVifs();
    const before = vif.ends.get(reason);
    send(frame);
    expect(all()).toBe(0);
    expect(vif.ends.get(reason)).toBe(before + 1);
    expect(pool.live).toBe(0);
  });

  it("lets an honest domU out, as its public address", () => {
    const { dom0, recorder, send } = twoVifs();
    send(udp());
    const [frame] = recorder.frames.get(dom0.uplink) ?? [];
    expect(frame && IPV4.src.get(viewOf(frame.octets), ETHERNET_LENGTH)).toBe(FIRST_PUBLIC);
  });

  it("answers an honest question from the vif's own address", () => {
    const { vif, recorder, send } = twoVifs();
    send(arp(ArpOp.Request, FIRST.mac, FIRST.address, DOM0));
    const [frame] = recorder.frames.get(vif) ?? [];
    expect(frame && ETHERNET.src.get(viewOf(frame.octets), 0)).toBe(VIF_MAC);
  });

  it("never lets a packet out whose source is not the domU's", () => {
    const address = fc.oneof(
      fc.constantFrom(FIRST.address, SECOND.address, DOM0, FIRST_PUBLIC, OUTSIDE),
      fc
        .nat({ max: 0xffff_ffff })
        .map((value) =>
          parseIpv4(
            `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`,
          ),
        ),
    );
    const frame = fc.record({
      src: address,
      dst: address,
      ttl: fc.constantFrom(1, 2, 64),
      srcMac: fc.constantFrom(FIRST.mac, FOREIGN_MAC),
    });
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 20 }), (frames) => {
        const { other, dom0, recorder, send } = twoVifs();
        for (const one of frames) send(udp(one));
        const out = [other, dom0.uplink].flatMap((device) => recorder.frames.get(device) ?? []);
        for (const { octets } of out) {
          const src = IPV4.src.get(viewOf(octets), ETHERNET_LENGTH);
          if (ETHERNET.type.get(viewOf(octets), 0) !== EtherType.Ipv4) continue;
          expect([FIRST.address, FIRST_PUBLIC, DOM0]).toContain(src);
        }
      }),
      { numRuns: 100 },
    );
  });
});
