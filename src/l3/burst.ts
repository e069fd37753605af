/**
 * What packets that come in together say of themselves, and where the known ways of their flows
 * lie. A line that lies in no cache costs a hundred nanoseconds, but a processor waits for many at
 * a time if nothing else stands between the reads: hence one short loop for each kind.
 * @module
 */
import { fold as Importedfold } from "../wire/checksum.ts";
import type { Packet, PacketPool } from "../wire/packet.ts";
import {
  type FlowRecords,
  hashOf as ImportedhashOf,
  Word as ImportedWord,
  WORDS as ImportedWORDS,
} from "./flow-records.ts";
import {
  halves as Importedhalves,
  headerWordOf as ImportedheaderWordOf,
  HeaderWord as ImportedHeaderWord,
  sumOfWords as ImportedsumOfWords,
  swap16 as Importedswap16,
} from "./header-words.ts";
import {
  IPV4_MIN_LENGTH as ImportedIPV4_MIN_LENGTH,
  Protocol as ImportedProtocol,
} from "./ipv4.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const Word = ImportedWord;
const WORDS = ImportedWORDS;
const HeaderWord = ImportedHeaderWord;
const IPV4_MIN_LENGTH = ImportedIPV4_MIN_LENGTH;
const UDP: number = ImportedProtocol.Udp;
const TCP: number = ImportedProtocol.Tcp;
const hashOf = ImportedhashOf;
const fold = Importedfold;
const halves = Importedhalves;
const headerWordOf = ImportedheaderWordOf;
const sumOfWords = ImportedsumOfWords;
const swap16 = Importedswap16;

const UDP_LENGTH = 8;
/** The shortest packet with an IP header and that of UDP. */
const SHORTEST = IPV4_MIN_LENGTH + UDP_LENGTH;
/** `EtherType.Ipv4` and a header of five words of version 4, as words say them. */
const IPV4_TYPE = 0x0008;
const BASE_HEADER = 0x45;
/** More fragments and the offset, in the word of both. */
const FRAGMENT_BITS = 0xff3f_0000 | 0;

/** No known way: what is in the record's place of a packet that must be asked. */
export const NO_RECORD = { Unknown: -1, Odd: -2 } as const;
const UNKNOWN: number = NO_RECORD.Unknown;
const ODD: number = NO_RECORD.Odd;
/** In the record's place while packets are read: as the packet before, whose flow it is of. */
const SAME = -3;

/** Packets that are read together, at most. */
export const TOGETHER = 64;
/** Bursts that may be on their ways at a time, each sent on by what became of the one before. */
const NESTED = 8;
/** The slot of a packet that is read alone. */
export const ALONE: number = NESTED * TOGETHER;
const SLOTS = ALONE + 1;
const room = (): Int32Array => new Int32Array(SLOTS);

/**
 * What was read of each packet, by its slot; it holds while its burst is open. One room for all: an
 * array that never changes is part of the code that works with it.
 */
export const SLOT = {
  /** Where the record of its flow lies; else one of {@link NO_RECORD}. */
  records: room(),
  /** The word where its IP header begins. */
  places: room(),
  /** Octets from the IP header on. */
  lengths: room(),
  /** The header's word with the TTL. */
  lives: room(),
  /** 1 for a datagram whose length and checksum hold. */
  areSound: new Uint8Array(SLOTS),
  /** Both addresses and ports. */
  sources: room(),
  destinations: room(),
  ports: room(),
  /** Connection tracking's flows of a burst's records, from its first slot on. */
  flows: room(),
  /** The same of the next router. */
  nextFlows: room(),
} as const;
const { records, places, lengths, lives, areSound, sources, destinations, ports } = SLOT;
const { flows, nextFlows } = SLOT;
/** Where records are looked for; packets of one flow that follow each other have one. */
const homes = room();
let opened = 0;

/** Some packets that are read at a time. */
export class Burst {
  /** The slot of the first one. */
  first: number = ALONE;
  /** Packets that were read last. */
  count = 0;
  /** Flows that connection tracking knows, parted ones more than once. */
  known = 0;
  /** Flows without a record, parted ones more than once. */
  unknown = 0;
  /** Where the packets lie, but those that are odd. */
  octets: Int32Array = new Int32Array(0);
  #packets: readonly Packet[] = [];
  #from = 0;
  /** What was read ahead, so that it is read at all. */
  sum = 0;
  /** Of {@link homes}. */
  #homesUsed = 0;
  #isOpen = false;

  /**
   * Find room. @returns false if there is none, or it is open; else {@link close} must follow, in
   * the opposite order of opening.
   */
  open(): boolean {
    if (this.#isOpen || opened === NESTED) return false;
    this.#isOpen = true;
    this.first = opened * TOGETHER;
    opened += 1;
    return true;
  }

  /** Give back the room. */
  close(): void {
    this.#isOpen = false;
    opened -= 1;
  }

  /**
   * Read the packets from `from` to before `to`, at most {@link TOGETHER}, or one alone. Borrows
   * them.
   */
  read(packets: readonly Packet[], from: number, to: number, table: FlowRecords): void {
    const pool = packets[from]?.pool;
    if (pool === undefined) return;
    this.octets = pool.words;
    this.count = to - from;
    this.#packets = packets;
    this.#from = from;
    this.#parse(pool);
    this.#touch(table.words);
    this.#findAll(table);
  }

  /** The packet that was read into `slot`. */
  packetAt(slot: number): Packet | undefined {
    return this.#packets[this.#from + slot - this.first];
  }

  /** The line of each record, and the next one, where a record lies that found no room there. */
  #touch(words: Int32Array): void {
    const last = words.length - 1;
    const end = this.first + this.#homesUsed;
    let sum = 0;
    for (let index = this.first; index < end; index += 1) {
      const home = (homes[index] ?? 0) * WORDS;
      sum ^= (words[home & last] ?? 0) ^ (words[(home + WORDS) & last] ?? 0);
    }
    this.sum = sum;
  }

  #findAll(table: FlowRecords): void {
    const { words } = table;
    const end = this.first + this.count;
    let home = this.first;
    let known = 0;
    let unknown = 0;
    let last = ODD;
    for (let slot = this.first; slot < end; slot += 1) {
      const before = records[slot];
      if (before === ODD) continue;
      if (before !== SAME) {
        last = find(slot, homes[home] ?? 0, table);
        home += 1;
        if (last >= 0) {
          flows[this.first + known] = words[last + Word.Flow] ?? 0;
          nextFlows[this.first + known] = words[last + Word.NextFlow] ?? 0;
          known += 1;
        }
        unknown += last === UNKNOWN ? 1 : 0;
      }
      records[slot] = last;
    }
    this.known = known;
    this.unknown = unknown;
  }

  /** Read the headers of all; packets of other pools are odd. */
  #parse(pool: PacketPool): void {
    const { words } = pool;
    const { first } = this;
    const packets = this.#packets;
    const end = first + this.count;
    let index = this.#from;
    let used = first;
    for (let slot = first; slot < end; slot += 1) {
      const packet = packets[index];
      index += 1;
      records[slot] = ODD;
      if (packet === undefined) break;
      const at = headerWordOf(packet);
      const space = packet.end - (at << 2);
      if (packet.pool !== pool || at < 0 || space < SHORTEST) continue;
      if (packet.hasBlankChecksum || packet.segmentSize > 0) continue;
      const head = words[at] ?? 0;
      const fragment = words[at + HeaderWord.Fragment] ?? 0;
      const life = words[at + HeaderWord.Life] ?? 0;
      const source = words[at + HeaderWord.Source] ?? 0;
      const destination = words[at + HeaderWord.Destination] ?? 0;
      const protocol = (life >>> 8) & 0xff;
      const length = swap16(head >>> 16);
      const addresses = halves(source) + halves(destination);
      const isPlain =
        (head & 0xff) === BASE_HEADER &&
        (fragment & FRAGMENT_BITS) === 0 &&
        (protocol === UDP || protocol === TCP) &&
        (words[at + HeaderWord.EtherType] ?? 0) >>> 16 === IPV4_TYPE &&
        length >= SHORTEST &&
        length <= space &&
        (life & 0xff) >= 2 &&
        fold(halves(head) + halves(fragment) + halves(life) + addresses) === 0xffff;
      if (!isPlain) continue;
      const ends = words[at + HeaderWord.Ports] ?? 0;
      places[slot] = at;
      lengths[slot] = length;
      lives[slot] = life;
      sources[slot] = source;
      destinations[slot] = destination;
      ports[slot] = ends;
      const isSound =
        protocol === UDP && isSoundUdp(words, at, length, addresses, packet.hasSoundChecksums);
      areSound[slot] = isSound ? 1 : 0;
      if (slot > first && isOfOneFlow(slot, slot - 1)) records[slot] = SAME;
      else {
        records[slot] = UNKNOWN;
        homes[used] = hashOf(source, destination, ends, protocol);
        used += 1;
      }
    }
    this.#homesUsed = used - first;
  }
}

/** True if the packets in both slots are of one flow, and that in the second one is not odd. */
const isOfOneFlow = (slot: number, before: number): boolean =>
  ports[before] === ports[slot] &&
  sources[before] === sources[slot] &&
  destinations[before] === destinations[slot] &&
  (((lives[before] ?? 0) ^ (lives[slot] ?? 0)) & 0xff00) === 0 &&
  records[before] !== ODD;

const find = (slot: number, home: number, table: FlowRecords): number =>
  table.findFrom(
    home * WORDS,
    sources[slot] ?? 0,
    destinations[slot] ?? 0,
    ports[slot] ?? 0,
    ((lives[slot] ?? 0) >>> 8) & 0xff,
  );

/** True if connection tracking finds nothing wrong with the datagram (Linux `udp_error`). */
function isSoundUdp(
  words: Int32Array,
  at: number,
  length: number,
  addresses: number,
  isBelieved: boolean,
): boolean {
  const octets = length - IPV4_MIN_LENGTH;
  const udp = words[at + HeaderWord.Udp] ?? 0;
  const udpLength = swap16(udp);
  if (udpLength < UDP_LENGTH || udpLength > octets) return false;
  if (isBelieved || udp >>> 16 === 0) return true;
  const pseudo = addresses + (UDP << 8) + swap16(octets);
  return fold(pseudo + sumOfWords(words, at + HeaderWord.Ports, octets)) === 0xffff;
}
