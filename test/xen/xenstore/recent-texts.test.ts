import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { octetsOf, pathTextOf } from "../../../src/xen/xenstore/octets.ts";
import { RecentTexts } from "../../../src/xen/xenstore/recent-texts.ts";

describe("recent texts", () => {
  it("reads octets as they are read without it, however often and in whatever order", () => {
    // Few different octets and lengths: the same texts come again, and meet in one place.
    const octets = fc.uint8Array({ maxLength: 140 });
    const texts = fc.oneof(octets, fc.string({ maxLength: 3 }).map(octetsOf));
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 40 }), fc.nat(5), (all, at) => {
        const recent = new RecentTexts();
        for (const one of [...all, ...all.toReversed()]) {
          const bytes = new Uint8Array(at + one.length + 1).fill(7);
          bytes.set(one, at);
          const text = recent.get(bytes, at, at + one.length);
          expect(text).toBe(pathTextOf(one, 0, one.length));
        }
      }),
    );
  });

  it("keeps apart texts that fall into one place", () => {
    const recent = new RecentTexts();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5000; i++) {
        const path = octetsOf(`/local/domain/${i}`);
        expect(recent.get(path, 0, path.length)).toBe(`/local/domain/${i}`);
      }
    }
  });
});
