/**
 * What a stack knows of one of its devices: addresses and Linux's per-device settings.
 * @module
 */
import { type Ipv4Addr, ipv4Of, maskOf, type Prefix } from "../wire/addr.ts";
import type { Device, Stack } from "../wire/device.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import type { Instant } from "../base/time.ts";
import type { FlowCache } from "./flow-cache.ts";
import type { Hooks } from "./hooks.ts";

/** An address of this host on a device. */
export interface InterfaceAddress {
  readonly address: Ipv4Addr;
  /** Prefix length, from 0 to 32. */
  readonly length: number;
  /** `null` for none. */
  readonly broadcast: Ipv4Addr | null;
}

/** The settings of `/proc/sys/net/ipv4/conf/<device>` that decide about packets. */
export interface InterfaceSettings {
  /** `forwarding`: packets that come in here may go on. */
  readonly isForwarding: boolean;
  /** `proxy_arp`: answer for addresses that lie behind other devices. */
  readonly hasProxyArp: boolean;
  /** `medium_id`: devices of one medium do not proxy for each other; 0 is one of its own. */
  readonly mediumId: number;
  /** `rp_filter`: 0 off, 1 strict, 2 loose (RFC 3704 section 2). */
  readonly rpFilter: 0 | 1 | 2;
  /** `send_redirects`. */
  readonly sendsRedirects: boolean;
  /** `accept_local`: packets from this host's own addresses may come in. */
  readonly acceptsLocal: boolean;
  /** `route_localnet`: 127.0.0.0/8 is no martian here. */
  readonly routesLocalnet: boolean;
  /** `arp_ignore`: questions that are not answered; 1, 2 about others' addresses, 3 the host's. */
  readonly arpIgnore: number;
  /** `arp_announce`: sources of own questions; 1 in the target's network, 2 this device's. */
  readonly arpAnnounce: number;
  /** `arp_filter`: answer only who is to be reached by the device. */
  readonly hasArpFilter: boolean;
  /** `proxy_arp_pvlan`: answer for addresses on the device itself (private VLANs). */
  readonly hasProxyArpPvlan: boolean;
}

/** Linux's defaults, with forwarding off. */
export const DEFAULT_SETTINGS: InterfaceSettings = {
  isForwarding: false,
  hasProxyArp: false,
  mediumId: 0,
  rpFilter: 0,
  sendsRedirects: true,
  acceptsLocal: false,
  routesLocalnet: false,
  arpIgnore: 0,
  arpAnnounce: 0,
  hasArpFilter: false,
  hasProxyArpPvlan: false,
};

/** Judges frames of a device before the stack reads them, as arptables and ebtables do. */
export interface FrameFilter {
  /** True if it judges frames of ARP alone. */
  readonly isArpOnly: boolean;
  /** @returns `null` to let the frame pass, or why it is dropped. Borrows the packet. */
  judgeFrame(packet: Packet, now: Instant): Reason | null;
}

/** What an interface hands its frames to. */
export interface InterfaceOwner {
  readonly hooks: Hooks;
  receiveFrame(via: Interface, packet: Packet, now: Instant): void;
}

/** One device of a stack. */
export class Interface implements Stack {
  declare readonly device: Device;
  declare readonly isLoopback: boolean;
  /** False: nothing comes in or leaves, and nothing but its own addresses has routes. */
  isUp = true;
  #settings: InterfaceSettings;
  #filters: readonly FrameFilter[] = [];
  #judgesPackets = false;
  readonly #owner: InterfaceOwner;
  readonly #addresses: InterfaceAddress[] = [];

  constructor(
    owner: InterfaceOwner,
    device: Device,
    settings: InterfaceSettings,
    isLoopback: boolean,
  ) {
    this.#owner = owner;
    this.device = device;
    this.#settings = settings;
    this.isLoopback = isLoopback;
  }

  get settings(): InterfaceSettings {
    return this.#settings;
  }

  /** Change the settings: they hold for the next packet on. */
  configure(settings: InterfaceSettings): void {
    this.#settings = settings;
    this.paths.invalidate();
  }

  get filters(): readonly FrameFilter[] {
    return this.#filters;
  }

  /** True if a filter wants to see frames of IPv4. */
  get judgesPackets(): boolean {
    return this.#judgesPackets;
  }

  addFilter(filter: FrameFilter): void {
    this.#filters = [...this.#filters, filter];
    this.#judgesPackets ||= !filter.isArpOnly;
  }

  get addresses(): readonly InterfaceAddress[] {
    return this.#addresses;
  }

  /** The known ways of packets that come in here. */
  get paths(): FlowCache {
    return this.#owner.hooks.paths;
  }

  receive(_device: Device, packet: Packet, now: Instant): void {
    this.#owner.receiveFrame(this, packet, now);
  }

  receiveAll(
    _device: Device,
    packets: readonly Packet[],
    from: number,
    to: number,
    now: Instant,
  ): void {
    this.paths.receiveAll(this, packets, from, to, now);
  }

  /** Primary addresses stand before secondary ones, each in the order of their addition. */
  hold(address: InterfaceAddress): void {
    const secondary = this.#addresses.findIndex((one) => this.isSecondary(one));
    const isLast = secondary < 0 || this.isSecondary(address);
    this.#addresses.splice(isLast ? this.#addresses.length : secondary, 0, address);
  }

  /** True if the block of `own` had an address before: it is no source of own packets. */
  isSecondary(own: InterfaceAddress): boolean {
    const isSameBlock = (one: InterfaceAddress): boolean =>
      one.length === own.length && covers(own, one.address);
    const first = this.#addresses.find(isSameBlock);
    return first !== undefined && first !== own;
  }

  /** @returns why the frame filters drop a frame, or `null`. Borrows the packet. */
  judge(packet: Packet, now: Instant): Reason | null {
    for (const filter of this.filters) {
      const reason = filter.judgeFrame(packet, now);
      if (reason !== null) return reason;
    }
    return null;
  }

  /** True if one of the networks here has both. */
  isOnLink(address: Ipv4Addr, other: Ipv4Addr): boolean {
    return this.#addresses.some((own) => covers(own, address) && covers(own, other));
  }

  drop(address: InterfaceAddress): void {
    this.#addresses.splice(this.#addresses.indexOf(address), 1);
  }

  /** The address of this device that suits a talk with `peer`, or with anybody; `null` if none. */
  select(peer: Ipv4Addr | null): Ipv4Addr | null {
    const onLink = peer === null ? null : this.#addresses.find((own) => covers(own, peer));
    return (onLink ?? this.#addresses[0])?.address ?? null;
  }
}

/** The block that an interface's address lies in. */
export const networkOf = ({ address, length }: InterfaceAddress): Prefix => ({
  address: ipv4Of(address & maskOf(length)),
  length,
});

function covers({ address, length }: InterfaceAddress, peer: Ipv4Addr): boolean {
  return ((address ^ peer) & maskOf(length)) === 0;
}
