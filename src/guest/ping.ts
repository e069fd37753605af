/**
 * Ping as iputils does it: ICMP echo of RFC 792 from a raw socket, the time in the data.
 * @module
 */
import { type Duration, type Instant, MILLISECOND, NEVER, SECOND } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr } from "../wire/addr.ts";
import { fieldsOf } from "../wire/field.ts";
import { struct, u32le } from "../wire/layout.ts";
import type { Packet } from "../wire/packet.ts";
import { ICMP, ICMP_LENGTH, IcmpType, isIcmpError, sealIcmp, Unreachable } from "../l3/icmp.ts";
import type { IcmpListener } from "../l3/icmp-responder.ts";
import { headerLengthOf, IPV4, Protocol } from "../l3/ipv4.ts";
import type { DatagramOptions, DatagramOrigin, SendFailure } from "../l4/datagram.ts";
import { quotedPacket, requireWhole, type Tool, type ToolHost } from "./tool.ts";

/** The `timeval` at the start of the data, as 64-bit and 32-bit hosts write it. */
const TIMEVAL_64 = struct([
  u32le("seconds"),
  u32le("secondsHigh"),
  u32le("microseconds"),
  u32le("microsecondsHigh"),
]);
const TIMEVAL_32 = struct([u32le("seconds"), u32le("microseconds")]);
const TIME_64 = fieldsOf(TIMEVAL_64);
const TIME_32 = fieldsOf(TIMEVAL_32);

/** What a ping heard, or why it could not send. */
export type PingEvent =
  | {
      readonly kind: "reply";
      readonly sequence: number;
      /** Who answered: not always who was asked. */
      readonly from: Ipv4Addr;
      /** Octets of the ICMP message. */
      readonly length: number;
      readonly ttl: number;
      /** By the time in the data; `null` if the data are too short for one. */
      readonly rtt: Duration | null;
      readonly isDuplicate: boolean;
    }
  | {
      /** An ICMP error about a request. */
      readonly kind: "error";
      readonly sequence: number;
      readonly from: Ipv4Addr;
      readonly type: number;
      readonly code: number;
      /** Of "fragmentation needed"; else 0. */
      readonly mtu: number;
    }
  | { readonly kind: "unsent"; readonly sequence: number; readonly failure: SendFailure };

/** What `ping` is called with; its letters in brackets. */
export interface PingOptions extends DatagramOptions {
  readonly target: Ipv4Addr;
  /** Requests (-c), from 1; `null`, the default, for no end. */
  readonly count?: number | null;
  /** Between requests (-i), whole milliseconds from 1; 1 s. */
  readonly interval?: Duration;
  /** Octets of data (-s), 0 to 65,507; 56. */
  readonly size?: number;
  /** How long the last request waits for the first answer of all (-W); 10 s. */
  readonly timeout?: Duration;
  /** 0 to 65,535 (-e); `null`, the default, draws one. */
  readonly id?: number | null;
  /** True if the host is a 32-bit one, whose time stamp fills 8 octets instead of 16; false. */
  readonly hasShortTime?: boolean;
  /** Called for each event, in order. */
  readonly onEvent?: (event: PingEvent, now: Instant) => void;
  /** Called once, when it is over. */
  readonly onDone?: (ping: Ping, now: Instant) => void;
}

const SEQUENCES = 0x1_0000;
const LONGEST_DATA = 65_507;

/** One run of `ping`. */
export class Ping implements Tool, IcmpListener {
  readonly target: Ipv4Addr;
  readonly id: number;
  isDone = false;
  /** Requests, those that could not be sent included. */
  transmitted = 0;
  /** Answers, without duplicates. */
  received = 0;
  duplicates = 0;
  /** ICMP errors about requests, and requests that were too big to send. */
  errors = 0;
  /** Shortest round trip; `Infinity` before the first. */
  minRtt: Duration = Infinity;
  maxRtt: Duration = 0;
  /** Of all answers, duplicates included, as iputils counts. */
  totalRtt: Duration = 0;
  readonly #host: ToolHost;
  readonly #options: PingOptions;
  readonly #origin: DatagramOrigin;
  readonly #count: number | null;
  readonly #interval: Duration;
  readonly #size: number;
  readonly #timeOctets: number;
  readonly #isAnswered = new Uint8Array(SEQUENCES / 8);
  #sendAt: Instant;
  #exitAt: Instant = NEVER;

  /** @throws {OptionError} for a value out of its range. */
  constructor(host: ToolHost, options: PingOptions, now: Instant) {
    const { count = null, interval = SECOND, size = 56, id = null } = options;
    requireWhole("count", count ?? 1, 1, Number.MAX_SAFE_INTEGER);
    requireWhole("interval", interval / MILLISECOND, 1, Number.MAX_SAFE_INTEGER);
    requireWhole("size", size, 0, LONGEST_DATA);
    requireWhole("id", id ?? 0, 0, 0xffff);
    this.#host = host;
    this.#options = options;
    this.#count = count;
    this.#interval = interval;
    this.#size = size;
    this.#timeOctets = options.hasShortTime === true ? TIMEVAL_32.span : TIMEVAL_64.span;
    this.target = options.target;
    this.#origin = {
      ...options,
      protocol: Protocol.Icmp,
      src: IPV4_ANY,
      dst: options.target,
      length: ICMP_LENGTH + size,
      counter: null,
    };
    this.id = id ?? host.chance.below(SEQUENCES);
    this.#sendAt = now;
    host.router.icmp.addListener(this);
  }

  nextDeadline(): Instant {
    return Math.min(this.#sendAt, this.#exitAt);
  }

  expire(now: Instant): void {
    if (now >= this.#exitAt) this.stop(now);
    else if (now >= this.#sendAt) this.#send(now);
  }

  stop(now: Instant): void {
    if (this.isDone) return;
    this.isDone = true;
    this.#sendAt = NEVER;
    this.#exitAt = NEVER;
    this.#host.router.icmp.removeListener(this);
    this.#options.onDone?.(this, now);
  }

  onIcmp(packet: Packet, type: number, now: Instant): void {
    const { view } = packet.pool;
    if (type === IcmpType.EchoReply) {
      if (ICMP.id.get(view, packet.transport) === this.id) this.#onReply(packet, now);
    } else if (isIcmpError(type)) this.#onError(packet, type, now);
  }

  /** `pinger`: the next request, and when the one after it or the end is due. */
  #send(now: Instant): void {
    this.transmitted += 1;
    const sequence = this.transmitted % SEQUENCES;
    this.#markAnswered(sequence, false);
    const isLast = this.transmitted === this.#count;
    this.#sendAt = isLast ? NEVER : now + this.#interval;
    if (isLast) this.#exitAt = now + this.#patience();
    const failure = this.#transmit(sequence, now);
    if (failure === null) return;
    if (failure === "too-big") this.errors += 1;
    this.#options.onEvent?.({ kind: "unsent", sequence, failure }, now);
    this.#finishIfComplete(now);
  }

  /** `__schedule_exit`: who answered before is waited for twice as long as he ever took. */
  #patience(): Duration {
    if (this.received === 0) return this.#options.timeout ?? 10 * SECOND;
    return Math.max(2 * this.maxRtt, this.#interval);
  }

  #transmit(sequence: number, now: Instant): SendFailure | null {
    const { router, datagrams } = this.#host;
    const packet = datagrams.make(this.#origin, now);
    if (typeof packet === "string") return packet;
    const { view, bytes } = packet.pool;
    const at = packet.transport;
    const data = at + ICMP_LENGTH;
    ICMP.type.set(view, at, IcmpType.Echo);
    ICMP.code.set(view, at, 0);
    ICMP.id.set(view, at, this.id);
    ICMP.sequence.set(view, at, sequence);
    for (let index = 0; index < this.#size; index += 1) bytes[data + index] = index & 0xff;
    if (this.#size >= this.#timeOctets) this.#writeTime(view, data, now);
    sealIcmp(view, at, packet.end);
    router.send(packet, now);
    return null;
  }

  #onReply(packet: Packet, now: Instant): void {
    const { view } = packet.pool;
    const at = packet.transport;
    const sequence = ICMP.sequence.get(view, at);
    const length = packet.end - at;
    const hasTime = this.#size >= this.#timeOctets && length >= ICMP_LENGTH + this.#timeOctets;
    const rtt = hasTime ? this.#readRtt(view, at + ICMP_LENGTH, now) : null;
    if (rtt !== null) {
      this.minRtt = Math.min(this.minRtt, rtt);
      this.maxRtt = Math.max(this.maxRtt, rtt);
      this.totalRtt += rtt;
    }
    const isDuplicate = this.#wasAnswered(sequence);
    if (isDuplicate) this.duplicates += 1;
    else this.received += 1;
    this.#markAnswered(sequence, true);
    const from = IPV4.src.get(view, packet.network);
    const ttl = IPV4.ttl.get(view, packet.network);
    const event = { kind: "reply", sequence, from, length, ttl, rtt, isDuplicate } as const;
    this.#options.onEvent?.(event, now);
    this.#finishIfComplete(now);
  }

  #onError(packet: Packet, type: number, now: Instant): void {
    const { view } = packet.pool;
    const quoted = quotedPacket(packet);
    if (quoted < 0 || type === IcmpType.Redirect || type === IcmpType.SourceQuench) return;
    const echo = quoted + headerLengthOf(view, quoted);
    const isOurs =
      IPV4.protocol.get(view, quoted) === Protocol.Icmp &&
      IPV4.dst.get(view, quoted) === this.target &&
      ICMP.type.get(view, echo) === IcmpType.Echo &&
      ICMP.id.get(view, echo) === this.id;
    if (!isOurs) return;
    this.errors += 1;
    const sequence = ICMP.sequence.get(view, echo);
    const from = IPV4.src.get(view, packet.network);
    const code = ICMP.code.get(view, packet.transport);
    const isTooBig = type === IcmpType.Unreachable && code === Unreachable.FragmentationNeeded;
    const mtu = isTooBig ? ICMP.mtu.get(view, packet.transport) : 0;
    this.#options.onEvent?.({ kind: "error", sequence, from, type, code, mtu }, now);
    this.#finishIfComplete(now);
  }

  #finishIfComplete(now: Instant): void {
    if (this.#count !== null && this.received + this.errors >= this.#count) this.stop(now);
  }

  #writeTime(view: DataView, at: number, now: Instant): void {
    const time = this.#host.epoch + now;
    const seconds = Math.floor(time / SECOND);
    if (this.#timeOctets === TIMEVAL_32.span) {
      TIME_32.seconds.set(view, at, seconds % 2 ** 32);
      TIME_32.microseconds.set(view, at, time % SECOND);
      return;
    }
    TIME_64.seconds.set(view, at, seconds % 2 ** 32);
    TIME_64.secondsHigh.set(view, at, Math.floor(seconds / 2 ** 32));
    TIME_64.microseconds.set(view, at, time % SECOND);
    TIME_64.microsecondsHigh.set(view, at, 0);
  }

  /** What comes from the future took no time: iputils' countermeasure. */
  #readRtt(view: DataView, at: number, now: Instant): Duration {
    const isShort = this.#timeOctets === TIMEVAL_32.span;
    const time = isShort ? TIME_32 : TIME_64;
    const high = isShort ? 0 : TIME_64.secondsHigh.get(view, at);
    const seconds = high * 2 ** 32 + time.seconds.get(view, at);
    const sent = seconds * SECOND + time.microseconds.get(view, at);
    return Math.max(this.#host.epoch + now - sent, 0);
  }

  #wasAnswered(sequence: number): boolean {
    return ((this.#isAnswered[sequence >>> 3] ?? 0) & (1 << (sequence & 7))) !== 0;
  }

  #markAnswered(sequence: number, isAnswered: boolean): void {
    const octet = this.#isAnswered[sequence >>> 3] ?? 0;
    const bit = 1 << (sequence & 7);
    this.#isAnswered[sequence >>> 3] = isAnswered ? octet | bit : octet & ~bit;
  }
}
