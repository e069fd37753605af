import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { IPV4_ANY, macOf } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { Cast, type Packet, PacketPool } from "../../src/wire/packet.ts";

const FRAME = Uint8Array.of(1, 2, 3, 4);

const device = new Device({ name: "vif1.0", mac: macOf(1) });

/** Where a packet lives and which one it is: all else says what happened to it, or that it may. */
const PLACE = ["pool", "slot", "capacity", "id", "frame", "end", "isLive", "isNoted"];

const marksOf = (packet: Packet | null): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(packet ?? {}).filter(([name]) => !PLACE.includes(name)));

/** A packet of whose fields each one differs from that of a new one. */
function markedPacket(pool: PacketPool, at = device): Packet {
  const packet = pool.copyIn(FRAME);
  if (packet === null) throw new Error("the pool is full");
  const marks = new Map<string, unknown>();
  for (const [name, value] of Object.entries(marksOf(packet))) {
    if (typeof value === "number") marks.set(name, value + 3);
    else marks.set(name, typeof value === "boolean" ? !value : at);
  }
  return Object.assign(packet, Object.fromEntries(marks));
}

/** What a packet looks like that nobody has touched, in a slot that nobody has used. */
const untouched = (length: number): Readonly<Record<string, unknown>> =>
  marksOf(new PacketPool({ slots: 1, largeSlots: 0 }).allocate(length));

describe("a new packet", () => {
  it("bears no mark of the one that had its slot", () => {
    const pool = new PacketPool({ slots: 1, largeSlots: 0 });
    const former = markedPacket(pool);
    pool.end(former, "consumed", "l2/test", 0);
    const packet = pool.allocate(60);
    expect(packet).toBe(former);
    expect(packet?.id).toBe(2);
    expect(marksOf(packet)).toEqual(untouched(60));
    expect(packet).toMatchObject({
      length: 60,
      network: packet?.frame,
      transport: packet?.frame,
      cast: Cast.Host,
      input: null,
      output: null,
      nextHop: IPV4_ANY,
      flow: -1,
      isLive: true,
    });
  });

  it("bears no mark either if it is allocated with others", () => {
    const pool = new PacketPool({ slots: 1, largeSlots: 0 });
    const former = markedPacket(pool);
    pool.endAll([former], 1, "consumed", "l2/test", 0);
    const packets: Packet[] = [];
    pool.allocateAll(Int32Array.of(60), 1, packets, 0);
    expect(packets).toEqual([former]);
    expect(marksOf(former)).toEqual(untouched(60));
    expect(former.isNoted).toBe(false);
  });

  it("holds a copy of the octets that came in", () => {
    const pool = new PacketPool();
    const octets = FRAME.slice();
    const packet = pool.copyIn(octets);
    octets.fill(0);
    expect(packet?.octets()).toEqual(FRAME);
  });

  it("is a window on the pool, not a copy, once it is in", () => {
    const pool = new PacketPool();
    const packet = pool.copyIn(FRAME);
    pool.bytes[packet?.frame ?? 0] = 9;
    expect(packet?.octets()[0]).toBe(9);
    expect(pool.view.getUint8(packet?.frame ?? 0)).toBe(9);
  });

  it("goes to a large slot when the small ones are used up", () => {
    const pool = new PacketPool({ slots: 1, largeSlots: 1 });
    expect(pool.allocate(60)?.capacity).toBe(2_048);
    expect(pool.allocate(60)?.capacity).toBe(65_664);
    expect(pool.allocate(60)).toBeNull();
    expect(pool.exhausted).toBe(1);
  });

  it("is at most a whole IPv4 packet in its frame", () => {
    const pool = new PacketPool({ largeSlots: 1 });
    expect(pool.allocate(65_535 + 14)).not.toBeNull();
    expect(pool.allocate(66_000)).toBeNull();
  });
});

describe("a derived packet", () => {
  it("goes on under the id, devices, route, mark and flow of the original, and no more", () => {
    const pool = new PacketPool({ slots: 2, largeSlots: 0 });
    const original = markedPacket(pool);
    const { cast, input, output, nextHop, routeKind, pathMtu, mark, flow } = original;
    const { flowState, isTraced } = original;
    const route = { cast, input, output, nextHop, routeKind, pathMtu };
    const carried = { ...route, mark, flow, flowState, isTraced };
    const part = pool.derive(original, 40);
    expect(part).toMatchObject({ id: original.id, length: 40 });
    const { frame: network, frame: transport } = part ?? original;
    expect(marksOf(part)).toEqual({ ...untouched(40), ...carried, network, transport });
  });

  it("takes no id from the row", () => {
    const pool = new PacketPool();
    pool.derive(markedPacket(pool), 40);
    expect(pool.allocate(40)?.id).toBe(2);
  });
});

describe("the end of a packet", () => {
  it("is counted at the pool and at the device where it came in", () => {
    const pool = new PacketPool();
    const entrance = new Device({ name: "vif2.0", mac: macOf(2) });
    pool.end(markedPacket(pool, entrance), "dropped", "filter/rule", 0);
    expect(pool.ends.get("filter/rule")).toBe(1);
    expect(entrance.ends.get("filter/rule")).toBe(1);
  });

  it("is counted for many at the devices where they came in", () => {
    const pool = new PacketPool();
    const entrances = ["vif2.0", "vif3.0"].map((name) => new Device({ name, mac: macOf(2) }));
    const [first, second] = entrances;
    const packets = [first, first, second, first].map((at) => markedPacket(pool, at));
    const seen: number[] = [];
    const nothing = (): void => undefined;
    const ended = ({ id }: Packet): unknown => seen.push(id);
    pool.observe({ received: nothing, transmitted: nothing, step: nothing, ended });
    pool.endAll(packets, 4, "dropped", "filter/rule", 0);
    expect(entrances.map(({ ends }) => ends.get("filter/rule"))).toEqual([3, 1]);
    expect([pool.ends.get("filter/rule"), pool.live]).toEqual([4, 0]);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it("is seen while the packet is still whole", () => {
    const pool = new PacketPool();
    const seen: unknown[] = [];
    pool.observe({
      received: () => {},
      transmitted: () => {},
      step: () => {},
      ended: (packet, fate, reason, now) => {
        seen.push([packet.input?.name, [...packet.octets()], packet.isLive, fate, reason, now]);
      },
    });
    pool.end(markedPacket(pool), "delivered", "udp/socket", 5);
    expect(seen).toEqual([["vif1.0", [1, 2, 3, 4], true, "delivered", "udp/socket", 5]]);
  });

  it("comes once, and in the pool where the packet lives", () => {
    const [pool, other] = [new PacketPool(), new PacketPool()];
    const packet = markedPacket(pool);
    expect(() => other.end(packet, "consumed", "l2/test", 0)).toThrow("in its own pool");
    pool.end(packet, "consumed", "l2/test", 0);
    expect(() => pool.end(packet, "consumed", "l2/test", 0)).toThrow("ends once");
    expect(pool.ended).toBe(1);
  });
});

describe("a pool", () => {
  it("traces only while somebody listens", () => {
    const pool = new PacketPool();
    const observer = { received() {}, transmitted() {}, ended() {}, step() {} };
    pool.observe(observer, true);
    expect(pool.isTracing).toBe(true);
    expect(pool.observer).toBe(observer);
    pool.observe(observer);
    expect(pool.isTracing).toBe(false);
    pool.observe(null, true);
    expect(pool.isTracing).toBe(false);
    expect(pool.observer).toBeNull();
  });

  it.each([{ slots: 0 }, { slots: 1.5 }, { slots: -1 }, { largeSlots: -1 }, { largeSlots: 0.5 }])(
    "is not made from %j",
    (options) => {
      expect(() => new PacketPool(options)).toThrow(OptionError);
    },
  );
});
