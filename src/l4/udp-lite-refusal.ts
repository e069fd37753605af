/**
 * The UDP-Lite of a host where nobody listens: RFC 3828 section 3.1, in the order of Linux's
 * `__udp4_lib_rcv`.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import { FlowState } from "../l3/flow-state.ts";
import { Unreachable } from "../l3/icmp.ts";
import { IPV4 } from "../l3/ipv4.ts";
import { RouteKind } from "../l3/route-table.ts";
import type { ProtocolHandler, Router } from "../l3/router.ts";
import { checkCoveredChecksum, checkUdpLite } from "./udp-lite.ts";

/** Answers sound datagrams with an error about their port: hand it to `setProtocol`. */
export class UdpLiteRefusal implements ProtocolHandler {
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
  }

  /** A datagram to this host came in; `transport` lies at it. Takes ownership. */
  deliver(packet: Packet, now: Instant): void {
    const { pool, network, transport, end, routeKind } = packet;
    const { view } = pool;
    const src = IPV4.src.get(view, network);
    const dst = IPV4.dst.get(view, network);
    const isToAll = routeKind === RouteKind.Broadcast || routeKind === RouteKind.Multicast;
    const wrong =
      checkUdpLite(view, transport, end) ??
      (isToAll ? "udp-lite/no-listener" : checkCoveredChecksum(view, transport, end, src, dst));
    if (wrong !== null) {
      pool.end(packet, "discarded", wrong, now);
      return;
    }
    // `nf_reset_ct`: the error is found by what it quotes.
    packet.flow = -1;
    packet.flowState = FlowState.None;
    this.#router.reportUnreachable(packet, Unreachable.Port, now);
    pool.end(packet, "discarded", "udp-lite/port-unreachable", now);
  }
}
