import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Jiffies } from "../../src/base/jiffies.ts";
import { SECOND } from "../../src/base/time.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { IPV4, checkIpv4 } from "../../src/l3/ipv4.ts";
import { type ReassemblyBehaviour, Reassembler } from "../../src/l3/reassembly.ts";
import { type Fragment, StrictOctets, TrimmedOctets } from "../model/reassembly-octets.ts";
import { newPacket, payloadOf } from "./packets.ts";

const BEHAVIOUR: ReassemblyBehaviour = {
  onOverlap: "discard",
  keepsDontFragment: true,
  drawsTcpHeader: true,
  mergesEcn: true,
  memoryLimit: 4 * 1024 * 1024,
};
const MORE = 0x2000;

const newReassembler = (parts: Partial<ReassemblyBehaviour> = {}, fragmentLimit = 1024) =>
  new Reassembler({
    behaviour: { ...BEHAVIOUR, ...parts },
    jiffies: new Jiffies({ hasCoarseLevels: false }),
    fragmentLimit,
  });

/** Hand `fragments` of one datagram over. @returns each payload that became whole, in order. */
function reassemble(
  pool: PacketPool,
  reassembler: Reassembler,
  fragments: readonly Fragment[],
): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  for (const { start, octets, hasMore } of fragments) {
    const flagsFragment = (hasMore ? MORE : 0) + start / 8;
    const packet = newPacket(pool, octets, { flagsFragment, tos: 0x20 });
    const whole = reassembler.receive(packet, 0);
    if (whole === null) continue;
    expect(checkIpv4(pool.view, whole.network, whole.end)).toBeNull();
    expect(IPV4.totalLength.get(pool.view, whole.network)).toBe(whole.end - whole.network);
    expect(IPV4.flagsFragment.get(pool.view, whole.network)).toBe(0);
    payloads.push(payloadOf(whole));
    pool.end(whole, "consumed", "test/whole", 0);
  }
  return payloads;
}

/** A payload, and an order in which its pieces come, some of them more than once. */
const cut = fc
  .record({
    payload: fc.uint8Array({ minLength: 1, maxLength: 200, size: "max" }),
    unit: fc.integer({ min: 1, max: 5 }),
    order: fc.array(fc.nat({ max: 255 }), { maxLength: 30, size: "max" }),
    repeats: fc.array(fc.nat({ max: 255 }), { maxLength: 6, size: "max" }),
  })
  .map(({ payload, unit, order, repeats }) => {
    const pieces: Fragment[] = [];
    for (let start = 0; start < payload.length; start += unit * 8) {
      const octets = payload.slice(start, start + unit * 8);
      pieces.push({ start, octets, hasMore: start + octets.length < payload.length });
    }
    const places = new Map(pieces.map((piece, at) => [piece, order[at] ?? at]));
    const shuffled = pieces.toSorted((one, two) => (places.get(one) ?? 0) - (places.get(two) ?? 0));
    const last = shuffled.pop();
    for (const draw of repeats) {
      const piece = shuffled[draw % Math.max(shuffled.length, 1)];
      if (piece !== undefined) shuffled.push(piece);
    }
    return { payload, pieces: last === undefined ? shuffled : [...shuffled, last] };
  });

/** Pieces that need not fit together, of a datagram of at most 112 octets. */
const quarrel = fc.array(
  fc
    .record({
      start: fc.nat({ max: 8 }).map((unit) => unit * 8),
      octets: fc.uint8Array({ maxLength: 48, size: "max" }),
      hasMore: fc.boolean(),
    })
    .map(({ start, octets, hasMore }) => {
      const isOdd = hasMore && octets.length % 8 !== 0 && octets[0] !== 0;
      return { start, hasMore, octets: isOdd ? octets.slice(0, octets.length & ~7) : octets };
    }),
  { maxLength: 14, size: "max" },
);

describe("reassembly", () => {
  const pool = new PacketPool({ slots: 128, largeSlots: 2 });

  it.each(["trim", "discard"] as const)(
    "makes the original of its pieces in any order, some twice (%s)",
    (onOverlap) => {
      fc.assert(
        fc.property(cut, ({ payload, pieces }) => {
          const reassembler = newReassembler({ onOverlap });
          expect(reassemble(pool, reassembler, pieces)).toEqual([payload]);
          expect(reassembler.size).toBe(0);
          expect(reassembler.nextDeadline()).toBe(Infinity);
          expect(pool.live).toBe(0);
        }),
      );
    },
  );

  it.each([
    ["trim", TrimmedOctets],
    ["discard", StrictOctets],
  ] as const)(
    "is the naive reassembly of octets, whatever pieces come (%s)",
    (onOverlap, Model) => {
      fc.assert(
        fc.property(quarrel, (pieces) => {
          const reassembler = newReassembler({ onOverlap });
          const model = new Model();
          const expected = pieces.flatMap((piece) => {
            const whole = model.receive(piece);
            return whole === null ? [] : [whole];
          });
          expect(reassemble(pool, reassembler, pieces)).toEqual(expected);
          reassembler.expire(31 * SECOND);
          expect(reassembler.size).toBe(0);
          expect(pool.live).toBe(0);
        }),
        { numRuns: 500 },
      );
    },
  );

  it("is whole with a last fragment that brings nothing new, seed 20100201 (trim)", () => {
    const octets = Uint8Array.from({ length: 32 }, (_, at) => at);
    const pieces: Fragment[] = [
      { start: 0, octets, hasMore: true },
      { start: 16, octets: new Uint8Array(16), hasMore: false },
    ];
    expect(reassemble(pool, newReassembler({ onOverlap: "trim" }), pieces)).toEqual([octets]);
    expect(pool.live).toBe(0);
  });

  it("holds no more fragments than its bound, and forgets each after thirty seconds", () => {
    const stray = fc.record({ id: fc.nat({ max: 9 }), start: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(
        fc.constantFrom("trim" as const, "discard" as const),
        fc.integer({ min: 1, max: 6 }),
        fc.array(stray, { maxLength: 40, size: "max" }),
        (onOverlap, limit, strays) => {
          const reassembler = newReassembler({ onOverlap }, limit);
          for (const { id, start } of strays) {
            const flagsFragment = MORE + start;
            const packet = newPacket(pool, new Uint8Array(8), { id, flagsFragment });
            expect(reassembler.receive(packet, 0)).toBeNull();
            expect(pool.live).toBeLessThanOrEqual(limit);
            expect(reassembler.size).toBeLessThanOrEqual(limit);
          }
          reassembler.expire(30 * SECOND - 4_000);
          expect(reassembler.size > 0).toBe(strays.length > 0 && pool.live > 0);
          reassembler.expire(30 * SECOND + 4_000);
          expect(pool.live).toBe(0);
        },
      ),
    );
  });
});
