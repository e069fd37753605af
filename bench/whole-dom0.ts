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
import type { PacketPool } from "../src/wire/packet.ts";
import { EC2_2010 } from "../src/xen/profile.ts";
import { FRAME_OCTETS as ImportedFRAME_OCTETS } from "../src/xen/hypervisor/domain-memory.ts";
import type { Case } from "./harness.ts";
import {
  type BenchDomain,
  type BenchGuest,
  DOM0,
  FABRIC,
  FRAME as ImportedFRAME,
  guestOf,
  newHost,
  PEER,
  type Sink,
  udpFrame,
  UPLINK,
} from "./host.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const FRAME = ImportedFRAME;
const FRAME_OCTETS = ImportedFRAME_OCTETS;

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

/** The first domU sends a copy of `frame`. */
function transmit(pool: PacketPool, [domain]: readonly BenchDomain[], frame: Uint8Array): void {
  const packet = pool.copyIn(frame);
  if (packet !== null) domain?.device.transmit(packet, 0);
}

/** A host with many flows. */
export interface FlowsSize {
  readonly vifs: number;
  readonly rules: number;
  readonly flows: number;
}

/**
 * Requests that a domU puts on its ring before it tells Dom0: half a ring, as a front end that
 * sends as fast as it can is told of room when half of what it had on its ring is done.
 */
const BURST = 128;

/** A host with established flows, and the domUs that send their frames. */
export class FlowsHost {
  readonly #size: FlowsSize;
  readonly #senders: readonly Sender[];
  readonly #sink: Sink;

  constructor(size: FlowsSize) {
    const { pool, dom0, domains, sink } = newHost(size);
    this.#size = size;
    this.#sink = sink;
    this.#senders = domains.map((domain) => new Sender(domain));
    for (let index = 0; index < size.flows; index += 1) {
      const number = index % size.vifs;
      const guest = guestOf(number);
      const sender = this.#senders[number];
      if (sender === undefined) throw new Error("a flow has a domU");
      sender.write(outward(guest, index));
      for (let time = 0; time < 2; time += 1) {
        sender.sendLast();
        send(pool, dom0.uplink, inward(guest, index), 0);
      }
      sender.sendLast();
    }
    if (sink.frames !== 5 * size.flows) throw new Error("a flow is not established");
  }

  /** 64-octet UDP from the domUs' memory through their tx rings to the uplink, each in turn. */
  all(): Case {
    const { vifs, rules, flows } = this.#size;
    let next = 0;
    return this.#case(
      flows === 1
        ? "64-octet UDP frame, domU to uplink, whole Dom0, established"
        : `the same, ${vifs} vifs, ${rules} rules a group, ${flows} flows that take turns`,
      (count) => {
        this.#senders[next]?.send(count);
        next = next + 1 < this.#senders.length ? next + 1 : 0;
      },
    );
  }

  /** The same of a single flow, while the others are there. */
  one(): Case {
    const { vifs, rules, flows } = this.#size;
    return this.#case(
      `the same of one flow beside ${vifs} vifs, ${rules} rules a group, ${flows} flows`,
      (count) => this.#senders[0]?.sendLast(count),
    );
  }

  #case(name: string, sendSome: (count: number) => void): Case {
    const sink = this.#sink;
    return {
      name,
      run: (count) => {
        const before = sink.frames;
        for (let left = count; left > 0; left -= BURST) sendSome(Math.min(left, BURST));
        if (sink.frames - before !== count) throw new Error("a frame did not leave");
      },
    };
  }
}

/** Where the first frame of a page lies: its IP header then lies on a multiple of four. */
const FIRST_OFFSET = 2;
const FRAMES_A_PAGE = Math.floor((FRAME_OCTETS - FIRST_OFFSET) / FRAME);

/** A domU's kernel, with frames in its memory that it sends again and again. */
class Sender {
  readonly #domain: BenchDomain;
  readonly #pages: number[] = [];
  #frames = 0;
  /** The next frame, and where it lies. */
  #next = 0;
  #page = 0;
  #offset = FIRST_OFFSET;

  constructor(domain: BenchDomain) {
    this.#domain = domain;
  }

  write(frame: Uint8Array): void {
    const { memory } = this.#domain;
    if (this.#frames % FRAMES_A_PAGE === 0) this.#pages.push(memory.allocate());
    const page = this.#pages.at(-1) ?? 0;
    const offset = FIRST_OFFSET + (this.#frames % FRAMES_A_PAGE) * FRAME;
    memory.bytes.set(frame, page * FRAME_OCTETS + offset);
    this.#frames += 1;
  }

  /** Begin again with the frame that was written first. */
  rewind(): void {
    this.#next = 0;
    this.#page = 0;
    this.#offset = FIRST_OFFSET;
  }

  /** Send the next `count` frames: each is granted, named on the ring, and taken back. */
  send(count: number): void {
    const { tx } = this.#domain.netfront;
    for (let done = 0; done < count; done += 1) {
      tx?.post(this.#pages[this.#page] ?? 0, this.#offset, FRAME, 0);
      this.#next += 1;
      this.#offset += FRAME;
      if (this.#next === this.#frames) this.rewind();
      else if (this.#offset + FRAME > FRAME_OCTETS) {
        this.#page += 1;
        this.#offset = FIRST_OFFSET;
      }
    }
    tx?.kick(0);
  }

  /** Send the frame that was written last, `count` times. */
  sendLast(count = 1): void {
    const { tx } = this.#domain.netfront;
    const offset = FIRST_OFFSET + ((this.#frames - 1) % FRAMES_A_PAGE) * FRAME;
    for (let done = 0; done < count; done += 1) tx?.post(this.#pages.at(-1) ?? 0, offset, FRAME, 0);
    tx?.kick(0);
  }
}

/** Most flows that live while new ones are opened. */
const FRESH_FLOWS = 100_000;

/** The first frame of a flow, again and again. */
export function freshFlows(): Case {
  const { dom0, domains, sink } = newHost();
  const [domain] = domains;
  if (domain === undefined) throw new Error("a host has a domU");
  const sender = new Sender(domain);
  for (let index = 0; index < FRESH_FLOWS; index += 1) sender.write(outward(guestOf(0), index));
  let next = 0;
  return {
    name: "the first frame of a new flow",
    prepare: (count) => {
      if (next + count <= FRESH_FLOWS) return;
      dom0.firewall.conntrack?.flush();
      dom0.gatewayFirewall.conntrack?.flush();
      next = 0;
      sender.rewind();
    },
    run: (count) => {
      const before = sink.frames;
      for (let left = count; left > 0; left -= BURST) sender.send(Math.min(left, BURST));
      next += count;
      if (sink.frames - before !== count) throw new Error("a frame did not leave");
    },
  };
}

/** A domU's question for Dom0's own address, answered at once. */
export function arpAnswer(): Case {
  const { pool, domains, sink } = newHost();
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
        transmit(pool, domains, question);
      }
      if (sink.frames - before !== count) throw new Error("a question was not answered");
    },
  };
}

/** DISCOVER, OFFER, REQUEST, ACK: two messages in, two out, by frames on the vif. */
export function dhcpExchange(frames: readonly [Uint8Array, Uint8Array]): Case {
  const { pool, domains, sink } = newHost();
  return {
    name: "DHCP exchange: DISCOVER, OFFER, REQUEST, ACK",
    run: (count) => {
      const before = sink.frames;
      for (let done = 0; done < count; done += 1) {
        for (const frame of frames) transmit(pool, domains, frame);
      }
      if (sink.frames - before !== 2 * count) throw new Error("a message was not answered");
    },
  };
}
