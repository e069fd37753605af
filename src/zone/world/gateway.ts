/**
 * Where a route's gateway is, and which routes a kernel refuses (Linux net/ipv4/fib_semantics.c,
 * `fib_create_info`, `fib_check_nh_v4_gw`).
 * @module
 */
import { ParseError } from "../../base/errors.ts";
import { contains, formatIpv4, type Ipv4Addr } from "../../wire/addr.ts";
import type { Device } from "../../wire/device.ts";
import type { Addressing } from "../../l3/addressing.ts";
import type { RouteWords } from "../../l3/ip-words.ts";
import { newRoute, type Route, RouteKind, type RouteScope } from "../../l3/route-table.ts";

/** How near destinations are: a gateway must be nearer than what it leads to. */
const NEARNESS: Readonly<Record<RouteScope, number>> = { global: 0, link: 1, host: 2 };

/**
 * The route that `words` make in a stack.
 * @param dev the device that they name; `null` if they name none.
 * @throws {ParseError} as the kernel refuses a route.
 */
export function routeOf(words: RouteWords, dev: Device | null, addressing: Addressing): Route {
  const { dev: _, ...read } = words;
  const { gateway, source } = read;
  if (read.kind !== RouteKind.Unicast) return newRoute(read);
  const device = gateway === null ? dev : deviceTo(gateway, newRoute(read), dev, addressing);
  if (source !== null && !addressing.isLocal(source)) {
    refuse(source, "is no address of this router");
  }
  return newRoute({ ...read, device });
}

function deviceTo(
  gateway: Ipv4Addr,
  { scope, isOnLink }: Route,
  dev: Device | null,
  addressing: Addressing,
): Device {
  if (scope === "host") return refuse(gateway, "cannot lead to what is this host itself");
  if (isOnLink && dev !== null) {
    if (scope === "link") return refuse(gateway, "cannot lead to what is on the link");
    const isStation = addressing.fib.kindOf(gateway) === RouteKind.Unicast;
    return isStation ? dev : refuse(gateway, "is no other station's address");
  }
  const least = Math.max(NEARNESS[scope] + 1, NEARNESS.link);
  const near = nearest(gateway, dev, least, addressing);
  const isUsable = near?.kind === RouteKind.Unicast || near?.kind === RouteKind.Local;
  const device = isUsable ? deviceOf(near, addressing) : null;
  return device ?? refuse(gateway, "is on no link");
}

/** The best of the routes to `gateway` that are near enough and lead by `dev`, or by any device. */
function nearest(
  gateway: Ipv4Addr,
  dev: Device | null,
  least: number,
  addressing: Addressing,
): Route | null {
  const { local, main } = addressing.fib;
  for (const table of [local, main]) {
    const [best] = [...table]
      .filter(
        (route) =>
          contains(route.prefix, gateway) &&
          NEARNESS[route.scope] >= least &&
          (dev === null || route.device === null || deviceOf(route, addressing) === dev),
      )
      .toSorted(
        (left, right) => right.prefix.length - left.prefix.length || left.metric - right.metric,
      );
    if (best !== undefined) return best;
  }
  return null;
}

/** A route to an own address lies on the device that bears it. */
function deviceOf({ kind, prefix, device }: Route, { interfaces }: Addressing): Device | null {
  if (kind !== RouteKind.Local) return device;
  const bearer = [...interfaces.values()].find(({ addresses }) =>
    addresses.some(({ address }) => address === prefix.address),
  );
  return bearer?.device ?? device;
}

function refuse(address: Ipv4Addr, what: string): never {
  throw new ParseError("world-route", formatIpv4(address), `${formatIpv4(address)} ${what}`);
}
