/**
 * A host without TCP: refuses every segment as RFC 9293 section 3.10.7.1 says, in the form that
 * Linux gives it (`tcp_v4_send_reset`).
 * @module
 */
import type { Instant } from "../base/time.ts";
import { Cast, type Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { IPV4, IPV4_MAX_PACKET, IPV4_MIN_LENGTH, Protocol, writeIpv4 } from "../l3/ipv4.ts";
import { echoOptions, writeEchoed } from "../l3/ipv4-options.ts";
import { RouteKind } from "../l3/route-table.ts";
import type { ProtocolHandler, Router } from "../l3/router.ts";
import {
  checkTcp,
  checkTcpChecksum,
  sealTcp,
  TCP,
  TCP_MIN_LENGTH,
  type TcpDiscard,
  TcpFlag,
  tcpHeaderLengthOf,
} from "./tcp.ts";

/** What a {@link TcpReset} works with. */
export interface TcpResetOptions {
  readonly router: Router;
  /** True: a reset carries the congestion mark of what it answers (before Linux 5.9). */
  readonly echoesEcn: boolean;
}

/** The bits of TOS that tell of congestion (RFC 3168 section 5). */
const ECN_MASK = 3;

/** The TCP of a host where nobody listens: hand it to `setProtocol`. */
export class TcpReset implements ProtocolHandler {
  readonly #router: Router;
  readonly #tosMask: number;

  constructor({ router, echoesEcn }: TcpResetOptions) {
    this.#router = router;
    this.#tosMask = echoesEcn ? 0xff : 0xff & ~ECN_MASK;
  }

  /** A segment to this host came in; `transport` lies at it. Takes ownership. */
  deliver(packet: Packet, now: Instant): void {
    const { pool, transport: at } = packet;
    const { view } = pool;
    const isToAll = packet.cast !== Cast.Host || packet.routeKind !== RouteKind.Local;
    const wrong = isToAll ? "tcp/broadcast" : checkSegment(packet);
    if (wrong !== null) pool.end(packet, "discarded", wrong, now);
    else if ((TCP.flags.get(view, at) & TcpFlag.Rst) !== 0) {
      pool.end(packet, "discarded", "tcp/reset", now);
    } else this.#refuse(packet, now);
  }

  #refuse(segment: Packet, now: Instant): void {
    const { pool } = segment;
    const { view, bytes } = pool;
    const echoed = echoOptions(view, segment.network, this.#router.options.current);
    const optionsLength = echoed?.octets.length ?? 0;
    const length = ETHERNET_LENGTH + IPV4_MIN_LENGTH + optionsLength + TCP_MIN_LENGTH;
    const isSendable = length - ETHERNET_LENGTH <= this.#mtuTo(segment);
    const reset = echoed === null || !isSendable ? null : pool.allocate(length);
    if (echoed === null || reset === null) {
      pool.end(segment, "discarded", "tcp/no-room", now);
      return;
    }
    const src = IPV4.dst.get(view, segment.network);
    const dst = IPV4.src.get(view, segment.network);
    const tos = IPV4.tos.get(view, segment.network) & this.#tosMask;
    const { ttl } = this.#router.settings;
    const origin = { protocol: Protocol.Tcp, src, dst, tos, ttl, dontFragment: true };
    reset.network = reset.frame + ETHERNET_LENGTH;
    writeIpv4(reset, { ...origin, optionsLength });
    writeEchoed(view, reset.network, echoed, src, this.#router.timeOfDay(now));
    bytes.fill(0, reset.transport, reset.end);
    writeRefusal(view, segment, reset);
    sealTcp(view, reset.transport, reset.end, src, dst);
    pool.end(segment, "discarded", "tcp/refused", now);
    this.#router.send(reset, now);
  }

  /** Of the way back: a reset is never cut (`ip_append_data` of a socket that minds the MTU). */
  #mtuTo({ pool, network }: Packet): number {
    const { addressing } = this.#router;
    const route = addressing.routeTo(IPV4.src.get(pool.view, network));
    return route === null ? IPV4_MAX_PACKET : addressing.mtuOf(route);
  }
}

function checkSegment(segment: Packet): TcpDiscard | null {
  const { view } = segment.pool;
  const { transport: at, end } = segment;
  const wrong = checkTcp(view, at, end);
  const isBelieved = segment.hasBlankChecksum || segment.hasSoundChecksums;
  if (wrong !== null || isBelieved) return wrong;
  const src = IPV4.src.get(view, segment.network);
  const dst = IPV4.dst.get(view, segment.network);
  return checkTcpChecksum(view, at, end, src, dst);
}

/**
 * Write into `reset`, zeroed from its transport header on, what refuses `segment`: one that
 * acknowledges is believed about where it is; another one is acknowledged whole.
 */
export function writeRefusal(view: DataView, segment: Packet, reset: Packet): void {
  const from = segment.transport;
  const to = reset.transport;
  const flags = TCP.flags.get(view, from);
  TCP.srcPort.set(view, to, TCP.dstPort.get(view, from));
  TCP.dstPort.set(view, to, TCP.srcPort.get(view, from));
  TCP.dataOffset.set(view, to, TCP_MIN_LENGTH / 4);
  if ((flags & TcpFlag.Ack) !== 0) {
    TCP.flags.set(view, to, TcpFlag.Rst);
    TCP.seq.set(view, to, TCP.ack.get(view, from));
    return;
  }
  const data = segment.end - from - tcpHeaderLengthOf(view, from);
  const syn = (flags & TcpFlag.Syn) === 0 ? 0 : 1;
  const fin = (flags & TcpFlag.Fin) === 0 ? 0 : 1;
  TCP.flags.set(view, to, TcpFlag.Rst | TcpFlag.Ack);
  TCP.ack.set(view, to, (TCP.seq.get(view, from) + syn + fin + data) >>> 0);
}
