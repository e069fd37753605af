/** A DHCP server behind a router's device, as dhcpd runs on Dom0. @module */
import { Prng } from "../../src/base/prng.ts";
import type { Instant } from "../../src/base/time.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { type DhcpdProfile, ISC_4_4_3 } from "../../src/dhcp/dhcpd-profile.ts";
import type { DhcpReply } from "../../src/dhcp/dhcpd-reply.ts";
import { DhcpdSetup } from "../../src/dhcp/dhcpd-setup.ts";
import { DhcpServer } from "../../src/dhcp/server.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import type { Router } from "../../src/l3/router.ts";
import { readRawUdp, transmitRawUdp } from "../../src/l4/raw-udp.ts";
import { UdpLayer, type UdpSocket } from "../../src/l4/udp-layer.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import type { Device, Tap } from "../../src/wire/device.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { HOST_6 } from "../support/behaviour.ts";

/** Answers what comes in on one device. */
export class DhcpSide implements Tap {
  readonly server: DhcpServer;
  /** False while the server is down. */
  isUp = true;
  readonly #router: Router;
  readonly #device: Device;
  readonly #socket: UdpSocket;

  constructor(
    router: Router,
    device: Device,
    address: string,
    conf: string,
    profile: DhcpdProfile = ISC_4_4_3,
  ) {
    this.#router = router;
    this.#device = device;
    const udp = new UdpLayer({ router, behaviour: HOST_6.sockets, chance: new Prng(1) });
    router.setProtocol(Protocol.Udp, udp);
    this.#socket = udp.bind(67, null);
    this.server = new DhcpServer({ profile, startTime: 0 });
    this.restart(address, conf, 0);
    device.addTap(this);
  }

  /** Run with another configuration from now on. */
  restart(address: string, conf: string, now: Instant): void {
    const { name, mac } = this.#device;
    const addresses = [parseIpv4(address)];
    this.server.restart(now, new DhcpdSetup(parseDhcpdConf(conf), [{ name, mac, addresses }]));
  }

  tap(device: Device, packet: Packet, now: Instant): void {
    const datagram = this.isUp ? readRawUdp(packet, 67) : null;
    if (datagram === null) return;
    const { payload: octets, source } = datagram;
    const { reply } = this.server.receive({ device: device.name, octets, source }, now);
    if (reply !== null) this.#answer(reply, now);
  }

  #answer(reply: DhcpReply, now: Instant): void {
    if (reply.transport === "raw") transmitRawUdp(this.#router.pool, this.#device, reply, now);
    else this.#socket.send(reply.payload, reply.destination, reply.destinationPort, now);
  }
}
