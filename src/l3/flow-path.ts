/** The way of a flow through a router, while it is noted and when it is known. @module */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import type { Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { FlowTracker, FlowTranslator, PassCounters, PathNotes } from "../wire/path-notes.ts";
import type { EthernetTemplate } from "../l2/ethernet.ts";
import type { Neighbor } from "../l2/neighbor.ts";
import { ALONE, SLOT } from "./burst.ts";
import { Crossing } from "./crossing.ts";
import { headerWordOf, swap16 } from "./header-words.ts";
import type { Interface } from "./interface.ts";

/** An Ethernet header in words. */
type HeaderWords = Pick<EthernetTemplate, "first" | "second" | "third" | "fourth">;

/** Places that count a packet on its way; one that meets more is asked each time. */
const MOST_COUNTERS = 64;

/** Ports that are all answered alike, as far as is known. */
class PortRange {
  lower = 0;
  upper = 0xffff;

  /** Begin with all. */
  open(): void {
    this.lower = 0;
    this.upper = 0xffff;
  }

  /** It was asked whether `port`, one of the range, lies from `lower` to `upper`. */
  ask(port: number, lower: number, upper: number): void {
    if (port < lower) this.upper = Math.min(this.upper, lower - 1);
    else if (port > upper) this.lower = Math.max(this.lower, upper + 1);
    else {
      this.lower = Math.max(this.lower, lower);
      this.upper = Math.min(this.upper, upper);
    }
  }
}

/** Notes on one packet, written over by the next one that is noted once it does not carry them. */
export class FlowNotes implements PathNotes {
  source = 0;
  destination = 0;
  /** Both ports, a word as it lies in the header. */
  ports = 0;
  protocol = 0;
  /** The Ethernet header as {@link EthernetTemplate} has it; it is written over on the way. */
  first = 0;
  second = 0;
  third = 0;
  fourth = 0;
  tracker: FlowTracker | null = null;
  flow = 0;
  state = 0;
  isReply = false;
  zeroUdpChecksum = 0;
  isSpoilt = false;
  /** Connection tracking, if the packet opens a connection; what follows is of such alone. */
  opener: FlowTracker | null = null;
  translator: FlowTranslator | null = null;
  destinationRange: NatRange | null = null;
  sourceRange: NatRange | null = null;
  /** Source and destination ports that others may have, from and to. */
  readonly sourcePorts = new PortRange();
  readonly destinationPorts = new PortRange();
  isOpeningSpoilt = false;
  #via: Interface;
  #packet: Packet;
  readonly #counters: PassCounters[] = [];
  #count = 0;
  /** From here on the packet has a destination port that translation gave it. */
  #hasNewPort = false;

  constructor(via: Interface, packet: Packet) {
    this.#via = via;
    this.#packet = packet;
  }

  /** Where the packet came in. */
  get via(): Interface {
    return this.#via;
  }

  /** True while a packet carries them. */
  get isUsed(): boolean {
    return this.#packet.path === this && this.#packet.isLive;
  }

  /** Begin anew with `packet`, which came in by `via`, carries them and was read alone. */
  begin(via: Interface, packet: Packet): void {
    const octets = packet.pool.words;
    const at = headerWordOf(packet);
    this.source = SLOT.sources[ALONE] ?? 0;
    this.destination = SLOT.destinations[ALONE] ?? 0;
    this.ports = SLOT.ports[ALONE] ?? 0;
    this.protocol = ((SLOT.lives[ALONE] ?? 0) >>> 8) & 0xff;
    this.first = (octets[at - 4] ?? 0) >>> 16;
    this.second = octets[at - 3] ?? 0;
    this.third = octets[at - 2] ?? 0;
    this.fourth = octets[at - 1] ?? 0;
    this.#via = via;
    this.#packet = packet;
    this.#count = 0;
    this.tracker = null;
    this.flow = 0;
    this.state = 0;
    this.isReply = false;
    this.zeroUdpChecksum = 0;
    this.isSpoilt = false;
    this.opener = null;
    this.translator = null;
    this.destinationRange = null;
    this.sourceRange = null;
    this.sourcePorts.open();
    this.destinationPorts.open();
    this.#hasNewPort = false;
    this.isOpeningSpoilt = false;
    packet.path = this;
  }

  /** Places that counted the packet so far. */
  get countersLength(): number {
    return this.#count;
  }

  /** The places, in their order. Allocates. */
  copyCounters(): PassCounters[] {
    return this.#counters.slice(0, this.#count);
  }

  /** True if the packet was counted at `counters` and nowhere else. */
  wasCountedAt(counters: readonly PassCounters[]): boolean {
    if (counters.length !== this.#count) return false;
    for (let index = 0; index < this.#count; index += 1) {
      if (counters[index] !== this.#counters[index]) return false;
    }
    return true;
  }

  count(counters: PassCounters): void {
    if (this.#count < MOST_COUNTERS) this.#counters[this.#count++] = counters;
    else this.isSpoilt = true;
  }

  track(tracker: FlowTracker, flow: number, state: number, isReply: boolean): void {
    assert(this.tracker === null, "a packet is tracked once");
    this.tracker = tracker;
    this.flow = flow;
    this.state = state;
    this.isReply = isReply;
  }

  translate(zeroUdpChecksum: number): void {
    this.zeroUdpChecksum = zeroUdpChecksum;
  }

  open(tracker: FlowTracker): void {
    this.opener = tracker;
  }

  give(translator: FlowTranslator, side: NatRange["side"], range: NatRange | null): void {
    this.translator = translator;
    if (side === "source") this.sourceRange = range;
    else this.destinationRange = range;
    if (range === null || side === "source") return;
    // What comes after depends on what was chosen, unless there was no choice.
    if (!isOne(range.addresses) || !isOne(range.ports) || range.isRandom) this.spoilOpening();
    if (range.ports === null) return;
    const { lower } = range.ports;
    this.askDestinationPort(swap16(this.ports >>> 16), lower, lower);
    this.#hasNewPort = true;
  }

  askSourcePort(port: number, lower: number, upper: number): void {
    this.sourcePorts.ask(port, lower, upper);
  }

  askDestinationPort(port: number, lower: number, upper: number): void {
    if (!this.#hasNewPort) this.destinationPorts.ask(port, lower, upper);
  }

  spoilOpening(): void {
    this.isOpeningSpoilt = true;
  }

  spoil(): void {
    this.isSpoilt = true;
  }
}

const isOne = (range: { readonly lower: number; readonly upper: number } | null): boolean =>
  range === null || range.lower === range.upper;

/** What the ways of many flows share: they come in and leave alike, and are counted alike. */
export class Lane {
  declare readonly via: Interface;
  declare readonly first: number;
  declare readonly second: number;
  declare readonly third: number;
  declare readonly fourth: number;
  declare readonly neighbor: Neighbor;
  declare readonly output: Device;
  /** Largest packet in octets. */
  declare readonly mtu: number;
  declare readonly counters: readonly PassCounters[];
  /** `null` if it does not lead to another router at once. */
  declare readonly crossing: Crossing | null;
  /** Where the router keeps the passages that lead from this lane, by the next router's lane. */
  readonly passages = new Map<Lane, number>();
  /** What passed and is not in {@link counters} yet. */
  packets = 0;
  octets = 0;

  constructor(notes: FlowNotes, neighbor: Neighbor, output: Device, mtu: number) {
    this.via = notes.via;
    this.first = notes.first;
    this.second = notes.second;
    this.third = notes.third;
    this.fourth = notes.fourth;
    this.neighbor = neighbor;
    this.output = output;
    this.mtu = mtu;
    this.counters = notes.copyCounters();
    this.crossing = Crossing.find(output);
  }

  /** True if `notes`, with the same neighbor and size, are those of this lane. */
  serves(notes: FlowNotes, neighbor: Neighbor, output: Device, mtu: number): boolean {
    return (
      notes.via === this.via &&
      this.beginsWith(notes) &&
      neighbor === this.neighbor &&
      output === this.output &&
      mtu === this.mtu &&
      notes.wasCountedAt(this.counters)
    );
  }

  /** True if a frame with such a header would come in by this lane. */
  beginsWith({ first, second, third, fourth }: HeaderWords): boolean {
    return (
      first === this.first &&
      second === this.second &&
      third === this.third &&
      fourth === this.fourth
    );
  }

  /** As {@link beginsWith}, of the frame whose IP header begins with word `at` of `octets`. */
  isOf(octets: Int32Array, at: number): boolean {
    return (
      (octets[at - 4] ?? 0) >>> 16 === this.first &&
      octets[at - 3] === this.second &&
      octets[at - 2] === this.third &&
      octets[at - 1] === this.fourth
    );
  }

  /** `packet`, changed as it must be, leaves: its IP header begins with word `at`. */
  send(packet: Packet, at: number, now: Instant): void {
    const { crossing } = this;
    const { header } = this.neighbor;
    if (crossing?.isClear(packet.pool) === true) crossing.take(packet, header, now);
    else {
      header.writeBefore(packet.pool.words, at);
      this.output.transmit(packet, now);
    }
  }

  /** Bring {@link counters} up to date. */
  settle(): void {
    if (this.packets === 0) return;
    for (const counters of this.counters) {
      counters.packets += this.packets;
      counters.octets += this.octets;
    }
    this.packets = 0;
    this.octets = 0;
  }
}
