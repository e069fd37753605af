import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { type FlowKey, FlowRecords } from "../../src/l3/flow-records.ts";

const put = (records: FlowRecords, key: FlowKey, isAlive = true): number =>
  records.add(key, () => isAlive);

const find = (records: FlowRecords, key: FlowKey): number =>
  records.find(key.source, key.destination, key.ports, key.protocol);

function keys(count: number): FlowKey[] {
  const chance = new Prng(7);
  return Array.from({ length: count }, (_, index) => ({
    source: (0x0afe_0000 + chance.below(1000)) | 0,
    destination: chance.below(2 ** 32) | 0,
    ports: index,
    protocol: 17,
  }));
}

describe("records of flows", () => {
  it("lose fewer than one in two thousand while their table grows", () => {
    const records = new FlowRecords();
    const all = keys(100_000);
    for (const key of all) put(records, key);
    const lost = all.filter((key) => find(records, key) < 0).length;
    expect(lost).toBeLessThan(50);
    expect(records.words.length).toBeLessThanOrEqual(16 * records.limit);
  });

  it("are found one for each flow", () => {
    const records = new FlowRecords(256);
    for (const key of keys(5000)) {
      const before = find(records, key);
      put(records, key, false);
      const record = find(records, key);
      expect(before).toBe(-1);
      expect(record).toBeGreaterThanOrEqual(0);
    }
  });

  it("are forgotten with their epoch, and their places used again", () => {
    const records = new FlowRecords(256);
    const all = keys(100);
    for (const key of all) put(records, key);
    records.clear();
    expect(all.every((key) => find(records, key) < 0)).toBe(true);
    for (const key of all) put(records, key);
    expect(all.every((key) => find(records, key) >= 0)).toBe(true);
  });
});
