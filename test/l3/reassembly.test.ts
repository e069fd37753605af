import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Jiffies } from "../../src/base/jiffies.ts";
import { SECOND } from "../../src/base/time.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import { Reassembler, type ReassemblerOptions } from "../../src/l3/reassembly.ts";
import { LINUX } from "../../src/xen/profile.ts";
import { newPacket, type PacketParts, payloadOf } from "./packets.ts";

const MORE = 0x2000;
const DONT = 0x4000;

function setup(options: Partial<ReassemblerOptions> = {}) {
  const pool = new PacketPool({ slots: 64, largeSlots: 2 });
  const behaviour = LINUX.router.reassembly;
  const jiffies = new Jiffies({ hasCoarseLevels: false });
  const reassembler = new Reassembler({ behaviour, jiffies, ...options });
  const receive = (length: number, flagsFragment: number, parts: PacketParts = {}): Packet | null =>
    reassembler.receive(newPacket(pool, new Uint8Array(length), { ...parts, flagsFragment }), 0);
  return { pool, reassembler, receive };
}

describe("the whole", () => {
  it("keeps DF if its largest fragment had it, and the size of that fragment", () => {
    const { pool, receive } = setup();
    receive(64, MORE | DONT);
    const kept = receive(8, 8);
    expect(kept && IPV4.flagsFragment.get(pool.view, kept.network)).toBe(DONT);
    expect(kept?.largestFragment).toBe(84);
    receive(64, MORE, { id: 2 });
    const lost = receive(8, DONT | 8, { id: 2 });
    expect(lost && IPV4.flagsFragment.get(pool.view, lost.network)).toBe(0);
  });

  it.each([
    [[0, 0], 0],
    [[2, 2], 2],
    [[2, 3], 3],
    [[1, 1], 1],
    [[2, 1], 2],
    [[1, 2], 1],
    [[1, 3], 3],
    [[0, 3], null],
    [[0, 2], null],
  ] as const)("combines the congestion marks %j to %j", (marks, expected) => {
    const { pool, receive } = setup();
    const [first, last] = marks;
    receive(8, MORE, { tos: first });
    const whole = receive(8, 1, { tos: last });
    expect(whole === null ? null : IPV4.tos.get(pool.view, whole.network)).toBe(expected);
  });

  it("goes on under the id of its first fragment, with the header of that one", () => {
    const { pool, receive } = setup();
    receive(8, 1, { ttl: 9 });
    const first = newPacket(pool, new Uint8Array(8), { ttl: 33, flagsFragment: MORE });
    const { id } = first;
    pool.end(first, "consumed", "test/unused", 0);
    const whole = receive(8, MORE, { ttl: 33 });
    expect(whole && IPV4.ttl.get(pool.view, whole.network)).toBe(33);
    expect(whole?.id).toBe(id + 1);
    expect(whole && payloadOf(whole).length).toBe(16);
  });

  it("is nothing if it would be longer than a packet may be", () => {
    const { pool, receive } = setup();
    for (let at = 0; at < 65_520; at += 1560) receive(1560, MORE | (at / 8));
    expect(receive(8, 8190)).toBeNull();
    expect(pool.ends.get("reassembly/oversize")).toBe(43);
    expect(pool.live).toBe(0);
  });
});

describe("a datagram that stays incomplete", () => {
  it("is reported with its first fragment, if that came", () => {
    const reported: Packet[] = [];
    const { pool, reassembler, receive } = setup({ onTimeout: (first) => reported.push(first) });
    receive(8, MORE);
    receive(8, MORE | 1);
    receive(8, MORE | 1, { id: 2 });
    reassembler.expire(29 * SECOND);
    expect(reported).toEqual([]);
    reassembler.expire(31 * SECOND);
    expect(reported.length).toBe(1);
    expect(pool.ends.entries()).toEqual([["reassembly/timeout", 3]]);
  });

  it("gives way to a new one at the bound, the oldest first", () => {
    const { pool, reassembler, receive } = setup({ fragmentLimit: 2 });
    receive(8, MORE, { id: 1 });
    receive(8, MORE, { id: 2 });
    receive(8, MORE, { id: 3 });
    expect(pool.ends.entries()).toEqual([["reassembly/evicted", 1]]);
    expect(receive(8, 1, { id: 3 })).not.toBeNull();
    expect(pool.ends.get("reassembly/evicted")).toBe(2);
    expect(reassembler.size).toBe(0);
  });

  it("alone at the bound, loses what more comes for it", () => {
    const { pool, receive } = setup({ fragmentLimit: 1 });
    receive(8, MORE);
    expect(receive(8, 1)).toBeNull();
    expect(pool.ends.entries()).toEqual([["reassembly/no-room", 1]]);
  });

  it.each([
    [64, true],
    [65, false],
  ])("whose next fragment is its sender's %i-th since becomes whole: %s", (others, isWhole) => {
    const { pool, receive } = setup();
    receive(8, MORE, { id: 1 });
    // Of nothing: each is discarded at once, but counts.
    for (let at = 1; at < others; at += 1) receive(0, MORE | 1, { id: 2 });
    const whole = receive(8, 1, { id: 1 });
    expect(whole !== null).toBe(isWhole);
    expect(pool.ends.get("reassembly/too-far")).toBe(isWhole ? 0 : 1);
    if (!isWhole) expect(receive(8, MORE, { id: 1 })).not.toBeNull();
  });

  it("needs a bound of at least one fragment", () => {
    expect(() => setup({ fragmentLimit: 0 })).toThrow(OptionError);
  });
});
