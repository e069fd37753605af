import { expect, it } from "vitest";
import { octets, struct, u16be, u8 } from "../../src/wire/layout.ts";

it("puts fields one after the other, without gaps", () => {
  const layout = struct([u8("a"), u16be("b"), octets(5, "c"), u8("d")]);
  expect(layout.span).toBe(9);
  expect((["a", "b", "c", "d"] as const).map((name) => layout.offsetOf(name))).toEqual([
    0, 1, 3, 8,
  ]);
});

it("cannot be changed once it is declared", () => {
  const layout = struct([u8("a")]);
  expect(Object.isFrozen(layout)).toBe(true);
  expect(layout.fields.every((field) => Object.isFrozen(field))).toBe(true);
});

it("knows no field that was not declared", () => {
  const layout = struct([u8("a")]);
  // @ts-expect-error the name of no field
  expect(layout.offsetOf("b")).toBeUndefined();
});

it("takes only its own layouts", () => {
  expect(() => struct([{ span: 1, property: "a", form: "big" }])).toThrow("a: not a layout");
});
