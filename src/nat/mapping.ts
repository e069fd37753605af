/**
 * Mappings: the choice of the addresses and ports that a connection gets instead of its own, so
 * that its answers can be told from all others (`get_unique_tuple` of Linux).
 * @module
 */
import type { Chance } from "../base/prng.ts";
import { Protocol } from "../l3/ipv4.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { NatBehaviour } from "./behaviour.ts";
import { mayClash } from "./clash.ts";
import {
  ANY_MAPPED,
  FLOW,
  FlowWord as ImportedFlowWord,
  Scratch as ImportedScratch,
  Status as ImportedStatus,
} from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { lookup2, lookup3, turnRound } from "./jhash.ts";
import type { Side } from "./rewrite.ts";
import { CONNECTION, isAfter, SIDE, TcpState } from "./tcp-record.ts";
import {
  copyTuple,
  hasSameSource,
  invertTuple,
  isSameTuple,
  TUPLE,
  TUPLE_LENGTH as ImportedTUPLE_LENGTH,
  TupleWord as ImportedTupleWord,
} from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const FlowWord = ImportedFlowWord;
const Scratch = ImportedScratch;
const Status = ImportedStatus;
const TUPLE_LENGTH = ImportedTUPLE_LENGTH;
const TupleWord = ImportedTupleWord;

/** Ports that a random search looks at, before it begins elsewhere with half as many. */
const MAX_ATTEMPTS = 128;
/** Attempts left from which a port may be taken from a connection in TIME_WAIT. */
const LAST_ATTEMPTS = 32;
/** A random search gives up when it could look at fewer ports. */
const MIN_ATTEMPTS = 16;

/** Ports that stand for a port without a range of its own: those of its kind. */
const SYSTEM_PORTS = { first: 1, size: 511 };
const RESERVED_PORTS = { first: 600, size: 424 };
const USER_PORTS = { first: 1024, size: 64_512 };

/** Chooses mappings among the entries of one table. */
export class Mapper {
  readonly #table: FlowTable;
  readonly #behaviour: NatBehaviour;
  readonly #chance: Chance;
  /** Where the next search by counter begins, by protocol. */
  readonly #counters = new Map<number, number>();
  /** True if nobody had the candidate that was asked about last. */
  #isFree = false;
  /** The ports to choose from. */
  #first = 0;
  #size = 0;

  constructor(table: FlowTable, behaviour: NatBehaviour, chance: Chance) {
    this.#table = table;
    this.#behaviour = behaviour;
    this.#chance = chance;
  }

  /**
   * Choose what the unconfirmed `flow` looks like on `side`, and set its reply tuple and status.
   * @param range what a rule wants; `null` keeps the address, and the port too if it is free.
   */
  map(flow: number, side: Side, range: NatRange | null): void {
    const { words } = this.#table;
    const isSource = side === "source";
    const at = (flow >> 2) + FlowWord.Status;
    let status = words[at] ?? 0;
    status |= isSource ? Status.SourceDone : Status.DestinationDone;
    if (!isSource && range === null && this.#isFreeAsIs(flow)) {
      words[at] = status;
      return;
    }
    this.#isFree = false;
    invertTuple(words, flow + TUPLE_LENGTH, Scratch.Current);
    this.#choose(flow, isSource, range);
    if (!isSameTuple(words, Scratch.Candidate, Scratch.Current)) {
      invertTuple(words, Scratch.Candidate, flow + TUPLE_LENGTH);
      status |= isSource ? Status.SourceMapped : Status.DestinationMapped;
    }
    words[at] = status;
    this.#table.noteReply(flow, this.#isFree);
  }

  /** True if nobody has the reply of `flow`, which is to stay as it is. */
  #isFreeAsIs(flow: number): boolean {
    const table = this.#table;
    if (!table.isReplyFree(flow) && table.findSame(flow + TUPLE_LENGTH) >= 0) return false;
    table.noteReply(flow, true);
    return true;
  }

  /** Write the tuple that the connection shall show into {@link Scratch.Candidate}. */
  #choose(flow: number, isSource: boolean, range: NatRange | null): void {
    const { words } = this.#table;
    const isRandom = range?.isRandom ?? false;
    copyTuple(words, Scratch.Current, Scratch.Candidate);
    if (isSource && !isRandom) {
      if (this.#keepSource(flow, range)) return;
      copyTuple(words, Scratch.Current, Scratch.Candidate);
    }
    this.#chooseAddress(isSource, range);
    if (!isRandom && this.#isInPorts(isSource, range)) {
      const { takesOnlyPort } = this.#behaviour;
      const isOnly =
        takesOnlyPort && range?.ports != null && range.ports.lower === range.ports.upper;
      if (isOnly || !this.#isTaken(flow)) return;
    }
    this.#choosePort(flow, isSource, range);
  }

  /** Keep the source as it is, or give it what another connection of the same source got. */
  #keepSource(flow: number, range: NatRange | null): boolean {
    const isAllowed = this.#isInRange(range);
    if (this.#behaviour.triesSourceFirst && isAllowed) {
      return !this.#isTaken(flow) || this.#isOpposite(flow);
    }
    return this.#reuse(range) && !this.#isTaken(flow);
  }

  /** `find_appropriate_src`. */
  #reuse(range: NatRange | null): boolean {
    const table = this.#table;
    const { view, words } = table;
    let same = table.firstSame(Scratch.Current);
    for (; same !== 0; same = table.nextSame(same)) {
      if (!hasSameSource(words, same, Scratch.Current) || table.isExpired(same)) continue;
      invertTuple(words, same + TUPLE_LENGTH, Scratch.Candidate);
      TUPLE.dst.set(view, Scratch.Candidate, TUPLE.dst.get(view, Scratch.Current));
      TUPLE.dstPort.set(view, Scratch.Candidate, TUPLE.dstPort.get(view, Scratch.Current));
      if (this.#isInRange(range)) return true;
    }
    return false;
  }

  /** True if the candidate's source is one that `range` allows. */
  #isInRange(range: NatRange | null): boolean {
    const { words } = this.#table;
    const src = words[(Scratch.Candidate >> 2) + TupleWord.Src] ?? 0;
    if (range === null) return src === words[(Scratch.Current >> 2) + TupleWord.Src];
    const { addresses } = range;
    const address = src >>> 0;
    const isAddress =
      addresses === null || (address >= addresses.lower && address <= addresses.upper);
    return isAddress && this.#isInPorts(true, range);
  }

  #isInPorts(isSource: boolean, range: NatRange | null): boolean {
    const ports = range?.ports ?? null;
    if (ports === null) return true;
    const { view } = this.#table;
    const protocol = TUPLE.protocol.get(view, Scratch.Candidate);
    if (!this.#behaviour.portProtocols.has(protocol)) return true;
    const port = this.#portField(isSource).get(view, Scratch.Candidate);
    return port >= ports.lower && port <= ports.upper;
  }

  /** The candidate's port on that side; an ICMP query has one id for both. */
  #portField(isSource: boolean): typeof TUPLE.srcPort {
    const { view } = this.#table;
    const isIcmp = TUPLE.protocol.get(view, Scratch.Candidate) === Protocol.Icmp;
    return isSource || isIcmp ? TUPLE.srcPort : TUPLE.dstPort;
  }

  /** `find_best_ips_proto`: the same two hosts always get the same address. */
  #chooseAddress(isSource: boolean, range: NatRange | null): void {
    const addresses = range?.addresses ?? null;
    if (addresses === null) return;
    const { words } = this.#table;
    const { lower, upper } = addresses;
    const size = upper - lower + 1;
    const index = size === 1 ? 0 : this.#spread(size, range?.isPersistent ?? false);
    const word = isSource ? TupleWord.Src : TupleWord.Dst;
    words[(Scratch.Candidate >> 2) + word] = lower + index;
  }

  #spread(size: number, isPersistent: boolean): number {
    const { view } = this.#table;
    const src = turnRound(TUPLE.src.get(view, Scratch.Candidate));
    const dst = turnRound(TUPLE.dst.get(view, Scratch.Candidate));
    if (this.#behaviour.addressHash === "lookup2") return lookup2(src, dst) % size;
    return Math.floor((lookup3(src, isPersistent ? 0 : dst) * size) / 2 ** 32);
  }

  /** True if another connection's answers would look like the candidate's. */
  #isTaken(flow: number): boolean {
    const table = this.#table;
    const { words } = table;
    invertTuple(words, Scratch.Candidate, Scratch.Probe);
    const reply = flow + TUPLE_LENGTH;
    const isKnown = table.isReplyFree(flow) && isSameTuple(words, Scratch.Probe, reply);
    const way = isKnown ? -1 : table.find();
    this.#isFree = way < 0;
    if (way < 0 || table.flowAt(way) === flow) return false;
    // The same connection, whose packets overtook each other before it was confirmed.
    const isSame = this.#behaviour.toleratesClashes && isSameTuple(words, table.flowAt(way), flow);
    return !isSame;
  }

  /** True if what has the candidate is this connection, begun from its other end meanwhile. */
  #isOpposite(flow: number): boolean {
    const table = this.#table;
    const { view } = table;
    const isMapped = (FLOW.status.get(view, flow) & ANY_MAPPED) !== 0;
    const isSaved = this.#behaviour.toleratesClashes && mayClash(TUPLE.protocol.get(view, flow));
    if (!isSaved || isMapped) return false;
    const way = table.findSame(Scratch.Current);
    if (way < 0) return false;
    const other = table.flowAt(way);
    if ((FLOW.status.get(view, other) & ANY_MAPPED) !== 0) return false;
    return isSameTuple(table.words, other, flow + TUPLE_LENGTH);
  }

  /** Search for a free port; the last one tried stays if there is none. */
  #choosePort(flow: number, isSource: boolean, range: NatRange | null): void {
    const { view } = this.#table;
    const protocol = TUPLE.protocol.get(view, Scratch.Candidate);
    if (!this.#behaviour.portProtocols.has(protocol) || !this.#setPorts(isSource, range)) return;
    const field = this.#portField(isSource);
    if (this.#behaviour.portSearch === "counter") this.#searchOn(flow, field, protocol, range);
    else this.#searchAnywhere(flow, field, isSource || (range?.isRandom ?? false));
  }

  /** The ports to choose from. @returns false if the port must stay as it is. */
  #setPorts(isSource: boolean, range: NatRange | null): boolean {
    const { view } = this.#table;
    const ports = range?.ports ?? null;
    if (ports !== null) {
      this.#first = Math.min(ports.lower, ports.upper);
      this.#size = Math.abs(ports.upper - ports.lower) + 1;
      return true;
    }
    if (TUPLE.protocol.get(view, Scratch.Candidate) === Protocol.Icmp) {
      this.#first = 0;
      this.#size = this.#behaviour.icmpIds;
      return true;
    }
    if (!isSource) return false;
    const port = TUPLE.srcPort.get(view, Scratch.Candidate);
    const { first, size } = port >= 1024 ? USER_PORTS : port >= 512 ? RESERVED_PORTS : SYSTEM_PORTS;
    this.#first = first;
    this.#size = size;
    return true;
  }

  /** Begin where the last search of the protocol ended. */
  #searchOn(
    flow: number,
    field: typeof TUPLE.srcPort,
    protocol: number,
    range: NatRange | null,
  ): void {
    const { view } = this.#table;
    const isRandom = range?.isRandom ?? false;
    let counter = isRandom ? this.#chance.below(0x1_0000) : (this.#counters.get(protocol) ?? 0);
    for (let attempt = 0; attempt < this.#size; attempt += 1) {
      field.set(view, Scratch.Candidate, this.#first + (counter % this.#size));
      if (!this.#isTaken(flow)) break;
      counter = (counter + 1) & 0xffff;
    }
    this.#counters.set(protocol, counter);
  }

  /** Begin anywhere, then anywhere else, with ever fewer attempts. */
  #searchAnywhere(flow: number, field: typeof TUPLE.srcPort, isRandom: boolean): void {
    const { view } = this.#table;
    const size = this.#size;
    let offset = isRandom ? this.#chance.below(0x1_0000) : 0;
    for (let attempts = Math.min(size, MAX_ATTEMPTS); ; attempts >>= 1) {
      for (let left = attempts; left > 0; left -= 1) {
        field.set(view, Scratch.Candidate, this.#first + (offset % size));
        if (!this.#isTaken(flow) || (left <= LAST_ATTEMPTS && this.#takeOver(flow))) return;
        offset = (offset + 1) & 0xffff;
      }
      if (attempts >= size || attempts < MIN_ATTEMPTS) return;
      offset = this.#chance.below(0x1_0000);
    }
  }

  /** End the closed TCP connection that has the candidate's port, if this one follows it. */
  #takeOver(flow: number): boolean {
    const table = this.#table;
    const { view, records } = table;
    const isOpening =
      this.#behaviour.takesTimeWaitPorts &&
      TUPLE.protocol.get(view, flow) === Protocol.Tcp &&
      CONNECTION.state.get(records, flow) === TcpState.SynSent;
    if (!isOpening) return false;
    const way = table.find();
    const old = table.flowAt(way);
    if (way === old || CONNECTION.state.get(records, old) < TcpState.TimeWait) return false;
    if ((FLOW.status.get(view, old) & Status.SourceMapped) === 0) return false;
    if (!isAfter(SIDE.end.get(records, flow), SIDE.end.get(records, old))) return false;
    table.remove(old);
    return true;
  }
}
