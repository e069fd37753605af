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
import type { Packet, PacketPool } from "../wire/packet.ts";
import { IS_LITTLE_ENDIAN as ImportedIS_LITTLE_ENDIAN } from "../wire/layout.ts";
import type { FlowTracker } from "../wire/path-notes.ts";
import {
  ETHERNET_LENGTH as ImportedETHERNET_LENGTH,
  type EthernetTemplate,
} from "../l2/ethernet.ts";
import type { Neighbor } from "../l2/neighbor.ts";
import {
  ALONE as ImportedALONE,
  Burst,
  NO_RECORD as ImportedNO_RECORD,
  SLOT as ImportedSLOT,
  TOGETHER as ImportedTOGETHER,
} from "./burst.ts";
import type { Crossing } from "./crossing.ts";
import {
  Change as ImportedChange,
  change as Importedchange,
  changeHere as ImportedchangeHere,
  joinChanges,
  noteChange,
} from "./flow-change.ts";
import { FlowNotes, type Lane } from "./flow-path.ts";
import { FlowRecords, Word as ImportedWord } from "./flow-records.ts";
import { FlowRuns } from "./flow-run.ts";
import { FlowState as ImportedFlowState } from "./flow-state.ts";
import {
  HeaderWord as ImportedHeaderWord,
  placeHeaders as ImportedplaceHeaders,
} from "./header-words.ts";
import type { Interface } from "./interface.ts";
import { ASK as ImportedASK, Lanes } from "./lanes.ts";
import { type Opening, Openings } from "./openings.ts";
import type { Passage } from "./passage.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const FlowState = ImportedFlowState;
const HeaderWord = ImportedHeaderWord;
const placeHeaders = ImportedplaceHeaders;
const IS_LITTLE_ENDIAN = ImportedIS_LITTLE_ENDIAN;
const Word = ImportedWord;
const ODD: number = ImportedNO_RECORD.Odd;
const { records, lengths, lives, areSound, flows, nextFlows } = ImportedSLOT;
const ALONE = ImportedALONE;
const TOGETHER = ImportedTOGETHER;
const Change = ImportedChange;
const change = Importedchange;
const changeHere = ImportedchangeHere;
const ASK = ImportedASK;

/** What became of a packet whose way was looked for. */
const Found = {
  /** It has gone its way. */
  Gone: 0,
  /** It must go its whole way. */
  Ask: 1,
  /** As `Ask`, and its way is worth noting. */
  Note: 2,
} as const;
type Found = (typeof Found)[keyof typeof Found];

/** Known ways by flow: a table of records, and the lanes that they share. */
export class FlowCache {
  /** False: every packet goes its whole way. */
  isEnabled = true;
  /** Packets that took a known way. */
  hits = 0;
  readonly #records: FlowRecords;
  readonly #lanes = new Lanes();
  readonly #openings = new Openings();
  readonly #runs: FlowRuns;
  /** Packets that came in together, while they are on their ways. */
  readonly #burst = new Burst();
  readonly #single = new Burst();
  readonly #alone: Packet[] = [];
  /** Rises when a record is written anew, or all are forgotten. */
  #changes = 0;
  #tracker: FlowTracker | null = null;
  /** What the last packet that was noted carries or carried. */
  #notes: FlowNotes | null = null;
  /** Connection tracking of the router that passages lead to. */
  #nextTracker: FlowTracker | null = null;

  /** @param limit of records, one for each direction of a flow; a power of two from 256 to 2^20. */
  constructor(limit?: number) {
    this.#records = new FlowRecords(limit);
    this.#runs = new FlowRuns(this.#records, this.#lanes);
  }

  /** Forget all ways: what they were noted from has changed. */
  invalidate(): void {
    this.settle();
    this.#changes += 1;
    this.#records.clear();
    this.#lanes.clear();
    this.#openings.clear();
    this.#tracker = null;
  }

  /** Packets that opened a connection and took a known way. */
  get openingHits(): number {
    return this.#openings.hits;
  }

  /** The way of a packet that opens a connection with these words; `null` if it is not known. */
  openingOf(source: number, destination: number, ports: number, protocol: number): Opening | null {
    return this.#openings.find(source, destination, ports, protocol);
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
    if (!this.#isOpen(via, packet.pool)) return false;
    // A way that ended too early: the packet goes on from where connection tracking knew it.
    if (packet.flowState !== FlowState.None) return false;
    this.#alone[0] = packet;
    this.#single.read(this.#alone, 0, 1, this.#records);
    const found = this.#pass(via, ALONE, packet, now);
    if (found === Found.Note) this.#note(via, packet);
    return found === Found.Gone;
  }

  /**
   * Send the packets from `from` to before `to`, which came in by `via` together, their ways, or
   * hand them to `via` one by one. Takes ownership of them.
   */
  receiveAll(
    via: Interface,
    packets: readonly Packet[],
    from: number,
    to: number,
    now: Instant,
  ): void {
    if (!this.#burst.open()) {
      for (const packet of packets.slice(from, to)) {
        packet.arriveAt(via.device);
        via.receive(via.device, packet, now);
      }
      return;
    }
    try {
      for (let next = from; next < to; next += TOGETHER) {
        this.#receiveSome(via, packets, next, Math.min(to, next + TOGETHER), now);
      }
    } finally {
      this.#burst.close();
    }
  }

  #receiveSome(
    via: Interface,
    packets: readonly Packet[],
    from: number,
    to: number,
    now: Instant,
  ): void {
    const burst = this.#burst;
    const { first } = burst;
    burst.read(packets, from, to, this.#records);
    this.#tracker?.expect(flows, first, first + burst.known);
    this.#nextTracker?.expect(nextFlows, first, first + burst.known);
    if (burst.unknown > 0) this.#openings.expect(burst);
    const changes = this.#changes;
    for (let index = from; index < to;) {
      const packet = packets[index];
      if (packet === undefined) break;
      const isOpen = changes === this.#changes && this.#isOpen(via, packet.pool);
      const tracker = isOpen ? this.#tracker : null;
      const slot = first + index - from;
      const sent = tracker === null ? 0 : this.#runs.pass(via, burst, slot, tracker, now);
      this.hits += sent;
      if (sent === 0) {
        packet.arriveAt(via.device);
        const found = isOpen ? this.#pass(via, slot, packet, now) : Found.Ask;
        if (found !== Found.Gone) via.receive(via.device, packet, now);
      }
      index += sent === 0 ? 1 : sent;
    }
  }

  /** True if ways may be taken at all. */
  #isOpen(via: Interface, pool: PacketPool): boolean {
    return this.isEnabled && IS_LITTLE_ENDIAN && !pool.isTracing && !via.judgesPackets;
  }

  /** Send `packet`, which was read into `slot`, the way of its flow if that may be. */
  #pass(via: Interface, slot: number, packet: Packet, now: Instant): Found {
    const record = records[slot] ?? ODD;
    if (record === ODD) return Found.Ask;
    if (record < 0) {
      const isGone = this.#openings.pass(via, slot, packet, now);
      return isGone ? Found.Gone : Found.Note;
    }
    const { words } = this.#records;
    const octets = packet.pool.words;
    const at = (packet.frame + ETHERNET_LENGTH) >> 2;
    const lane = this.#lanes.at(words[record + Word.Lane] ?? ASK);
    if (lane === null || lane.via !== via || !lane.isOf(octets, at)) {
      return lane === null && this.#isAlive(record) ? Found.Ask : Found.Note;
    }
    const length = lengths[slot] ?? 0;
    if (length > lane.mtu || !lane.neighbor.isReady) return Found.Ask;
    placeHeaders(packet, at, length);
    const isSound = areSound[slot] === 1;
    if ((words[record + Word.Flow] ?? 0) !== 0 && !this.#follow(record, packet, isSound, now)) {
      return packet.flowState === FlowState.None ? Found.Note : Found.Ask;
    }
    const passage = this.#lanes.passageAt(words[record + Word.Passage] ?? 0);
    const mayPass = passage !== null && length <= passage.mtu && passage.isOpen(packet.pool);
    if (mayPass && ((lives[slot] ?? 0) & 0xff) > 2) {
      this.#sendThrough(record, passage, packet, at, now);
    } else this.#send(record, lane, packet, at, now);
    return Found.Gone;
  }

  /**
   * `packet`, sound and with its positions set, comes in by `via` from another router's known way;
   * its frame would begin with `header`. Takes ownership.
   */
  enter(via: Interface, packet: Packet, header: EthernetTemplate, now: Instant): void {
    const at = packet.network >> 2;
    const octets = packet.pool.words;
    const life = octets[at + HeaderWord.Life] ?? 0;
    const record = this.#records.find(
      octets[at + HeaderWord.Source] ?? 0,
      octets[at + HeaderWord.Destination] ?? 0,
      octets[at + HeaderWord.Ports] ?? 0,
      (life >>> 8) & 0xff,
    );
    const isOpen = this.isEnabled && !via.judgesPackets;
    const { words } = this.#records;
    if (record < 0 && isOpen && this.#openings.enter(via, packet, header, now)) return;
    const lane = record < 0 ? null : this.#lanes.at(words[record + Word.Lane] ?? ASK);
    const isKnown =
      isOpen &&
      lane !== null &&
      lane.via === via &&
      lane.beginsWith(header) &&
      packet.end - packet.network <= lane.mtu &&
      (life & 0xff) > 1 &&
      lane.neighbor.isReady &&
      ((words[record + Word.Flow] ?? 0) === 0 || this.#follow(record, packet, false, now));
    if (isKnown) this.#send(record, lane, packet, at, now);
    else {
      header.write(packet.pool.view, packet.frame);
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
    if ((packet.network & 3) !== 0) return;
    const { output, pathMtu } = packet;
    assert(output !== null, "a packet that is sent has a device to leave by");
    if (this.#lanes.isFull) this.invalidate();
    if (notes.opener !== null) {
      if (notes.isSpoilt || notes.isOpeningSpoilt) return;
      const lane = this.#lanes.at(this.#lanes.of(notes, neighbor, output, pathMtu));
      if (lane !== null) this.#openings.add(notes, lane);
      return;
    }
    const { tracker } = notes;
    if (tracker !== null && tracker !== this.#tracker) {
      if (this.#tracker !== null) this.invalidate();
      this.#tracker = tracker;
    }
    this.#changes += 1;
    const record = this.#records.add(notes, this.#isAlive);
    const words = this.#records.words;
    words[record + Word.Flow] = tracker === null ? 0 : notes.flow;
    words[record + Word.State] = notes.state;
    words[record + Word.Passage] = 0;
    words[record + Word.Change] = notes.isReply ? Change.Reply : 0;
    const isSimple = !notes.isSpoilt && noteChange(words, record, notes, packet);
    words[record + Word.Lane] = isSimple ? this.#lanes.of(notes, neighbor, output, pathMtu) : ASK;
  }

  #send(record: number, lane: Lane, packet: Packet, at: number, now: Instant): void {
    this.hits += 1;
    lane.packets += 1;
    lane.octets += packet.end - packet.network;
    const octets = packet.pool.words;
    changeHere(this.#records.words, record, octets, at);
    const { crossing } = lane;
    if (crossing?.isClear(packet.pool) === true) this.#join(record, lane, crossing, octets, at);
    lane.send(packet, at, now);
  }

  /** `packet`, which this router's connection tracking has followed, passes the next one too. */
  #sendThrough(record: number, passage: Passage, packet: Packet, at: number, now: Instant): void {
    const { words } = this.#records;
    const { first, second, crossing, paths } = passage;
    const octets = packet.pool.words;
    const length = packet.end - packet.network;
    this.hits += 1;
    first.packets += 1;
    first.octets += length;
    const flow = words[record + Word.NextFlow] ?? 0;
    const state = words[record + Word.NextState] ?? 0;
    const isReply = ((words[record + Word.Change] ?? 0) & Change.NextReply) !== 0;
    const isJudged = packet.hasSoundChecksums && (words[record + Word.Flow] ?? 0) !== 0;
    if (flow !== 0 && !passage.tracker.follow(packet, flow, state, isReply, isJudged, now)) {
      changeHere(this.#records.words, record, octets, at);
      words[record + Word.Passage] = 0;
      crossing.takeAsked(packet, passage.header, now);
      return;
    }
    paths.hits += 1;
    second.packets += 1;
    second.octets += length;
    crossing.count(packet);
    change(words, record, octets, at, 2);
    second.neighbor.header.writeBefore(octets, at);
    second.output.transmit(packet, now);
  }

  /** If the way of a packet, which is about to cross, is known beyond, both become one. */
  #join(record: number, lane: Lane, crossing: Crossing, octets: Int32Array, at: number): void {
    const { words } = this.#records;
    const next = crossing.via.paths;
    const there = next.#records.find(
      octets[at + HeaderWord.Source] ?? 0,
      octets[at + HeaderWord.Destination] ?? 0,
      octets[at + HeaderWord.Ports] ?? 0,
      words[record + Word.Protocol] ?? 0,
    );
    if (there < 0) return;
    const beyond = next.#records.words;
    const second = next.#lanes.at(beyond[there + Word.Lane] ?? ASK);
    if (second === null || second.via !== crossing.via || second.crossing !== null) return;
    if (!second.beginsWith(lane.neighbor.header)) return;
    const tracker = next.#tracker ?? this.#tracker;
    if (tracker === null) return;
    const isJudged = this.#tracker?.judgesChecksums === true;
    if (!joinChanges(words, record, beyond, there, isJudged)) return;
    this.#nextTracker = tracker;
    words[record + Word.Passage] = this.#lanes.passageOf(lane, crossing, second, tracker);
  }

  /** @param isSound true if the packet's checksums were found to hold. */
  #follow(record: number, packet: Packet, isSound: boolean, now: Instant): boolean {
    const { words } = this.#records;
    const flow = words[record + Word.Flow] ?? 0;
    const state = words[record + Word.State] ?? 0;
    const isReply = ((words[record + Word.Change] ?? 0) & Change.Reply) !== 0;
    const tracker = this.#tracker;
    assert(tracker !== null, "a flow that is tracked has a tracker");
    if (isSound) packet.hasSoundChecksums ||= tracker.judgesChecksums;
    return tracker.follow(packet, flow, state, isReply, isSound, now);
  }

  /** Note the way of `packet`, which was read alone, from here on. */
  #note(via: Interface, packet: Packet): void {
    const last = this.#notes;
    this.#notes = last === null || last.isUsed ? new FlowNotes(via, packet) : last;
    this.#notes.begin(via, packet);
  }

  /** True if the entry that the record's flow had, if any, is as it was. */
  readonly #isAlive = (record: number): boolean => {
    const { words } = this.#records;
    const flow = words[record + Word.Flow] ?? 0;
    return flow === 0 || this.#tracker?.isCurrent(flow, words[record + Word.State] ?? 0) === true;
  };
}
