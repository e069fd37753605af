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
import { Cast as ImportedCast, type Packet } from "../wire/packet.ts";
import type { FlowTracker } from "../wire/path-notes.ts";
import {
  ETHERNET as ImportedETHERNET,
  ETHERNET_LENGTH as ImportedETHERNET_LENGTH,
  type EthernetTemplate,
  EtherType as ImportedEtherType,
} from "../l2/ethernet.ts";
import type { Neighbor } from "../l2/neighbor.ts";
import type { Crossing } from "./crossing.ts";
import {
  Change as ImportedChange,
  change as Importedchange,
  lowerTtl as ImportedlowerTtl,
  noteChange,
  TRANSLATION as ImportedTRANSLATION,
} from "./flow-change.ts";
import { Forecast } from "./forecast.ts";
import { FlowNotes, type Lane } from "./flow-path.ts";
import { FlowRecords, Word as ImportedWord } from "./flow-records.ts";
import { FlowState as ImportedFlowState } from "./flow-state.ts";
import type { Interface } from "./interface.ts";
import {
  FRAGMENT_MASK as ImportedFRAGMENT_MASK,
  IPV4 as ImportedIPV4,
  IPV4_MIN_LENGTH as ImportedIPV4_MIN_LENGTH,
  Protocol as ImportedProtocol,
} from "./ipv4.ts";
import { ASK as ImportedASK, Lanes } from "./lanes.ts";
import type { Passage } from "./passage.ts";

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
const Change = ImportedChange;
const TRANSLATION = ImportedTRANSLATION;
const change = Importedchange;
const lowerTtl = ImportedlowerTtl;
const ASK = ImportedASK;

const BASE_HEADER = 0x45;
/** The shortest packet with an IP header and that of UDP. */
const SHORTEST = IPV4_MIN_LENGTH + 8;

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

/** Known ways by flow: a table of records, and the lanes that they share. */
export class FlowCache {
  /** False: every packet goes its whole way. */
  isEnabled = true;
  /** Packets that took a known way. */
  hits = 0;
  readonly #records: FlowRecords;
  readonly #lanes = new Lanes();
  readonly #forecast = new Forecast();
  #tracker: FlowTracker | null = null;
  /** What the last packet that was noted carries or carried. */
  #notes: FlowNotes | null = null;
  /** Connection tracking of the router that passages lead to. */
  #nextTracker: FlowTracker | null = null;

  /** @param limit of records, one for each direction of a flow; a power of two from 256 to 2^20. */
  constructor(limit?: number) {
    this.#records = new FlowRecords(limit);
  }

  /** Forget all ways: what they were noted from has changed. */
  invalidate(): void {
    this.settle();
    this.#records.clear();
    this.#lanes.clear();
    this.#tracker = null;
  }

  /** Rises whenever all ways are forgotten. */
  get epoch(): number {
    return this.#records.epoch;
  }

  /** Bring the counters that packets passed up to date, before they are read or changed. */
  settle(): void {
    this.#lanes.settle();
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
    const isPart = packet.hasBlankChecksum || packet.segmentSize > 0;
    if (packet.end - at < SHORTEST || isPart) return false;
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
    const records = this.#records;
    const { words } = records;
    const record = records.findBy(packet.place, source, destination, ports, protocol);
    if (record < 0) {
      this.#note(via, packet, source, destination, ports, protocol);
      return false;
    }
    const lane = this.#lanes.at(words[record + Word.Lane] ?? ASK);
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
    const passage = this.#lanes.passageAt(words[record + Word.Passage] ?? 0);
    const goesThrough =
      passage !== null && length <= passage.mtu && life >>> 24 > 2 && passage.isOpen(packet);
    if (goesThrough) this.#sendThrough(record, passage, packet, now);
    else this.#send(record, lane, packet, now);
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
    const lane = record < 0 ? null : this.#lanes.at(words[record + Word.Lane] ?? ASK);
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

  /** The first `count` of `packets` come in soon, from whichever device. Borrows them. */
  expect(packets: readonly Packet[], count: number): void {
    const forecast = this.#forecast;
    const most = forecast.read(packets, count, this.#records);
    this.#tracker?.expect(forecast.flows, most);
    this.#nextTracker?.expect(forecast.nextFlows, most);
    for (let index = 0; index < most; index += 1) {
      const lane = this.#lanes.at(forecast.lanes[index] ?? ASK);
      if (lane !== null) forecast.sum ^= lane.packets ^ lane.via.device.rxFrames;
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
    if (this.#lanes.isFull) this.invalidate();
    const record = this.#records.take(notes, this.#isAlive);
    const words = this.#records.words;
    words[record + Word.Epoch] = this.#records.epoch;
    words[record + Word.Source] = notes.source;
    words[record + Word.Destination] = notes.destination;
    words[record + Word.Ports] = notes.ports;
    words[record + Word.Protocol] = notes.protocol;
    words[record + Word.Flow] = tracker === null ? 0 : notes.flow;
    words[record + Word.State] = notes.state;
    words[record + Word.Passage] = 0;
    words[record + Word.Change] = notes.isReply ? Change.Reply : 0;
    const isSimple = !notes.isSpoilt && noteChange(words, record, notes, packet);
    words[record + Word.Lane] = isSimple ? this.#lanes.of(notes, neighbor, output, pathMtu) : ASK;
  }

  #send(record: number, lane: Lane, packet: Packet, now: Instant): void {
    this.hits += 1;
    lane.packets += 1;
    lane.octets += packet.end - packet.network;
    this.#changeHere(record, packet);
    const { crossing } = lane;
    const { header } = lane.neighbor;
    if (crossing?.isClear(packet) === true) {
      this.#join(record, lane, crossing, packet);
      crossing.take(packet, header, now);
    } else {
      header.write(packet.pool.view, packet.frame);
      lane.output.transmit(packet, now);
    }
  }

  /** `packet`, which this router's connection tracking has followed, passes the next one too. */
  #sendThrough(record: number, passage: Passage, packet: Packet, now: Instant): void {
    const words = this.#records.words;
    const { first, second, crossing, paths } = passage;
    const octets = packet.end - packet.network;
    this.hits += 1;
    first.packets += 1;
    first.octets += octets;
    const flow = words[record + Word.NextFlow] ?? 0;
    const state = words[record + Word.NextState] ?? 0;
    const isReply = ((words[record + Word.Change] ?? 0) & Change.NextReply) !== 0;
    const isJudged = packet.hasSoundChecksums && (words[record + Word.Flow] ?? 0) !== 0;
    if (flow !== 0 && !passage.tracker.follow(packet, flow, state, isReply, isJudged, now)) {
      this.#changeHere(record, packet);
      words[record + Word.Passage] = 0;
      crossing.takeAsked(packet, passage.header, now);
      return;
    }
    paths.hits += 1;
    second.packets += 1;
    second.octets += octets;
    crossing.count(packet);
    change(words, record, packet, 2);
    second.neighbor.header.write(packet.pool.view, packet.frame);
    second.output.transmit(packet, now);
  }

  /** What this router alone changes. */
  #changeHere(record: number, packet: Packet): void {
    const words = this.#records.words;
    if (((words[record + Word.Change] ?? 0) & Change.NextChanges) !== 0) lowerTtl(packet);
    else change(words, record, packet, 1);
  }

  /** If the way of `packet`, which is about to cross, is known beyond, both become one. */
  #join(record: number, lane: Lane, crossing: Crossing, packet: Packet): void {
    const words = this.#records.words;
    const next = crossing.via.paths;
    const { pool, network, transport } = packet;
    const { view } = pool;
    const there = next.#records.find(
      view.getInt32(network + SOURCE),
      view.getInt32(network + DESTINATION),
      view.getInt32(transport),
      words[record + Word.Protocol] ?? 0,
    );
    if (there < 0) return;
    const beyond = next.#records.words;
    const second = next.#lanes.at(beyond[there + Word.Lane] ?? ASK);
    if (second === null || second.via !== crossing.via || second.crossing !== null) return;
    const { header } = lane.neighbor;
    if (!header.beginsWith(second.first, second.second, second.third)) return;
    const changes = words[record + Word.Change] ?? 0;
    const isNexts = (changes & Change.NextChanges) !== 0;
    const own = changes & (isNexts ? Change.Reply : Change.Reply | TRANSLATION);
    const nexts = beyond[there + Word.Change] ?? 0;
    const isJudged = this.#tracker?.judgesChecksums === true;
    if ((own & TRANSLATION) !== 0 && ((nexts & TRANSLATION) !== 0 || !isJudged)) return;
    const tracker = next.#tracker ?? this.#tracker;
    if (tracker === null) return;
    this.#nextTracker = tracker;
    words[record + Word.Passage] = this.#lanes.passageOf(lane, crossing, second, tracker);
    words[record + Word.NextFlow] = beyond[there + Word.Flow] ?? 0;
    words[record + Word.NextState] = beyond[there + Word.State] ?? 0;
    let joined = own | ((nexts & Change.Reply) !== 0 ? Change.NextReply : 0);
    if ((nexts & TRANSLATION) !== 0) {
      joined |= (nexts & TRANSLATION) | Change.NextChanges;
      words[record + Word.Address] = beyond[there + Word.Address] ?? 0;
      words[record + Word.NewPorts] = beyond[there + Word.NewPorts] ?? 0;
      words[record + Word.HeaderDelta] = beyond[there + Word.HeaderDelta] ?? 0;
      words[record + Word.TransportDelta] = beyond[there + Word.TransportDelta] ?? 0;
    }
    words[record + Word.Change] = joined;
  }

  #follow(record: number, packet: Packet, now: Instant): boolean {
    const { words } = this.#records;
    const state = words[record + Word.State] ?? 0;
    const isReply = ((words[record + Word.Change] ?? 0) & Change.Reply) !== 0;
    assert(this.#tracker !== null, "a flow that is tracked has a tracker");
    return this.#tracker.follow(packet, words[record + Word.Flow] ?? 0, state, isReply, false, now);
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
    const { pool, frame } = packet;
    const { view } = pool;
    const last = this.#notes;
    const notes = last === null || last.isUsed ? new FlowNotes(via, packet) : last;
    this.#notes = notes;
    notes.begin(via, packet);
    notes.source = source;
    notes.destination = destination;
    notes.ports = ports;
    notes.protocol = protocol;
    notes.first = view.getInt32(frame);
    notes.second = view.getInt32(frame + 4);
    notes.third = view.getInt32(frame + 8);
  }

  /** True if the entry that the record's flow had, if any, is as it was. */
  readonly #isAlive = (record: number): boolean => {
    const { words } = this.#records;
    const flow = words[record + Word.Flow] ?? 0;
    return flow === 0 || this.#tracker?.isCurrent(flow, words[record + Word.State] ?? 0) === true;
  };
}

/** Both halves of a word of a header. */
const halves = (word: number): number => (word >>> 16) + (word & 0xffff);
