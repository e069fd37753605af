/**
 * What becomes of the octets of a packet of a known way: its addresses, ports and TTL, and the
 * checksums with them (RFC 1624 section 3).
 * @module
 */
import { fold as Importedfold } from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
import { SLOT as ImportedSLOT } from "./burst.ts";
import type { FlowNotes } from "./flow-path.ts";
import { Word as ImportedWord } from "./flow-records.ts";
import {
  HeaderWord as ImportedHeaderWord,
  HOP_DELTA as ImportedHOP_DELTA,
} from "./header-words.ts";
import { Protocol as ImportedProtocol } from "./ipv4.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const Protocol = ImportedProtocol;
const Word = ImportedWord;
const HeaderWord = ImportedHeaderWord;
const HOP_DELTA = ImportedHOP_DELTA;
const fold = Importedfold;
const { places } = ImportedSLOT;

/**
 * Bits of what becomes of a packet. One router changes its source or its destination; those from
 * `NextChanges` on are of the second router of a passage.
 */
export const Change = {
  Source: 1,
  Destination: 2,
  ZeroAsFfff: 4,
  /** Against the direction of the connection's first packet. */
  Reply: 8,
  /** It is the next router that changes an address. */
  NextChanges: 16,
  NextReply: 32,
} as const;
/** Bits of what becomes of addresses and ports. */
const TRANSLATION: number = Change.Source | Change.Destination | Change.ZeroAsFfff;

/**
 * Compare what `packet`, whose IP header begins a word, was with what it became, and write that
 * into its `record`.
 * @returns false if both sides changed.
 */
export function noteChange(
  words: Int32Array,
  record: number,
  notes: FlowNotes,
  packet: Packet,
): boolean {
  const octets = packet.pool.words;
  const at = packet.network >> 2;
  const source = octets[at + HeaderWord.Source] ?? 0;
  const destination = octets[at + HeaderWord.Destination] ?? 0;
  const ports = octets[at + HeaderWord.Ports] ?? 0;
  const isSource = source !== notes.source || (ports & 0xffff) !== (notes.ports & 0xffff);
  const isDestination = destination !== notes.destination || ports >>> 16 !== notes.ports >>> 16;
  words[record + Word.HeaderDelta] = 0;
  if (isSource && isDestination) return false;
  if (!isSource && !isDestination) return true;
  const before = isSource ? notes.source : notes.destination;
  const after = isSource ? source : destination;
  const delta = difference(before >>> 16, after >>> 16) + difference(before, after);
  const shift = isSource ? 0 : 16;
  words[record + Word.Change] =
    (words[record + Word.Change] ?? 0) |
    (isSource ? Change.Source : Change.Destination) |
    (notes.zeroUdpChecksum === 0 ? 0 : Change.ZeroAsFfff);
  words[record + Word.Address] = after;
  words[record + Word.NewPorts] = ports;
  words[record + Word.HeaderDelta] = delta;
  words[record + Word.TransportDelta] = fold(
    delta + difference(notes.ports >>> shift, ports >>> shift),
  );
  return true;
}

/**
 * Write into `record` what becomes of its packets in both routers of a passage, if the second one's
 * record `there` of `beyond` allows.
 * @param isJudged true if the first router finds out whether checksums hold.
 * @returns false, and nothing is written, if both change addresses, or checksums may be wrong.
 */
export function joinChanges(
  words: Int32Array,
  record: number,
  beyond: Int32Array,
  there: number,
  isJudged: boolean,
): boolean {
  const changes = words[record + Word.Change] ?? 0;
  const isNexts = (changes & Change.NextChanges) !== 0;
  const own = changes & (isNexts ? Change.Reply : Change.Reply | TRANSLATION);
  const nexts = beyond[there + Word.Change] ?? 0;
  if ((own & TRANSLATION) !== 0 && ((nexts & TRANSLATION) !== 0 || !isJudged)) return false;
  let joined = own | ((nexts & Change.Reply) !== 0 ? Change.NextReply : 0);
  if ((nexts & TRANSLATION) !== 0) {
    joined |= (nexts & TRANSLATION) | Change.NextChanges;
    words[record + Word.Address] = beyond[there + Word.Address] ?? 0;
    words[record + Word.NewPorts] = beyond[there + Word.NewPorts] ?? 0;
    words[record + Word.HeaderDelta] = beyond[there + Word.HeaderDelta] ?? 0;
    words[record + Word.TransportDelta] = beyond[there + Word.TransportDelta] ?? 0;
  }
  words[record + Word.Change] = joined;
  words[record + Word.NextFlow] = beyond[there + Word.Flow] ?? 0;
  words[record + Word.NextState] = beyond[there + Word.State] ?? 0;
  return true;
}

/**
 * Change the packet whose IP header begins with word `at` of `octets` as its `record` says, except
 * that its TTL falls by `hops`.
 */
export function change(
  words: Int32Array,
  record: number,
  octets: Int32Array,
  at: number,
  hops: number,
): void {
  const changes = words[record + Word.Change] ?? 0;
  const isTranslated = (changes & (Change.Source | Change.Destination)) !== 0;
  mendHeader(octets, at, hops, isTranslated ? (words[record + Word.HeaderDelta] ?? 0) : 0);
  if (!isTranslated) return;
  const side = (changes & Change.Source) !== 0 ? HeaderWord.Source : HeaderWord.Destination;
  octets[at + side] = words[record + Word.Address] ?? 0;
  octets[at + HeaderWord.Ports] = words[record + Word.NewPorts] ?? 0;
  const transportDelta = words[record + Word.TransportDelta] ?? 0;
  const isZeroAsFfff = (changes & Change.ZeroAsFfff) !== 0;
  mendTransport(octets, at, words[record + Word.Protocol] ?? 0, transportDelta, isZeroAsFfff);
}

/** As {@link change}, for datagrams of one flow, those in slots `first` to before `end`. */
export function changeDatagrams(
  words: Int32Array,
  record: number,
  octets: Int32Array,
  first: number,
  end: number,
  hops: number,
): void {
  const changes = words[record + Word.Change] ?? 0;
  const isTranslated = (changes & (Change.Source | Change.Destination)) !== 0;
  const isZeroAsFfff = (changes & Change.ZeroAsFfff) !== 0;
  const side = (changes & Change.Source) !== 0 ? HeaderWord.Source : HeaderWord.Destination;
  const address = words[record + Word.Address] ?? 0;
  const ports = words[record + Word.NewPorts] ?? 0;
  const transportDelta = words[record + Word.TransportDelta] ?? 0;
  const delta = isTranslated ? (words[record + Word.HeaderDelta] ?? 0) : 0;
  for (let slot = first; slot < end; slot += 1) {
    const at = places[slot] ?? 0;
    mendHeader(octets, at, hops, delta);
    if (!isTranslated) continue;
    octets[at + side] = address;
    octets[at + HeaderWord.Ports] = ports;
    mendUdp(octets, at, transportDelta, isZeroAsFfff);
  }
}

/** As {@link change}, for a packet whose addresses stay as they are, and one hop. */
export function lowerTtl(octets: Int32Array, at: number): void {
  mendHeader(octets, at, 1, 0);
}

/** As {@link change}, of what the first router of a passage alone changes. */
export function changeHere(
  words: Int32Array,
  record: number,
  octets: Int32Array,
  at: number,
): void {
  if (((words[record + Word.Change] ?? 0) & Change.NextChanges) !== 0) lowerTtl(octets, at);
  else change(words, record, octets, at, 1);
}

/** What the change of a 16-bit word adds to the complement of a checksum. */
export const difference = (before: number, after: number): number =>
  (~before & 0xffff) + (after & 0xffff);

/** Lower the TTL by `hops`, and mend the header's checksum for that and what adds `delta`. */
export function mendHeader(octets: Int32Array, at: number, hops: number, delta: number): void {
  const life = octets[at + HeaderWord.Life] ?? 0;
  const sum = mend(life >>> 16, delta + hops * HOP_DELTA);
  octets[at + HeaderWord.Life] = ((life & 0xffff) - hops) | (sum << 16);
}

/** Mend the checksum of UDP, if the datagram has one, or TCP. */
export function mendTransport(
  octets: Int32Array,
  at: number,
  protocol: number,
  delta: number,
  isZeroAsFfff: boolean,
): void {
  if (protocol === Protocol.Udp) mendUdp(octets, at, delta, isZeroAsFfff);
  else {
    const tcp = octets[at + HeaderWord.TcpChecksum] ?? 0;
    octets[at + HeaderWord.TcpChecksum] = (tcp & ~0xffff) | mend(tcp & 0xffff, delta);
  }
}

/** Mend the checksum of a datagram, if it has one. */
function mendUdp(octets: Int32Array, at: number, delta: number, isZeroAsFfff: boolean): void {
  const udp = octets[at + HeaderWord.Udp] ?? 0;
  if (udp >>> 16 === 0) return;
  const mended = mend(udp >>> 16, delta);
  const sum = mended === 0 && isZeroAsFfff ? 0xffff : mended;
  octets[at + HeaderWord.Udp] = (udp & 0xffff) | (sum << 16);
}

/** The checksum `sum` after what {@link difference} says has changed. */
const mend = (sum: number, delta: number): number => ~fold((~sum & 0xffff) + delta) & 0xffff;
