import { expect, it } from "vitest";
import { assert } from "../../src/base/assert.ts";

it("stops with the invariant that is broken", () => {
  expect(() => assert(false, "a frame ends once")).toThrow("invariant broken: a frame ends once");
});

it("lets through what holds", () => {
  expect(() => assert(true, "a frame ends once")).not.toThrow();
});
