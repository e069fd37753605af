import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ipv4Of } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import {
  checkIpv4,
  decrementTtl,
  headerLengthOf,
  IPV4,
  IPV4_MIN_LENGTH,
  ipv4Codec,
  isFragment,
  rewriteDestination,
  rewriteSource,
  sealHeader,
  writeIpv4,
} from "../../src/l3/ipv4.ts";
import { assertHeaderLaws } from "../l2/header-laws.ts";

const octet = fc.nat({ max: 255 });
const address = fc
  .oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.constantFrom(0, 0xffff_ffff, 0xffff_0000))
  .map(ipv4Of);

/** A sealed header of any words but version 4, with options, and octets after it. */
const sealed = fc
  .tuple(
    fc.uint8Array({ minLength: 60, maxLength: 60 }),
    fc.integer({ min: 5, max: 15 }),
    fc.nat({ max: 30 }),
  )
  .map(([header, ihl, payload]) => {
    const bytes = new Uint8Array(ihl * 4 + payload).fill(0x77);
    bytes.set(header.subarray(0, ihl * 4));
    const view = viewOf(bytes);
    IPV4.versionIhl.set(view, 0, 0x40 + ihl);
    IPV4.totalLength.set(view, 0, bytes.length);
    sealHeader(view, 0);
    return bytes;
  });

/** The octets with their checksum made anew, by another way: the sum as one big number. */
function resealed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const view = viewOf(copy);
  view.setUint16(10, 0);
  let sum = 0n;
  for (let at = 0; at < headerLengthOf(view, 0); at += 2) sum += BigInt(view.getUint16(at));
  view.setUint16(10, Number(0xffffn - (sum % 0xffffn || 0xffffn)));
  return copy;
}

describe("the IPv4 header", () => {
  it("is what RFC 791 section 3.1 draws", () => {
    const picture = [
      ["versionIhl", 1],
      ["tos", 1],
      ["totalLength", 2],
      ["id", 2],
      ["flagsFragment", 2],
      ["ttl", 1],
      ["protocol", 1],
      ["checksum", 2],
      ["src", 4],
      ["dst", 4],
    ] as const;
    assertHeaderLaws(picture, { ...IPV4 }, ipv4Codec);
  });

  it("holds version, length, flags and offset in the bits that RFC 791 section 3.1 gives", () => {
    fc.assert(
      fc.property(octet, fc.nat({ max: 0xffff }), (first, word) => {
        const view = new DataView(new ArrayBuffer(IPV4_MIN_LENGTH));
        IPV4.versionIhl.set(view, 0, first);
        IPV4.flagsFragment.set(view, 0, word);
        expect(IPV4.version.get(view, 0)).toBe(Math.floor(first / 16));
        expect(headerLengthOf(view, 0)).toBe((first % 16) * 4);
        const [reserved, dont, more] = word.toString(2).padStart(16, "0");
        expect(IPV4.flags.get(view, 0)).toBe(Number.parseInt(`${reserved}${dont}${more}`, 2));
        expect(IPV4.dontFragment.get(view, 0)).toBe(Number(dont));
        expect(IPV4.moreFragments.get(view, 0)).toBe(Number(more));
        expect(IPV4.fragmentOffset.get(view, 0)).toBe(word % 0x2000);
        expect(isFragment(view, 0)).toBe(more === "1" || word % 0x2000 > 0);
      }),
    );
  });
});

describe("the judgement of a packet", () => {
  it("lets every sound one pass, with octets of padding or none", () => {
    fc.assert(
      fc.property(sealed, fc.nat({ max: 20 }), fc.nat({ max: 20 }), (bytes, before, after) => {
        const all = new Uint8Array(before + bytes.length + after).fill(0x5a);
        all.set(bytes, before);
        expect(checkIpv4(viewOf(all), before, all.length)).toBeNull();
      }),
    );
  });

  it("throws for no octets, and lets nothing pass whose words would mislead", () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 80, size: "max" }),
      fc.tuple(sealed, fc.nat({ max: 79 }), octet).map(([bytes, at, value]) => {
        const broken = bytes.slice();
        broken[at % bytes.length] = value;
        return broken;
      }),
      fc.tuple(sealed, fc.nat({ max: 90 })).map(([bytes, length]) => bytes.slice(0, length)),
      fc.tuple(sealed, fc.nat({ max: 100 })).map(([bytes, length]) => {
        IPV4.totalLength.set(viewOf(bytes), 0, length);
        sealHeader(viewOf(bytes), 0);
        return bytes;
      }),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        const view = viewOf(bytes);
        const passes = checkIpv4(view, 0, bytes.length) === null;
        const headerLength = bytes.length > 0 ? headerLengthOf(view, 0) : 0;
        const isWhole = headerLength >= 20 && headerLength <= bytes.length;
        const total = isWhole ? IPV4.totalLength.get(view, 0) : 0;
        const isSound =
          isWhole &&
          IPV4.version.get(view, 0) === 4 &&
          total >= headerLength &&
          total <= bytes.length &&
          isSealed(bytes);
        expect(passes).toBe(isSound);
      }),
      { numRuns: 1000 },
    );
  });
});

/** A sum of all words, the checksum's included, that is a multiple of 65,535 and not zero. */
function isSealed(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  let sum = 0;
  for (let at = 0; at < headerLengthOf(view, 0); at += 2) sum += view.getUint16(at);
  return sum > 0 && sum % 0xffff === 0;
}

describe("an edit of a sealed header", () => {
  it("lowers the TTL by one and leaves the checksum that a new sum would give", () => {
    fc.assert(
      fc.property(sealed, (bytes) => {
        fc.pre((bytes[8] ?? 0) > 0);
        const expected = bytes.slice();
        expected[8] = (bytes[8] ?? 0) - 1;
        decrementTtl(viewOf(bytes), 0);
        expect(bytes).toEqual(resealed(expected));
      }),
      { numRuns: 1000 },
    );
  });

  it("replaces an address and leaves the checksum that a new sum would give", () => {
    fc.assert(
      fc.property(sealed, address, address, (bytes, src, dst) => {
        const expected = bytes.slice();
        IPV4.src.set(viewOf(expected), 0, src);
        rewriteSource(viewOf(bytes), 0, src);
        expect(bytes).toEqual(resealed(expected));
        IPV4.dst.set(viewOf(expected), 0, dst);
        rewriteDestination(viewOf(bytes), 0, dst);
        expect(bytes).toEqual(resealed(expected));
      }),
      { numRuns: 1000 },
    );
  });

  it("seals as a sum of whole numbers does", () => {
    fc.assert(
      fc.property(sealed, fc.nat({ max: 0xffff }), (bytes, wrong) => {
        IPV4.checksum.set(viewOf(bytes), 0, wrong);
        const expected = resealed(bytes);
        sealHeader(viewOf(bytes), 0);
        expect(bytes).toEqual(expected);
      }),
    );
  });
});

describe("a header that we write", () => {
  it("is sound once it is sealed, and says what it was told", () => {
    const pool = new PacketPool({ slots: 1, largeSlots: 0 });
    const origin = fc.record(
      {
        protocol: octet,
        src: address,
        dst: address,
        tos: octet,
        ttl: octet,
        id: fc.nat({ max: 0xffff }),
        dontFragment: fc.boolean(),
        optionsLength: fc.integer({ min: 0, max: 10 }).map((words) => words * 4),
      },
      { requiredKeys: ["protocol", "dst"] },
    );
    fc.assert(
      fc.property(origin, fc.nat({ max: 60 }), (words, length) => {
        const packet = pool.allocate(14 + 20 + (words.optionsLength ?? 0) + length);
        if (packet === null) throw new Error("the pool is exhausted");
        const { view, bytes } = pool;
        bytes.fill(0xa5, packet.frame, packet.end);
        packet.network = packet.frame + 14;
        writeIpv4(packet, words);
        sealHeader(view, packet.network);
        expect(checkIpv4(view, packet.network, packet.end)).toBeNull();
        expect(packet.end - packet.transport).toBe(length);
        expect(ipv4Codec.decode(bytes, packet.network)).toMatchObject({
          protocol: words.protocol,
          src: words.src ?? 0,
          dst: words.dst,
          tos: words.tos ?? 0,
          ttl: words.ttl ?? 64,
          id: words.id ?? 0,
          flagsFragment: words.dontFragment === true ? 0x4000 : 0,
        });
        const options = bytes.subarray(packet.network + 20, packet.transport);
        expect(options.every((one) => one === 0)).toBe(true);
        pool.end(packet, "consumed", "test/written", 0);
      }),
    );
  });
});
