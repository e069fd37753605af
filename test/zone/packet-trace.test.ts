import { describe, expect, it } from "vitest";
import { macOf } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { PacketTrace } from "../../src/zone/packet-trace.ts";

describe("the ways of packets", () => {
  it("are handed over once they have ended, the oldest first, and are forgotten then", () => {
    const pool = new PacketPool({ slots: 4, largeSlots: 0 });
    const trace = new PacketTrace(8, ({ name }) => name);
    pool.observe(trace, true);
    const device = new Device({ name: "e0", mac: macOf(2) });
    const packets = [1, 2, 3].map(() => pool.copyIn(new Uint8Array(20)));
    for (const packet of packets) if (packet !== null) trace.received(device, packet, 5);
    const [first, second, third] = packets;
    for (const packet of [third, first]) {
      if (packet != null) pool.end(packet, "dropped", "filter/policy", 6);
    }
    expect([...trace.takeEnded()].map(({ id }) => id)).toEqual([first?.id, third?.id]);
    expect([...trace.takeEnded()]).toEqual([]);
    expect([...trace.stories()].map(({ id }) => id)).toEqual([second?.id]);
  });
});
