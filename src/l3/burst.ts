/**
 * What packets that come in together say of themselves, and where the known ways of their flows
 * lie. A line that lies in no cache costs a hundred nanoseconds, but a processor waits for many at
 * a time if nothing else stands between the reads: hence one short loop for each kind.
 * @module
 */
import { fold as Importedfold } from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
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
const Protocol = ImportedProtocol;
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
/** In the record's place while packets are read: as the packet before, whose flow it is of. */
const SAME = -3;

/** Room for what is read of some packets at a time, and of their flows. */
export class Burst {
  /** Where the record of each one's flow lies; else one of {@link NO_RECORD}. */
  readonly records: Int32Array;
  /** The word where its IP header begins. */
  readonly places: Int32Array;
  /** Octets from the IP header on. */
  readonly lengths: Int32Array;
  /** The header's word with the TTL. */
  readonly lives: Int32Array;
  /** 1 for a datagram whose length and checksum hold. */
  readonly areSound: Uint8Array;
  /** Both addresses and ports, for notes of an unknown flow. */
  readonly sources: Int32Array;
  readonly destinations: Int32Array;
  readonly ports: Int32Array;
  /** Connection tracking's flows of the records, as far as they have any: {@link known} of them. */
  readonly flows: Int32Array;
  /** Each one's flow in the next router. */
  readonly nextFlows: Int32Array;
  known = 0;
  /** Flows without a record, parted ones more than once. */
  unknown = 0;
  /** Packets that were read last. */
  count = 0;
  /** Where they lie, but those that are odd. */
  octets: Int32Array = new Int32Array(0);
  #packets: readonly Packet[] = [];
  #from = 0;
  /** What was read ahead, so that it is read at all. */
  sum = 0;
  /** Where records are looked for; packets of one flow that follow each other have one. */
  readonly #homes: Int32Array;
  #homesUsed = 0;

  /** @param limit packets at a time. */
  constructor(limit: number) {
    const room = (): Int32Array => new Int32Array(limit);
    this.records = room();
    this.places = room();
    this.lengths = room();
    this.lives = room();
    this.areSound = new Uint8Array(limit);
    this.sources = room();
    this.destinations = room();
    this.ports = room();
    this.flows = room();
    this.nextFlows = room();
    this.#homes = room();
  }

  /** Read `packet` alone. Borrows it. */
  readOne(packet: Packet, table: FlowRecords): void {
    this.#homesUsed = 0;
    this.#parse(packet, 0, packet.pool.words);
    this.#findAll(1, table);
  }

  /** Read the packets from `from` to before `to`, for which there must be room. Borrows them. */
  read(packets: readonly Packet[], from: number, to: number, table: FlowRecords): void {
    const count = to - from;
    const words = packets[from]?.pool.words;
    if (words === undefined) return;
    this.octets = words;
    this.count = count;
    this.#packets = packets;
    this.#from = from;
    this.#homesUsed = 0;
    for (let slot = 0; slot < count; slot += 1) {
      const packet = packets[from + slot];
      if (packet !== undefined) this.#parse(packet, slot, words);
    }
    this.#touch(table.words);
    this.#findAll(count, table);
  }

  /** The packet that was read into `slot`. */
  packetAt(slot: number): Packet | undefined {
    return this.#packets[this.#from + slot];
  }

  /** The line of each record, and the next one, where a record lies that found no room there. */
  #touch(records: Int32Array): void {
    const homes = this.#homes;
    const last = records.length - 1;
    let sum = 0;
    for (let index = 0; index < this.#homesUsed; index += 1) {
      const home = (homes[index] ?? 0) * WORDS;
      sum ^= (records[home & last] ?? 0) ^ (records[(home + WORDS) & last] ?? 0);
    }
    this.sum = sum;
  }

  #findAll(count: number, table: FlowRecords): void {
    const { records, flows, nextFlows } = this;
    const { words } = table;
    let home = 0;
    let known = 0;
    let unknown = 0;
    let last: number = NO_RECORD.Odd;
    for (let slot = 0; slot < count; slot += 1) {
      const before = records[slot];
      if (before === NO_RECORD.Odd) continue;
      if (before !== SAME) {
        last = this.#find(slot, this.#homes[home] ?? 0, table);
        home += 1;
        if (last >= 0) {
          flows[known] = words[last + Word.Flow] ?? 0;
          nextFlows[known] = words[last + Word.NextFlow] ?? 0;
          known += 1;
        }
        unknown += last === NO_RECORD.Unknown ? 1 : 0;
      }
      records[slot] = last;
    }
    this.known = known;
    this.unknown = unknown;
  }

  #find(slot: number, home: number, table: FlowRecords): number {
    return table.findFrom(
      home * WORDS,
      this.sources[slot] ?? 0,
      this.destinations[slot] ?? 0,
      this.ports[slot] ?? 0,
      ((this.lives[slot] ?? 0) >>> 8) & 0xff,
    );
  }

  /** Read the headers of `packet`, which lies in `words` unless it is odd. */
  #parse(packet: Packet, slot: number, words: Int32Array): void {
    const at = headerWordOf(packet);
    const room = packet.end - (at << 2);
    const isPart = packet.hasBlankChecksum || packet.segmentSize > 0;
    this.records[slot] = NO_RECORD.Odd;
    if (at < 0 || isPart || room < SHORTEST || packet.pool.words !== words) return;
    const lengths = words[at] ?? 0;
    const fragment = words[at + HeaderWord.Fragment] ?? 0;
    const life = words[at + HeaderWord.Life] ?? 0;
    const source = words[at + HeaderWord.Source] ?? 0;
    const destination = words[at + HeaderWord.Destination] ?? 0;
    const protocol = (life >>> 8) & 0xff;
    const length = swap16(lengths >>> 16);
    const header = halves(lengths) + halves(fragment) + halves(life);
    const addresses = halves(source) + halves(destination);
    if (
      (lengths & 0xff) !== BASE_HEADER ||
      (fragment & FRAGMENT_BITS) !== 0 ||
      (protocol !== Protocol.Udp && protocol !== Protocol.Tcp) ||
      (words[at + HeaderWord.EtherType] ?? 0) >>> 16 !== IPV4_TYPE ||
      length < SHORTEST ||
      length > room ||
      (life & 0xff) < 2 ||
      fold(header + addresses) !== 0xffff
    ) {
      return;
    }
    const ports = words[at + HeaderWord.Ports] ?? 0;
    if (this.#isAsBefore(slot, source, destination, ports, protocol)) this.records[slot] = SAME;
    else {
      this.records[slot] = NO_RECORD.Unknown;
      this.#homes[this.#homesUsed] = hashOf(source, destination, ports, protocol);
      this.#homesUsed += 1;
    }
    this.places[slot] = at;
    this.lengths[slot] = length;
    this.lives[slot] = life;
    this.sources[slot] = source;
    this.destinations[slot] = destination;
    this.ports[slot] = ports;
    const isSound =
      protocol === Protocol.Udp &&
      isSoundUdp(words, at, length, addresses, packet.hasSoundChecksums);
    this.areSound[slot] = isSound ? 1 : 0;
  }

  /** True if the packet before is of the same flow. */
  #isAsBefore(
    slot: number,
    source: number,
    destination: number,
    ports: number,
    protocol: number,
  ): boolean {
    const before = slot - 1;
    return (
      slot > 0 &&
      this.sources[before] === source &&
      this.ports[before] === ports &&
      this.destinations[before] === destination &&
      (((this.lives[before] ?? 0) >>> 8) & 0xff) === protocol &&
      this.records[before] !== NO_RECORD.Odd
    );
  }
}

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
  const pseudo = addresses + (Protocol.Udp << 8) + swap16(octets);
  return fold(pseudo + sumOfWords(words, at + HeaderWord.Ports, octets)) === 0xffff;
}
