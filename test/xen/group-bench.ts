/** A host whose domUs have security groups, and packets for them from wherever. */
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../../src/l2/ethernet.ts";
import { ICMP, sealIcmp } from "../../src/l3/icmp.ts";
import { IPV4, IPV4_MIN_LENGTH, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { sealUdp, UDP } from "../../src/l4/udp.ts";
import { sealTcp, TCP, TcpFlag } from "../../src/l4/tcp.ts";
import {
  type Ipv4Addr,
  ipv4Of,
  type Mac,
  macOf,
  parseIpv4,
  parseMac,
} from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { Dom0 } from "../../src/xen/dom0.ts";
import { EC2_2010, type Profile } from "../../src/xen/profile.ts";
import { SecurityGroups } from "../../src/xen/security-group.ts";
import type { Vif } from "../../src/xen/vif.ts";
import { chance } from "../support/hosts.ts";
import { Recorder } from "../support/replay.ts";

export const DOM0 = parseIpv4("10.254.168.2");
/** Of the uplink. */
export const UPLINK_MAC = parseMac("02:00:00:00:00:02");
/** Whom the uplink leads to. */
export const GATEWAY = parseIpv4("216.182.232.1");
export const GATEWAY_MAC = parseMac("02:00:00:00:00:99");
/** The private address of the domU with a domid. */
export const addressOf = (domid: number): Ipv4Addr => ipv4Of(parseIpv4("10.254.170.0") + domid);

/** A packet of one kind; what does not concern it is ignored. */
export interface Sent {
  readonly source: Ipv4Addr;
  readonly target: Ipv4Addr;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly type?: number;
  readonly code?: number;
  readonly id?: number;
  /** Of tcp; SYN. */
  readonly flags?: number;
}

/** One host with one router and no NAT, so that a packet can come from any address. */
export class GroupBench {
  readonly groups: SecurityGroups;
  readonly dom0: Dom0;
  readonly pool = new PacketPool({ slots: 64, largeSlots: 0 });
  readonly recorder = new Recorder();
  now = 0;

  constructor({
    groups = new SecurityGroups(),
    profile = EC2_2010,
  }: { readonly groups?: SecurityGroups; readonly profile?: Profile } = {}) {
    this.groups = groups;
    this.dom0 = new Dom0({
      name: "host",
      pool: this.pool,
      profile,
      chance: chance(),
      privateAddress: DOM0,
      uplink: {
        mac: UPLINK_MAC,
        address: parseIpv4("216.182.232.10"),
        length: 20,
        gateway: GATEWAY,
      },
      routers: 1,
      hasNat: false,
      hasAntiSpoof: false,
      securityGroups: groups,
    });
    this.recorder.attach(this.dom0.uplink);
    this.dom0.router.neighbors.addPermanent(this.dom0.uplink, GATEWAY, GATEWAY_MAC, 0);
  }

  /** What `iptables-save -t filter` prints, without counters. */
  get rules(): string {
    return this.dom0.firewall.rules.save().replaceAll(/\[\d+:\d+\]/g, "[0:0]");
  }

  /** The rules of one chain. */
  chain(name: string): string[] {
    return this.rules.split("\n").filter((line) => line.startsWith(`-A ${name} `));
  }

  launch(domid: number, securityGroups?: readonly string[]): Vif {
    const address = addressOf(domid);
    const vif = this.dom0.addVif(
      {
        domid,
        domain: `dom_${domid}`,
        mac: macOf(domid),
        addresses: [address],
        ...(securityGroups === undefined ? {} : { securityGroups }),
      },
      this.now,
    );
    this.recorder.attach(vif.device);
    this.dom0.router.neighbors.addPermanent(vif.device, address, vif.mac, 0);
    return vif;
  }

  /** A packet comes in by the uplink. @returns true if `vif` got it. */
  send(vif: Vif, packet: Sent): boolean {
    const before = this.#sentBy(vif.device);
    this.pass(this.dom0.uplink, packet);
    return this.#sentBy(vif.device) > before;
  }

  /** The domU behind `vif` sends a packet. @returns true if it left by the uplink. */
  answer(vif: Vif, packet: Sent): boolean {
    const before = this.#sentBy(this.dom0.uplink);
    this.pass(vif.device, packet);
    return this.#sentBy(this.dom0.uplink) > before;
  }

  /** A packet comes in by a device. */
  pass(device: Device, sent: Sent): void {
    this.now += 1000;
    const packet = this.pool.copyIn(frameOf(device.mac, sent));
    if (packet === null) throw new Error("the pool is empty");
    device.receive(packet, this.now);
  }

  #sentBy(device: Device): number {
    return this.recorder.frames.get(device)?.length ?? 0;
  }
}

/** A frame for the device with address `mac`. */
export function frameOf(mac: Mac, sent: Sent): Uint8Array {
  const { source, target, protocol, sourcePort = 40_000, port = 0 } = sent;
  const bytes = new Uint8Array(ETHERNET_LENGTH + IPV4_MIN_LENGTH + 28);
  const view = viewOf(bytes);
  const ip = ETHERNET_LENGTH;
  const at = ip + IPV4_MIN_LENGTH;
  writeEthernet(view, 0, mac, GATEWAY_MAC, EtherType.Ipv4);
  bytes.set([0x45, 0, 0, bytes.length - ip, 0, 1, 0, 0, 64, protocol], ip);
  IPV4.src.set(view, ip, source);
  IPV4.dst.set(view, ip, target);
  sealHeader(view, ip);
  if (protocol === Protocol.Udp) {
    UDP.srcPort.set(view, at, sourcePort);
    UDP.dstPort.set(view, at, port);
    sealUdp(view, at, bytes.length, source, target);
  } else if (protocol === Protocol.Tcp) {
    TCP.srcPort.set(view, at, sourcePort);
    TCP.dstPort.set(view, at, port);
    bytes[at + 12] = 0x50;
    TCP.flags.set(view, at, sent.flags ?? TcpFlag.Syn);
    sealTcp(view, at, bytes.length, source, target);
  } else if (protocol === Protocol.Icmp) {
    ICMP.type.set(view, at, sent.type ?? 8);
    ICMP.code.set(view, at, sent.code ?? 0);
    view.setUint16(at + 4, sent.id ?? 0);
    sealIcmp(view, at, bytes.length);
  }
  return bytes;
}
