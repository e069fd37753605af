/**
 * Runs: datagrams that come in together, one behind the other, and leave together by one passage.
 * What all share is asked and counted once; what those of a flow share, once for each flow.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import type { FlowTracker } from "../wire/path-notes.ts";
import { ETHERNET_LENGTH as ImportedETHERNET_LENGTH } from "../l2/ethernet.ts";
import { type Burst, SLOT as ImportedSLOT } from "./burst.ts";
import {
  Change as ImportedChange,
  changeDatagrams as ImportedchangeDatagrams,
  changeHere as ImportedchangeHere,
} from "./flow-change.ts";
import { type FlowRecords, Word as ImportedWord } from "./flow-records.ts";
import { placeHeaders as ImportedplaceHeaders } from "./header-words.ts";
import type { Interface } from "./interface.ts";
import { ASK as ImportedASK, type Lanes } from "./lanes.ts";
import type { Passage } from "./passage.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const ASK = ImportedASK;
const { records, places, lengths, lives, areSound } = ImportedSLOT;
const Change = ImportedChange;
const Word = ImportedWord;
const changeDatagrams = ImportedchangeDatagrams;
const changeHere = ImportedchangeHere;
const placeHeaders = ImportedplaceHeaders;

/** What is done once for a run costs more than what is done for each packet of a shorter one. */
const SHORTEST = 4;

/** Sends runs of datagrams through two routers. */
export class FlowRuns {
  readonly #records: FlowRecords;
  readonly #lanes: Lanes;
  /** Where a run waits until it leaves. */
  readonly #run: Packet[] = [];
  /** Of the datagrams that were measured last, from the IP headers on. */
  #octets = 0;

  constructor(table: FlowRecords, lanes: Lanes) {
    this.#records = table;
    this.#lanes = lanes;
  }

  /**
   * Send the run that begins in slot `first` of `burst`, if both routers know its way and `tracker`
   * of the first one finds the entries of its flows as they were. Takes ownership of those sent.
   * @returns how many were sent; 0 if nothing was done.
   */
  pass(via: Interface, burst: Burst, first: number, tracker: FlowTracker, now: Instant): number {
    const end = burst.first + burst.count;
    const { words } = this.#records;
    const record = records[first] ?? -1;
    const last = records[first + SHORTEST - 1] ?? -1;
    if (record < 0 || last < 0 || first + SHORTEST > end) return 0;
    const number = words[record + Word.Passage] ?? 0;
    const laneNumber = words[record + Word.Lane] ?? ASK;
    const passage = this.#lanes.passageAt(number);
    const head = burst.packetAt(first);
    const isShort = words[last + Word.Passage] !== number;
    if (passage === null || head === undefined || isShort) return 0;
    const { first: lane } = passage;
    const isOpen =
      lane === this.#lanes.at(laneNumber) &&
      lane.via === via &&
      lane.neighbor.isReady &&
      passage.isOpen(head.pool);
    if (!isOpen) return 0;
    let next = first;
    let octets = 0;
    let asked = 0;
    while (next < end && asked === 0) {
      const flow = records[next] ?? -1;
      if (flow < 0 || words[flow + Word.Passage] !== number) break;
      if (words[flow + Word.Lane] !== laneNumber) break;
      const count = this.#measure(passage, burst, next);
      if (count === 0 || !this.#follow(flow, count, tracker, now)) break;
      lane.packets += count;
      lane.octets += this.#octets;
      if (this.#followNext(flow, count, passage.tracker, now)) {
        octets += this.#octets;
        this.#change(flow, passage, burst, next - first, next, count);
        next += count;
      } else asked = count;
    }
    const sent = next - first;
    if (sent > 0) this.#send(passage, sent, octets, now);
    if (asked > 0) this.#ask(records[next] ?? 0, passage, burst, next, asked, now);
    return sent + asked;
  }

  /** How many packets of one flow from slot `first` on may pass. */
  #measure({ first: lane, mtu }: Passage, burst: Burst, first: number): number {
    const { octets: words } = burst;
    const end = burst.first + burst.count;
    const record = records[first];
    const most = Math.min(lane.mtu, mtu);
    let octets = 0;
    let slot = first;
    for (; slot < end && records[slot] === record && areSound[slot] === 1; slot += 1) {
      const length = lengths[slot] ?? 0;
      if (length > most || ((lives[slot] ?? 0) & 0xff) < 3) break;
      if (!lane.isOf(words, places[slot] ?? 0)) break;
      octets += length;
    }
    this.#octets = octets;
    return slot - first;
  }

  #follow(record: number, count: number, tracker: FlowTracker, now: Instant): boolean {
    const { words } = this.#records;
    const flow = words[record + Word.Flow] ?? 0;
    const state = words[record + Word.State] ?? 0;
    const isReply = ((words[record + Word.Change] ?? 0) & Change.Reply) !== 0;
    if (flow === 0 || words[record + Word.NextFlow] === 0) return false;
    return tracker.followAll(flow, state, isReply, count, this.#octets, now);
  }

  #followNext(record: number, count: number, tracker: FlowTracker, now: Instant): boolean {
    const { words } = this.#records;
    const flow = words[record + Word.NextFlow] ?? 0;
    const state = words[record + Word.NextState] ?? 0;
    const isReply = ((words[record + Word.Change] ?? 0) & Change.NextReply) !== 0;
    return tracker.followAll(flow, state, isReply, count, this.#octets, now);
  }

  /** `count` packets of one flow, from slot `first` on, join the run of `before`. */
  #change(
    record: number,
    passage: Passage,
    burst: Burst,
    before: number,
    first: number,
    count: number,
  ): void {
    const { words } = this.#records;
    const run = this.#run;
    const { octets } = burst;
    const { judgesChecksums } = passage.tracker;
    const { header } = passage.second.neighbor;
    const { device } = passage.second.via;
    const end = first + count;
    changeDatagrams(words, record, octets, first, end, 2);
    for (let slot = first; slot < end; slot += 1) {
      const packet = burst.packetAt(slot);
      if (packet === undefined) break;
      const at = places[slot] ?? 0;
      header.writeBefore(octets, at);
      placeHeaders(packet, at, lengths[slot] ?? 0);
      packet.hasSoundChecksums ||= judgesChecksums;
      packet.input = device;
      run[before + slot - first] = packet;
    }
  }

  /** The run, `octets` from the IP headers on, leaves the second router. */
  #send(passage: Passage, count: number, octets: number, now: Instant): void {
    const { second, crossing, paths } = passage;
    paths.hits += count;
    second.packets += count;
    second.octets += octets;
    const frames = octets + count * ETHERNET_LENGTH;
    crossing.countAll(count, frames);
    second.output.transmitAll(this.#run, count, frames, now);
  }

  /** The second router must be asked about each of `count` packets of one flow. */
  #ask(
    record: number,
    passage: Passage,
    burst: Burst,
    first: number,
    count: number,
    now: Instant,
  ): void {
    const { words } = this.#records;
    const { crossing, header } = passage;
    const run: Packet[] = [];
    for (let slot = first; slot < first + count; slot += 1) {
      const packet = burst.packetAt(slot);
      const at = places[slot] ?? 0;
      if (packet === undefined) break;
      packet.forgetStack();
      placeHeaders(packet, at, lengths[slot] ?? 0);
      changeHere(words, record, burst.octets, at);
      run.push(packet);
    }
    words[record + Word.Passage] = 0;
    for (const packet of run) crossing.takeAsked(packet, header, now);
  }
}
