import { describe, expect, it } from "vitest";
import { Jiffies } from "../../../src/base/jiffies.ts";
import { HOUR, type Instant, SECOND } from "../../../src/base/time.ts";
import { RuleError } from "../../../src/filter/errors.ts";
import { PacketMeter } from "../../../src/filter/meter.ts";
import { RateTable } from "../../../src/filter/rate-table.ts";
import { newRuleSet } from "../stand.ts";

const MASKS = { source: -1, destination: -1, ports: -1 };

/** A table that lets each account have one packet a second, and one more at once. */
function tableOf(limit: number, expire = 2000, interval = 1000): RateTable {
  const meter = new PacketMeter(250, 1_000_000, 2);
  return new RateTable(new Jiffies(), { meter, masks: MASKS, limit, expire, interval });
}

const take = (table: RateTable, address: number, now: Instant): boolean | null =>
  table.take(address, 0, 0, 100, now);

describe("A table of hashlimit", () => {
  it("reckons for each address alone", () => {
    const table = tableOf(10);
    expect([1, 1, 1, 2, 2, 2].map((address) => take(table, address, 0))).toEqual([
      ...[true, true, false],
      ...[true, true, false],
    ]);
    expect(take(table, 1, SECOND)).toBe(true);
    expect(take(table, 1, SECOND)).toBe(false);
  });

  it("has no room for one more than its bound, until one has expired", () => {
    const table = tableOf(2);
    expect(take(table, 1, 0)).toBe(true);
    expect(take(table, 2, 0)).toBe(true);
    expect(take(table, 3, 0)).toBeNull();
    expect(take(table, 1, 2 * SECOND)).toBe(true);
    expect(take(table, 3, 4 * SECOND)).toBe(true);
    expect(table.count).toBe(2);
  });

  it("forgets an account only when it looks for expired ones: credit then begins anew", () => {
    const table = tableOf(10, 1, 60_000);
    take(table, 1, 0);
    take(table, 1, 0);
    expect(take(table, 1, SECOND / 2)).toBe(false);
    expect(take(table, 1, HOUR)).toBe(true);
    expect(take(table, 1, HOUR)).toBe(true);
    expect(take(table, 1, HOUR)).toBe(false);
  });

  it("finds each of many accounts again while it grows", () => {
    const table = tableOf(100_000);
    for (let address = 0; address < 1000; address += 1) take(table, address, 0);
    for (let address = 0; address < 1000; address += 1) {
      expect(take(table, address, 0)).toBe(true);
      expect(take(table, address, 0)).toBe(false);
    }
    expect(table.count).toBe(1000);
  });
});

describe("-m hashlimit", () => {
  it("is refused if rules of one name count different things, or more than fits", () => {
    const { rules } = newRuleSet();
    const rule = (rate: string): string =>
      `-A INPUT -m hashlimit --hashlimit-upto ${rate} --hashlimit-name x`;
    rules.command(rule("5/sec"));
    expect(() => rules.command(rule("5kb/s"))).toThrow(RuleError);
    expect(() => rules.command(rule("1/day --hashlimit-burst 1000000"))).toThrow(RuleError);
    rules.command(rule("7/sec"));
    rules.command("-F INPUT");
    rules.command(rule("5kb/s"));
  });
});
