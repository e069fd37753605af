/**
 * The whole Dom0 of the profile `ec2-2010`: a vif's frame crosses anti-spoofing, connection tracking
 * and the security groups of the first router, 1:1 NAT in the second, and leaves by the uplink.
 * @module
 */
import { ARP, ARP_LENGTH, ArpOp, writeArp } from "../src/l2/arp.ts";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../src/l2/ethernet.ts";
import { type Ipv4Addr, ipv4Of, MAC_BROADCAST, MAC_ZERO } from "../src/wire/addr.ts";
import type { Device } from "../src/wire/device.ts";
import { viewOf } from "../src/wire/field.ts";
import type { Packet, PacketPool } from "../src/wire/packet.ts";
import { EC2_2010 } from "../src/xen/profile.ts";
import type { Case } from "./harness.ts";
import {
  type BenchGuest,
  DOM0,
  FABRIC,
  FRAME as ImportedFRAME,
  guestOf,
  newHost,
  PEER,
  udpFrame,
  UPLINK,
} from "./host.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const FRAME = ImportedFRAME;
const WORDS = FRAME / 4;

/** Whom flow `index` of the bench talks to, and from which port. */
function endsOf(index: number): { readonly peer: Ipv4Addr; readonly port: number } {
  return { peer: ipv4Of(PEER + Math.floor(index / 50_000)), port: 1024 + (index % 50_000) };
}

/** The frame of flow `index` as `guest` sends it. */
export function outward(guest: BenchGuest, index: number, vifMac = EC2_2010.vifMac): Uint8Array {
  const { peer, port } = endsOf(index);
  return udpFrame(vifMac, guest.mac, guest.address, peer, [port, 7]);
}

/** What the peer of flow `index` answers. */
export function inward(guest: BenchGuest, index: number): Uint8Array {
  const { peer, port } = endsOf(index);
  return udpFrame(UPLINK.mac, FABRIC.mac, peer, guest.publicAddress, [7, port]);
}

function send(pool: PacketPool, device: Device, frame: Uint8Array, now: number): void {
  const packet = pool.copyIn(frame);
  if (packet !== null) device.receive(packet, now);
}

/** A host with many flows. */
export interface FlowsSize {
  readonly vifs: number;
  readonly rules: number;
  readonly flows: number;
}

/** 64-octet UDP of established flows, each in turn, from the domUs to the uplink. */
export function establishedFrames(size: FlowsSize): Case {
  const { pool, dom0, vifs, sink } = newHost(size);
  const frames = new Frames(size.flows);
  for (let index = 0; index < size.flows; index += 1) {
    const number = index % size.vifs;
    const guest = guestOf(number);
    const vif = vifs[number] ?? dom0.uplink;
    frames.write(index, outward(guest, index));
    for (let time = 0; time < 2; time += 1) {
      frames.send(index, pool, vif);
      send(pool, dom0.uplink, inward(guest, index), 0);
    }
    frames.send(index, pool, vif);
  }
  if (sink.frames !== 5 * size.flows) throw new Error("a flow is not established");
  const burst = new Burst();
  let next = 0;
  return {
    name:
      size.flows === 1
        ? `64-octet UDP frame, domU to uplink, whole Dom0, established, ${BURST} at a time`
        : `the same with ${size.vifs} vifs, ${size.rules} rules a group, ${size.flows} flows`,
    run: (count) => {
      const before = sink.frames;
      for (let left = count; left > 0; left -= burst.length) {
        burst.clear();
        while (burst.length < Math.min(left, BURST)) {
          const vif = vifs[next % size.vifs] ?? dom0.uplink;
          burst.add(vif, frames.take(next, pool));
          next = next + 1 < size.flows ? next + 1 : 0;
        }
        burst.receive();
      }
      if (sink.frames - before !== count) throw new Error("a frame did not leave");
    },
  };
}

/** Frames that a back end takes from its rings in one go. */
const BURST = 32;

/** What a back end takes from the rings of its vifs at a time, a frame from each in turn. */
class Burst {
  length = 0;
  readonly #devices: Device[] = [];
  readonly #packets: Packet[] = [];

  clear(): void {
    this.length = 0;
  }

  add(device: Device, packet: Packet): void {
    this.#devices[this.length] = device;
    this.#packets[this.length] = packet;
    this.length += 1;
  }

  receive(): void {
    this.#devices[0]?.expect(this.#packets, this.length);
    for (let index = 0; index < this.length; index += 1) {
      const packet = this.#packets[index];
      if (packet !== undefined) this.#devices[index]?.receive(packet, 0);
    }
  }
}

/** Frames of 64 octets one behind the other, as a network card's ring would hold them. */
class Frames {
  readonly #words: Int32Array;
  readonly #octets: Uint8Array;

  constructor(count: number) {
    this.#octets = new Uint8Array(count * FRAME);
    this.#words = new Int32Array(this.#octets.buffer);
  }

  write(index: number, frame: Uint8Array): void {
    this.#octets.set(frame, index * FRAME);
  }

  /** A copy of frame `index` comes in by `device`. */
  send(index: number, pool: PacketPool, device: Device): void {
    device.receive(this.take(index, pool), 0);
  }

  /** A copy of frame `index`. */
  take(index: number, pool: PacketPool): Packet {
    const packet = pool.allocate(FRAME);
    if (packet === null) throw new Error("the pool is exhausted");
    const { view } = pool;
    const { frame } = packet;
    const from = index * WORDS;
    for (let word = 0; word < WORDS; word += 1) {
      view.setInt32(frame + 4 * word, this.#words[from + word] ?? 0, true);
    }
    return packet;
  }
}

/** Most flows that live while new ones are opened. */
const FRESH_FLOWS = 100_000;

/** The first frame of a flow, again and again. */
export function freshFlows(): Case {
  const { pool, dom0, vifs, sink } = newHost();
  const [vif = dom0.uplink] = vifs;
  const frames = new Frames(FRESH_FLOWS);
  for (let index = 0; index < FRESH_FLOWS; index += 1) {
    frames.write(index, outward(guestOf(0), index));
  }
  let next = 0;
  return {
    name: "the first frame of a new flow",
    prepare: (count) => {
      if (next + count <= FRESH_FLOWS) return;
      dom0.firewall.conntrack?.flush();
      dom0.gatewayFirewall.conntrack?.flush();
      next = 0;
    },
    run: (count) => {
      const before = sink.frames;
      for (let done = 0; done < count; done += 1) {
        frames.send(next, pool, vif);
        next += 1;
      }
      if (sink.frames - before !== count) throw new Error("a frame did not leave");
    },
  };
}

/** A domU's question for Dom0's own address, answered at once. */
export function arpAnswer(): Case {
  const { pool, dom0, vifs, sink } = newHost();
  const [vif = dom0.uplink] = vifs;
  const guest = guestOf(0);
  const question = new Uint8Array(ETHERNET_LENGTH + ARP_LENGTH);
  const view = viewOf(question);
  writeEthernet(view, 0, MAC_BROADCAST, guest.mac, EtherType.Arp);
  writeArp(view, ETHERNET_LENGTH, ArpOp.Request, guest.mac, guest.address, MAC_ZERO, DOM0);
  if (ARP.tpa.get(view, ETHERNET_LENGTH) !== DOM0) throw new Error("the question is for Dom0");
  return {
    name: "ARP question and answer",
    run: (count) => {
      const before = sink.frames;
      for (let done = 0; done < count; done += 1) {
        send(pool, vif, question, 0);
      }
      if (sink.frames - before !== count) throw new Error("a question was not answered");
    },
  };
}

/** DISCOVER, OFFER, REQUEST, ACK: two messages in, two out, by frames on the vif. */
export function dhcpExchange(frames: readonly [Uint8Array, Uint8Array]): Case {
  const { pool, dom0, vifs, sink } = newHost();
  const [vif = dom0.uplink] = vifs;
  return {
    name: "DHCP exchange: DISCOVER, OFFER, REQUEST, ACK",
    run: (count) => {
      const before = sink.frames;
      for (let done = 0; done < count; done += 1) {
        for (const frame of frames) send(pool, vif, frame, 0);
      }
      if (sink.frames - before !== 2 * count) throw new Error("a message was not answered");
    },
  };
}
