/** Link-layer addresses that follow from the route alone. @module */
import { type Mac, MAC_BROADCAST, MAC_ZERO, macOf } from "../wire/addr.ts";
import type { Packet } from "../wire/packet.ts";
import { RouteKind } from "./route-table.ts";

/**
 * The address of a frame that needs no neighbor: this host's own, a group's, or all.
 * RFC 1112 section 6.4.
 */
export function linkAddressOf({ routeKind, nextHop }: Packet): Mac {
  if (routeKind === RouteKind.Local) return MAC_ZERO;
  if (routeKind === RouteKind.Broadcast) return MAC_BROADCAST;
  return macOf(0x0100_5e00_0000 + (nextHop & 0x7f_ffff));
}
