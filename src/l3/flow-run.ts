/**
 * Runs: packets of one flow that come in together, one behind the other, and leave together. What
 * they share is asked and counted once.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import type { FlowTracker } from "../wire/path-notes.ts";
import { ETHERNET_LENGTH as ImportedETHERNET_LENGTH } from "../l2/ethernet.ts";
import type { Burst } from "./burst.ts";
import {
  Change as ImportedChange,
  change as Importedchange,
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
const Change = ImportedChange;
const Word = ImportedWord;
const change = Importedchange;
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
  /** Of the run that was set aside last, from the IP headers on. */
  #octets = 0;

  constructor(records: FlowRecords, lanes: Lanes) {
    this.#records = records;
    this.#lanes = lanes;
  }

  /**
   * Send the run that begins with packet `first` and ends before `to`, if both routers know its
   * way and `tracker` of the first one finds its entry as it was. Takes ownership of those sent.
   * @returns how many were sent; 0 if nothing was done.
   */
  pass(
    via: Interface,
    packets: readonly Packet[],
    burst: Burst,
    from: number,
    first: number,
    to: number,
    tracker: FlowTracker,
    now: Instant,
  ): number {
    const record = burst.records[first - from] ?? -1;
    if (record < 0 || burst.records[first - from + SHORTEST - 1] !== record) return 0;
    const { words } = this.#records;
    const passage = this.#lanes.passageAt(words[record + Word.Passage] ?? 0);
    const flow = words[record + Word.Flow] ?? 0;
    const nextFlow = words[record + Word.NextFlow] ?? 0;
    const [head] = packets;
    if (passage === null || head === undefined || flow === 0 || nextFlow === 0) return 0;
    const lane = passage.first;
    const isOpen =
      lane === this.#lanes.at(words[record + Word.Lane] ?? ASK) &&
      lane.via === via &&
      lane.neighbor.isReady &&
      passage.isOpen(head);
    if (!isOpen) return 0;
    const count = this.#collect(passage, packets, burst, from, first, to);
    if (count < SHORTEST) return 0;
    const octets = this.#octets;
    const changes = words[record + Word.Change] ?? 0;
    const isReply = (changes & Change.Reply) !== 0;
    const state = words[record + Word.State] ?? 0;
    if (!tracker.followAll(flow, state, isReply, count, octets, now)) return 0;
    lane.packets += count;
    lane.octets += octets;
    const isNextReply = (changes & Change.NextReply) !== 0;
    const nextState = words[record + Word.NextState] ?? 0;
    if (passage.tracker.followAll(nextFlow, nextState, isNextReply, count, octets, now)) {
      this.#send(record, passage, count, octets, now);
    } else this.#ask(record, passage, count, now);
    return count;
  }

  /** Set aside those of the run that may pass, and say where their parts are. @returns how many. */
  #collect(
    { first: lane, mtu }: Passage,
    packets: readonly Packet[],
    burst: Burst,
    from: number,
    first: number,
    to: number,
  ): number {
    const { records, lengths, lives, areSound } = burst;
    const record = records[first - from];
    const most = Math.min(lane.mtu, mtu);
    const run = this.#run;
    let count = 0;
    let octets = 0;
    for (let index = first; index < to; index += 1) {
      const packet = packets[index];
      const slot = index - from;
      if (packet === undefined || records[slot] !== record || areSound[slot] !== 1) break;
      const at = (packet.frame + ETHERNET_LENGTH) >> 2;
      const length = lengths[slot] ?? 0;
      if (length > most || ((lives[slot] ?? 0) & 0xff) < 3) break;
      if (!lane.isOf(packet.pool.words, at)) break;
      placeHeaders(packet, at, length);
      run[count] = packet;
      count += 1;
      octets += length;
    }
    this.#octets = octets;
    return count;
  }

  /** The run passes both routers. */
  #send(record: number, passage: Passage, count: number, octets: number, now: Instant): void {
    const { words } = this.#records;
    const { second, crossing, paths, tracker } = passage;
    const { header } = second.neighbor;
    paths.hits += count;
    second.packets += count;
    second.octets += octets;
    for (let index = 0; index < count; index += 1) {
      const packet = this.#run[index];
      if (packet === undefined) break;
      packet.hasSoundChecksums ||= tracker.judgesChecksums;
      crossing.count(packet);
      const at = packet.network >> 2;
      change(words, record, packet.pool.words, at, 2);
      header.writeBefore(packet.pool.words, at);
    }
    second.output.transmitAll(this.#run, count, now);
  }

  /** The second router must be asked about each. */
  #ask(record: number, passage: Passage, count: number, now: Instant): void {
    const { words } = this.#records;
    const { crossing, header } = passage;
    const run = this.#run.slice(0, count);
    for (const packet of run) changeHere(words, record, packet.pool.words, packet.network >> 2);
    words[record + Word.Passage] = 0;
    for (const packet of run) crossing.takeAsked(packet, header, now);
  }
}
