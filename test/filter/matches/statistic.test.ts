import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/base/prng.ts";
import { parseRule } from "../../../src/filter/rule-text.ts";
import { MatchResult } from "../../../src/filter/match.ts";
import { Jiffies } from "../../../src/base/jiffies.ts";
import type { Chance } from "../../../src/base/prng.ts";
import { Hook, type HookContext } from "../../../src/l3/hooks.ts";
import { PacketPool } from "../../../src/wire/packet.ts";

const SERVICES = {
  jiffies: new Jiffies(),
  addressTypes: null,
  interfaceAddresses: null,
  pathMtu: null,
  rejecter: null,
  log: null,
};
const packet = new PacketPool({ slots: 1, largeSlots: 0 }).allocate(60);

/** How often of `times` packets match. */
function share(text: string, times: number, chance: Chance): number {
  const matcher = parseRule(text).matches[0]?.bind({ ...SERVICES, chance });
  if (matcher === null || matcher === undefined || packet === null) throw new Error("no matcher");
  const context: HookContext = {
    ...{ hook: Hook.Input, packet, input: null, output: null, now: 0 },
    ...{ reason: "test/none", detail: "" },
  };
  let matched = 0;
  for (let index = 0; index < times; index += 1) {
    if (matcher.matches(packet, context) === MatchResult.Yes) matched += 1;
  }
  return matched;
}

describe("-m statistic", () => {
  it("matches by a seeded chance with the probability that is asked", () => {
    const rule = "-m statistic --mode random --probability 0.25";
    const once = share(rule, 10_000, new Prng(7));
    expect(once).toBeGreaterThan(2300);
    expect(once).toBeLessThan(2700);
    expect(share(rule, 10_000, new Prng(7))).toBe(once);
    const inverted = "-m statistic --mode random ! --probability 0.25";
    expect(share(inverted, 10_000, new Prng(7))).toBe(10_000 - once);
  });

  it("draws 31 bits, and compares them with the probability times 2^31", () => {
    const bounds: number[] = [];
    const draw = (value: number): Chance => ({
      below(bound) {
        bounds.push(bound);
        return value;
      },
    });
    const rule = "-m statistic --mode random --probability 0.5";
    expect(share(rule, 1, draw(2 ** 30 - 1))).toBe(1);
    expect(share(rule, 1, draw(2 ** 30))).toBe(0);
    expect(bounds).toEqual([2 ** 31, 2 ** 31]);
  });

  it.each([
    ["0", 0],
    ["1", 1000],
  ])("matches never or always at the ends: %s", (probability, matched) => {
    const rule = `-m statistic --mode random --probability ${probability}`;
    expect(share(rule, 1000, new Prng(1))).toBe(matched);
  });
});
