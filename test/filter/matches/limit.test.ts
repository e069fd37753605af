import { describe, expect, it } from "vitest";
import { Jiffies } from "../../../src/base/jiffies.ts";
import { HOUR, type Instant, MILLISECOND, SECOND } from "../../../src/base/time.ts";
import { Hook, Verdict } from "../../../src/l3/hooks.ts";
import { Cast, PacketPool } from "../../../src/wire/packet.ts";
import { type FrameParts, packetOf } from "../facts.ts";
import { newRuleSet } from "../stand.ts";

const PARTS: FrameParts = {
  src: 1,
  dst: 2,
  protocol: 255,
  tos: 0,
  ttl: 1,
  flagsFragment: 0,
  options: 0,
  transport: new Uint8Array(0),
  sourceMac: 0,
};
const PLACE = { input: null, output: null, cast: Cast.Host, flowState: 0, mark: 0 };

/** Asks a rule with `-m limit` again and again. */
function limiter(options: string, hz = 250): (now: Instant) => boolean {
  const { rules } = newRuleSet({ jiffies: new Jiffies({ hz }) });
  rules.command(`-A INPUT -m limit ${options} -j DROP`);
  const packet = packetOf(new PacketPool({ slots: 1, largeSlots: 0 }), PARTS, PLACE);
  const table = rules.table("filter");
  return (now) => {
    const context = { hook: Hook.Input, packet, input: null, output: null, now };
    return table.onHook(packet, { ...context, reason: "test/none", detail: "" }) === Verdict.Drop;
  };
}

const count = (matches: (now: Instant) => boolean, times: number, now: Instant): number =>
  Array.from({ length: times }, () => matches(now)).filter(Boolean).length;

describe("-m limit", () => {
  it.each([250, 1000, 100])("lets a burst through, then one packet an interval: HZ %i", (hz) => {
    const matches = limiter("--limit 5/sec --limit-burst 7", hz);
    expect(count(matches, 20, 3 * SECOND)).toBe(7);
    expect(matches(3 * SECOND + 200 * MILLISECOND - 1)).toBe(false);
    expect(matches(3 * SECOND + 200 * MILLISECOND)).toBe(true);
    expect(matches(3 * SECOND + 200 * MILLISECOND)).toBe(false);
    expect(count(matches, 20, 60 * SECOND)).toBe(7);
  });

  it("takes three an hour and bursts of five if it is told nothing", () => {
    const matches = limiter("");
    expect(count(matches, 10, 0)).toBe(5);
    expect(matches(1200 * SECOND - 1)).toBe(false);
    expect(matches(1200 * SECOND)).toBe(true);
    expect(count(matches, 10, 100 * HOUR)).toBe(5);
  });

  it("gains credit by ticks, not by instants", () => {
    const matches = limiter("--limit 250/s --limit-burst 1");
    expect(matches(SECOND)).toBe(true);
    expect(matches(SECOND + 4 * MILLISECOND - 1)).toBe(false);
    expect(matches(SECOND + 4 * MILLISECOND)).toBe(true);
  });

  it("forgets credit of 32 bits and more, as the kernel does", () => {
    const matches = limiter("--limit 1/hour --limit-burst 2");
    const wrap = (2 ** 32 / 128) * 4 * MILLISECOND;
    expect(count(matches, 3, 0)).toBe(2);
    expect(matches(wrap)).toBe(false);
    expect(matches(2 * wrap - 4 * MILLISECOND)).toBe(true);
  });

  it("keeps its credit while other rules change", () => {
    const { rules } = newRuleSet();
    rules.command("-A INPUT -m limit --limit 1/min --limit-burst 1 -j DROP");
    const table = rules.table("filter");
    const packet = packetOf(new PacketPool({ slots: 1, largeSlots: 0 }), PARTS, PLACE);
    const context = { hook: Hook.Input, packet, input: null, output: null, now: 0 };
    const judge = (): Verdict =>
      table.onHook(packet, { ...context, reason: "test/none", detail: "" });
    expect(judge()).toBe(Verdict.Drop);
    rules.command("-I INPUT -s 9.9.9.9 -j ACCEPT");
    expect(judge()).toBe(Verdict.Accept);
  });
});
