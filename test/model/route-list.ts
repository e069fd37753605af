/** Routes as a list that is read from end to end: the naive reference of `RouteTable`. @module */
import { contains } from "../../src/wire/addr.ts";
import type { Ipv4Addr } from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import type { Route } from "../../src/l3/route-table.ts";

/** Routes in the order in which they were added. */
export class RouteList {
  #routes: Route[] = [];

  get all(): readonly Route[] {
    return this.#routes;
  }

  add(route: Route): boolean {
    const isKnown = this.#routes.some(
      ({ prefix, metric }) =>
        prefix.address === route.prefix.address &&
        prefix.length === route.prefix.length &&
        metric === route.metric,
    );
    if (!isKnown) this.#routes.push(route);
    return !isKnown;
  }

  remove(matches: (route: Route) => boolean): number {
    const before = this.#routes.length;
    this.#routes = this.#routes.filter((route) => !matches(route));
    return before - this.#routes.length;
  }

  find(dst: Ipv4Addr): Route | null {
    return this.#best(dst, () => true);
  }

  findBy(dst: Ipv4Addr, device: Device): Route | null {
    return this.#best(dst, (route) => route.device === null || route.device === device);
  }

  #best(dst: Ipv4Addr, mayTake: (route: Route) => boolean): Route | null {
    const [best = null] = this.#routes
      .filter((route) => contains(route.prefix, dst) && mayTake(route))
      .toSorted(
        (left, right) => right.prefix.length - left.prefix.length || left.metric - right.metric,
      );
    return best;
  }
}
