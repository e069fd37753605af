/**
 * dhcpd on Dom0: reads the vifs by packet sockets, before every filter, and answers past the stack
 * (ISC common/lpf.c), or by its UDP socket where the client has an address (RFC 2131 section 4.1).
 * @module
 */
import type { Machine } from "../base/machine.ts";
import type { Duration, Instant } from "../base/time.ts";
import { ipv4Of } from "../wire/addr.ts";
import type { Device, Tap } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import type { Router } from "../l3/router.ts";
import { findRawUdpTo, readRawUdp, transmitRawUdp } from "../l4/raw-udp.ts";
import type { UdpLayer, UdpSocket } from "../l4/udp-layer.ts";
import { DhcpdConfFile } from "../dhcp/dhcpd-conf-file.ts";
import type { DhcpdProfile } from "../dhcp/dhcpd-profile.ts";
import type { DhcpReply } from "../dhcp/dhcpd-reply.ts";
import { DhcpServer } from "../dhcp/server.ts";
import type { Vif } from "./vif.ts";

const SERVER_PORT = 67;

/** What a {@link DhcpdService} works with. */
export interface DhcpdServiceOptions {
  /** The router that has the vifs. */
  readonly router: Router;
  readonly udp: UdpLayer;
  readonly profile: DhcpdProfile;
  /** dhcpd.conf before the first domU. */
  readonly conf: string;
  /** How long a restart is deaf; a second. */
  readonly startTime?: Duration;
}

/** The server of one host, restarted for each vif that comes or goes. */
export class DhcpdService implements Machine, Tap {
  readonly #router: Router;
  readonly #server: DhcpServer;
  readonly #socket: UdpSocket;
  readonly #devices = new Map<string, Device>();
  readonly #file: DhcpdConfFile;

  /** @throws {ParseError} if dhcpd would refuse the configuration. */
  constructor({ router, udp, profile, conf, startTime }: DhcpdServiceOptions) {
    this.#router = router;
    this.#file = new DhcpdConfFile(conf);
    this.#server = new DhcpServer({
      profile,
      ...(startTime === undefined ? {} : { startTime }),
      transmit: (reply, now) => this.#transmit(reply, now),
    });
    this.#socket = udp.bind(SERVER_PORT, null);
  }

  /** dhcpd.conf as it stands. */
  get conf(): string {
    return this.#file.text;
  }

  /** Declare the domU behind `vif` and restart. @returns the script's commands. */
  addHost(vif: Vif, now: Instant): string[] {
    const [address = ipv4Of(0)] = vif.addresses;
    const statements = vif.hostName === null ? [] : [`option host-name "${vif.hostName}";`];
    const host = { name: vif.domain, mac: vif.mac, address, statements };
    this.#file.replaceHost(host);
    this.#devices.set(vif.name, vif.stackDevice);
    vif.stackDevice.addTap(this);
    const addresses = this.#router.addressing.interfaces.get(vif.stackDevice)?.addresses ?? [];
    this.#file.setup.addInterface({
      name: vif.name,
      mac: vif.stackDevice.mac,
      addresses: addresses.map((own) => own.address),
    });
    this.#server.restart(now, this.#file.setup);
    return [
      `grep -v "host ${vif.domain} " /etc/dhcpd.conf`,
      `echo 'host ${vif.domain} { … }' >>/etc/dhcpd.conf`,
      "/etc/init.d/dhcpd restart",
    ];
  }

  /** Forget the domU behind `vif` and restart. @returns the script's commands. */
  removeHost(vif: Vif, now: Instant): string[] {
    this.#file.removeHost(vif.domain);
    this.#devices.delete(vif.name);
    vif.stackDevice.removeTap(this);
    this.#file.setup.removeInterface(vif.name);
    this.#server.restart(now, this.#file.setup);
    return [`grep -v "host ${vif.domain} " /etc/dhcpd.conf`, "/etc/init.d/dhcpd restart"];
  }

  findWanted(packets: readonly Packet[], from: number, to: number): number {
    return findRawUdpTo(packets, from, to, SERVER_PORT);
  }

  /** A frame came in on a vif: if it is a sound message to port 67, the server reads it. */
  tap(device: Device, packet: Packet, now: Instant): void {
    const datagram = readRawUdp(packet, SERVER_PORT);
    if (datagram === null) return;
    const { payload: octets, source } = datagram;
    const { reply, reason } = this.#server.receive({ device: device.name, octets, source }, now);
    if (packet.pool.isTracing) packet.pool.observer?.step(packet, "dhcpd", reason, now);
    if (reply !== null) this.#transmit(reply, now);
  }

  nextDeadline(): Instant {
    return this.#server.nextDeadline();
  }

  expire(now: Instant): void {
    this.#server.expire(now);
  }

  #transmit(reply: DhcpReply, now: Instant): void {
    if (reply.transport === "socket") {
      this.#socket.send(reply.payload, reply.destination, reply.destinationPort, now);
      return;
    }
    const device = this.#devices.get(reply.device);
    if (device !== undefined) transmitRawUdp(this.#router.pool, device, reply, now);
  }
}
