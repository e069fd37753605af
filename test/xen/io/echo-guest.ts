/** A domU that sends back what it gets, changed, after a first frame of its own. @module */
import type { Instant } from "../../../src/base/time.ts";
import { parseMac } from "../../../src/wire/addr.ts";
import { Device, type Stack } from "../../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../../src/wire/packet.ts";
import type { GuestGrants } from "../../../src/xen/hypervisor/guest-grants.ts";
import { Netfront } from "../../../src/xen/io/netfront.ts";
import { NETFRONT_2618 } from "../../../src/xen/io/netif-behaviour.ts";
import { frameOf } from "./vif-pair.ts";

/** Its device, and the driver below. */
export class EchoGuest implements Stack {
  /** Frames that came. */
  received = 0;
  readonly netfront: Netfront;
  readonly #device: Device;
  readonly #pool: PacketPool;

  constructor(grants: GuestGrants, pool: PacketPool = new PacketPool({ slots: 600 })) {
    this.#pool = pool;
    this.#device = new Device({ name: "eth0", mac: parseMac("12:31:39:00:a5:11") });
    this.#device.attachStack(this);
    this.netfront = new Netfront({
      device: this.#device,
      pool,
      grants,
      behaviour: NETFRONT_2618,
    });
  }

  /** The first frame. */
  greet(now: Instant): void {
    this.#send(frameOf(1), now);
  }

  receive(_device: Device, packet: Packet, now: Instant): void {
    this.received += 1;
    const octets = packet.octets().map((octet, at) => (at < 14 ? octet : octet ^ 0x5a));
    packet.pool.end(packet, "delivered", "test/echoed", now);
    this.#send(octets, now);
  }

  #send(octets: Uint8Array, now: Instant): void {
    const packet = this.#pool.copyIn(octets);
    if (packet !== null) this.#device.transmit(packet, now);
  }
}
