import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Jiffies } from "../../src/base/jiffies.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { fragment, gather } from "../../src/l3/fragment.ts";
import { checkIpv4, headerLengthOf, IPV4 } from "../../src/l3/ipv4.ts";
import { Reassembler } from "../../src/l3/reassembly.ts";
import { LINUX } from "../../src/xen/profile.ts";
import { newPacket, octetsFrom } from "./packets.ts";

const MORE = 0x2000;
const DONT = 0x4000;
/** A router alert, which every fragment keeps, and a record route, which the first one keeps. */
const OPTIONS = Uint8Array.of(148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0);

const payload = fc
  .tuple(fc.nat({ max: 3000 }), fc.nat({ max: 255 }))
  .map(([length, seed]) => Uint8Array.from({ length }, (_, at) => at * 3 + (at >> 8) + seed));
const mtu = fc.oneof(fc.integer({ min: 68, max: 100 }), fc.integer({ min: 68, max: 1500 }));

describe("the pieces of any packet", () => {
  const pool = new PacketPool({ slots: 512, largeSlots: 4 });
  const cut = (packet: Packet, limit: number): Packet[] => {
    const pieces: Packet[] = [];
    fragment(packet, limit, (piece) => pieces.push(piece), 0);
    return pieces;
  };

  it("fit the MTU, are sound, lie side by side, and are as few as can be", () => {
    fc.assert(
      fc.property(payload, mtu, fc.boolean(), fc.nat({ max: 9 }), (octets, limit, isPart, at) => {
        const flagsFragment = (isPart ? MORE | DONT : 0) | at;
        const pieces = cut(newPacket(pool, octets, { flagsFragment }), limit);
        const room = (limit - 20) & ~7;
        const most = Math.ceil(Math.max(octets.length - (limit - 20), 0) / room) + 1;
        expect(pieces.length).toBe(octets.length === 0 ? 0 : most);
        let next = at * 8;
        for (const [index, piece] of pieces.entries()) {
          const { view } = pool;
          expect(checkIpv4(view, piece.network, piece.end)).toBeNull();
          expect(piece.end - piece.network).toBeLessThanOrEqual(limit);
          expect(IPV4.totalLength.get(view, piece.network)).toBe(piece.end - piece.network);
          const isLast = index === pieces.length - 1;
          const more = isLast && !isPart ? 0 : MORE;
          const dont = isPart ? DONT : 0;
          expect(IPV4.flagsFragment.get(view, piece.network)).toBe(more | dont | (next / 8));
          next += piece.end - piece.transport;
        }
        expect(next).toBe(at * 8 + octets.length);
        for (const piece of pieces) pool.end(piece, "consumed", "test/piece", 0);
        expect(pool.live).toBe(0);
      }),
    );
  });

  it("are those that it came in, if they fit and end on eights, without DF", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(sizes, fc.nat({ max: 7 }), fc.boolean(), (eights, odd, isOdd) => {
        const came = eights.map((one) => one * 8);
        came[isOdd ? 0 : came.length - 1] = (came.at(isOdd ? 0 : -1) ?? 0) + odd;
        const total = came.reduce((sum, one) => sum + one, 0);
        const packet = newPacket(pool, new Uint8Array(total), { flagsFragment: DONT });
        packet.pieces = came;
        const limit = 300;
        const keeps =
          came.every((one) => one <= limit - 20) && came.slice(0, -1).every((one) => one % 8 === 0);
        const pieces = cut(packet, limit);
        const lengths = pieces.map(({ transport, end }) => end - transport);
        if (keeps) expect(lengths).toEqual(came);
        for (const piece of pieces) {
          const flags = IPV4.flagsFragment.get(pool.view, piece.network) & DONT;
          expect(flags).toBe(keeps ? 0 : DONT);
          pool.end(piece, "consumed", "test/piece", 0);
        }
      }),
    );
  });

  it("behind a head that is drawn together become shorter", () => {
    const pulled = (pieces: number[], octets: number): readonly number[] | null => {
      const packet = newPacket(pool, new Uint8Array(100));
      packet.pieces = pieces;
      gather(packet, packet.network + octets);
      const after = packet.pieces;
      pool.end(packet, "consumed", "test/pulled", 0);
      return after;
    };
    expect(pulled([8, 16, 76], 28)).toEqual([8, 16, 76]);
    expect(pulled([8, 16, 76], 40)).toEqual([20, 4, 76]);
    expect(pulled([8, 16, 76], 44)).toEqual([24, 76]);
    expect(pulled([8, 8, 84], 120)).toEqual([100]);
    expect(pulled([8, 8, 84], 121)).toEqual([8, 8, 84]);
    const whole = newPacket(pool, new Uint8Array(4));
    gather(whole, whole.network + 24);
    expect(whole.pieces).toBeNull();
    pool.end(whole, "consumed", "test/pulled", 0);
  });

  it("make the packet again, in any order, but for a checksum that says the same", () => {
    const reassembler = new Reassembler({
      behaviour: LINUX.router.reassembly,
      jiffies: new Jiffies(),
    });
    fc.assert(
      fc.property(payload, mtu, fc.boolean(), (octets, limit, isBackwards) => {
        fc.pre(octets.length > 0);
        const original = newPacket(pool, octets, { tos: 0x10 });
        const expected = octetsFrom(original);
        const pieces = cut(original, limit);
        if (isBackwards) pieces.reverse();
        const wholes = pieces.flatMap((piece) => {
          const isPart = pieces.length > 1;
          return (isPart ? reassembler.receive(piece, 0) : piece) ?? [];
        });
        expect(wholes.map(octetsFrom)).toEqual([expected]);
        for (const whole of wholes) pool.end(whole, "consumed", "test/whole", 0);
        expect(pool.live).toBe(0);
      }),
    );
  });

  it("all have the copied options, and only the first the others", () => {
    fc.assert(
      fc.property(payload, mtu, (octets, limit) => {
        fc.pre(octets.length > limit);
        const pieces = cut(newPacket(pool, octets, { options: OPTIONS }), limit);
        for (const [index, piece] of pieces.entries()) {
          const { view, bytes } = pool;
          expect(headerLengthOf(view, piece.network)).toBe(20 + OPTIONS.length);
          const later = Uint8Array.of(148, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0);
          const options = bytes.slice(piece.network + 20, piece.transport);
          expect(options).toEqual(index === 0 ? OPTIONS : later);
          pool.end(piece, "consumed", "test/piece", 0);
        }
      }),
    );
  });
});

it("loses the rest of a packet when the pool is full, and nothing else", () => {
  const pool = new PacketPool({ slots: 3, largeSlots: 0 });
  const pieces: Packet[] = [];
  fragment(newPacket(pool, new Uint8Array(400)), 120, (piece) => pieces.push(piece), 0);
  expect(pieces.length).toBe(2);
  for (const piece of pieces) pool.end(piece, "consumed", "test/piece", 0);
  expect(pool.live).toBe(0);
  expect(pool.ends.get("ipv4/fragmented")).toBe(1);
});
