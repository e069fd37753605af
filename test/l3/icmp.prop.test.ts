import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewOf } from "../../src/wire/field.ts";
import {
  checkIcmp,
  ICMP,
  ICMP_LENGTH,
  ICMP_TIMESTAMPS,
  icmpCodec,
  icmpEchoCodec,
  icmpTimestampsCodec,
  isIcmpError,
  isIcmpQuery,
  sealIcmp,
} from "../../src/l3/icmp.ts";
import { assertHeaderLaws } from "../l2/header-laws.ts";

const HEAD = [
  ["type", 1],
  ["code", 1],
  ["checksum", 2],
] as const;

describe("the ICMP header", () => {
  it("is what RFC 792 draws, with the rest in one word", () => {
    assertHeaderLaws([...HEAD, ["rest", 4]], { ...ICMP }, icmpCodec);
  });

  it("is what RFC 792 draws for an echo", () => {
    assertHeaderLaws([...HEAD, ["id", 2], ["sequence", 2]], { ...ICMP }, icmpEchoCodec);
  });

  it("is what RFC 792 draws for the times of a timestamp", () => {
    const picture = [
      ["originate", 4],
      ["receive", 4],
      ["transmit", 4],
    ] as const;
    assertHeaderLaws(picture, { ...ICMP_TIMESTAMPS }, icmpTimestampsCodec);
  });

  it("gives the rest the form that the type asks for", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), (rest) => {
        const view = new DataView(new ArrayBuffer(ICMP_LENGTH));
        ICMP.rest.set(view, 0, rest);
        expect(ICMP.mtu.get(view, 0)).toBe(rest % 0x10000);
        expect(ICMP.gateway.get(view, 0)).toBe(rest);
        expect(ICMP.pointer.get(view, 0)).toBe(Math.floor(rest / 2 ** 24));
      }),
    );
  });
});

describe("a message of any octets", () => {
  const octets = fc.uint8Array({ maxLength: 40, size: "max" });

  it("is judged without a throw, and passes if it is intact and of a known type", () => {
    fc.assert(
      fc.property(octets, fc.boolean(), fc.nat({ max: 40 }), (bytes, isSealed, type) => {
        const view = viewOf(bytes);
        const isWhole = bytes.length >= ICMP_LENGTH;
        if (isWhole) ICMP.type.set(view, 0, type);
        if (isWhole && isSealed) sealIcmp(view, 0, bytes.length);
        const wrong = checkIcmp(view, 0, bytes.length);
        expect(wrong === "icmp/truncated").toBe(!isWhole);
        if (!isWhole) return;
        const sum = bytes.reduce((all, one, at) => all + (at % 2 === 0 ? one * 256 : one), 0);
        const isIntact = sum > 0 && sum % 0xffff === 0;
        expect(wrong).toBe(isIntact ? (type > 18 ? "icmp/type" : null) : "icmp/checksum");
      }),
      { numRuns: 500 },
    );
  });
});

it("takes no type for both a query and an error", () => {
  for (let type = 0; type < 256; type += 1) {
    expect(isIcmpError(type) && isIcmpQuery(type)).toBe(false);
  }
  expect([0, 8, 13, 14, 15, 16, 17, 18].every(isIcmpQuery)).toBe(true);
  expect([3, 4, 5, 11, 12].every(isIcmpError)).toBe(true);
  expect([1, 2, 6, 7, 9, 10, 19, 42, 255].some((type) => isIcmpQuery(type))).toBe(false);
});
