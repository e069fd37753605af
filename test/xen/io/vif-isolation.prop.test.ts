/**
 * Hostile guests beside one that minds its own business, all with frames under way: whatever they
 * write on their rings and into their grants, the other's frames go as if it were alone, and none
 * of its octets comes out of anybody else's vif or into anybody else's memory.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketPool } from "../../../src/wire/packet.ts";
import { GrantMap } from "../../../src/xen/hypervisor/grant-operations.ts";
import { Hypervisor } from "../../../src/xen/hypervisor/hypervisor.ts";
import { RawGuest } from "./raw-guest.ts";
import { frameOf, VifPair } from "./vif-pair.ts";

const VICTIM = 1;
const HOSTILE = [2, 3] as const;
const PAGE = 4096;
/** Stands in every frame of the victim's, and in its memory. */
const SECRET = Uint8Array.from([0x5e, 0xc2, 0xe7, 0x0f, 0x01, 0x5e, 0xc2, 0xe7]);

type Era = "2618" | "6";

interface Act {
  readonly by: (typeof HOSTILE)[number];
  readonly kind: string;
  readonly numbers: readonly [number, number, number, number];
}

const secretFrame = (number: number, length: number): Uint8Array => {
  const octets = frameOf(number, length);
  for (let at = 16; at + SECRET.length <= length; at += SECRET.length) octets.set(SECRET, at);
  return octets;
};

const holdsSecret = (octets: Uint8Array): boolean =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.length).includes(Buffer.from(SECRET));

class World {
  readonly victim: VifPair;
  readonly pool = new PacketPool({ slots: 4096, largeSlots: 64 });
  readonly #hypervisor = new Hypervisor();
  readonly #hostile = new Map<number, RawGuest>();
  #number = 0;
  #refused = 0;

  constructor(era: Era, hasHostile: boolean) {
    const shared = { era, hypervisor: this.#hypervisor, pool: this.pool };
    this.victim = new VifPair({ ...shared, domid: VICTIM });
    const { memory } = this.victim.domain;
    const own = memory.allocate();
    for (let at = 0; at < PAGE; at += SECRET.length) memory.bytes.set(SECRET, own * PAGE + at);
    if (!hasHostile) return;
    for (const domid of HOSTILE) {
      // One takes frames of several slots, so that 2.6.18 wants twenty free ones for each.
      const features = { sg: domid === 2, rxNotify: true };
      this.#hostile.set(domid, new RawGuest({ ...shared, domid, features }));
    }
  }

  /** The victim and Dom0 send each other frames of every size. */
  work(): void {
    this.#number += 1;
    const length = 64 + ((this.#number * 379) % 1400);
    this.victim.fromGuest(secretFrame(this.#number, length));
    this.victim.toGuest(secretFrame(this.#number + 1000, 1500 - length));
  }

  act(one: Act): void {
    const guest = this.#hostile.get(one.by);
    if (guest === undefined) return;
    const { refused } = guest.pair.netback.counters;
    this.#do(guest, one);
    this.#refused += Math.max(guest.pair.netback.counters.refused - refused, 0);
  }

  #do(guest: RawGuest, { by, kind, numbers: [a, b, c, d] }: Act): void {
    const { memory, table } = guest.pair.domain;
    switch (kind) {
      case "send":
        if (memory.allocated < 900) guest.send({ octets: frameOf(a & 0xff, 60 + (b % 1400)) });
        return;
      case "send lies": {
        const octets = frameOf(b & 0xff, 60);
        const slot = { octets, offset: c % 5000, size: (d % 70_000) & 0xffff, flags: a % 16 };
        if (memory.allocated < 900) guest.send(a % 3 === 0 ? { ...slot, gref: b } : slot);
        return;
      }
      case "post":
        if (memory.allocated < 900) guest.post(1 + (a % 4), b % 4 === 0 ? c : null);
        return;
      case "receive":
        guest.pair.toGuest(frameOf(a & 0xff, 60 + (b % 1400)));
        return;
      case "write ring":
        memory.view.setUint32((guest.tx.gfn + (a % 2)) * PAGE + (b % 1020) * 4, c, true);
        return;
      case "write index":
        memory.view.setUint32(
          (a % 2 === 0 ? guest.tx : guest.rx).gfn * PAGE + (b % 4) * 4,
          c,
          true,
        );
        return;
      case "write grant": {
        const [frame = 0] = guest.pair.domain.grants.frames;
        const flags = ((a % 5) << 16) | (b % 32);
        memory.view.setUint32(frame * PAGE + (c % 64) * 8, flags, true);
        memory.view.setUint32(frame * PAGE + (c % 64) * 8 + 4, d % 1100, true);
        return;
      }
      case "kick":
        guest.kick();
        return;
      case "map": {
        const handle = table.map(
          a % 4,
          b % 700,
          GrantMap.host | (c % 2 === 0 ? GrantMap.readonly : 0),
        );
        const mapped = table.memoryOf(handle);
        expect(mapped === null || mapped === memory || HOSTILE.includes(mapped.domid as 2)).toBe(
          true,
        );
        return;
      }
      case "copy":
        table.copy({
          source: { domid: a % 4, isReference: true, frame: b % 700, offset: 0 },
          target: { domid: by, isReference: false, frame: 20, offset: 0 },
          length: 64,
        });
        return;
      case "leave":
        guest.pair.netback.disconnect(0);
    }
  }

  /** Time passes for everybody: what waited is dropped, or goes. */
  advance(to: number): void {
    this.victim.advance(to);
    for (const guest of this.#hostile.values()) guest.pair.advance(to);
  }

  /** True if something of the victim's came to anybody else. */
  get isBreached(): boolean {
    return [...this.#hostile.values()].some(
      ({ pair }) =>
        holdsSecret(pair.domain.memory.bytes) ||
        pair.atVif.frames.some(({ octets }) => holdsSecret(octets)),
    );
  }

  /** Frames of the hostile guests that were taken, refused and given. */
  get traffic(): readonly [number, number, number] {
    const pairs = [...this.#hostile.values()].map(({ pair }) => pair);
    const taken = pairs.reduce((sum, { atVif }) => sum + atVif.frames.length, 0);
    return [taken, this.#refused, this.pool.ends.get("netback/delivered") ?? 0];
  }

  /** What came through for the victim, and how its own memory is used. */
  get outcome(): unknown {
    const { atVif, atGuest, domain, netback, netfront } = this.victim;
    const shown = (frames: typeof atVif.frames) =>
      frames.map(({ octets, at }) => [at, Buffer.from(octets).toString("hex")]);
    return {
      out: shown(atVif.frames),
      in: shown(atGuest.frames),
      counters: [netback.counters, netfront.counters],
      frames: domain.memory.allocated,
      references: domain.grants.available,
    };
  }

  /** Whatever a frame was, it has ended, or waits in a queue that has a bound. */
  close(): number {
    for (const { pair } of this.#hostile.values()) pair.netback.disconnect(pair.now);
    this.victim.netback.disconnect(this.victim.now);
    this.victim.netfront.close(this.victim.now);
    return this.pool.live;
  }
}

const KINDS = [
  ...["send", "send lies", "send lies", "send lies", "post", "post", "receive", "receive"],
  ...["write ring", "write ring", "write grant", "write grant", "kick", "kick"],
  ...["map", "map", "copy", "copy"],
];
/** What a vif seldom survives. */
const ENDS = ["leave", "write index", "write index"];
const number = fc.oneof(
  { weight: 5, arbitrary: fc.nat(64) },
  fc.nat(5000),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);
const act: fc.Arbitrary<Act> = fc.record({
  by: fc.constantFrom(...HOSTILE),
  kind: fc.oneof({ weight: 60, arbitrary: fc.constantFrom(...KINDS) }, fc.constantFrom(...ENDS)),
  numbers: fc.tuple(number, number, number, number),
});

describe.each(["2618", "6"] as const)("hostile guests with frames under way, era %s", (era) => {
  it("reach no frame of another's, and keep none up", () => {
    const traffic = [0, 0, 0];
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 120, size: "max" }), (acts) => {
        const world = new World(era, true);
        const alone = new World(era, false);
        acts.forEach((one, index) => {
          world.work();
          alone.work();
          world.act(one);
          if (index % 10 !== 9) return;
          world.advance(world.victim.now + 20_000);
          alone.advance(alone.victim.now + 20_000);
        });
        world.traffic.forEach((count, at) => void (traffic[at] = (traffic[at] ?? 0) + count));
        expect(world.isBreached).toBe(false);
        expect(world.outcome).toEqual(alone.outcome);
        expect([world.close(), alone.close()]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
    // They had frames under way, sound ones and others.
    expect(Math.min(...traffic)).toBeGreaterThan(10);
  });
});
