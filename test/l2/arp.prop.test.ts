import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ipv4Of, macOf } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { ARP, ARP_LENGTH, arpCodec, checkArp, writeArp } from "../../src/l2/arp.ts";
import { assertHeaderLaws } from "./header-laws.ts";

const mac = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map(macOf);
const ipv4 = fc.nat({ max: 2 ** 32 - 1 }).map(ipv4Of);

describe("the ARP message", () => {
  it("is what RFC 826 draws", () => {
    const picture = [
      ["htype", 2],
      ["ptype", 2],
      ["hlen", 1],
      ["plen", 1],
      ["op", 2],
      ["sha", 6],
      ["spa", 4],
      ["tha", 6],
      ["tpa", 4],
    ] as const;
    assertHeaderLaws(picture, { ...ARP }, arpCodec);
  });

  it("is judged without a throw, and passes if it asks or answers for IPv4 over Ethernet", () => {
    const near = (value: number): fc.Arbitrary<number> =>
      fc.oneof({ arbitrary: fc.constant(value), weight: 6 }, fc.nat({ max: 255 }));
    const words = fc.record({
      htype: fc.oneof(fc.constantFrom(1, 6), near(1)),
      ptype: near(0x0800),
      hlen: near(6),
      plen: near(4),
      op: fc.oneof(fc.constantFrom(1, 2), near(1)),
    });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 48, size: "max" }),
        fc.nat(20),
        words,
        (bytes, at, said) => {
          const view = viewOf(bytes);
          const isWhole = at + ARP_LENGTH <= bytes.length;
          if (isWhole) {
            for (const [name, value] of Object.entries(said)) {
              ARP[name as keyof typeof said].set(view, at, value);
            }
          }
          const { htype, ptype, hlen, plen, op } = said;
          const isOurs =
            (htype === 1 || htype === 6) && ptype === 0x0800 && hlen === 6 && plen === 4;
          const passes = isWhole && isOurs && (op === 1 || op === 2);
          expect(checkArp(view, at, bytes.length) === null).toBe(passes);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("passes its own judgement when we wrote it", () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2), mac, ipv4, mac, ipv4, (op, sha, spa, tha, tpa) => {
        const bytes = new Uint8Array(ARP_LENGTH).fill(0xa5);
        writeArp(viewOf(bytes), 0, op, sha, spa, tha, tpa);
        expect(checkArp(viewOf(bytes), 0, bytes.length)).toBeNull();
        expect(arpCodec.decode(bytes)).toMatchObject({ htype: 1, op, sha, spa, tha, tpa });
      }),
    );
  });
});
