import fc from "fast-check";
import { expect, it } from "vitest";
import { Tally } from "../../src/base/tally.ts";

it("counts each name, and knows no name that was not counted", () => {
  const tally = new Tally<"a" | "b">();
  tally.count("a");
  tally.count("a");
  expect(tally.get("a")).toBe(2);
  expect(tally.get("b")).toBe(0);
  expect(tally.entries()).toEqual([["a", 2]]);
});

it("lists every name once, in alphabetical order, and loses no count", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("l3/ttl", "l2/short", "arp/op", "l3/checksum")),
      (names) => {
        const tally = new Tally();
        for (const name of names) tally.count(name);
        expect(tally.entries()).toEqual(
          [...new Set(names)]
            .sort()
            .map((name) => [name, names.filter((one) => one === name).length]),
        );
      },
    ),
  );
});
