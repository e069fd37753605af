/** The way of a flow through a router, while it is noted and when it is known. @module */
import { assert } from "../base/assert.ts";
import type { Device } from "../wire/device.ts";
import type { FlowTracker, PassCounters, PathNotes } from "../wire/path-notes.ts";
import type { Neighbor } from "../l2/neighbor.ts";
import { Crossing } from "./crossing.ts";
import type { Interface } from "./interface.ts";

/** Places that count a packet on its way; one that meets more is asked each time. */
const MOST_COUNTERS = 64;

/** Notes on one packet. */
export class FlowNotes implements PathNotes {
  readonly via: Interface;
  readonly source: number;
  readonly destination: number;
  /** Both ports as they lie in the header. */
  readonly ports: number;
  readonly protocol: number;
  /** The Ethernet header but for its type, as three words; it is written over on the way. */
  readonly ethernet: readonly [number, number, number];
  readonly counters: PassCounters[] = [];
  tracker: FlowTracker | null = null;
  flow = 0;
  state = 0;
  isReply = false;
  zeroUdpChecksum = 0;
  isSpoilt = false;

  constructor(
    via: Interface,
    source: number,
    destination: number,
    ports: number,
    protocol: number,
    ethernet: readonly [number, number, number],
  ) {
    this.via = via;
    this.source = source;
    this.destination = destination;
    this.ports = ports;
    this.protocol = protocol;
    this.ethernet = ethernet;
  }

  count(counters: PassCounters): void {
    if (this.counters.length < MOST_COUNTERS) this.counters.push(counters);
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

  spoil(): void {
    this.isSpoilt = true;
  }
}

/** What the ways of many flows share: they come in and leave alike, and are counted alike. */
export class Lane {
  readonly via: Interface;
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly neighbor: Neighbor;
  readonly output: Device;
  /** Largest packet in octets. */
  readonly mtu: number;
  readonly counters: readonly PassCounters[];
  /** `null` if it does not lead to another router at once. */
  readonly crossing: Crossing | null;
  /** Where the router keeps the passages that lead from this lane, by the next router's lane. */
  readonly passages = new Map<Lane, number>();
  /** What passed and is not in {@link counters} yet. */
  packets = 0;
  octets = 0;

  constructor(
    { via, ethernet, counters }: FlowNotes,
    neighbor: Neighbor,
    output: Device,
    mtu: number,
  ) {
    this.via = via;
    [this.first, this.second, this.third] = ethernet;
    this.neighbor = neighbor;
    this.output = output;
    this.mtu = mtu;
    this.counters = counters;
    this.crossing = Crossing.find(output);
  }

  /** True if `notes`, with the same neighbor and size, are those of this lane. */
  serves(notes: FlowNotes, neighbor: Neighbor, output: Device, mtu: number): boolean {
    const [first, second, third] = notes.ethernet;
    return (
      notes.via === this.via &&
      first === this.first &&
      second === this.second &&
      third === this.third &&
      neighbor === this.neighbor &&
      output === this.output &&
      mtu === this.mtu &&
      notes.counters.length === this.counters.length &&
      notes.counters.every((one, index) => one === this.counters[index])
    );
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
