/** One host of which everything can be told, and the frames of talks across it. @module */
import { expect } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../../src/l2/ethernet.ts";
import { IPV4, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { sealTcp, TCP } from "../../src/l4/tcp.ts";
import { sealUdp, UDP } from "../../src/l4/udp.ts";
import {
  ipv4Of,
  type Ipv4Addr,
  type Mac,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { type Observer, type Packet, PacketPool } from "../../src/wire/packet.ts";
import { Dom0 } from "../../src/xen/dom0.ts";
import type { Profile } from "../../src/xen/profile.ts";
import { SecurityGroups } from "../../src/xen/security-group.ts";
import type { Vif } from "../../src/xen/vif.ts";
import { hexOf } from "../guest/net.ts";

export const GUESTS = [
  { mac: parseMac("12:31:39:00:a5:11"), own: parseIpv4("10.254.170.223") },
  { mac: parseMac("12:31:39:00:a5:12"), own: parseIpv4("10.254.170.222") },
];
const PUBLIC = [parseIpv4("75.101.160.7"), parseIpv4("75.101.160.8")];
const PEERS = [parseIpv4("93.184.216.34"), parseIpv4("216.182.232.1")];
export const FABRIC = parseMac("02:00:00:00:00:99");

/** One host; its flow cache can be turned off. */
export class FlowBench {
  readonly sent: string[] = [];
  readonly dom0: Dom0;
  readonly vifs: Vif[] = [];
  readonly #pool = new PacketPool({ slots: 512, largeSlots: 1 });
  #now = 0;

  constructor(profile: Profile, hasCache: boolean) {
    const securityGroups = new SecurityGroups();
    securityGroups.define("default", [{ protocol: "udp", source: parsePrefix("0.0.0.0/0") }]);
    this.dom0 = new Dom0({
      name: "host",
      pool: this.#pool,
      profile,
      chance: new Prng(1),
      privateAddress: parseIpv4("10.254.168.2"),
      uplink: {
        mac: parseMac("02:00:00:00:00:02"),
        address: parseIpv4("216.182.232.10"),
        length: 20,
        gateway: PEERS[1] ?? null,
      },
      securityGroups,
    });
    const { router, gateway, uplink } = this.dom0;
    for (const { hooks } of [router, gateway]) hooks.paths.isEnabled = hasCache;
    GUESTS.forEach(({ mac, own }, index) => {
      const vif = this.dom0.addVif(
        {
          domid: index + 1,
          domain: `dom_${index}`,
          mac,
          addresses: [own],
          publicAddress: PUBLIC[index] ?? null,
          securityGroups: ["default"],
        },
        0,
      );
      this.vifs.push(vif);
      router.neighbors.learn(vif.device, own, mac, 0);
      router.neighbors.confirm(vif.device, own, mac, true, true, 0);
    });
    gateway.neighbors.addPermanent(uplink, PEERS[1] ?? ipv4Of(0), FABRIC, 0);
    for (const device of [uplink, ...this.vifs.map((vif) => vif.device)]) {
      device.attachCarrier({
        carry: (from, packet, now) => {
          this.sent.push(`${now} ${from.name} ${hexOf(packet.octets())}`);
          this.#pool.end(packet, "delivered", "test/sent", now);
        },
      });
    }
  }

  device(index: number): Device {
    return this.vifs[index]?.device ?? this.dom0.uplink;
  }

  receive(index: number, frame: Uint8Array): void {
    const packet = this.#pool.copyIn(frame);
    if (packet === null) throw new RangeError("the pool is exhausted");
    this.device(index).receive(packet, this.#now);
  }

  /**
   * As many as a back end takes from its rings in one go.
   * @param note what another stack noted on each.
   */
  receiveBurst(
    frames: readonly (readonly [index: number, frame: Uint8Array])[],
    note: (packet: Packet) => unknown = () => null,
  ): void {
    const packets: Packet[] = [];
    const lengths = Int32Array.from(frames, ([, { length }]) => length);
    this.#pool.allocateAll(lengths, frames.length, packets, 0);
    packets.forEach(({ frame }, place) => this.#pool.bytes.set(frames[place]?.[1] ?? [], frame));
    packets.forEach(note);
    const [first] = frames;
    if (first === undefined) return;
    const [index] = first;
    const together = packets.filter((_, place) => frames[place]?.[0] === index);
    const others = packets.filter((_, place) => frames[place]?.[0] !== index);
    this.device(index).receiveAll(
      together,
      together.length,
      together.reduce((sum, packet) => sum + packet.length, 0),
      this.#now,
    );
    others.forEach((packet) => {
      const place = packets.indexOf(packet);
      this.device(frames[place]?.[0] ?? 0).receive(packet, this.#now);
    });
  }

  wait(duration: number): void {
    const until = this.#now + duration;
    for (let due = this.dom0.nextDeadline(); due <= until; due = this.dom0.nextDeadline()) {
      this.#now = Math.max(due, this.#now);
      this.dom0.expire(this.#now);
    }
    this.#now = until;
  }

  get hits(): number {
    const { router, gateway } = this.dom0;
    return router.hooks.paths.hits + gateway.hooks.paths.hits;
  }

  get openingHits(): number {
    const { router, gateway } = this.dom0;
    return router.hooks.paths.openingHits + gateway.hooks.paths.openingHits;
  }

  /** The last frame that was sent, in hexadecimal. */
  get lastOctets(): string {
    return this.sent.at(-1)?.split(" ")[2] ?? "";
  }

  get now(): number {
    return this.#now;
  }

  /** Frames are watched from now on, or no more. */
  watch(isWatched: boolean): void {
    const tell =
      (what: string) =>
      ({ name }: Device, packet: Packet, now: number): void => {
        this.sent.push(`${now} ${name} ${what} ${packet.id} ${hexOf(packet.octets())}`);
      };
    const observer: Observer = {
      received: tell("received"),
      transmitted: tell("transmitted"),
      ended: ({ id }, fate, reason, now) => void this.sent.push(`${now} ${id} ${fate} ${reason}`),
      step: () => {},
    };
    this.#pool.observe(isWatched ? observer : null);
  }

  /** What packets bear that are allocated together, as many as are free, each once; ends them. */
  fresh(): string[] {
    const { free } = this.#pool;
    const packets: Packet[] = [];
    this.#pool.allocateAll(new Int32Array(free), free, packets, 0);
    const notes = packets.map((packet) => {
      const { frame, network, transport, input, output, path } = packet;
      const { nextHop, routeKind, pathMtu, largestFragment, pieces, mark, flow } = packet;
      const { flowState, isTraced, isNoted, cast, segmentSize } = packet;
      const { hasBlankChecksum, hasSoundChecksums } = packet;
      return JSON.stringify([
        ...[network - frame, transport - frame, input?.name, output?.name, path === null],
        ...[nextHop, routeKind, pathMtu, largestFragment, pieces, mark, flow],
        ...[flowState, isTraced, isNoted, cast, segmentSize, hasBlankChecksum, hasSoundChecksums],
      ]);
    });
    this.#pool.endAll(packets, free, "consumed", "test/fresh", this.#now);
    return [...new Set(notes)];
  }

  /** Every way in which the two ways of a packet could be told apart. */
  state(): unknown {
    const { firewall, gatewayFirewall } = this.dom0;
    return {
      sent: this.sent,
      rules: [firewall, gatewayFirewall].map(({ rules }) => rules.save({ hasCounters: true })),
      flows: [firewall, gatewayFirewall].map(({ conntrack }) => conntrack?.text(this.#now)),
      invalids: [firewall, gatewayFirewall].map(({ conntrack }) => conntrack?.invalids.entries()),
      ends: this.#pool.ends.entries(),
      devices: this.dom0.devices.map(({ rxFrames, rxOctets, txFrames, txOctets, ends }) => [
        ...[rxFrames, rxOctets, txFrames, txOctets],
        ends.entries(),
      ]),
      live: this.#pool.live,
    };
  }
}

/** Do the same with and without known ways. @returns the host that has them. */
export function compareWays(profile: Profile, act: (bench: FlowBench) => void): FlowBench {
  const cached = new FlowBench(profile, true);
  const asked = new FlowBench(profile, false);
  act(cached);
  act(asked);
  expect(cached.state()).toEqual(asked.state());
  return cached;
}

/** Who talks to whom. */
export interface Talk {
  /** Who began it: a domU by its number, or a peer. */
  readonly guest: number;
  readonly peer: number;
  readonly protocol: number;
  readonly port: number;
  /** The other one's port; 7. */
  readonly peerPort?: number;
}

/** What one frame of a talk is like. */
export interface Parts {
  readonly isBack: boolean;
  readonly flags: number;
  readonly seq: number;
  readonly size: number;
  readonly ttl: number;
  readonly tos: number;
  readonly fault: string;
  /** The first octets of the data. */
  readonly word?: number;
}

/** The frame of one side of a talk as it comes in, and by which device. */
export function frameOf(talk: Talk, parts: Parts, vifMac: Mac): [number, Uint8Array] {
  const { guest, peer, protocol, port, peerPort = 7 } = talk;
  const inside = GUESTS[guest]?.own ?? ipv4Of(0);
  const outside = PEERS[peer] ?? PUBLIC[1 - guest] ?? ipv4Of(0);
  const isTcp = protocol === Protocol.Tcp;
  const header = isTcp ? 20 : 8;
  const octets = new Uint8Array(ETHERNET_LENGTH + 20 + header + parts.size);
  const view = viewOf(octets);
  const to = parts.isBack ? (PUBLIC[guest] ?? inside) : outside;
  const from = parts.isBack ? outside : inside;
  if (parts.isBack) {
    writeEthernet(view, 0, parseMac("02:00:00:00:00:02"), FABRIC, EtherType.Ipv4);
  } else {
    const mac = GUESTS[parts.fault === "mac" ? 1 - guest : guest]?.mac ?? FABRIC;
    writeEthernet(view, 0, vifMac, mac, EtherType.Ipv4);
  }
  const at = ETHERNET_LENGTH;
  IPV4.versionIhl.set(view, at, 0x45);
  IPV4.tos.set(view, at, parts.tos);
  IPV4.totalLength.set(view, at, octets.length - at);
  IPV4.ttl.set(view, at, parts.ttl);
  IPV4.protocol.set(view, at, protocol);
  IPV4.src.set(view, at, parts.fault === "source" ? parseIpv4("10.254.170.1") : from);
  IPV4.dst.set(view, at, to);
  if (parts.fault === "fragment") IPV4.flagsFragment.set(view, at, 0x2000);
  sealHeader(view, at);
  const ports = parts.isBack ? [peerPort, port] : [port, peerPort];
  writeTransport(view, at + 20, octets.length, isTcp, ports, parts, [from, to]);
  const damaged = { checksum: at + 20 + (isTcp ? 16 : 6), header: at + 1 }[parts.fault] ?? 0;
  if (damaged > 0) view.setUint8(damaged, view.getUint8(damaged) ^ 0x55);
  const padding = parts.fault === "padding" ? 9 : 0;
  const padded = new Uint8Array(octets.length + padding);
  padded.set(octets);
  return [parts.isBack ? 2 : guest, padded];
}

function writeTransport(
  view: DataView,
  at: number,
  end: number,
  isTcp: boolean,
  [source = 0, target = 0]: readonly number[],
  { flags, seq, fault, word = 0 }: Parts,
  [from, to]: readonly [Ipv4Addr, Ipv4Addr],
): void {
  UDP.srcPort.set(view, at, source);
  UDP.dstPort.set(view, at, target);
  if (isTcp) {
    TCP.seq.set(view, at, seq);
    TCP.ack.set(view, at, seq + 1);
    TCP.dataOffset.set(view, at, 5);
    TCP.flags.set(view, at, flags);
    TCP.window.set(view, at, 8192);
    sealTcp(view, at, end, from, to);
  } else {
    if (end - at >= 10) view.setUint16(at + 8, word);
    sealUdp(view, at, end, from, to);
    if (fault === "zero") UDP.checksum.set(view, at, 0);
  }
}
