/**
 * Reassembly: RFC 791 section 3.2, RFC 815 section 3, with the checks of Linux
 * (net/ipv4/ip_fragment.c):
 * since 4.19 any overlap discards the datagram (RFC 5722 section 4), before that it was trimmed.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { DeadlineHeap } from "../base/deadline-heap.ts";
import type { Jiffies } from "../base/jiffies.ts";
import type { Machine } from "../base/machine.ts";
import { type Duration, type Instant, SECOND } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import {
  DONT_FRAGMENT,
  headerLengthOf,
  IPV4,
  IPV4_MAX_PACKET,
  MORE_FRAGMENTS,
  sealHeader,
} from "./ipv4.ts";

/** What differs between kernels. */
export interface ReassemblyBehaviour {
  /**
   * "discard" gives up the datagram at an overlap or a contradiction (since 4.19); "trim" ignores
   * a contradiction, and where pieces overlap the octets of the one that starts first win, of two
   * that start together those of the later one.
   */
  readonly onOverlap: "discard" | "trim";
  /** The whole keeps DF if its largest fragment had it; else DF is lost. */
  readonly keepsDontFragment: boolean;
  /** Congestion marks of the fragments are combined (RFC 3168 section 5.3). */
  readonly mergesEcn: boolean;
  /** Octets of fragments that may wait (`ipfrag_high_thresh`). */
  readonly memoryLimit: number;
}

/** What a {@link Reassembler} works with. */
export interface ReassemblerOptions {
  readonly behaviour: ReassemblyBehaviour;
  readonly jiffies: Jiffies;
  /** How long a datagram may stay incomplete (`ipfrag_time`); 30 s. */
  readonly timeout?: Duration;
  /** Fragments that may wait at the same time, of all datagrams; 1,024. */
  readonly fragmentLimit?: number;
  /**
   * Told of a datagram whose time is over, while its first fragment is still whole; may be absent.
   */
  readonly onTimeout?: (first: Packet, now: Instant) => void;
}

interface Piece {
  readonly packet: Packet;
  /** Octets of the datagram's payload, from its start. */
  start: number;
  end: number;
}

/** Octets that came one piece right after the other, or one piece among earlier ones. */
interface Run {
  readonly start: number;
  end: number;
}

/** Who sent incomplete datagrams. */
interface Sender {
  readonly address: number;
  /** Fragments that came (`struct inet_peer`, `rid`). */
  fragments: number;
  /** Incomplete datagrams. */
  datagrams: number;
}

interface Datagram {
  readonly key: string;
  readonly sender: Sender;
  /** The sender's fragments up to the last one of this datagram. */
  seen: number;
  /** In order of `start`, without overlap. */
  readonly pieces: Piece[];
  /** What Linux compares new pieces with; in no order but that the last one ends last. */
  readonly runs: Run[];
  /** Payload octets present. */
  present: number;
  /** Payload octets of the whole, as far as known. */
  length: number;
  hasLast: boolean;
  largest: number;
  largestUnfragmentable: number;
  congestion: number;
}

/** Fragments of others that its sender may send between two of a datagram (`ipfrag_max_dist`). */
const MAX_DISTANCE = 64;
const NOT_CAPABLE = 1;
const CONGESTION_EXPERIENCED = 8;

/** Fragments of many datagrams, waiting for the rest. */
export class Reassembler implements Machine {
  readonly #behaviour: ReassemblyBehaviour;
  readonly #jiffies: Jiffies;
  readonly #timeout: Duration;
  readonly #fragmentLimit: number;
  readonly #onTimeout: ((first: Packet, now: Instant) => void) | null;
  readonly #datagrams = new Map<string, Datagram>();
  readonly #senders = new Map<number, Sender>();
  readonly #deadlines = new DeadlineHeap<Datagram>();
  #fragments = 0;
  #octets = 0;

  constructor(options: ReassemblerOptions) {
    this.#behaviour = options.behaviour;
    this.#jiffies = options.jiffies;
    this.#timeout = options.timeout ?? 30 * SECOND;
    this.#fragmentLimit = options.fragmentLimit ?? 1024;
    this.#onTimeout = options.onTimeout ?? null;
    if (this.#fragmentLimit < 1) {
      throw new OptionError("fragmentLimit", this.#fragmentLimit, "a whole number from 1");
    }
  }

  /** Datagrams that are incomplete. */
  get size(): number {
    return this.#datagrams.size;
  }

  /**
   * Take a fragment whose header is checked, `network` and `end` set. Takes ownership.
   * @returns the whole packet, owned by the caller, when this was the last missing piece; else
   * `null`.
   */
  receive(packet: Packet, now: Instant): Packet | null {
    const datagram = this.#datagramOf(packet, now);
    if (datagram === null) {
      packet.pool.end(packet, "discarded", "reassembly/no-room", now);
      return null;
    }
    if (isTooFar(datagram)) this.#restart(datagram, now);
    const isTaken = this.#accept(datagram, packet, now);
    // Linux before 4.19 looks for the whole even after a last fragment that brought nothing new.
    if (!isTaken && this.#behaviour.onOverlap === "discard") return null;
    const isWhole =
      datagram.hasLast && datagram.pieces[0]?.start === 0 && datagram.present === datagram.length;
    return isWhole ? this.#join(datagram, now) : null;
  }

  nextDeadline(): Instant {
    return this.#deadlines.soonest;
  }

  expire(now: Instant): void {
    for (let late = this.#deadlines.pop(now); late !== null; late = this.#deadlines.pop(now)) {
      const [first] = late.pieces;
      if (first?.start === 0) this.#onTimeout?.(first.packet, now);
      this.#discard(late, "reassembly/timeout", now);
    }
  }

  #datagramOf(packet: Packet, now: Instant): Datagram | null {
    const { view } = packet.pool;
    const at = packet.network;
    const key = [
      IPV4.src.get(view, at),
      IPV4.dst.get(view, at),
      IPV4.id.get(view, at),
      IPV4.protocol.get(view, at),
    ].join(" ");
    const known = this.#datagrams.get(key);
    const isFull =
      this.#fragments >= this.#fragmentLimit || this.#octets > this.#behaviour.memoryLimit;
    if (isFull) {
      const [oldest] = this.#datagrams.values();
      if (oldest === undefined || oldest === known) return null;
      this.#discard(oldest, "reassembly/evicted", now);
    }
    if (known !== undefined) return known;
    const sender = this.#senderOf(IPV4.src.get(view, at));
    sender.datagrams += 1;
    const datagram: Datagram = {
      key,
      sender,
      seen: 0,
      pieces: [],
      runs: [],
      present: 0,
      length: 0,
      hasLast: false,
      largest: 0,
      largestUnfragmentable: 0,
      congestion: 0,
    };
    this.#datagrams.set(key, datagram);
    this.#deadlines.set(datagram, this.#jiffies.firing(now, this.#timeout));
    return datagram;
  }

  #senderOf(address: number): Sender {
    const known = this.#senders.get(address);
    if (known !== undefined) return known;
    const sender: Sender = { address, fragments: 0, datagrams: 0 };
    this.#senders.set(address, sender);
    return sender;
  }

  /** `ip_frag_reinit`: what came so far belongs to another datagram of the same identification. */
  #restart(datagram: Datagram, now: Instant): void {
    for (const { packet } of datagram.pieces) {
      this.#release(packet);
      packet.pool.end(packet, "discarded", "reassembly/too-far", now);
    }
    datagram.pieces.length = 0;
    datagram.runs.length = 0;
    datagram.present = 0;
    datagram.length = 0;
    datagram.hasLast = false;
    datagram.congestion = 0;
    this.#deadlines.set(datagram, this.#jiffies.firing(now, this.#timeout));
  }

  /** `ip_frag_queue`. @returns true if the fragment was taken. */
  #accept(datagram: Datagram, packet: Packet, now: Instant): boolean {
    const { view } = packet.pool;
    const at = packet.network;
    const headerLength = headerLengthOf(view, at);
    const flags = IPV4.flagsFragment.get(view, at);
    const start = (flags & 0x1fff) * 8;
    const payload = packet.end - at - headerLength;
    const hasMore = (flags & MORE_FRAGMENTS) !== 0;
    const end = start + (hasMore ? payload & ~7 : payload);
    const isCorrupt = hasMore
      ? end > datagram.length && datagram.hasLast
      : end < datagram.length || (datagram.hasLast && end !== datagram.length);
    if (!isCorrupt) {
      if (!hasMore) datagram.hasLast = true;
      datagram.length = Math.max(datagram.length, end);
    }
    if (isCorrupt || end === start) {
      packet.pool.end(packet, "discarded", "reassembly/inconsistent", now);
      const isHopeless = this.#behaviour.onOverlap === "discard" || datagram.pieces.length === 0;
      if (isHopeless) this.#discard(datagram, "reassembly/inconsistent", now);
      return false;
    }
    const piece: Piece = { packet, start, end };
    if (!this.#place(datagram, piece, now)) return false;
    const size = headerLength + (piece.end - piece.start);
    datagram.largest = Math.max(datagram.largest, size);
    if ((flags & DONT_FRAGMENT) !== 0) {
      datagram.largestUnfragmentable = Math.max(datagram.largestUnfragmentable, size);
    }
    datagram.congestion |= 1 << (IPV4.tos.get(view, at) & 3);
    return true;
  }

  /** Put `piece` where it belongs. @returns false if it did not fit and was ended. */
  #place(datagram: Datagram, piece: Piece, now: Instant): boolean {
    const { pieces } = datagram;
    const { packet } = piece;
    const overlapping = pieces.filter((one) => one.start < piece.end && one.end > piece.start);
    if (overlapping.length > 0 && this.#behaviour.onOverlap === "discard") {
      const isDuplicate = isInsideOne(datagram.runs, piece);
      const reason = isDuplicate ? "reassembly/duplicate" : "reassembly/overlap";
      packet.pool.end(packet, "discarded", reason, now);
      if (!isDuplicate) this.#discard(datagram, reason, now);
      return false;
    }
    for (const one of overlapping) {
      if (one.start < piece.start) piece.start = Math.max(piece.start, one.end);
    }
    if (piece.start >= piece.end) {
      packet.pool.end(packet, "discarded", "reassembly/duplicate", now);
      return false;
    }
    for (const one of overlapping) this.#giveWay(datagram, one, piece, now);
    addToRuns(datagram.runs, piece);
    const place = pieces.findIndex((one) => one.start >= piece.end);
    pieces.splice(place < 0 ? pieces.length : place, 0, piece);
    datagram.present += piece.end - piece.start;
    this.#fragments += 1;
    this.#octets += packet.end - packet.frame;
    return true;
  }

  /** Trimming: an earlier piece that begins inside the new one loses its front, or all. */
  #giveWay(datagram: Datagram, one: Piece, piece: Piece, now: Instant): void {
    if (one.start < piece.start || one.start >= piece.end) return;
    const eaten = Math.min(one.end, piece.end) - one.start;
    one.start += eaten;
    datagram.present -= eaten;
    if (one.start < one.end) return;
    datagram.pieces.splice(datagram.pieces.indexOf(one), 1);
    this.#release(one.packet);
    one.packet.pool.end(one.packet, "discarded", "reassembly/overlap", now);
  }

  /** `ip_frag_reasm`: one packet out of all pieces, under the id of the first. */
  #join(datagram: Datagram, now: Instant): Packet | null {
    const [first] = datagram.pieces;
    if (first === undefined) return null;
    const { pool } = first.packet;
    const { view, bytes } = pool;
    const headerLength = headerLengthOf(view, first.packet.network);
    const total = headerLength + datagram.length;
    const congestion = this.#behaviour.mergesEcn ? mergedEcn(datagram.congestion) : 0;
    const isSound = total <= IPV4_MAX_PACKET && congestion >= 0;
    const whole = isSound ? pool.derive(first.packet, ETHERNET_LENGTH + total) : null;
    if (whole === null) {
      this.#discard(datagram, isSound ? "reassembly/no-room" : "reassembly/oversize", now);
      return null;
    }
    whole.network = whole.frame + ETHERNET_LENGTH;
    whole.transport = whole.network + headerLength;
    whole.largestFragment = datagram.largest;
    whole.pieces = datagram.pieces.map(({ start, end }) => end - start);
    bytes.copyWithin(whole.frame, first.packet.frame, first.packet.network + headerLength);
    for (const { packet, start, end } of datagram.pieces) {
      const at = packet.network + headerLengthOf(view, packet.network);
      const skipped = start - IPV4.fragmentOffset.get(view, packet.network) * 8;
      bytes.copyWithin(whole.transport + start, at + skipped, at + skipped + (end - start));
    }
    const isUnfragmentable =
      this.#behaviour.keepsDontFragment && datagram.largestUnfragmentable === datagram.largest;
    IPV4.totalLength.set(view, whole.network, total);
    IPV4.tos.set(view, whole.network, IPV4.tos.get(view, whole.network) | congestion);
    IPV4.flagsFragment.set(view, whole.network, isUnfragmentable ? DONT_FRAGMENT : 0);
    sealHeader(view, whole.network);
    this.#forget(datagram);
    for (const { packet } of datagram.pieces) {
      pool.end(packet, "consumed", "reassembly/joined", now);
    }
    return whole;
  }

  #discard(datagram: Datagram, reason: `reassembly/${string}`, now: Instant): void {
    this.#forget(datagram);
    for (const { packet } of datagram.pieces) packet.pool.end(packet, "discarded", reason, now);
  }

  #forget(datagram: Datagram): void {
    this.#datagrams.delete(datagram.key);
    const { sender } = datagram;
    sender.datagrams -= 1;
    if (sender.datagrams === 0) this.#senders.delete(sender.address);
    this.#deadlines.delete(datagram);
    for (const { packet } of datagram.pieces) this.#release(packet);
  }

  #release(packet: Packet): void {
    this.#fragments -= 1;
    this.#octets -= packet.end - packet.frame;
  }
}

/** `ip_frag_too_far`: true if its sender has sent too many others since the last one. */
function isTooFar(datagram: Datagram): boolean {
  const { sender, seen, pieces } = datagram;
  sender.fragments += 1;
  datagram.seen = sender.fragments;
  return pieces.length > 0 && sender.fragments - seen > MAX_DISTANCE;
}

/** True if one of `runs` holds every octet of `piece`: it came before, if not in the same cut. */
function isInsideOne(runs: readonly Run[], piece: Piece): boolean {
  return runs.some(({ start, end }) => start <= piece.start && end >= piece.end);
}

/** A piece at the very end lengthens the last run if it follows on; every other is its own run. */
function addToRuns(runs: Run[], { start, end }: Piece): void {
  const last = runs.at(-1);
  if (last === undefined || last.end < start) runs.push({ start, end });
  else if (last.end === start) last.end = end;
  else runs.unshift({ start, end });
}

/** The mark of the whole (RFC 3168 section 5.3): bits 0 to 3 of `seen` stand for the codepoints. */
function mergedEcn(seen: number): number {
  const isMixed = (seen & NOT_CAPABLE) !== 0 && seen !== NOT_CAPABLE;
  if (isMixed) return -1;
  return (seen & CONGESTION_EXPERIENCED) !== 0 ? 3 : 0;
}
