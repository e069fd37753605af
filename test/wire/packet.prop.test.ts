import fc from "fast-check";
import { expect, it } from "vitest";
import { type Packet, PacketPool, type Reason, SMALL_LENGTH } from "../../src/wire/packet.ts";
import { PacketList } from "../model/packet-list.ts";

/** Octets that no packet has. */
const FREE = new Uint8Array(70_000);

/** The pool, and its live packets in the order of the model's list. */
interface Real {
  readonly pool: PacketPool;
  readonly live: Packet[];
}

/** One act on both, after which the pool must be what the list says. */
class PoolStep implements fc.Command<PacketList, Real> {
  readonly #name: string;
  /** Packets that must be alive. */
  readonly #needed: number;
  readonly #act: (model: PacketList, real: Real) => void;

  constructor(name: string, needed: number, act: (model: PacketList, real: Real) => void) {
    this.#name = name;
    this.#needed = needed;
    this.#act = act;
  }

  check(model: Readonly<PacketList>): boolean {
    return model.live.length >= this.#needed;
  }

  run(model: PacketList, real: Real): void {
    this.#act(model, real);
    const { pool, live } = real;
    const { allocated, ended, exhausted } = model;
    expect(pool).toMatchObject({ allocated, ended, exhausted, live: model.live.length });
    expect(new Map(pool.ends.entries())).toEqual(model.ends);
    for (const [index, { id, octets }] of model.live.entries()) {
      const packet = live[index];
      expect(packet).toMatchObject({ id, isLive: true });
      expect(Buffer.compare(packet?.octets() ?? FREE, octets)).toBe(0);
    }
    expectApart(live);
  }

  toString(): string {
    return this.#name;
  }
}

/** Every packet lies inside its slot, with room for a header before it, and no two slots meet. */
function expectApart(live: readonly Packet[]): void {
  let free = 0;
  for (const packet of live.toSorted((left, right) => left.slot - right.slot)) {
    expect(packet.slot).toBeGreaterThanOrEqual(free);
    free = packet.slot + packet.capacity;
    expect(packet.frame - packet.slot).toBeGreaterThanOrEqual(64);
    expect((packet.frame + 14) % 16).toBe(0);
    expect(packet.end).toBeLessThanOrEqual(free);
  }
}

/** @param original index of the live packet to derive from; -1 for none. */
function allocate(octets: Uint8Array, original: number): PoolStep {
  return new PoolStep(`allocate(${octets.length}, ${original})`, original + 1, (model, real) => {
    const { pool, live } = real;
    const listed = model.allocate(octets, model.live[original] ?? null);
    const from = live[original];
    const packet = from === undefined ? pool.copyIn(octets) : pool.derive(from, octets.length);
    expect(packet === null).toBe(listed === null);
    if (packet === null) return;
    expect(live.includes(packet)).toBe(false);
    if (from !== undefined) pool.bytes.set(octets, packet.frame);
    live.push(packet);
  });
}

function end(index: number, reason: Reason): PoolStep {
  return new PoolStep(`end(${index}, ${reason})`, index + 1, (model, { pool, live }) => {
    model.end(index, reason);
    for (const packet of live.splice(index, 1)) {
      pool.end(packet, "dropped", reason, 0);
      expect(() => pool.end(packet, "dropped", reason, 0)).toThrow("ends once");
    }
  });
}

/** Small packets of `lengths`, as far as there is room for all. */
function allocateAll(lengths: readonly number[]): PoolStep {
  return new PoolStep(`allocateAll(${lengths.join(", ")})`, 0, (model, { pool, live }) => {
    if (pool.free < lengths.length) {
      const all = Int32Array.from(lengths);
      expect(() => pool.allocateAll(all, all.length, [], 0)).toThrow("what is free");
      return;
    }
    const packets = [...live];
    pool.allocateAll(Int32Array.from(lengths), lengths.length, packets, live.length);
    packets.slice(live.length).forEach((packet, place) => {
      const filled = new Uint8Array(lengths[place] ?? 0).fill(place);
      model.allocate(filled, null);
      expect(live.includes(packet)).toBe(false);
      pool.bytes.set(filled, packet.frame);
      live.push(packet);
    });
  });
}

/** End the first `count`. */
function endAll(count: number, reason: Reason): PoolStep {
  return new PoolStep(`endAll(${count}, ${reason})`, count, (model, { pool, live }) => {
    for (let left = count; left > 0; left -= 1) model.end(0, reason);
    const packets = live.splice(0, count);
    pool.endAll([...packets, ...live], count, "dropped", reason, 0);
    if (count > 0) {
      expect(() => pool.endAll(packets, 1, "dropped", reason, 0)).toThrow("ends once");
    }
  });
}

const length = fc.oneof(
  fc.nat({ max: 64 }),
  fc.constantFrom(1_981, 1_982, 1_983, 65_535, 65_598, 65_599),
);
const octets = fc
  .tuple(length, fc.nat({ max: 255 }))
  .map(([size, octet]) => new Uint8Array(size).fill(octet));
const index = fc.nat({ max: 5 });

it("is the naive list, whatever is done to it: nothing leaks, nothing overlaps", () => {
  const commands = fc.commands(
    [
      octets.map((bytes) => allocate(bytes, -1)),
      fc.tuple(octets, index).map(([bytes, original]) => allocate(bytes, original)),
      fc
        .tuple(index, fc.constantFrom<Reason>("l3/ttl", "l2/short", "nat/full"))
        .map(([one, reason]) => end(one, reason)),
      fc.array(fc.nat(SMALL_LENGTH), { minLength: 1, maxLength: 3 }).map(allocateAll),
      fc.nat(3).map((count) => endAll(count, "l3/ttl")),
    ],
    { maxCommands: 40, size: "max" },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.nat({ max: 2 }),
      commands,
      (slots, large, steps) => {
        const setup = (): { model: PacketList; real: Real } => ({
          model: new PacketList(slots, large),
          real: { pool: new PacketPool({ slots, largeSlots: large }), live: [] },
        });
        fc.modelRun(setup, steps);
      },
    ),
  );
});
