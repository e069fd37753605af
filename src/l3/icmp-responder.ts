/**
 * ICMP messages to this host: RFC 1122 section 3.2.2, with what Linux answers by default: echo and
 * timestamp; not broadcasts, address masks, information requests.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
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
import type { PacketOptions } from "./packet-options.ts";
import type { Peers } from "./peers.ts";
import { RouteKind } from "./route-table.ts";

/** What the responder asks of its router. */
export interface RespondHost {
  /** Send this host's own packet; the route chooses an absent source. Takes ownership. */
  send(packet: Packet, now: Instant): void;
  /** Milliseconds since midnight UTC at `now`. */
  timeOfDay(now: Instant): number;
  readonly options: PacketOptions;
  readonly peers: Peers;
}

/** Hears replies and errors that came to this host; borrows the packet, whose message is checked. */
export interface IcmpListener {
  onIcmp(packet: Packet, type: number, now: Instant): void;
}

/** Answers requests, and passes replies and errors to listeners. */
export class IcmpResponder {
  readonly #host: RespondHost;
  readonly #listeners = new Set<IcmpListener>();

  constructor(host: RespondHost) {
    this.#host = host;
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
    const isToAll =
      packet.routeKind === RouteKind.Broadcast || packet.routeKind === RouteKind.Multicast;
    if (isToAll) packet.pool.end(packet, "discarded", "icmp/broadcast", now);
    else if (type === IcmpType.Echo) this.#answer(packet, IcmpType.EchoReply, "icmp/echo", now);
    else if (type === IcmpType.Timestamp) this.#answerTimestamp(packet, now);
    else if (isIcmpError(type) || type === IcmpType.EchoReply || isLateReply(type)) {
      for (const listener of this.#listeners) listener.onIcmp(packet, type, now);
      const reason = isIcmpError(type) ? "icmp/error" : "icmp/reply";
      packet.pool.end(packet, "delivered", reason, now);
    } else packet.pool.end(packet, "discarded", "icmp/not-answered", now);
  }

  #answerTimestamp(request: Packet, now: Instant): void {
    const { view } = request.pool;
    const isShort = request.end - request.transport < ICMP_LENGTH + ICMP_TIMESTAMPS_LENGTH;
    if (isShort) {
      request.pool.end(request, "discarded", "icmp/truncated", now);
      return;
    }
    const time = this.#host.timeOfDay(now);
    const at = request.transport + ICMP_LENGTH;
    ICMP_TIMESTAMPS.receive.set(view, at, time);
    ICMP_TIMESTAMPS.transmit.set(view, at, time);
    request.end = at + ICMP_TIMESTAMPS_LENGTH;
    this.#answer(request, IcmpType.TimestampReply, "icmp/timestamp", now);
  }

  /** Send the request's content back under another type. */
  #answer(request: Packet, type: number, reason: Reason, now: Instant): void {
    const { pool } = request;
    const { view, bytes } = pool;
    const echoed = echoOptions(view, request.network, this.#host.options.current);
    const length = request.end - request.transport;
    const optionsLength = echoed?.octets.length ?? 0;
    const reply =
      echoed === null
        ? null
        : pool.allocate(ETHERNET_LENGTH + IPV4_MIN_LENGTH + optionsLength + length);
    if (echoed === null || reply === null) {
      pool.end(request, "discarded", "icmp/no-room", now);
      return;
    }
    const src: Ipv4Addr = IPV4.dst.get(view, request.network);
    const dst: Ipv4Addr = IPV4.src.get(view, request.network);
    reply.network = reply.frame + ETHERNET_LENGTH;
    const tos = IPV4.tos.get(view, request.network);
    const id = this.#host.peers.nextId(dst, now);
    writeIpv4(reply, { protocol: Protocol.Icmp, src, dst, tos, id, optionsLength });
    writeEchoed(view, reply.network, echoed, src, this.#host.timeOfDay(now));
    bytes.copyWithin(reply.transport, request.transport, request.end);
    ICMP.type.set(view, reply.transport, type);
    if (type === IcmpType.TimestampReply) ICMP.code.set(view, reply.transport, 0);
    sealIcmp(view, reply.transport, reply.end);
    pool.end(request, "consumed", reason, now);
    this.#host.send(reply, now);
  }
}

function isLateReply(type: number): boolean {
  return (
    type === IcmpType.TimestampReply ||
    type === IcmpType.AddressMaskReply ||
    type === IcmpType.InformationReply
  );
}
