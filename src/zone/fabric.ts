/**
 * What lies beyond the hosts' uplinks: one router that knows every host's blocks and public
 * addresses, and the simulated internet behind it.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Chance } from "../base/prng.ts";
import { type Ipv4Addr, macOf, parseIpv4, type Prefix } from "../wire/addr.ts";
import { Device } from "../wire/device.ts";
import type { PacketPool } from "../wire/packet.ts";
import type { RouterBehaviour } from "../l3/behaviour.ts";
import { newRoute } from "../l3/route-table.ts";
import { Router } from "../l3/router.ts";

/** The fabric's router on every host's uplink. */
export const FABRIC_ADDRESS: Ipv4Addr = parseIpv4("216.182.232.1");

/** What a {@link Fabric} works with. */
export interface FabricOptions {
  readonly pool: PacketPool;
  readonly behaviour: RouterBehaviour;
  readonly chance: Chance;
  /** The router's address on every host's uplink. */
  readonly address: Ipv4Addr;
}

/** Locally administered addresses 02:00:00:fa:xx:xx for the router's devices. */
const FABRIC_MAC = 0x0200_00fa_0000;

/** The router between hosts and internet. Every link is of two stations. */
export class Fabric {
  readonly router: Router;
  readonly address: Ipv4Addr;
  #devices = 0;

  constructor({ pool, behaviour, chance, address }: FabricOptions) {
    // A fabric router answers proxied questions at once: it is no Linux with a proxy delay.
    const patient = { ...behaviour, arp: { ...behaviour.arp, proxyDelay: 0 } };
    this.router = new Router({ name: "fabric", pool, behaviour: patient, chance });
    this.address = address;
  }

  /**
   * A device of the router for the link to one host, which has `external`.
   * @throws {OptionError} if the address is in use.
   */
  addHost(external: Ipv4Addr, name: string): Device {
    return this.#addLink(this.address, external, `fabric's side of ${name}`);
  }

  /** A device of the router for the link to one internet host, whose gateway it is. */
  addInternetHost(address: Ipv4Addr, gateway: Ipv4Addr, name: string): Device {
    return this.#addLink(gateway, address, `fabric's side of ${name}`);
  }

  /** Send packets for `prefix` to the host that has `external`. */
  route(prefix: Prefix, external: Ipv4Addr): void {
    const device = this.router.addressing.fib.find(external)?.device ?? null;
    this.router.addressing.fib.add(newRoute({ prefix, device, gateway: external }));
  }

  /** Forget the way to `prefix`. */
  unroute(prefix: Prefix): void {
    this.router.addressing.fib.remove(
      (route) => route.prefix.address === prefix.address && route.prefix.length === prefix.length,
    );
  }

  #addLink(own: Ipv4Addr, peer: Ipv4Addr, description: string): Device {
    const { addressing } = this.router;
    const known = addressing.fib.find(peer);
    if (known !== null && known.prefix.length === 32) {
      throw new OptionError("address", peer, "an address that nobody else has");
    }
    const index = this.#devices++;
    const mac = macOf(FABRIC_MAC + index);
    const device = new Device({ name: `fab${index}`, mac, description });
    const via = addressing.addInterface(device, { isForwarding: true, hasProxyArp: true });
    addressing.addAddress(via, own, 32);
    addressing.fib.add(newRoute({ prefix: { address: peer, length: 32 }, device, source: own }));
    return device;
  }
}
