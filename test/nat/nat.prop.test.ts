import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { SECOND } from "../../src/base/time.ts";
import { Hook } from "../../src/l3/hooks.ts";
import { IcmpType } from "../../src/l3/icmp.ts";
import { IPV4, Protocol } from "../../src/l3/ipv4.ts";
import { FLOWS_2618, FLOWS_6 } from "../../src/nat/behaviour.ts";
import { formatIpv4 } from "../../src/wire/addr.ts";
import { type Ends, icmpError, query, read, tcp, turned, udp } from "./packets.ts";
import { range, type RangeOptions, rulesOf, Stand } from "./stand.ts";

const port = fc.constantFrom(1, 80, 511, 600, 1023, 1024, 4000, 65_535);
const ends: fc.Arbitrary<Ends> = fc.record({
  src: fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"),
  dst: fc.constantFrom("8.8.8.8", "9.9.9.9"),
  srcPort: port,
  dstPort: port,
});
const data = fc.uint8Array({ maxLength: 40 });

interface Talk {
  readonly protocol: number;
  readonly ends: Ends;
  readonly data: Uint8Array;
  readonly isSummed: boolean;
}

const talk: fc.Arbitrary<Talk> = fc.record({
  protocol: fc.constantFrom(Protocol.Udp, Protocol.Tcp, Protocol.Icmp),
  ends,
  data,
  isSummed: fc.boolean(),
});

/** Connections that differ in their ends: a second SYN of one may rightly be out of its windows. */
const talks = (maxLength: number): fc.Arbitrary<Talk[]> =>
  fc.uniqueArray(talk, {
    maxLength,
    selector: (one) => JSON.stringify([one.protocol, one.ends]),
  });

const ranges: fc.Arbitrary<RangeOptions> = fc.oneof(
  fc.constant({ to: "75.101.160.7" }),
  fc.record({
    to: fc.constant("75.101.160.7"),
    upTo: fc.constantFrom("75.101.160.7", "75.101.160.9", "75.101.160.40"),
    ports: fc.constantFrom<[number, number] | null>(null, [2000, 2007], [1, 65_535]),
    isRandom: fc.boolean(),
    isPersistent: fc.boolean(),
  }),
);

function outward({ protocol, ends: one, data: octets, isSummed }: Talk): Uint8Array {
  if (protocol === Protocol.Udp) return udp(one, octets, isSummed);
  if (protocol === Protocol.Tcp) return tcp(one, { flags: "S", seq: 9, data: octets });
  return query(one, IcmpType.Echo, octets);
}

/** What the other side sends back to `one`, which is how it sees the first packet's ends. */
function inward({ protocol, data: octets, isSummed }: Talk, one: Ends): Uint8Array {
  const back = turned(one);
  if (protocol === Protocol.Udp) return udp(back, octets, isSummed);
  if (protocol === Protocol.Tcp) {
    return tcp(back, { flags: "SA", seq: 3, ack: 10 + octets.length, data: octets });
  }
  return query({ ...back, srcPort: one.srcPort }, IcmpType.EchoReply, octets);
}

/** The inner hosts that public addresses stand for. */
const INNER: ReadonlyMap<string, string> = new Map([
  ["8.8.8.8", "10.0.0.8"],
  ["9.9.9.9", "10.0.0.9"],
]);

const sources = (options: RangeOptions) =>
  rulesOf((hook, packet) => {
    const src = IPV4.src.get(packet.pool.view, packet.network);
    return hook === Hook.Postrouting && src >>> 24 === 10 ? range(options) : null;
  });

describe.each([
  ["2.6.18", FLOWS_2618],
  ["6.x", FLOWS_6],
] as const)("address translation of Linux %s", (_, behaviour) => {
  it("brings every answer back to the tuple that asked, with data and checksums intact", () => {
    fc.assert(
      fc.property(ranges, talks(30), (options, all) => {
        const stand = new Stand({ behaviour, rules: sources(options) });
        for (const one of all) {
          const { octets, reason } = stand.forward(outward(one));
          if (octets === null) {
            expect(reason).toBe("conntrack/clash");
            continue;
          }
          const outside = read(octets);
          expect(outside.wrong).toEqual([]);
          expect(outside.data).toEqual(one.data);
          expect(outside.dst).toBe(one.ends.dst);
          const answer = inward(one, outside);
          expect(stand.answer(answer).octets).toEqual(inward(one, one.ends));
        }
      }),
      { numRuns: 25 },
    );
  });

  it("never gives two connections one face to the outside", () => {
    fc.assert(
      fc.property(ranges, talks(40), (options, all) => {
        const stand = new Stand({ behaviour, rules: sources(options) });
        const owners = new Map<string, string>();
        for (const one of all) {
          const { octets } = stand.forward(outward(one));
          if (octets === null) continue;
          const { src, srcPort, dst, dstPort, protocol } = read(octets);
          const face = JSON.stringify([protocol, src, srcPort, dst, dstPort]);
          const { ends: inner } = one;
          const isQuery = protocol === Protocol.Icmp;
          const owner = JSON.stringify([inner.src, inner.srcPort, isQuery ? 0 : inner.dstPort]);
          expect(owners.get(face) ?? owner).toBe(owner);
          owners.set(face, owner);
          expect(src).toMatch(/^75\.101\.160\./);
          if (options.ports != null && !isQuery) {
            expect(srcPort).toBeGreaterThanOrEqual(options.ports[0]);
            expect(srcPort).toBeLessThanOrEqual(options.ports[1]);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  it("shows an error about a connection to its host in that host's own words", () => {
    const error = fc.record({
      type: fc.constantFrom(3, 4, 11, 12),
      // Linux mends a quoted TCP checksum only where the whole header is quoted.
      length: fc.oneof(fc.integer({ min: 28, max: 36 }), fc.integer({ min: 40, max: 80 })),
      from: fc.constantFrom("8.8.8.8", "192.0.2.1"),
    });
    fc.assert(
      fc.property(ranges, talk, error, (options, one, { type, length, from }) => {
        const stand = new Stand({ behaviour, rules: sources(options) });
        const inner = outward(one);
        const outer = stand.forward(inner).octets ?? new Uint8Array();
        const { src } = read(outer);
        const told = stand.answer(icmpError(from, src, outer, type, length)).octets;
        const expected = icmpError(from, one.ends.src, inner, type, length);
        expect(read(told ?? new Uint8Array(28)).wrong).toEqual([]);
        expect(told).toEqual(expected);
      }),
      { numRuns: 80 },
    );
  });

  it("sends the same for the same seed, whatever it draws", () => {
    fc.assert(
      fc.property(fc.nat(), talks(20), (seed, all) => {
        const rules = sources({ to: "75.101.160.7", ports: [2000, 2300], isRandom: true });
        const runs = [1, 2].map(() => {
          const stand = new Stand({ behaviour, rules, chance: new Prng(seed) });
          return all.map((one) => {
            stand.now += SECOND;
            return stand.forward(outward(one)).octets;
          });
        });
        expect(runs[0]).toEqual(runs[1]);
      }),
      { numRuns: 25 },
    );
  });

  it("changes destinations, and nothing else, of what comes in", () => {
    fc.assert(
      fc.property(talks(20), (all) => {
        const rules = rulesOf((hook, packet) => {
          const dst = IPV4.dst.get(packet.pool.view, packet.network);
          const to = INNER.get(formatIpv4(dst));
          const isIn = hook === Hook.Prerouting && to !== undefined;
          return isIn ? range({ side: "destination", to }) : null;
        });
        const stand = new Stand({ behaviour, rules });
        for (const one of all) {
          const { octets } = stand.answer(outward(one));
          const inner = { ...one, ends: { ...one.ends, dst: INNER.get(one.ends.dst) ?? "" } };
          expect(octets).toEqual(outward(inner));
          expect(stand.forward(inward(one, inner.ends)).octets).toEqual(inward(one, one.ends));
        }
      }),
      { numRuns: 25 },
    );
  });
});
