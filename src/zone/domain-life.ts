/**
 * What stands at the domU's end of a domain's vif, from boot to boot: a simulated guest, which is
 * another one after each restart, or the user's own vif, which stays.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { type Carrier, Device } from "../wire/device.ts";
import type { Guest } from "../guest/guest.ts";
import type { WayOptions } from "../sim/link.ts";
import type { Netback } from "../xen/io/netback.ts";
import type { Vif } from "../xen/vif.ts";
import { Domain } from "./domain.ts";
import { ExternalVif } from "./external-vif.ts";
import { domainName } from "./naming.ts";
import type { VmState } from "./vm.ts";
import type { ZoneServices } from "./zone-services.ts";

/** What a life is made of. */
export interface DomainLifeOptions {
  readonly serial: number;
  readonly mac: Mac;
  readonly privateAddress: Ipv4Addr;
  /** The user plugs in something of his own. */
  readonly isExternal: boolean;
  /** Between the domU and Dom0. */
  readonly way: WayOptions;
  readonly stateOf: () => VmState;
}

/** While a domain is held, no program in it sends. */
const HELD: Carrier = {
  carry: (_from, packet, now) => packet.pool.end(packet, "dropped", "domain/paused", now),
};

/** The domU's end of one domain. */
export class DomainLife {
  readonly domain: Domain;
  readonly #options: DomainLifeOptions;
  readonly #services: ZoneServices;
  /** Of the user's own vif; `null` for a simulated domU. */
  readonly #own: Device | null;
  /** How it stands, as the host says that it is on. */
  #stateOf: () => VmState;
  #boots = 0;
  /** True: the guest that is there goes on. */
  #isResumed = false;
  /** What carries the guest's frames when it is not held; `null` while it is not. */
  #carrier: Carrier | null = null;

  constructor(options: DomainLifeOptions, services: ZoneServices) {
    const { serial, mac, privateAddress, isExternal, stateOf } = options;
    this.#options = options;
    this.#services = services;
    this.#own = isExternal ? new Device({ name: "eth0", mac }) : null;
    const external =
      this.#own === null ? null : new ExternalVif(this.#own, services.pool, () => services.now());
    this.#stateOf = stateOf;
    const state = (): VmState => this.#stateOf();
    this.domain = new Domain({ serial, mac, privateAddress, external, state });
  }

  /** It is on another host, which says how it stands. */
  move(stateOf: () => VmState): void {
    this.#stateOf = stateOf;
  }

  /** The domU boots, or goes on where its image was taken. @returns its end of its network. */
  boot(isResumed: boolean): Device {
    this.#isResumed = isResumed;
    this.#boots += 1;
    const { guest } = this.domain;
    if (this.#own !== null) return this.#own;
    if (isResumed && guest !== null) {
      this.#services.drive(guest, true);
      return guest.host.device;
    }
    if (guest !== null) this.#retire(guest, this.#services.now());
    const { serial, mac } = this.#options;
    const name = domainName(serial);
    const stream = this.#boots === 1 ? name : `${name}/${this.#boots}`;
    const fresh = this.#services.newGuest(name, mac, stream);
    this.domain.boot(fresh);
    return fresh.host.device;
  }

  /** Plug it into a vif. */
  join(vif: Vif, netback: Netback): void {
    const { domain } = this;
    netback.device.machine = domain.guest;
    this.#services.connect(vif.device, netback.device, this.#options.way, domain.name);
    domain.plug(vif);
    domain.external?.hold(false);
  }

  /** Its vif is offline. */
  unplug(): void {
    this.domain.plug(null);
  }

  /** The guest's programs run. */
  start(now: Instant): void {
    const { guest } = this.domain;
    if (this.#isResumed) guest?.resume(now);
    else guest?.start(now);
  }

  /** Hold it, or let it go on. @returns false if nothing changed. */
  pause(isPaused: boolean): boolean {
    const { guest, external } = this.domain;
    const device = this.#own ?? guest?.host.device ?? null;
    if (device === null || isPaused === (this.#carrier !== null)) return false;
    const { carrier } = device;
    device.attachCarrier(isPaused ? HELD : this.#carrier);
    this.#carrier = isPaused ? carrier : null;
    external?.hold(isPaused);
    if (guest !== null) this.#services.drive(guest, !isPaused);
    return true;
  }

  /** Nothing of the guest runs any more. */
  halt(): void {
    const { guest, external } = this.domain;
    this.#carrier = null;
    external?.hold(true);
    if (guest !== null) this.#services.drive(guest, false);
  }

  /** The domain is gone. */
  end(now: Instant): void {
    this.halt();
    const { guest } = this.domain;
    if (guest !== null) this.#retire(guest, now);
  }

  /** A dead guest: what waits in it ends. */
  #retire({ host }: Guest, now: Instant): void {
    host.device.attachCarrier(null);
    host.router.removeInterface(host.device, now);
  }
}
