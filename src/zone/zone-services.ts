/** What a zone does for its hosts. @module */
import type { Machine } from "../base/machine.ts";
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { PacketPool } from "../wire/packet.ts";
import type { Guest } from "../guest/guest.ts";
import type { WayOptions } from "../sim/link.ts";
import type { DiskSource } from "../storage/disk-source.ts";
import type { Domain } from "./domain.ts";
import type { DomainEvent } from "./domain-event.ts";
import type { Identity, WantedIdentity } from "./identities.ts";
import type { ZoneHost } from "./zone-host.ts";

/** The zone as its hosts see it. */
export interface ZoneServices {
  /** Microseconds since the zone began. */
  now(): Instant;
  readonly pool: PacketPool;
  readonly seed: number;
  /** Microseconds since 1970 at instant 0. */
  readonly epoch: number;
  /** Where disks lie. */
  readonly disks: DiskSource;
  /**
   * What a new domain is known by. @param beside the private address of its host.
   * @throws {OptionError} as {@link Identities.take}.
   */
  identify(wanted: WantedIdentity, beside: Ipv4Addr): Identity;
  /** A domain that was to have it never ran. */
  unidentify(identity: Identity): void;
  /** Do not draw what a launch will want. */
  keep(wanted: WantedIdentity): void;
  /** A public address of the plan, or `wanted`. @throws {OptionError} if it is taken. */
  publicAddress(wanted: Ipv4Addr | undefined): Ipv4Addr;
  /** A simulated domU, driven by the zone's scheduler. @param stream of its chance. */
  newGuest(name: string, mac: Mac, stream: string): Guest;
  /** Join two devices. */
  connect(left: Device, right: Device, way: WayOptions, name: string): void;
  /** Drive `machine` from now on, or no more. */
  drive(machine: Machine, isDriven: boolean): void;
  /** The deadline of `machine` may have moved. */
  reschedule(machine: Machine): void;
  /** A domain has a vif, its first or another. */
  onOnline(host: ZoneHost, domain: Domain): void;
  /** A domain's vif is offline. */
  onOffline(domain: Domain): void;
  /** A domain has another public address, or one at all. */
  onAssociate(host: ZoneHost, domain: Domain): void;
  /** A domain is about to lose its public address. */
  onDisassociate(domain: Domain): void;
  /** A domain is gone. */
  onDestroy(domain: Domain): void;
  /** Something became of a domain: tell who wants to know. */
  onEvent(event: DomainEvent): void;
}
