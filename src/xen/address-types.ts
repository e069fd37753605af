/**
 * What an address is to a router, as rules ask it: on all its devices, or on one (Linux
 * `inet_addr_type`, `inet_dev_addr_type`).
 * @module
 */
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4Addr, maskOf } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { AddressClassifier } from "../filter/services.ts";
import type { Addressing } from "../l3/addressing.ts";
import { RouteKind } from "../l3/route-table.ts";

/** The addresses of a router. */
export class AddressTypes implements AddressClassifier {
  readonly #addressing: Addressing;

  constructor(addressing: Addressing) {
    this.#addressing = addressing;
  }

  typeOf(address: Ipv4Addr, device: Device | null): RouteKind {
    const kind = this.#addressing.fib.kindOf(address);
    if (device === null || address === IPV4_ANY || address === IPV4_BROADCAST) return kind;
    if (kind !== RouteKind.Local && kind !== RouteKind.Broadcast) return kind;
    return this.#owner(address, kind === RouteKind.Local) === device ? kind : RouteKind.Unicast;
  }

  /** The first device that makes `address` what it is: only its route is found. */
  #owner(address: Ipv4Addr, isLocal: boolean): Device | null {
    for (const { device, isLoopback, addresses } of this.#addressing.interfaces.values()) {
      for (const own of addresses) {
        const mask = maskOf(own.length);
        const isNear = ((address ^ own.address) & mask) === 0;
        const isOwn = own.address === address || (isLoopback && isNear);
        const isToAll = own.broadcast === address || (own.length < 31 && isNear);
        if (isLocal ? isOwn : isToAll) return device;
      }
    }
    return null;
  }
}
