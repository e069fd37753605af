/**
 * The flow cache of a router: packets of a flow whose way is known take it without asking routes,
 * rules and translation again, as with Linux's flowtable (nf_flow_table_ip.c). Whatever a packet
 * meets on its whole way is done here too: a capture, the counters and the entries of connection
 * tracking cannot tell the two ways apart.
 *
 * A way is known of UDP and TCP between others, whole and without options, that every hook has
 * judged by the flow alone. What changes routes, rules, addresses or hooks forgets all ways.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import { fold as Importedfold } from "../wire/checksum.ts";
import type { Device } from "../wire/device.ts";
import { Cast as ImportedCast, type Packet } from "../wire/packet.ts";
import type { FlowTracker } from "../wire/path-notes.ts";
import {
  ETHERNET as ImportedETHERNET,
  ETHERNET_LENGTH as ImportedETHERNET_LENGTH,
  type EthernetTemplate,
  EtherType as ImportedEtherType,
} from "../l2/ethernet.ts";
import type { Neighbor } from "../l2/neighbor.ts";
import { FlowNotes, Lane } from "./flow-path.ts";
import { FlowRecords, hashOf, Word as ImportedWord } from "./flow-records.ts";
import { FlowState as ImportedFlowState } from "./flow-state.ts";
import type { Interface } from "./interface.ts";
import {
  FRAGMENT_MASK as ImportedFRAGMENT_MASK,
  IPV4 as ImportedIPV4,
  IPV4_MIN_LENGTH as ImportedIPV4_MIN_LENGTH,
  Protocol as ImportedProtocol,
} from "./ipv4.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET = ImportedETHERNET;
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const EtherType = ImportedEtherType;
const FlowState = ImportedFlowState;
const Word = ImportedWord;
const FRAGMENT_MASK = ImportedFRAGMENT_MASK;
const IPV4 = ImportedIPV4;
const IPV4_MIN_LENGTH = ImportedIPV4_MIN_LENGTH;
const Protocol = ImportedProtocol;
const Cast = ImportedCast;
const fold = Importedfold;

const Change = { Source: 1, Destination: 2, Reply: 4, ZeroAsFfff: 8 } as const;

/** Lanes that may be known at a time. */
const MOST_LANES = 8192;
/** The lane of flows that must be asked each time. */
const ASK = 0;

const BASE_HEADER = 0x45;
/** The shortest packet with an IP header and that of UDP. */
const SHORTEST = IPV4_MIN_LENGTH + 8;
/** Lowering TTL by one adds this to the complement of a checksum (RFC 1624 section 3). */
const TTL_DELTA = 0xfeff;
const UDP_CHECKSUM = 6;
const TCP_CHECKSUM = 16;

// Here words are read and written whole: as fields they would cost a call each.
const TYPE = ETHERNET.type.offset;
/** Version, header length, type of service and total length. */
const LENGTHS = IPV4.versionIhl.offset;
/** Identification, flags and offset. */
const FRAGMENT = IPV4.id.offset;
/** Time to live, protocol and checksum. */
const LIFE = IPV4.ttl.offset;
const SOURCE = IPV4.src.offset;
const DESTINATION = IPV4.dst.offset;
/** A hop, in the word at {@link LIFE}. */
const ONE_HOP = 1 << 24;

/** Known ways by flow: a table of records, and the lanes that they share. */
export class FlowCache {
  /** False: every packet goes its whole way. */
  isEnabled = true;
  /** Packets that took a known way. */
  hits = 0;
  readonly #records: FlowRecords;
  readonly #lanes: (Lane | null)[] = [null];
  readonly #lanesByHash = new Map<number, number[]>();
  #tracker: FlowTracker | null = null;

  /** @param limit of records, one for each direction of a flow; a power of two from 256 to 2^20. */
  constructor(limit?: number) {
    this.#records = new FlowRecords(limit);
  }

  /** Forget all ways: what they were noted from has changed. */
  invalidate(): void {
    this.settle();
    this.#records.clear();
    this.#lanes.length = 1;
    this.#lanesByHash.clear();
    this.#tracker = null;
  }

  /** Bring the counters that packets passed up to date, before they are read or changed. */
  settle(): void {
    for (const lane of this.#lanes) lane?.settle();
  }

  /**
   * Send `packet`, which came in by `via`, the way of its flow.
   * @returns false if it must go its whole way, and still belongs to the caller; its `path` then
   * notes that way if it is worth knowing.
   */
  forward(via: Interface, packet: Packet, now: Instant): boolean {
    const { pool, frame } = packet;
    const { view } = pool;
    const at = frame + ETHERNET_LENGTH;
    if (packet.end - at < SHORTEST || packet.hasBlankChecksum) return false;
    const lengths = view.getInt32(at + LENGTHS);
    const fragment = view.getInt32(at + FRAGMENT);
    const life = view.getInt32(at + LIFE);
    const source = view.getInt32(at + SOURCE);
    const destination = view.getInt32(at + DESTINATION);
    const protocol = (life >>> 16) & 0xff;
    if (
      lengths >>> 24 !== BASE_HEADER ||
      (fragment & FRAGMENT_MASK) !== 0 ||
      (protocol !== Protocol.Udp && protocol !== Protocol.Tcp) ||
      view.getUint16(frame + TYPE) !== EtherType.Ipv4
    ) {
      return false;
    }
    if (!this.isEnabled || pool.isTracing || via.judgesPackets) return false;
    // A way that ended too early: the packet goes on from where connection tracking knew it.
    if (packet.flowState !== FlowState.None) return false;
    const ports = view.getInt32(at + IPV4_MIN_LENGTH);
    const record = this.#records.find(source, destination, ports, protocol);
    if (record < 0) {
      this.#note(via, packet, source, destination, ports, protocol);
      return false;
    }
    const { words } = this.#records;
    const lane = this.#lanes[words[record + Word.Lane] ?? ASK] ?? null;
    const isOurs =
      lane !== null &&
      lane.via === via &&
      view.getInt32(frame) === lane.first &&
      view.getInt32(frame + 4) === lane.second &&
      view.getInt32(frame + 8) === lane.third;
    if (!isOurs) {
      const isAsked = lane === null && this.#isAlive(record);
      if (!isAsked) this.#note(via, packet, source, destination, ports, protocol);
      return false;
    }
    const length = lengths & 0xffff;
    const header = halves(lengths) + halves(fragment) + halves(life);
    const isPlain =
      length >= SHORTEST &&
      length <= packet.end - at &&
      length <= lane.mtu &&
      life >>> 24 > 1 &&
      lane.neighbor.isReady &&
      fold(header + halves(source) + halves(destination)) === 0xffff;
    if (!isPlain) return false;
    packet.network = at;
    packet.transport = at + IPV4_MIN_LENGTH;
    packet.end = at + length;
    packet.cast = Cast.Host;
    if ((words[record + Word.Flow] ?? 0) !== 0 && !this.#follow(record, packet, now)) {
      if (packet.flowState === FlowState.None) {
        this.#note(via, packet, source, destination, ports, protocol);
      }
      return false;
    }
    this.#send(record, lane, packet, now);
    return true;
  }

  /**
   * `packet`, sound and with its positions set, comes in by `via` from another router's known way;
   * its frame would begin with `header`. Takes ownership.
   */
  enter(via: Interface, packet: Packet, header: EthernetTemplate, now: Instant): void {
    const { view } = packet.pool;
    const { network, transport } = packet;
    const life = view.getInt32(network + LIFE);
    const record = this.#records.find(
      view.getInt32(network + SOURCE),
      view.getInt32(network + DESTINATION),
      view.getInt32(transport),
      (life >>> 16) & 0xff,
    );
    const { words } = this.#records;
    const lane = record < 0 ? null : (this.#lanes[words[record + Word.Lane] ?? ASK] ?? null);
    const isKnown =
      lane !== null &&
      lane.via === via &&
      this.isEnabled &&
      !via.judgesPackets &&
      header.beginsWith(lane.first, lane.second, lane.third) &&
      packet.end - network <= lane.mtu &&
      life >>> 24 > 1 &&
      lane.neighbor.isReady &&
      ((words[record + Word.Flow] ?? 0) === 0 || this.#follow(record, packet, now));
    if (isKnown) this.#send(record, lane, packet, now);
    else {
      header.write(view, packet.frame);
      via.receive(via.device, packet, now);
    }
  }

  /**
   * The whole way of `packet` is over: it is sent to `neighbor`, `null` if that is not known yet.
   * Keeps what was noted.
   */
  commit(packet: Packet, neighbor: Neighbor | null): void {
    const notes = packet.path;
    packet.path = null;
    if (!(notes instanceof FlowNotes) || neighbor === null || !neighbor.isReady) return;
    const { output, pathMtu } = packet;
    assert(output !== null, "a packet that is sent has a device to leave by");
    const { tracker } = notes;
    if (tracker !== null && tracker !== this.#tracker) {
      if (this.#tracker !== null) this.invalidate();
      this.#tracker = tracker;
    }
    const record = this.#records.take(notes, this.#isAlive);
    const words = this.#records.words;
    words[record + Word.Epoch] = this.#records.epoch;
    words[record + Word.Source] = notes.source;
    words[record + Word.Destination] = notes.destination;
    words[record + Word.Ports] = notes.ports;
    words[record + Word.Protocol] = notes.protocol;
    words[record + Word.Flow] = tracker === null ? 0 : notes.flow;
    words[record + Word.Generation] = notes.generation;
    words[record + Word.Status] = notes.status;
    words[record + Word.Change] = notes.isReply ? Change.Reply : 0;
    const isSimple = !notes.isSpoilt && this.#noteChange(record, notes, packet);
    words[record + Word.Lane] = isSimple ? this.#laneOf(notes, neighbor, output, pathMtu) : ASK;
  }

  /** Compare what the packet was with what it became. @returns false if both sides changed. */
  #noteChange(record: number, notes: FlowNotes, packet: Packet): boolean {
    const words = this.#records.words;
    const { view } = packet.pool;
    const source = IPV4.src.get(view, packet.network) | 0;
    const destination = IPV4.dst.get(view, packet.network) | 0;
    const ports = view.getInt32(packet.transport);
    const isSource = source !== notes.source || ports >>> 16 !== notes.ports >>> 16;
    const isDestination =
      destination !== notes.destination || (ports & 0xffff) !== (notes.ports & 0xffff);
    words[record + Word.HeaderDelta] = TTL_DELTA;
    if (isSource && isDestination) return false;
    if (!isSource && !isDestination) return true;
    const before = isSource ? notes.source : notes.destination;
    const after = isSource ? source : destination;
    const delta = difference(before >>> 16, after >>> 16) + difference(before, after);
    const shift = isSource ? 16 : 0;
    words[record + Word.Change] =
      (words[record + Word.Change] ?? 0) |
      (isSource ? Change.Source : Change.Destination) |
      (notes.zeroUdpChecksum === 0 ? 0 : Change.ZeroAsFfff);
    words[record + Word.Address] = after;
    words[record + Word.NewPorts] = ports;
    words[record + Word.HeaderDelta] = fold(delta + TTL_DELTA);
    words[record + Word.TransportDelta] = fold(
      delta + difference(notes.ports >>> shift, ports >>> shift),
    );
    return true;
  }

  #send(record: number, lane: Lane, packet: Packet, now: Instant): void {
    const { view } = packet.pool;
    const words = this.#records.words;
    const at = packet.network;
    this.hits += 1;
    lane.packets += 1;
    lane.octets += packet.end - at;
    const life = view.getInt32(at + LIFE);
    const sum = mend(life & 0xffff, words[record + Word.HeaderDelta] ?? 0);
    view.setInt32(at + LIFE, ((life & ~0xffff) | sum) - ONE_HOP);
    const change = words[record + Word.Change] ?? 0;
    if ((change & (Change.Source | Change.Destination)) !== 0) {
      const side = (change & Change.Source) !== 0 ? SOURCE : DESTINATION;
      view.setInt32(at + side, words[record + Word.Address] ?? 0);
      this.#translate(record, change, packet);
    }
    const { crossing } = lane;
    const { header } = lane.neighbor;
    if (crossing?.isClear(packet) === true) crossing.take(packet, header, now);
    else {
      header.write(view, packet.frame);
      lane.output.transmit(packet, now);
    }
  }

  #translate(record: number, change: number, packet: Packet): void {
    const { view } = packet.pool;
    const words = this.#records.words;
    const at = packet.transport;
    const delta = words[record + Word.TransportDelta] ?? 0;
    view.setInt32(at, words[record + Word.NewPorts] ?? 0);
    if (words[record + Word.Protocol] === Protocol.Tcp) {
      const sum = view.getUint16(at + TCP_CHECKSUM);
      view.setUint16(at + TCP_CHECKSUM, mend(sum, delta));
      return;
    }
    const sum = view.getUint16(at + UDP_CHECKSUM);
    if (sum === 0) return;
    const mended = mend(sum, delta);
    const isLost = mended === 0 && (change & Change.ZeroAsFfff) !== 0;
    view.setUint16(at + UDP_CHECKSUM, isLost ? 0xffff : mended);
  }

  #follow(record: number, packet: Packet, now: Instant): boolean {
    const words = this.#records.words;
    assert(this.#tracker !== null, "a flow that is tracked has a tracker");
    return this.#tracker.follow(
      packet,
      words[record + Word.Flow] ?? 0,
      words[record + Word.Generation] ?? 0,
      words[record + Word.Status] ?? 0,
      ((words[record + Word.Change] ?? 0) & Change.Reply) !== 0,
      now,
    );
  }

  /** Note the way of `packet` from here on. */
  #note(
    via: Interface,
    packet: Packet,
    source: number,
    destination: number,
    ports: number,
    protocol: number,
  ): void {
    const { view } = packet.pool;
    const { frame } = packet;
    const ethernet = [
      view.getInt32(frame),
      view.getInt32(frame + 4),
      view.getInt32(frame + 8),
    ] as const;
    packet.path = new FlowNotes(via, source, destination, ports, protocol, ethernet);
  }

  /** True if the entry that the record's flow had, if any, is as it was. */
  readonly #isAlive = (record: number): boolean => {
    const { words } = this.#records;
    const flow = words[record + Word.Flow] ?? 0;
    if (flow === 0) return true;
    const generation = words[record + Word.Generation] ?? 0;
    const status = words[record + Word.Status] ?? 0;
    return this.#tracker?.isCurrent(flow, generation, status) === true;
  };

  // The lanes.

  #laneOf(notes: FlowNotes, neighbor: Neighbor, output: Device, mtu: number): number {
    const hash = hashOf(notes.counters.length, neighbor.address | 0, mtu, notes.ethernet[2]);
    let indices = this.#lanesByHash.get(hash);
    if (indices === undefined) {
      indices = [];
      this.#lanesByHash.set(hash, indices);
    }
    for (const index of indices) {
      if (this.#lanes[index]?.serves(notes, neighbor, output, mtu) === true) return index;
    }
    if (this.#lanes.length > MOST_LANES) return ASK;
    indices.push(this.#lanes.length);
    return this.#lanes.push(new Lane(notes, neighbor, output, mtu)) - 1;
  }
}

/** What the change of a 16-bit word adds to the complement of a checksum (RFC 1624 section 3). */
const difference = (before: number, after: number): number => (~before & 0xffff) + (after & 0xffff);

/** Both halves of a word of a header. */
const halves = (word: number): number => (word >>> 16) + (word & 0xffff);

const mend = (sum: number, delta: number): number => ~fold((~sum & 0xffff) + delta) & 0xffff;
