/**
 * How packets that open a connection go through a router: all between the same addresses whose
 * ports are answered alike go one way, are counted alike and are given the same by the rules of
 * address translation. Open vSwitch calls such a thing a megaflow.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { Packet } from "../wire/packet.ts";
import {
  type FlowTracker,
  type FlowTranslator,
  type Given,
  Opened as ImportedOpened,
} from "../wire/path-notes.ts";
import {
  ETHERNET_LENGTH as ImportedETHERNET_LENGTH,
  type EthernetTemplate,
} from "../l2/ethernet.ts";
import { type Burst, NO_RECORD as ImportedNO_RECORD, SLOT as ImportedSLOT } from "./burst.ts";
import { lowerTtl as ImportedlowerTtl } from "./flow-change.ts";
import type { FlowNotes, Lane } from "./flow-path.ts";
import { hashOf as ImportedhashOf } from "./flow-records.ts";
import {
  HeaderWord as ImportedHeaderWord,
  placeHeaders as ImportedplaceHeaders,
  swap16 as Importedswap16,
  swap32 as Importedswap32,
} from "./header-words.ts";
import type { Interface } from "./interface.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const HeaderWord = ImportedHeaderWord;
const UNKNOWN: number = ImportedNO_RECORD.Unknown;
const { records, sources, destinations, ports: slotPorts, lives, lengths, areSound } = ImportedSLOT;
const Opened = ImportedOpened;
const lowerTtl = ImportedlowerTtl;
const placeHeaders = ImportedplaceHeaders;
const hashOf = ImportedhashOf;
const swap16 = Importedswap16;
const swap32 = Importedswap32;

/** Openings that are known at a time; a new one takes the place of another. */
const PLACES = 4096;
/** Places that are looked at for one pair of addresses. */
const WAYS = 4;

/** The way of packets that open a connection. */
export class Opening implements Given {
  declare lane: Lane;
  declare tracker: FlowTracker;
  translator: FlowTranslator | null = null;
  destination: NatRange | null = null;
  source: NatRange | null = null;
  /** The addresses of packets that have passed, as words of their headers, as far as is known. */
  newSource = 0;
  newDestination = 0;
  #sourceAddress = 0;
  #destinationAddress = 0;
  #protocol = 0;
  #lowerSourcePort = 0;
  #upperSourcePort = 0;
  #lowerDestinationPort = 0;
  #upperDestinationPort = 0;

  constructor(lane: Lane, tracker: FlowTracker) {
    this.lane = lane;
    this.tracker = tracker;
  }

  /** Become what `notes` say. */
  set(notes: FlowNotes, lane: Lane, tracker: FlowTracker): void {
    this.lane = lane;
    this.tracker = tracker;
    this.translator = notes.translator;
    this.destination = notes.destinationRange;
    this.source = notes.sourceRange;
    this.newSource = wordOf(notes.sourceRange, notes.source);
    this.newDestination = wordOf(notes.destinationRange, notes.destination);
    this.#sourceAddress = notes.source;
    this.#destinationAddress = notes.destination;
    this.#protocol = notes.protocol;
    this.#lowerSourcePort = notes.sourcePorts.lower;
    this.#upperSourcePort = notes.sourcePorts.upper;
    this.#lowerDestinationPort = notes.destinationPorts.lower;
    this.#upperDestinationPort = notes.destinationPorts.upper;
  }

  /** True if packets between these addresses may take this way, or took it once. */
  isBetween(source: number, destination: number, protocol: number): boolean {
    return (
      this.#sourceAddress === source &&
      this.#destinationAddress === destination &&
      this.#protocol === protocol
    );
  }

  /** True if a packet with these words of its headers would take this way. */
  serves(source: number, destination: number, ports: number, protocol: number): boolean {
    if (!this.isBetween(source, destination, protocol)) return false;
    const sport = swap16(ports);
    const dport = swap16(ports >>> 16);
    return (
      sport >= this.#lowerSourcePort &&
      sport <= this.#upperSourcePort &&
      dport >= this.#lowerDestinationPort &&
      dport <= this.#upperDestinationPort
    );
  }
}

/** The address that a packet with `address` gets from `range`, if that leaves no choice. */
const wordOf = (range: NatRange | null, address: number): number => {
  const addresses = range?.addresses ?? null;
  return addresses === null ? address : swap32(addresses.lower);
};

const serves = (
  opening: Opening | null,
  source: number,
  destination: number,
  protocol: number,
): boolean => opening?.isBetween(source, destination, protocol) === true;

/** The openings of one router. */
export class Openings {
  readonly #places: (Opening | null)[] = Array.from({ length: PLACES }, () => null);
  /** Packets that took a known way. */
  hits = 0;
  /** The one that was found last. */
  #recent: Opening | null = null;
  /** Which of the places of its addresses the next opening takes. */
  #turn = 0;
  #isEmpty = true;

  /** Forget all, and the devices that they led to. */
  clear(): void {
    if (this.#isEmpty) return;
    this.#isEmpty = true;
    this.#recent = null;
    this.#places.fill(null);
  }

  /** Read ahead what those of the packets of `burst` need that open connections. */
  expect(burst: Burst): void {
    let opening: Opening | null = null;
    let next: Opening | null = null;
    const end = burst.first + burst.count;
    for (let slot = burst.first; slot < end; slot += 1) {
      if (records[slot] !== UNKNOWN) continue;
      const source = sources[slot] ?? 0;
      const destination = destinations[slot] ?? 0;
      const ports = slotPorts[slot] ?? 0;
      const protocol = ((lives[slot] ?? 0) >>> 8) & 0xff;
      if (!serves(opening, source, destination, protocol)) {
        opening = this.find(source, destination, ports, protocol);
        next =
          opening === null
            ? null
            : (opening.lane.crossing?.via.paths.openingOf(
                opening.newSource,
                opening.newDestination,
                ports,
                protocol,
              ) ?? null);
      }
      if (opening === null) continue;
      opening.tracker.expectNew(source, destination, ports, protocol, opening);
      const { newSource, newDestination } = opening;
      next?.tracker.expectNew(newSource, newDestination, ports, protocol, next);
    }
  }

  /**
   * Send `packet`, of no known flow, which came in by `via` and was read into `slot`,
   * its way if it opens a connection and its way is known.
   * @returns false if not, and nothing was done; else it is gone.
   */
  pass(via: Interface, slot: number, packet: Packet, now: Instant): boolean {
    const opening = this.find(
      sources[slot] ?? 0,
      destinations[slot] ?? 0,
      slotPorts[slot] ?? 0,
      ((lives[slot] ?? 0) >>> 8) & 0xff,
    );
    if (opening === null) return false;
    const { lane } = opening;
    const at = (packet.frame + ETHERNET_LENGTH) >> 2;
    if (lane.via !== via || !lane.isOf(packet.pool.words, at)) return false;
    const length = lengths[slot] ?? 0;
    if (length > lane.mtu || !lane.neighbor.isReady) return false;
    placeHeaders(packet, at, length);
    return this.#open(opening, packet, areSound[slot] === 1, now);
  }

  /** As {@link pass}, for `packet` that enters another router's known way, as `FlowCache.enter`. */
  enter(via: Interface, packet: Packet, header: EthernetTemplate, now: Instant): boolean {
    const at = packet.network >> 2;
    const octets = packet.pool.words;
    const life = octets[at + HeaderWord.Life] ?? 0;
    const opening = this.find(
      octets[at + HeaderWord.Source] ?? 0,
      octets[at + HeaderWord.Destination] ?? 0,
      octets[at + HeaderWord.Ports] ?? 0,
      (life >>> 8) & 0xff,
    );
    if (opening === null || (life & 0xff) < 2) return false;
    const { lane } = opening;
    const mayPass =
      lane.via === via &&
      lane.beginsWith(header) &&
      packet.end - packet.network <= lane.mtu &&
      lane.neighbor.isReady;
    return mayPass && this.#open(opening, packet, false, now);
  }

  #open(opening: Opening, packet: Packet, isSound: boolean, now: Instant): boolean {
    const { lane, tracker } = opening;
    if (isSound) packet.hasSoundChecksums ||= tracker.judgesChecksums;
    const opened = tracker.open(packet, opening, isSound, now);
    if (opened === Opened.No) return false;
    this.hits += 1;
    lane.packets += 1;
    lane.octets += packet.end - packet.network;
    if (opened === Opened.Clash) {
      packet.pool.end(packet, "dropped", "conntrack/clash", now);
      return true;
    }
    const at = packet.network >> 2;
    lowerTtl(packet.pool.words, at);
    lane.send(packet, at, now);
    return true;
  }

  /** The way of a packet that opens a connection with these words; `null` if it is not known. */
  find(source: number, destination: number, ports: number, protocol: number): Opening | null {
    const recent = this.#recent;
    if (recent?.serves(source, destination, ports, protocol) === true) return recent;
    const home = hashOf(source, destination, 0, protocol);
    for (let way = 0; way < WAYS; way += 1) {
      const opening = this.#places[(home + way) & (PLACES - 1)] ?? null;
      if (opening === null) return null;
      if (opening.serves(source, destination, ports, protocol)) {
        this.#recent = opening;
        return opening;
      }
    }
    return null;
  }

  /** Keep the way of the packet of `notes`, which leads into `lane`, if others may take it. */
  add(notes: FlowNotes, lane: Lane): void {
    const { opener, source, destination, protocol } = notes;
    assert(opener !== null, "notes of a packet that opens a connection name who tracks it");
    const home = hashOf(source, destination, 0, protocol);
    let place = (home + this.#turn) & (PLACES - 1);
    for (let way = WAYS - 1; way >= 0; way -= 1) {
      const other = (home + way) & (PLACES - 1);
      if (this.#places[other] === null) place = other;
    }
    this.#turn = (this.#turn + 1) % WAYS;
    this.#isEmpty = false;
    const opening = this.#places[place] ?? new Opening(lane, opener);
    this.#places[place] = opening;
    opening.set(notes, lane, opener);
  }
}
