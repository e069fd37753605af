/**
 * The protocols that connection tracking knows: TCP, UDP and its kin, ICMP queries, GRE, and the
 * rest alike
 * (nf_conntrack_proto_*.c of Linux).
 *
 * Deviation: SCTP counts among the rest; a current Linux has rules for it. PPTP's control
 * connections are not read, so that a GRE call and its answers are two connections.
 * @module
 */
import type { Jiffies } from "../base/jiffies.ts";
import { type Duration, SECOND } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import { IPV4 as ImportedIPV4, Protocol as ImportedProtocol } from "../l3/ipv4.ts";
import { TCP, TcpFlag } from "../l4/tcp.ts";
import type { ConntrackBehaviour } from "./behaviour.ts";
import {
  FLOW as ImportedFLOW,
  FlowWord as ImportedFlowWord,
  Status as ImportedStatus,
  TALLY,
  TALLY_OFFSET,
} from "./flow-record.ts";
import type { FlowTable } from "./flow-table.ts";
import { type InvalidCause, Outcome as ImportedOutcome } from "./outcome.ts";
import {
  CONNECTION,
  TcpFlow,
  TcpSegment,
  type TcpSettings,
  TcpState,
  type TcpTimeouts,
} from "./tcp-record.ts";
import { isIcmpQuery, TUPLE, TUPLE_LENGTH, TupleWord as ImportedTupleWord } from "./tuple.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const IPV4 = ImportedIPV4;
const Protocol = ImportedProtocol;
const FLOW = ImportedFLOW;
const FlowWord = ImportedFlowWord;
const Status = ImportedStatus;
const Outcome = ImportedOutcome;
type Outcome = ImportedOutcome;
const TupleWord = ImportedTupleWord;
// Read and written for every packet, as words: as fields they would cost a call each.
const PACKETS = TALLY.packets.offset / 4;
const OCTETS = TALLY.octetsLow.offset / 4;
const FIRST_TALLY = TALLY_OFFSET / 4;
const TALLY_WORDS = TUPLE_LENGTH / 4;
const PROTOCOL = IPV4.protocol.offset;

/** Life of an entry from which a mistrusted close shortens it. */
const SHORTENED: Duration = 120 * SECOND;

/** States and lives of the entries of one table, by protocol. */
export class Trackers {
  /** Why the last packet was invalid. */
  cause: InvalidCause = "tcp/state";
  readonly #table: FlowTable;
  readonly #behaviour: ConntrackBehaviour;
  readonly #settings: TcpSettings;
  readonly #segment: TcpSegment;
  readonly #tcp: TcpFlow;
  readonly #generic: number;
  readonly #icmp: number;
  readonly #udp: number;
  readonly #udpStream: number;
  readonly #gre: number;
  readonly #greStream: number;
  /** Ticks; -1 for any age. */
  readonly #streamAge: number;
  /** The same, 0 for any age. */
  readonly #settled: number;
  readonly #countsTraffic: boolean;

  constructor(table: FlowTable, behaviour: ConntrackBehaviour, jiffies: Jiffies) {
    const ticks = (duration: Duration): number => Math.round(duration / jiffies.tick);
    const { timeouts, udpStreamAge } = behaviour;
    this.#table = table;
    this.#behaviour = behaviour;
    this.#segment = new TcpSegment(table.view);
    this.#tcp = new TcpFlow(table.records);
    this.#generic = ticks(timeouts.generic);
    this.#icmp = ticks(timeouts.icmp);
    this.#udp = ticks(timeouts.udp);
    this.#udpStream = ticks(timeouts.udpStream);
    this.#gre = ticks(timeouts.gre);
    this.#greStream = ticks(timeouts.greStream);
    this.#streamAge = udpStreamAge === null ? -1 : ticks(udpStreamAge);
    this.#settled = Math.max(this.#streamAge, 0);
    this.#countsTraffic = behaviour.countsTraffic;
    this.#settings = {
      timeouts: byState(timeouts.tcp).map(ticks),
      repeated: ticks(timeouts.tcp.repeated),
      unacknowledged: ticks(timeouts.tcp.unacknowledged),
      shortened: ticks(SHORTENED),
      maxRepeats: behaviour.tcpMaxRepeats,
      loose: behaviour.tcpLoose,
      isLiberal: behaviour.isTcpLiberal,
      ignoresInvalidReset: behaviour.ignoresInvalidReset,
    };
  }

  /**
   * A packet of the new `flow`, whose tuples are set.
   * @returns false if no connection begins so, with {@link cause} set.
   */
  open(flow: number, packet: Packet): boolean {
    const { words, records } = this.#table;
    const at = flow >> 2;
    switch (words[at + TupleWord.Protocol]) {
      case Protocol.Tcp:
        this.cause = "tcp/no-connection";
        this.#table.clearRecord(flow);
        this.#segment.read(packet.pool.view, packet.transport, packet.end);
        this.#tcp.turnTo(records, flow, 0, 0, 0);
        return this.#behaviour.tcp.open(this.#tcp, this.#segment, this.#settings);
      case Protocol.Icmp:
        this.cause = "icmp/no-query";
        return isIcmpQuery(TUPLE.dstPort.get(this.#table.view, flow) >>> 8);
      case Protocol.Udp:
        words[at + FlowWord.StreamFrom] = (this.#table.now + this.#settled) | 0;
        return true;
      default:
        return true;
    }
  }

  /** As {@link open} and {@link track}, for the first datagram of `flow`. @returns true. */
  openUdp(flow: number, packet: Packet): boolean {
    const { words, now } = this.#table;
    const at = flow >> 2;
    words[at + FlowWord.StreamFrom] = (now + this.#settled) | 0;
    words[at + FlowWord.Expires] = this.#udp;
    if (this.#countsTraffic) {
      words[at + FIRST_TALLY + PACKETS] = 1;
      words[at + FIRST_TALLY + OCTETS] = packet.end - packet.network;
    }
    return true;
  }

  /**
   * A packet of `flow` in `direction`, the first one included.
   * @returns what becomes of the packet, with {@link cause} set if it is invalid.
   */
  track(flow: number, direction: number, packet: Packet): Outcome {
    switch (packet.pool.view.getUint8(packet.network + PROTOCOL)) {
      case Protocol.Tcp:
        return this.#trackTcp(flow, direction, packet);
      case Protocol.Udp:
        return this.#trackUdp(flow, direction, packet);
      case Protocol.Icmp:
        return this.#trackIcmp(flow, direction, packet);
      default:
        return this.#trackOther(flow, direction, packet);
    }
  }

  /**
   * Datagrams of a known way, `octets` in all, whose confirmed entry at `flow` has `status`.
   * @returns false, and nothing is done, if they may change more than how long the entry lives and
   * what it counts.
   */
  followUdp(
    flow: number,
    status: number,
    direction: number,
    packets: number,
    octets: number,
  ): boolean {
    const table = this.#table;
    const { words } = table;
    const at = flow >> 2;
    const isOld =
      this.#streamAge < 0 || (((words[at + FlowWord.StreamFrom] ?? 0) - table.now) | 0) < 0;
    const isStream = (status & Status.SeenReply) !== 0 && isOld;
    if (isStream && (status & Status.Assured) === 0) return false;
    if ((status & Status.FixedTimeout) === 0) {
      const expires = (table.now + (isStream ? this.#udpStream : this.#udp)) | 0;
      words[at + FlowWord.Expires] = expires;
      table.noteExpiry(expires);
    }
    if (this.#countsTraffic) count(words, at, direction, packets, octets);
    return true;
  }

  /**
   * A segment of a known way, whose entry at `flow` is confirmed.
   * @returns repeat, and nothing is done, if it may change more than how long the flow lives and
   * what it counts; else as {@link track}.
   */
  followTcp(flow: number, direction: number, packet: Packet): Outcome {
    const { records } = this.#table;
    const flags = TCP.flags.get(packet.pool.view, packet.transport) & ~TcpFlag.Psh;
    const isSteady =
      flags === TcpFlag.Ack && CONNECTION.state.get(records, flow) === TcpState.Established;
    return isSteady ? this.#trackTcp(flow, direction, packet) : Outcome.Repeat;
  }

  /** The TCP connection of `flow` is closed by a rule; other protocols have no end. */
  close(flow: number): void {
    const table = this.#table;
    if (TUPLE.protocol.get(table.view, flow) !== Protocol.Tcp) return;
    if (CONNECTION.state.get(table.records, flow) === TcpState.Close) return;
    CONNECTION.state.set(table.records, flow, TcpState.Close);
    table.extend(flow, this.#settings.timeouts[TcpState.Close] ?? 0);
  }

  #trackTcp(flow: number, direction: number, packet: Packet): Outcome {
    const table = this.#table;
    const tcp = this.#tcp;
    const { view } = table;
    const status = FLOW.status.get(view, flow);
    const remaining = (FLOW.expires.get(view, flow) - table.now) | 0;
    this.#segment.read(packet.pool.view, packet.transport, packet.end);
    tcp.turnTo(table.records, flow, direction, status, remaining);
    const outcome = this.#behaviour.tcp.track(tcp, this.#segment, this.#settings);
    if (outcome === Outcome.Invalid) this.cause = tcp.cause;
    if (tcp.isKilled) {
      if (table.isLive(flow)) table.remove(flow);
      return outcome;
    }
    if (tcp.status !== status) FLOW.status.set(view, flow, tcp.status);
    if (tcp.timeout < 0) return outcome;
    if (outcome === Outcome.Accept) return this.#refresh(flow, direction, packet, tcp.timeout);
    table.extend(flow, tcp.timeout);
    return outcome;
  }

  #trackUdp(flow: number, direction: number, packet: Packet): Outcome {
    const { words, now } = this.#table;
    const at = flow >> 2;
    const status = words[at + FlowWord.Status] ?? 0;
    const isOld = this.#streamAge < 0 || (((words[at + FlowWord.StreamFrom] ?? 0) - now) | 0) < 0;
    if ((status & Status.SeenReply) === 0 || !isOld) {
      return this.#refresh(flow, direction, packet, this.#udp);
    }
    this.#assure(flow, status);
    return this.#refresh(flow, direction, packet, this.#udpStream);
  }

  #trackOther(flow: number, direction: number, packet: Packet): Outcome {
    const { view } = this.#table;
    const protocol = TUPLE.protocol.get(view, flow);
    if (!this.#behaviour.trackers.has(protocol)) {
      return this.#refresh(flow, direction, packet, this.#generic);
    }
    const isGre = protocol === Protocol.Gre;
    const status = FLOW.status.get(view, flow);
    if ((status & Status.SeenReply) === 0) {
      return this.#refresh(flow, direction, packet, isGre ? this.#gre : this.#udp);
    }
    this.#assure(flow, status);
    return this.#refresh(flow, direction, packet, isGre ? this.#greStream : this.#udpStream);
  }

  #trackIcmp(flow: number, direction: number, packet: Packet): Outcome {
    if (!this.#behaviour.endsAnsweredQueries) {
      return this.#refresh(flow, direction, packet, this.#icmp);
    }
    const { view } = this.#table;
    const unanswered = FLOW.unanswered.get(view, flow);
    if (direction === 0) {
      FLOW.unanswered.set(view, flow, unanswered + 1);
      return this.#refresh(flow, direction, packet, this.#icmp);
    }
    FLOW.unanswered.set(view, flow, unanswered - 1);
    if (unanswered === 1) this.#table.remove(flow);
    return Outcome.Accept;
  }

  /** Both ends have spoken: early drop spares the entry, unless it is one that must go soon. */
  #assure(flow: number, status: number): void {
    if ((status & Status.NatClash) !== 0) return;
    FLOW.status.set(this.#table.view, flow, status | Status.Assured);
  }

  #refresh(flow: number, direction: number, packet: Packet, ticks: number): Outcome {
    const table = this.#table;
    const { words } = table;
    const at = flow >> 2;
    const isFixed = ((words[at + FlowWord.Status] ?? 0) & Status.FixedTimeout) !== 0;
    if (!isFixed) table.extend(flow, ticks);
    if (this.#countsTraffic) count(words, at, direction, 1, packet.end - packet.network);
    return Outcome.Accept;
  }
}

function byState(timeouts: TcpTimeouts): readonly Duration[] {
  const { synSent, synReceived, established, finWait, closeWait, lastAck, timeWait } = timeouts;
  const { close, synSent2 } = timeouts;
  return [
    0,
    synSent,
    synReceived,
    established,
    finWait,
    closeWait,
    lastAck,
    timeWait,
    close,
    synSent2,
  ];
}

/** Add `packets` of `octets` in all to the tally of the entry that begins with word `at`. */
function count(
  words: Int32Array,
  at: number,
  direction: number,
  packets: number,
  octets: number,
): void {
  const tally = at + direction * TALLY_WORDS + FIRST_TALLY;
  words[tally + PACKETS] = ((words[tally + PACKETS] ?? 0) + packets) | 0;
  const before = words[tally + OCTETS] ?? 0;
  const after = (before + octets) | 0;
  words[tally + OCTETS] = after;
  if (before < 0 && after >= 0) words[tally + OCTETS + 1] = (words[tally + OCTETS + 1] ?? 0) + 1;
}
