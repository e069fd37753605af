/**
 * A simulated domU: a host that gets its address by DHCP, as dhclient and its script set it up.
 * @module
 */
import { EmulatorError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import type { Instant } from "../base/time.ts";
import { IPV4_BROADCAST, type Ipv4Addr, MAC_BROADCAST } from "../wire/addr.ts";
import type { Device, Tap } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import { ArpOp } from "../l2/arp.ts";
import { type RawDatagram, readRawUdp, transmitRawUdp } from "../l4/raw-udp.ts";
import type { UdpSocket } from "../l4/udp-layer.ts";
import { type ClientEvent, type ClientSink, DhcpClient } from "../dhcp/client.ts";
import type { ClientLease } from "../dhcp/client-lease.ts";
import type { ClientRequest } from "../dhcp/client-message.ts";
import type { ClientStyle } from "../dhcp/client-style.ts";
import { DHCP_CLIENT_PORT } from "../dhcp/message.ts";
import type { RawOption } from "../dhcp/options.ts";
import { AddressProbe } from "./address-probe.ts";
import { Host, type HostOptions } from "./host.ts";

/** What happened to a domU's address. */
export type GuestEvent =
  /** It may be used; also if a renewal changed it. */
  | { readonly kind: "up"; readonly lease: ClientLease }
  /** Its time is over, a server refused it, or it was given back. */
  | { readonly kind: "down"; readonly address: Ipv4Addr }
  /** Another station has it; it was declined. */
  | { readonly kind: "conflict"; readonly address: Ipv4Addr };

/** What a {@link Guest} is made from. */
export interface GuestOptions extends HostOptions {
  /** Which DHCP client; the client's own default. */
  readonly client?: ClientStyle;
  /** Codes of the options to ask for; the style's. */
  readonly parameters?: readonly number[];
  /** Further options to send, such as a host name; none. */
  readonly clientOptions?: readonly RawOption[];
  /** True probes an address before use (RFC 5227 section 2.1.1); false, as dhclient. */
  readonly detectsConflicts?: boolean;
  readonly onEvent?: (event: GuestEvent, now: Instant) => void;
}

/** Messages that wait for the client's turn; as many as a small receive buffer holds. */
const WAITING_LIMIT = 64;

/** One domU. Plug `host.device` into its vif; a scheduler drives the whole. */
export class Guest implements Machine, Tap, ClientSink {
  readonly host: Host;
  readonly client: DhcpClient;
  readonly #detectsConflicts: boolean;
  readonly #onEvent: ((event: GuestEvent, now: Instant) => void) | null;
  readonly #onChange: ((guest: Machine) => void) | null;
  /** dhclient's own socket: renewals leave by it, and what comes to it is thrown away. */
  readonly #socket: UdpSocket;
  readonly #waiting: RawDatagram[] = [];
  #waitingSince: Instant = Infinity;
  #probe: AddressProbe | null = null;
  #lease: ClientLease | null = null;
  /** What is to be used if nobody has the address. */
  #wanted: ClientLease | null = null;
  #isOn = false;

  constructor(options: GuestOptions) {
    const { mac, chance, client, parameters, clientOptions } = options;
    this.#onChange = options.onChange ?? null;
    this.#onEvent = options.onEvent ?? null;
    this.#detectsConflicts = options.detectsConflicts ?? false;
    this.host = new Host({ ...options, onChange: () => this.#onChange?.(this) });
    this.client = new DhcpClient({
      mac,
      chance,
      sink: this,
      ...(client === undefined ? {} : { style: client }),
      ...(parameters === undefined ? {} : { parameters }),
      ...(clientOptions === undefined ? {} : { options: clientOptions }),
    });
    this.#socket = this.host.udp.bind(DHCP_CLIENT_PORT, null);
  }

  /** What the host uses; `null` while it has no address. */
  get lease(): ClientLease | null {
    return this.#lease;
  }

  /** As DHCP says, or else the name that the domU was made with. */
  get hostName(): string {
    return this.#lease?.hostName ?? this.host.name;
  }

  /** Name servers, in order. */
  get resolvers(): readonly Ipv4Addr[] {
    return this.#lease?.domainNameServers ?? [];
  }

  /**
   * Boot: ask for an address, for `previous` again if it is a lease that is not over.
   * @throws {EmulatorError} if it is on.
   */
  start(now: Instant, previous: ClientLease | null = null): void {
    if (this.#isOn) throw new EmulatorError("guest-on", this.host.name, `${this.host.name} is on`);
    this.#isOn = true;
    this.host.device.addTap(this);
    this.client.start(now, previous);
    this.#onChange?.(this);
  }

  /** Give the address back and be silent, as `dhclient -r` on shut-down. */
  shutDown(now: Instant): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.client.release(now);
    this.#goDown(now);
    this.host.device.removeTap(this);
    this.#waiting.length = 0;
    this.#waitingSince = Infinity;
    this.#onChange?.(this);
  }

  /**
   * The domU runs again after a suspension, maybe elsewhere: tell who listens where it is, as Xen's
   * netfront does (`send_fake_arp`: a reply to everyone that nobody asked for).
   */
  resume(now: Instant): void {
    const { device, router, configuration } = this.host;
    if (configuration === null) return;
    const { address } = configuration;
    const { mac } = device;
    router.arp.transmit(device, ArpOp.Reply, MAC_BROADCAST, address, mac, IPV4_BROADCAST, now);
  }

  /** dhclient's packet socket: what is for it waits until the client's turn. */
  tap(_device: Device, packet: Packet, now: Instant): void {
    const datagram = readRawUdp(packet, DHCP_CLIENT_PORT);
    if (datagram === null || this.#waiting.length >= WAITING_LIMIT) return;
    this.#waiting.push(datagram);
    this.#waitingSince = Math.min(this.#waitingSince, now);
  }

  transmit(message: ClientRequest, now: Instant): void {
    const { device, router } = this.host;
    if (message.transport === "raw") transmitRawUdp(router.pool, device, message, now);
    else this.#socket.send(message.payload, message.destination, message.destinationPort, now);
  }

  /** What dhclient tells its script, which leaves an address that stays alone. */
  notify(event: ClientEvent, now: Instant): void {
    if (event.kind === "bound") this.#take(event.lease, now);
    else if (event.kind === "renewed") {
      const { lease, previous } = event;
      if (lease.address !== previous.address) this.#take(lease, now);
      else if (this.#lease !== null) this.#lease = lease;
      else this.#wanted = lease;
    } else this.#goDown(now);
  }

  nextDeadline(): Instant {
    return Math.min(
      this.host.nextDeadline(),
      this.client.nextDeadline(),
      this.#probe?.nextDeadline() ?? Infinity,
      this.#waitingSince,
    );
  }

  expire(now: Instant): void {
    this.#waitingSince = Infinity;
    for (const { payload, source } of this.#waiting.splice(0)) {
      this.client.receive(payload, { source }, now);
    }
    this.client.expire(now);
    this.#probe?.expire(now);
    this.host.expire(now);
  }

  toString(): string {
    return this.host.name;
  }

  /** Use `lease`, at once or once nobody objects. */
  #take(lease: ClientLease, now: Instant): void {
    this.#goDown(now);
    this.#wanted = lease;
    if (!this.#detectsConflicts) {
      this.#configure(lease, now);
      return;
    }
    const { device, router, chance } = this.host;
    const { address } = lease;
    const onClaimed = (at: Instant): void => {
      if (this.#wanted !== null) this.#configure(this.#wanted, at);
    };
    const onConflict = (at: Instant): void => this.#decline(address, at);
    const options = { device, arp: router.arp, chance, address, onClaimed, onConflict };
    this.#probe = new AddressProbe(options, now);
  }

  #configure(lease: ClientLease, now: Instant): void {
    this.#lease = lease;
    this.#wanted = null;
    const { address, broadcast, routers } = lease;
    const [gateway = null] = routers;
    this.host.configure({ address, length: lengthOf(lease), gateway, broadcast }, now);
    this.#onEvent?.({ kind: "up", lease }, now);
  }

  #decline(address: Ipv4Addr, now: Instant): void {
    this.#probe = null;
    this.#wanted = null;
    this.#onEvent?.({ kind: "conflict", address }, now);
    this.client.decline(now);
  }

  #goDown(now: Instant): void {
    this.#probe?.stop();
    this.#probe = null;
    this.#wanted = null;
    const lease = this.#lease;
    this.#lease = null;
    if (lease === null) return;
    this.host.unconfigure(now);
    this.#onEvent?.({ kind: "down", address: lease.address }, now);
  }
}

/** Leading ones of the mask; 32 without one, as `ip addr add` has it. */
function lengthOf({ mask }: ClientLease): number {
  return mask === null ? 32 : Math.clz32(~mask);
}
