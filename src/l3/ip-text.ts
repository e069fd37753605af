/**
 * The state of a stack as iproute2 prints it: `ip addr`, `ip route`, `ip neigh`.
 * @module
 */
import { formatIpv4, formatMac, formatPrefix, isGroupMac, MAC_BROADCAST } from "../wire/addr.ts";
import type { Neighbor } from "../l2/neighbor.ts";
import type { Interface, InterfaceAddress } from "./interface.ts";
import { type Route, RouteKind } from "./route-table.ts";
import type { Router } from "./router.ts";

/** `ip addr show`, without queues and lifetimes that nothing here has. */
export function ipAddrText({ addressing }: Router): string {
  return [...addressing.interfaces.values()].map(interfaceText).join("");
}

/** `ip route show`. */
export function ipRouteText({ addressing }: Router): string {
  return [...addressing.fib.main].map((route) => `${routeText(route)}\n`).join("");
}

/** `ip neigh show`. */
export function ipNeighText({ neighbors }: Router): string {
  return [...neighbors.entries()].map((neighbor) => `${neighborText(neighbor)}\n`).join("");
}

/** One line of `ip route`, without the space that iproute2 leaves at its end. */
function routeText(route: Route): string {
  const words = [kindText(route.kind), destinationText(route)];
  if (route.gateway !== null) words.push("via", formatIpv4(route.gateway));
  if (route.device !== null) words.push("dev", route.device.name);
  if (route.origin !== "boot") words.push("proto", route.origin);
  if (route.scope !== "global") words.push("scope", route.scope);
  if (route.source !== null) words.push("src", formatIpv4(route.source));
  if (route.metric > 0) words.push("metric", String(route.metric));
  if (route.isOnLink) words.push("onlink");
  if (route.mtu !== null) {
    words.push("mtu", ...(route.isMtuLocked ? ["lock"] : []), String(route.mtu));
  }
  return words.filter((word) => word !== "").join(" ");
}

function kindText(kind: RouteKind): string {
  switch (kind) {
    case RouteKind.Unreachable:
      return "unreachable";
    case RouteKind.Prohibit:
      return "prohibit";
    case RouteKind.Blackhole:
      return "blackhole";
    case RouteKind.Local:
      return "local";
    case RouteKind.Broadcast:
      return "broadcast";
    default:
      return "";
  }
}

function destinationText({ prefix }: Route): string {
  return prefix.length === 0 ? "default" : formatPrefix(prefix);
}

function interfaceText(shown: Interface, index: number): string {
  const { device, isLoopback, isUp } = shown;
  const flags = (isLoopback ? "LOOPBACK" : "BROADCAST,MULTICAST") + (isUp ? ",UP,LOWER_UP" : "");
  const kind = isLoopback ? "loopback" : "ether";
  const broadcast = isLoopback ? formatMac(device.mac) : formatMac(MAC_BROADCAST);
  const note = isGroupMac(device.mac) ? " (a group address)" : "";
  const lines = [
    `${index + 1}: ${device.name}: <${flags}> mtu ${device.mtu}`,
    `    link/${kind} ${formatMac(device.mac)} brd ${broadcast}${note}`,
    ...shown.addresses.map((own) => addressText(own, shown)),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function addressText(own: InterfaceAddress, shown: Interface): string {
  const broadcast = own.broadcast === null ? "" : ` brd ${formatIpv4(own.broadcast)}`;
  const scope = shown.isLoopback ? "host" : "global";
  const rank = shown.isSecondary(own) ? " secondary" : "";
  const where = `scope ${scope}${rank} ${shown.device.name}`;
  return `    inet ${formatIpv4(own.address)}/${own.length}${broadcast} ${where}`;
}

function neighborText({ address, device, mac, state, isValid }: Neighbor): string {
  const where = `${formatIpv4(address)} dev ${device.name}`;
  return isValid ? `${where} lladdr ${formatMac(mac)} ${state}` : `${where} ${state}`;
}
