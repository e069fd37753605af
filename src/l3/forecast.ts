/**
 * What packets that come in together will need of the tables of known ways, read ahead. A line that
 * lies in no cache costs a hundred nanoseconds, but a processor waits for many at a time if nothing
 * else stands between the reads: hence one short loop for each kind.
 * @module
 */
import { ETHERNET_LENGTH as ImportedETHERNET_LENGTH } from "../l2/ethernet.ts";
import type { Packet } from "../wire/packet.ts";
import {
  type FlowRecords,
  hashOf as ImportedhashOf,
  WAYS as ImportedWAYS,
  Word as ImportedWord,
  WORDS as ImportedWORDS,
} from "./flow-records.ts";
import { IPV4 as ImportedIPV4, IPV4_MIN_LENGTH as ImportedIPV4_MIN_LENGTH } from "./ipv4.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const Word = ImportedWord;
const IPV4 = ImportedIPV4;
const IPV4_MIN_LENGTH = ImportedIPV4_MIN_LENGTH;
const hashOf = ImportedhashOf;
const WAYS = ImportedWAYS;
const WORDS = ImportedWORDS;

/** Packets that are expected at a time; those beyond are not looked at. */
const MOST = 64;
/** The shortest packet with an IP header and two ports. */
const SHORTEST = IPV4_MIN_LENGTH + 4;
const PROTOCOL = IPV4.protocol.offset;
const SOURCE = IPV4.src.offset;
const DESTINATION = IPV4.dst.offset;

/** Room for what is read ahead. */
export class Forecast {
  /** The flow of each packet as its record says it; 0 for none. */
  readonly flows = new Int32Array(MOST);
  /** Its flow in the next router. */
  readonly nextFlows = new Int32Array(MOST);
  /** Index of its lane. */
  readonly lanes = new Int32Array(MOST);
  /** What was read, so that it is read at all. */
  sum = 0;
  readonly #places = new Int32Array(MOST);
  readonly #ports = new Int32Array(MOST);
  readonly #sources = new Int32Array(MOST);

  /**
   * Find the records of the first `count` of `packets`, as far as there is room, and write into
   * each where its own is.
   * @returns how many there were.
   */
  read(packets: readonly Packet[], count: number, { words }: FlowRecords): number {
    const most = Math.min(count, MOST);
    const places = this.#places;
    const last = words.length - 1;
    for (let index = 0; index < most; index += 1) {
      const packet = packets[index];
      places[index] = 0;
      if (packet === undefined) continue;
      const { view } = packet.pool;
      const at = packet.frame + ETHERNET_LENGTH;
      if (packet.end - at < SHORTEST) continue;
      const source = view.getInt32(at + SOURCE);
      const ports = view.getInt32(at + IPV4_MIN_LENGTH);
      const destination = view.getInt32(at + DESTINATION);
      const protocol = view.getUint8(at + PROTOCOL);
      places[index] = (hashOf(source, destination, ports, protocol) * WORDS) & last;
      this.#sources[index] = source;
      this.#ports[index] = ports;
    }
    let sum = 0;
    for (let index = 0; index < most; index += 1) {
      const place = places[index] ?? 0;
      // A record that does not lie in its first place lies in the next as a rule.
      sum ^= (words[place] ?? 0) ^ (words[(place + WORDS) & last] ?? 0);
    }
    this.sum = sum;
    this.#findFlows(packets, most, words);
    return most;
  }

  #findFlows(packets: readonly Packet[], count: number, words: Int32Array): void {
    const last = words.length - 1;
    for (let index = 0; index < count; index += 1) {
      let place = this.#places[index] ?? 0;
      const source = this.#sources[index];
      const ports = this.#ports[index];
      for (let way = 1; way < WAYS; way += 1) {
        if (words[place + Word.Ports] === ports && words[place] === source) break;
        place = (place + WORDS) & last;
      }
      this.flows[index] = words[place + Word.Flow] ?? 0;
      this.lanes[index] = words[place + Word.Lane] ?? 0;
      this.nextFlows[index] = words[place + Word.NextFlow] ?? 0;
      const packet = packets[index];
      if (packet !== undefined) packet.place = place;
    }
  }
}
