import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Jiffies } from "../../src/base/jiffies.ts";
import { MILLISECOND, SECOND } from "../../src/base/time.ts";

describe("a kernel with 250 ticks a second", () => {
  const jiffies = new Jiffies();

  it.each([
    ["at once", 0, 4 * MILLISECOND],
    ["within the tick", 1, 8 * MILLISECOND],
    ["a tick ahead", 4 * MILLISECOND, 8 * MILLISECOND],
    ["62 ticks ahead, in buckets of 1", 248 * MILLISECOND, 252 * MILLISECOND],
    ["63 ticks ahead, in buckets of 8", 252 * MILLISECOND, 256 * MILLISECOND],
    ["0.8 s ahead, in buckets of 8", 800 * MILLISECOND, 832 * MILLISECOND],
    ["1 s ahead, in buckets of 8", SECOND, 1_024 * MILLISECOND],
    ["5 s ahead, in buckets of 64", 5 * SECOND, 5_120 * MILLISECOND],
    ["60 s ahead, in buckets of 512", 60 * SECOND, 61_440 * MILLISECOND],
  ])("fires a timer that is set %s late by its bucket", (_, delay, firing) => {
    expect(jiffies.firing(0, delay)).toBe(firing);
  });

  it("counts from the tick before the timer is set", () => {
    expect(jiffies.firing(3_999, 4_000)).toBe(8_000);
    expect(jiffies.firing(4_000, 4_000)).toBe(12_000);
  });
});

it.each([
  ["8 levels", 100, 8 ** 7],
  ["9 levels", 250, 8 ** 8],
  ["9 levels", 1000, 8 ** 8],
])("brings forward to the end of %s what lies beyond, at %d ticks a second", (_, hz, bucket) => {
  const jiffies = new Jiffies({ hz });
  const end = 63 * bucket * jiffies.tick;
  expect(jiffies.firing(0, end - 1)).toBe(end);
  expect(jiffies.firing(0, end)).toBe(end);
  expect(jiffies.firing(0, 2 * end)).toBe(end);
});

it("fires on the asked tick, and never on the running one, before Linux 4.8", () => {
  const jiffies = new Jiffies({ hasCoarseLevels: false });
  expect(jiffies.firing(0, 0)).toBe(4_000);
  expect(jiffies.firing(0, 4_000)).toBe(4_000);
  expect(jiffies.firing(0, 4_001)).toBe(8_000);
  expect(jiffies.firing(0, 60 * SECOND)).toBe(60 * SECOND);
});

it("counts its ticks from before the run if the kernel is older", () => {
  const jiffies = new Jiffies({ hasCoarseLevels: false, age: 1_000 });
  expect(jiffies.uptime(0)).toBe(1_000);
  expect(jiffies.firing(0, 1)).toBe(3_000);
  expect(jiffies.floor(2_999)).toBe(-1_000);
  expect(jiffies.floor(3_000)).toBe(3_000);
  expect(jiffies.floor(6_999)).toBe(3_000);
});

it("fires at whole microseconds when a tick is none", () => {
  const jiffies = new Jiffies({ hz: 300, hasCoarseLevels: false });
  expect(jiffies.firing(0, 1)).toBe(3_334);
  expect(jiffies.firing(3_334, 1)).toBe(6_667);
});

it.each([0, -250, 251, Number.NaN])("refuses %d ticks a second", (hz) => {
  expect(() => new Jiffies({ hz })).toThrow(OptionError);
});
