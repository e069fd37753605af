/**
 * ICMP messages to this host: RFC 1122 section 3.2.2, with what Linux answers: echo and
 * timestamp; not broadcasts, address masks, information requests.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import type { Addressing } from "./addressing.ts";
import {
  checkIcmp,
  ICMP,
  ICMP_LENGTH,
  ICMP_TIMESTAMPS,
  ICMP_TIMESTAMPS_LENGTH,
  IcmpType,
  isIcmpError,
  sealIcmp,
} from "./icmp.ts";
import { IPV4, IPV4_MIN_LENGTH, Protocol, writeIpv4 } from "./ipv4.ts";
import { echoOptions, writeEchoed } from "./ipv4-options.ts";
import type { IcmpSocket } from "./icmp-socket.ts";
import type { PacketOptions } from "./packet-options.ts";
import type { Peers } from "./peers.ts";
import { RouteKind } from "./route-table.ts";
import type { StackSettings } from "./stack-settings.ts";

/** What the responder asks of its router. */
export interface RespondHost {
  readonly icmpSocket: IcmpSocket;
  /** Milliseconds since midnight UTC at `now`. */
  timeOfDay(now: Instant): number;
  readonly options: PacketOptions;
  readonly peers: Peers;
  readonly settings: StackSettings;
  readonly addressing: Addressing;
}

/** Keeps answers few, if they are limited. */
export interface AnswerLimit {
  /** Whether an answer of `type` may go to `dst` now. */
  mayAnswer(type: number, dst: Ipv4Addr, now: Instant): boolean;
}

/**
 * Hears replies and errors that came to this host; borrows the packet, whose message is checked.
 */
export interface IcmpListener {
  onIcmp(packet: Packet, type: number, now: Instant): void;
}

/** Answers requests, and passes replies and errors to listeners. */
export class IcmpResponder {
  readonly #host: RespondHost;
  readonly #limit: AnswerLimit;
  readonly #listeners = new Set<IcmpListener>();

  constructor(host: RespondHost, limit: AnswerLimit) {
    this.#host = host;
    this.#limit = limit;
  }

  addListener(listener: IcmpListener): void {
    this.#listeners.add(listener);
  }

  removeListener(listener: IcmpListener): void {
    this.#listeners.delete(listener);
  }

  /** A message to this host came in; `transport` lies at it. Takes ownership. */
  deliver(packet: Packet, now: Instant): void {
    const { view } = packet.pool;
    const wrong = checkIcmp(view, packet.transport, packet.end);
    if (wrong !== null) {
      packet.pool.end(packet, "discarded", wrong, now);
      return;
    }
    const type = ICMP.type.get(view, packet.transport);
    const { ignoresEcho, ignoresBroadcastEcho } = this.#host.settings;
    const isEcho = type === IcmpType.Echo;
    const mayAnswerAll = !ignoresBroadcastEcho && (isEcho || type === IcmpType.Timestamp);
    if (isToAll(packet) && !mayAnswerAll) {
      packet.pool.end(packet, "discarded", "icmp/broadcast", now);
    } else if (isEcho && ignoresEcho) packet.pool.end(packet, "discarded", "icmp/ignored", now);
    else if (isEcho) this.#answerEcho(packet, now);
    else if (type === IcmpType.Timestamp) this.#answerTimestamp(packet, now);
    else if (isIcmpError(type) || type === IcmpType.EchoReply || isLateReply(type)) {
      for (const listener of this.#listeners) listener.onIcmp(packet, type, now);
      const reason = isIcmpError(type) ? "icmp/error" : "icmp/reply";
      packet.pool.end(packet, "delivered", reason, now);
    } else packet.pool.end(packet, "discarded", "icmp/not-answered", now);
  }

  #answerEcho(request: Packet, now: Instant): void {
    const reply = this.#newReply(request, request.end - request.transport, now);
    if (reply === null) return;
    reply.pool.bytes.copyWithin(reply.transport, request.transport, request.end);
    this.#send(request, reply, IcmpType.EchoReply, "icmp/echo", now);
  }

  /** A request needs no more than its own time; the answer has all three. */
  #answerTimestamp(request: Packet, now: Instant): void {
    const { view, bytes } = request.pool;
    const asked = request.transport + ICMP_LENGTH + ICMP_TIMESTAMPS.receive.offset;
    if (request.end < asked) {
      request.pool.end(request, "discarded", "icmp/truncated", now);
      return;
    }
    const reply = this.#newReply(request, ICMP_LENGTH + ICMP_TIMESTAMPS_LENGTH, now);
    if (reply === null) return;
    bytes.copyWithin(reply.transport, request.transport, asked);
    const time = this.#host.timeOfDay(now);
    ICMP.code.set(view, reply.transport, 0);
    ICMP_TIMESTAMPS.receive.set(view, reply.transport + ICMP_LENGTH, time);
    ICMP_TIMESTAMPS.transmit.set(view, reply.transport + ICMP_LENGTH, time);
    this.#send(request, reply, IcmpType.TimestampReply, "icmp/timestamp", now);
  }

  /** A packet back to the sender of `request` for a message of `length` octets; `null` for none. */
  #newReply(request: Packet, length: number, now: Instant): Packet | null {
    const { pool } = request;
    const { view } = pool;
    const echoed = echoOptions(view, request.network, this.#host.options.current);
    const optionsLength = echoed?.octets.length ?? 0;
    const reply =
      echoed === null
        ? null
        : pool.allocate(ETHERNET_LENGTH + IPV4_MIN_LENGTH + optionsLength + length);
    if (echoed === null || reply === null) {
      pool.end(request, "discarded", "icmp/no-room", now);
      return null;
    }
    const dst = IPV4.src.get(view, request.network);
    const src = isToAll(request)
      ? this.#ownAddress(request, dst)
      : IPV4.dst.get(view, request.network);
    reply.network = reply.frame + ETHERNET_LENGTH;
    const tos = IPV4.tos.get(view, request.network);
    const id = this.#host.peers.nextId(dst, now);
    const origin = { protocol: Protocol.Icmp, src, dst, tos, id, ttl: this.#host.settings.ttl };
    writeIpv4(reply, { ...origin, optionsLength });
    writeEchoed(view, reply.network, echoed, src, this.#host.timeOfDay(now));
    return reply;
  }

  #send(request: Packet, reply: Packet, type: number, reason: Reason, now: Instant): void {
    ICMP.type.set(reply.pool.view, reply.transport, type);
    sealIcmp(reply.pool.view, reply.transport, reply.end);
    const dst = IPV4.dst.get(reply.pool.view, reply.network);
    if (this.#limit.mayAnswer(type, dst, now)) {
      request.pool.end(request, "consumed", reason, now);
      this.#host.icmpSocket.send(reply, now);
    } else {
      request.pool.end(request, "discarded", "icmp/limited", now);
      reply.pool.end(reply, "discarded", "icmp/limited", now);
    }
  }

  /** The address that answers what went to many (`fib_compute_spec_dst`). */
  #ownAddress({ input }: Packet, peer: Ipv4Addr): Ipv4Addr {
    const { addressing } = this.#host;
    const via = input === null ? undefined : addressing.interfaces.get(input);
    return addressing.specificAddress(via ?? addressing.loopback, peer);
  }
}

const isToAll = ({ routeKind }: Packet): boolean =>
  routeKind === RouteKind.Broadcast || routeKind === RouteKind.Multicast;

function isLateReply(type: number): boolean {
  return (
    type === IcmpType.TimestampReply ||
    type === IcmpType.AddressMaskReply ||
    type === IcmpType.InformationReply
  );
}
