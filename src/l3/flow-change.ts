/**
 * What becomes of the octets of a packet of a known way: its addresses, ports and TTL, and the
 * checksums with them (RFC 1624 section 3).
 * @module
 */
import { fold as Importedfold } from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
import type { FlowNotes } from "./flow-path.ts";
import { Word as ImportedWord } from "./flow-records.ts";
import { IPV4 as ImportedIPV4, Protocol as ImportedProtocol } from "./ipv4.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const IPV4 = ImportedIPV4;
const Protocol = ImportedProtocol;
const Word = ImportedWord;
const fold = Importedfold;

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
export const TRANSLATION: number = Change.Source | Change.Destination | Change.ZeroAsFfff;

/** Lowering TTL by one adds this to the complement of a checksum. */
const TTL_DELTA = 0xfeff;
const UDP_CHECKSUM = 6;
const TCP_CHECKSUM = 16;
/** Time to live, protocol and checksum are read and written whole: as fields they cost calls. */
const LIFE = IPV4.ttl.offset;
const SOURCE = IPV4.src.offset;
const DESTINATION = IPV4.dst.offset;
/** A hop, in the word at {@link LIFE}. */
const ONE_HOP = 1 << 24;

/**
 * Compare what `packet` was with what it became, and write that into its `record`.
 * @returns false if both sides changed.
 */
export function noteChange(
  words: Int32Array,
  record: number,
  notes: FlowNotes,
  packet: Packet,
): boolean {
  const { view } = packet.pool;
  const source = IPV4.src.get(view, packet.network) | 0;
  const destination = IPV4.dst.get(view, packet.network) | 0;
  const ports = view.getInt32(packet.transport);
  const isSource = source !== notes.source || ports >>> 16 !== notes.ports >>> 16;
  const isDestination =
    destination !== notes.destination || (ports & 0xffff) !== (notes.ports & 0xffff);
  words[record + Word.HeaderDelta] = 0;
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
  words[record + Word.HeaderDelta] = delta;
  words[record + Word.TransportDelta] = fold(
    delta + difference(notes.ports >>> shift, ports >>> shift),
  );
  return true;
}

/** Change `packet` as its `record` says, except that its TTL falls by `hops`. */
export function change(words: Int32Array, record: number, packet: Packet, hops: number): void {
  const { view } = packet.pool;
  const at = packet.network;
  const changes = words[record + Word.Change] ?? 0;
  const isTranslated = (changes & (Change.Source | Change.Destination)) !== 0;
  const life = view.getInt32(at + LIFE);
  const delta = isTranslated ? (words[record + Word.HeaderDelta] ?? 0) : 0;
  const sum = mend(life & 0xffff, delta + hops * TTL_DELTA);
  view.setInt32(at + LIFE, ((life & ~0xffff) | sum) - hops * ONE_HOP);
  if (!isTranslated) return;
  const side = (changes & Change.Source) !== 0 ? SOURCE : DESTINATION;
  view.setInt32(at + side, words[record + Word.Address] ?? 0);
  translateTransport(words, record, packet, (changes & Change.ZeroAsFfff) !== 0);
}

/** As {@link change}, for a packet whose addresses stay as they are, and one hop. */
export function lowerTtl({ pool: { view }, network: at }: Packet): void {
  const life = view.getInt32(at + LIFE);
  const sum = mend(life & 0xffff, TTL_DELTA);
  view.setInt32(at + LIFE, ((life & ~0xffff) | sum) - ONE_HOP);
}

function translateTransport(
  words: Int32Array,
  record: number,
  { pool: { view }, transport: at }: Packet,
  zeroAsFfff: boolean,
): void {
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
  view.setUint16(at + UDP_CHECKSUM, mended === 0 && zeroAsFfff ? 0xffff : mended);
}

/** What the change of a 16-bit word adds to the complement of a checksum. */
const difference = (before: number, after: number): number => (~before & 0xffff) + (after & 0xffff);

const mend = (sum: number, delta: number): number => ~fold((~sum & 0xffff) + delta) & 0xffff;
