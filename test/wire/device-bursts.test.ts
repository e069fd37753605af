import { describe, expect, it } from "vitest";
import { macOf } from "../../src/wire/addr.ts";
import { Device, PatchCable } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";

const FRAMES = 12;

/** Two devices, a cable between them, and a stack that tells how the frames came to it. */
function setUp(): { left: Device; right: Device; packets: Packet[]; came: string[] } {
  const pool = new PacketPool({ slots: FRAMES, largeSlots: 0 });
  const [left, right] = ["left", "right"].map((name) => new Device({ name, mac: macOf(2) }));
  if (left === undefined || right === undefined) throw new Error("there are two devices");
  new PatchCable(left, right);
  const came: string[] = [];
  const end = (packet: Packet): void => {
    expect(packet.input).toBe(right);
    expect(packet.mark).toBe(0);
    pool.end(packet, "delivered", "test/came", 0);
  };
  right.attachStack({
    receive: (_device, packet) => {
      came.push(`${packet.id}`);
      end(packet);
    },
    receiveAll: (_device, packets, from, to) => {
      const some = packets.slice(from, to);
      came.push(`(${some.map(({ id }) => id).join(" ")})`);
      for (const packet of some) {
        packet.arriveAt(right);
        end(packet);
      }
    },
  });
  const packets = Array.from({ length: FRAMES }, (_, index) => {
    const packet = pool.copyIn(new Uint8Array(20 + index));
    if (packet === null) throw new Error("the pool is full");
    packet.mark = 7;
    return packet;
  });
  return { left, right, packets, came };
}

/** Octets of the first frames. */
const octetsOf = (count: number): number => (count * (39 + count)) / 2;

describe("frames that leave together", () => {
  it("come in together, and are counted like others", () => {
    const { left, right, packets, came } = setUp();
    left.transmitAll(packets, FRAMES, octetsOf(FRAMES), 0);
    expect(came).toEqual(["(1 2 3 4 5 6 7 8 9 10 11 12)"]);
    const octets = octetsOf(FRAMES);
    expect([left.txFrames, left.txOctets]).toEqual([FRAMES, octets]);
    expect([right.rxFrames, right.rxOctets]).toEqual([FRAMES, octets]);
    expect(right.ends.entries()).toEqual([["test/came", FRAMES]]);
  });

  it("come in one by one where somebody looks at each, or where they are few", () => {
    const { left, packets, came } = setUp();
    const seen: string[] = [];
    const tell = (device: Device): unknown => seen.push(device.name);
    const observer = { received: tell, transmitted: tell, ended: () => {}, step: () => {} };
    packets[0]?.pool.observe(observer);
    left.transmitAll(packets, 4, octetsOf(4), 0);
    packets[0]?.pool.observe(null);
    left.transmitAll(packets.slice(4), 3, octetsOf(7) - octetsOf(4), 0);
    expect(came).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
    expect(seen).toEqual(Array.from({ length: 4 }, () => ["left", "right"]).flat());
  });

  it("are parted by those that a packet socket wants, which sees no others", () => {
    const { left, right, packets, came } = setUp();
    const seen: number[] = [];
    right.addTap({
      tap: (_device, { id }) => void seen.push(id),
      findWanted: (all, from, to) => {
        const first = all.findIndex(({ id }, index) => index >= from && (id === 6 || id === 9));
        return first < 0 || first > to ? to : first;
      },
    });
    left.transmitAll(packets, FRAMES, octetsOf(FRAMES), 0);
    // What is left between two of them is too little to be worth it.
    expect([right.rxFrames, right.rxOctets]).toEqual([FRAMES, octetsOf(FRAMES)]);
    expect(came).toEqual(["(1 2 3 4 5)", "6", "7", "8", "9", "10", "11", "12"]);
    expect(seen.filter((id) => id === 6 || id === 9)).toEqual([6, 9]);
  });

  it("come in one by one to a socket without a filter", () => {
    const { left, right, packets, came } = setUp();
    right.addTap({ tap: () => {} });
    left.transmitAll(packets, FRAMES, octetsOf(FRAMES), 0);
    expect(came).toHaveLength(FRAMES);
  });
});
