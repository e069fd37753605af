import { describe, expect, it } from "vitest";
import { Wires, arrivalsWith } from "./wires.ts";

describe("Faults", () => {
  it("lose every frame at probability 1, by a reason", () => {
    const wires = new Wires();
    const { link, left } = wires.link("w", { delay: 3, faults: { loss: 1 } });
    wires.send(left);
    wires.scheduler.runUntil(3);
    expect(wires.arrivals).toEqual([]);
    expect(wires.pool.ends.get("link/lost")).toBe(1);
    expect(link.toRight.faults?.lost).toBe(1);
  });

  it("deliver a duplicate under the same id, with the same octets, in the same instant", () => {
    const [first, second, ...rest] = arrivalsWith({ duplication: 1 }, 1, 1);
    expect(second).toEqual(first);
    expect(rest).toEqual([]);
  });

  it("make no duplicate while the pool is exhausted", () => {
    const wires = new Wires(1);
    const { link, left } = wires.link("w", { faults: { duplication: 1 } });
    wires.send(left);
    wires.scheduler.runUntil(0);
    expect(wires.numbers).toEqual([0]);
    expect(link.toRight.faults?.duplicated).toBe(0);
  });

  it("let later frames overtake one that is held back", () => {
    const numbers = arrivalsWith({ reordering: 0.2, holdBack: 20 }, 1, 50).map((a) => a.number);
    expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it("hold a frame back for no longer than they may", () => {
    for (const { at, number } of arrivalsWith({ reordering: 1, holdBack: 7 }, 2, 200)) {
      expect(at).toBeGreaterThan(number + 10);
      expect(at).toBeLessThanOrEqual(number + 10 + 7);
    }
  });

  it("flip every bit at probability 1", () => {
    const [arrival] = arrivalsWith({ corruption: 1 }, 1, 1);
    expect(arrival?.octets).toEqual(new Uint8Array(64).fill(0xff));
  });

  it("flip on through the frames: the gap to the next bit reaches over their ends", () => {
    const flips = arrivalsWith({ corruption: 1 / 2000 }, 3, 2000).map(({ octets, number }) => {
      new DataView(octets.buffer).setUint32(0, new DataView(octets.buffer).getUint32(0) ^ number);
      return octets.reduce((sum, octet) => sum + octet.toString(2).replaceAll("0", "").length, 0);
    });
    const untouched = flips.filter((count) => count === 0).length;
    // 512 bits stay whole with probability 0.774.
    expect(untouched / flips.length).toBeGreaterThan(0.7);
    expect(untouched / flips.length).toBeLessThan(0.85);
  });
});
