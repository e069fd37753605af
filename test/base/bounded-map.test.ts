import { expect, it } from "vitest";
import { BoundedMap } from "../../src/base/bounded-map.ts";
import { OptionError } from "../../src/base/errors.ts";

it("forgets the key that was set longest ago, and says so", () => {
  const map = new BoundedMap<string, number>(2);
  expect(map.set("a", 1)).toBeNull();
  expect(map.set("b", 2)).toBeNull();
  expect(map.set("a", 3)).toBeNull();
  expect(map.set("c", 4)).toEqual(["b", 2]);
  expect([...map]).toEqual([
    ["a", 3],
    ["c", 4],
  ]);
});

it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("refuses the bound %d", (limit) => {
  expect(() => new BoundedMap(limit)).toThrow(OptionError);
});
