import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold, onesSum } from "../../src/wire/checksum.ts";
import { macOf } from "../../src/wire/addr.ts";
import { EthernetTemplate } from "../../src/l2/ethernet.ts";
import { sumOfWords, swap16 } from "../../src/l3/header-words.ts";

const mac = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map(macOf);

describe("words of a packet", () => {
  it("add up to the sum of its octets, whatever lies behind them", () => {
    const octets = fc.uint8Array({ minLength: 4, maxLength: 1600 });
    fc.assert(
      fc.property(octets, fc.nat(3), fc.nat(40), (all, cut, first) => {
        const bytes = new Uint8Array(4 * Math.ceil(all.length / 4) + 4 * first + 4).fill(0xa5);
        const at = 4 * first;
        bytes.set(all, at);
        const length = all.length - cut;
        const words = new Int32Array(bytes.buffer);
        const sum = fold(sumOfWords(words, first, length));
        expect(swap16(sum)).toBe(onesSum(new DataView(bytes.buffer), at, at + length));
      }),
    );
  });

  it.each([0, 1, 2, 3])(
    "add up to the sum of their octets, of every length, from word %i",
    (at) => {
      const bytes = Uint8Array.from({ length: 240 }, (_, index) => (index * 89 + 201) & 0xff);
      const words = new Int32Array(bytes.buffer);
      for (let length = 0; length <= 200; length += 1) {
        const sum = fold(sumOfWords(words, at, length));
        expect(swap16(sum)).toBe(onesSum(new DataView(bytes.buffer), 4 * at, 4 * at + length));
      }
    },
  );

  it("hold the Ethernet header that goes before them, and nothing else changes", () => {
    fc.assert(
      fc.property(mac, mac, fc.nat(0xffff), fc.nat(5), (dst, src, type, more) => {
        const header = new EthernetTemplate(dst, src, type);
        const [byWords, byFields] = [0, 1].map(() => new Uint8Array(64).fill(0x5a));
        if (byWords === undefined || byFields === undefined) throw new Error("there are two");
        header.writeBefore(new Int32Array(byWords.buffer), 4 + more);
        header.write(new DataView(byFields.buffer), 4 * more + 2);
        expect(byWords).toEqual(byFields);
      }),
    );
  });
});
