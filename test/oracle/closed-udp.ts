/** UDP of a host on which nothing listens: RFC 768, RFC 1122 section 4.1.3.1. @module */
import type { Instant } from "../../src/base/time.ts";
import { onesSum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { Unreachable } from "../../src/l3/icmp.ts";
import { IPV4, Protocol } from "../../src/l3/ipv4.ts";
import type { ProtocolHandler, Router } from "../../src/l3/router.ts";
import { RouteKind } from "../../src/l3/route-table.ts";

const HEADER = 8;

/** Answers sound datagrams to this host with "port unreachable". */
export class ClosedUdp implements ProtocolHandler {
  readonly #router: Router;

  constructor(router: Router) {
    this.#router = router;
  }

  deliver(packet: Packet, now: Instant): void {
    if (isSound(packet) && packet.routeKind === RouteKind.Local) {
      this.#router.reportUnreachable(packet, Unreachable.Port, now);
    }
    packet.pool.end(packet, "discarded", "udp/closed", now);
  }
}

/** Cuts the datagram to the length that it claims. */
function isSound(packet: Packet): boolean {
  const { transport: at, network, pool } = packet;
  const { view } = pool;
  const length = packet.end - at < HEADER ? 0 : view.getUint16(at + 4);
  if (length < HEADER || at + length > packet.end) return false;
  packet.end = at + length;
  if (view.getUint16(at + 6) === 0) return true;
  const src = IPV4.src.get(view, network);
  const dst = IPV4.dst.get(view, network);
  const pseudo = pseudoHeaderSum(src, dst, Protocol.Udp, length);
  return onesSum(view, at, packet.end, pseudo) === 0xffff;
}
