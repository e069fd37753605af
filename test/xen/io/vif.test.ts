import { describe, expect, it } from "vitest";
import { frameOf, VifPair } from "./vif-pair.ts";

/** As toEqual, and a thousand times as fast. */
const isSame = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
  one !== undefined && Buffer.compare(one, other) === 0;

describe.each([
  ["2618", false],
  ["6", false],
  ["2618", true],
  ["6", true],
] as const)("a vif of era %s, shared memory %s", (era, isShared) => {
  it("carries frames of every length both ways, each with its id", () => {
    const pair = new VifPair({ era, isShared });
    const lengths = [
      14, 15, 16, 17, 18, 60, 61, 62, 63, 64, 65, 1500, 1514, 4093, 4094, 4095, 4096,
    ];
    const longer = [4097, 8190, 8191, 8192, 9014, 20_000, 65_535];
    [...lengths, ...longer].forEach((length, number) => {
      const octets = frameOf(number, length);
      const out = pair.fromGuest(octets);
      expect(isSame(pair.atVif.frames.at(-1)?.octets, octets)).toBe(true);
      expect(pair.atVif.frames.at(-1)?.id).toBe(out);
      const inward = pair.toGuest(octets);
      expect(isSame(pair.atGuest.frames.at(-1)?.octets, octets)).toBe(true);
      expect(pair.atGuest.frames.at(-1)?.id).toBe(inward);
    });
    expect(pair.pool.live).toBe(0);
    expect(pair.netback.counters).toMatchObject({ taken: 24, refused: 0, given: 24 });
    expect(pair.netfront.counters).toEqual({ sent: 24, refused: 0, received: 24 });
  });

  it("goes on for ever: rings turn, pages and grants come back", () => {
    const pair = new VifPair({ era, isShared });
    const first = pair.domain.memory.allocated;
    let wrong = 0;
    for (let number = 0; number < 5000; number += 1) {
      const octets = frameOf(number, 60 + (number % 1455));
      pair.fromGuest(octets);
      pair.toGuest(octets);
      wrong += isSame(pair.atVif.frames.pop()?.octets, octets) ? 0 : 1;
      wrong += isSame(pair.atGuest.frames.pop()?.octets, octets) ? 0 : 1;
    }
    expect(wrong).toBe(0);
    expect(pair.pool.live).toBe(0);
    expect(pair.domain.memory.allocated - first).toBeLessThan(280);
  });

  it("drops what comes before it is joined and after it is parted, and can be joined again", () => {
    const pair = new VifPair({ era, isShared, isJoined: false });
    pair.fromGuest(frameOf(1));
    pair.toGuest(frameOf(2));
    expect(pair.pool.ends.get("netfront/no-carrier")).toBe(1);
    expect(pair.pool.ends.get("netback/no-frontend")).toBe(1);
    const before = pair.domain.memory.allocated;
    for (let time = 0; time < 3; time += 1) {
      pair.join();
      pair.fromGuest(frameOf(3));
      pair.toGuest(frameOf(4));
      expect(pair.atVif.frames.pop()?.octets).toEqual(frameOf(3));
      expect(pair.atGuest.frames.pop()?.octets).toEqual(frameOf(4));
      pair.netback.disconnect(0);
      pair.netfront.close(0);
      expect(pair.domain.memory.allocated).toBe(before);
      expect(pair.hypervisor.dom0.table.mappings).toBe(0);
    }
    expect(pair.pool.live).toBe(0);
  });
});
