/**
 * How connections begin: the look-up of a packet's tuple, an entry for it, and that entry's place
 * in the table once the packet has passed all rules (`resolve_normal_ct`, `init_conntrack` and
 * `__nf_conntrack_confirm` of Linux).
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Packet } from "../wire/packet.ts";
import { type Given, Opened as ImportedOpened } from "../wire/path-notes.ts";
import { swap32 as Importedswap32 } from "../l3/header-words.ts";
import { IPV4, Protocol as ImportedProtocol } from "../l3/ipv4.ts";
import type { ConntrackBehaviour } from "./behaviour.ts";
import { resolveClash } from "./clash.ts";
import type { Evictor } from "./eviction.ts";
import { Scratch as ImportedScratch } from "./flow-record.ts";
import { type FlowTable, SWEEP_STEPS as ImportedSWEEP_STEPS } from "./flow-table.ts";
import { Outcome as ImportedOutcome } from "./outcome.ts";
import type { Trackers } from "./trackers.ts";
import {
  copyTuple as ImportedcopyTuple,
  invertTuple as ImportedinvertTuple,
  portsAt as ImportedportsAt,
  readTuple as ImportedreadTuple,
  setTuple as ImportedsetTuple,
  TUPLE_LENGTH as ImportedTUPLE_LENGTH,
  turn as Importedturn,
  TupleWord as ImportedTupleWord,
} from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const Opened = ImportedOpened;
type Opened = ImportedOpened;
const Outcome = ImportedOutcome;
const Protocol = ImportedProtocol;
const swap32 = Importedswap32;
const Scratch = ImportedScratch;
const SWEEP_STEPS = ImportedSWEEP_STEPS;
const TUPLE_LENGTH = ImportedTUPLE_LENGTH;
const copyTuple = ImportedcopyTuple;
const invertTuple = ImportedinvertTuple;
const portsAt = ImportedportsAt;
const TupleWord = ImportedTupleWord;
const setTuple = ImportedsetTuple;
const turn = Importedturn;
const readTuple = ImportedreadTuple;

// Read of every packet that opens a connection: as fields they would cost a call each.
const PROTOCOL = IPV4.protocol.offset;
const SOURCE = IPV4.src.offset;
const DESTINATION = IPV4.dst.offset;

/** Both ports as a tuple has them, of a header's word of both. */
const swapPorts = (ports: number): number => ((ports & 0xff00ff) << 8) | ((ports >>> 8) & 0xff00ff);

/** Why no entry was opened; never a way. */
export const Unopened = { Invalid: -1, Full: -2 } as const;

/** What a {@link FlowOpener} works with. */
export interface FlowOpenerOptions {
  readonly table: FlowTable;
  readonly behaviour: ConntrackBehaviour;
  readonly trackers: Trackers;
  readonly evictor: Evictor;
  /** How long an entry lives that is in the table by its reply alone. */
  readonly clashTicks: number;
}

/** Opens the entries of one table. */
export class FlowOpener {
  readonly #table: FlowTable;
  readonly #behaviour: ConntrackBehaviour;
  readonly #trackers: Trackers;
  readonly #evictor: Evictor;
  readonly #clashTicks: number;

  constructor({ table, behaviour, trackers, evictor, clashTicks }: FlowOpenerOptions) {
    this.#table = table;
    this.#behaviour = behaviour;
    this.#trackers = trackers;
    this.#evictor = evictor;
    this.#clashTicks = clashTicks;
  }

  /** As `FlowTracker.expectNew`. */
  expect(source: number, destination: number, ports: number, protocol: number, given: Given): void {
    const table = this.#table;
    const src = swap32(source);
    const dst = swap32(destination);
    const both = swapPorts(ports);
    const turned = turn(both);
    table.touch(src, dst, both, protocol);
    table.touch(dst, src, turned, protocol);
    if (given.translator === null) table.expectNew(src, both & 0xffff, protocol, false);
    else {
      const from = (given.destination?.addresses?.lower ?? dst) | 0;
      const to = (given.source?.addresses?.lower ?? src) | 0;
      if (from !== dst || to !== src) table.touch(from, to, turned, protocol);
      table.expectNew(src, both & 0xffff, protocol, true);
    }
  }

  /** As `FlowTracker.open`, for a packet that was found sound: on little-endian computers. */
  pass(packet: Packet, given: Given): Opened {
    const table = this.#table;
    const trackers = this.#trackers;
    const { network } = packet;
    const { view } = packet.pool;
    const src = view.getInt32(network + SOURCE);
    const dst = view.getInt32(network + DESTINATION);
    const ports = portsAt(view, packet.transport);
    const protocol = view.getUint8(network + PROTOCOL);
    setTuple(table.words, Scratch.Probe, src, dst, ports, protocol);
    if (table.find() >= 0 || !this.#evictor.makeRoom()) return Opened.No;
    const flow = table.allocate();
    const { words } = table;
    // Both tuples, without calls: there is room for few of them in the compiled code.
    const original = flow >> 2;
    const reply = (flow + TUPLE_LENGTH) >> 2;
    words[original + TupleWord.Src] = src;
    words[original + TupleWord.Dst] = dst;
    words[original + TupleWord.Ports] = ports;
    words[original + TupleWord.Protocol] = protocol;
    words[reply + TupleWord.Src] = dst;
    words[reply + TupleWord.Dst] = src;
    words[reply + TupleWord.Ports] = turn(ports);
    words[reply + TupleWord.Protocol] = protocol;
    table.noteFree(flow);
    const isTracked =
      protocol === Protocol.Udp
        ? trackers.openUdp(flow, packet)
        : trackers.open(flow, packet) && trackers.track(flow, 0, packet) === Outcome.Accept;
    if (!isTracked) {
      table.abandon(flow);
      return Opened.No;
    }
    given.translator?.give(flow, given.destination, given.source);
    given.translator?.change(packet, flow);
    const isIn = this.insert(packet, flow);
    packet.flow = -1;
    return isIn ? Opened.Yes : Opened.Clash;
  }

  /** The way of the checked `packet`, whose tuple stays in the probe; -1 for none. */
  find({ pool, network, end }: Packet): number {
    const table = this.#table;
    const { quotedPortOctets, trackers } = this.#behaviour;
    const { words } = table;
    const to = Scratch.Probe;
    const hasTuple = readTuple(pool.view, network, end, words, to, quotedPortOctets, trackers);
    assert(hasTuple, "a checked packet has a tuple");
    return table.find();
  }

  /** A new entry for the tuple in the probe. @returns its way, or what prevents it. */
  open(packet: Packet): number {
    const table = this.#table;
    if (!invertTuple(table.words, Scratch.Probe, Scratch.Current)) {
      this.#trackers.cause = "icmp/no-query";
      return Unopened.Invalid;
    }
    if (!this.#evictor.makeRoom()) return Unopened.Full;
    const flow = table.allocate();
    copyTuple(table.words, Scratch.Probe, flow);
    copyTuple(table.words, Scratch.Current, flow + TUPLE_LENGTH);
    table.noteFree(flow);
    if (this.#trackers.open(flow, packet)) return flow;
    table.abandon(flow);
    return Unopened.Invalid;
  }

  /** The entry that `packet` opened goes into the table. @returns false if the packet must go. */
  insert(packet: Packet, flow: number): boolean {
    const table = this.#table;
    const isTaken =
      (!table.isOriginalFree(flow) && table.findSame(flow) >= 0) ||
      (!table.isReplyFree(flow) && table.findSame(flow + TUPLE_LENGTH) >= 0);
    if (isTaken) {
      packet.path?.spoilOpening();
      const { resolvesClashes } = this.#behaviour;
      return resolvesClashes && resolveClash(table, packet, flow, this.#clashTicks);
    }
    table.insert(flow);
    table.sweep(SWEEP_STEPS);
    return true;
  }
}
