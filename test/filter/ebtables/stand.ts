/** A bridge with two ports, and who notes what leaves by them or comes up. */
import { Bridge } from "../../../src/l2/bridge.ts";
import type { FrameRules } from "../../../src/l2/bridge-hooks.ts";
import { type Mac, macOf } from "../../../src/wire/addr.ts";
import { Device } from "../../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../../src/wire/packet.ts";
import type { Instant } from "../../../src/base/time.ts";
import type { DeviceFrame } from "./kernel-bridge.ts";

/** The address of the bridge and of its ports. */
export const BRIDGE_MAC: Mac = macOf(0xfeff_ffff_ffff);

/** "br0" with "p0" and "p1", as the kernel's stands. */
export class BridgeStand {
  readonly pool = new PacketPool({ slots: 64, largeSlots: 0 });
  readonly bridge: Bridge;
  readonly ports: readonly Device[];
  /** What left by ports, and what came up. */
  readonly sent: DeviceFrame[] = [];

  constructor(rules: FrameRules | null) {
    this.bridge = new Bridge({ name: "br0", mac: BRIDGE_MAC, rules });
    this.ports = ["p0", "p1"].map((name) => new Device({ name, mac: BRIDGE_MAC }));
    for (const port of this.ports) {
      this.bridge.addPort(port);
      port.attachCarrier({ carry: (from, packet, now) => this.#note(from, packet, now) });
    }
    this.bridge.device.attachStack({
      receive: (device, packet, now) => this.#note(device, packet, now),
    });
  }

  /** A frame comes in by a port, or is the host's own. */
  send([name, octets]: DeviceFrame, now: Instant = 0): void {
    const packet = this.pool.copyIn(Buffer.from(octets, "hex"));
    if (packet === null) throw new Error("the pool is exhausted");
    const port = this.ports.find((one) => one.name === name);
    if (port === undefined) this.bridge.device.transmit(packet, now);
    else port.receive(packet, now);
  }

  #note(device: Device, packet: Packet, now: Instant): void {
    this.sent.push([device.name, Buffer.from(packet.octets()).toString("hex")]);
    this.pool.end(packet, "consumed", "test/noted", now);
  }
}
