import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLOCK_ABI_32, BLOCK_ABI_64 } from "../../../src/xen/io/blkif.ts";
import { expectOctets } from "../../support/octets.ts";
import { blockHost, connectedDisk } from "./block-stand.ts";
import { BlockWork, WORK_SECTORS } from "./block-work.ts";

describe("a virtual disk", () => {
  it("holds what was written last, in either shape, at every depth, and leaves no grant", () => {
    const depth = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 60, max: 160 }));
    const shape = fc.record({
      is32Bit: fc.boolean(),
      isShared: fc.boolean(),
      isPersistent: fc.boolean(),
      indirectSegments: fc.constantFrom(0, 0, 20, 256),
      discard: fc.constantFrom(null, { granularity: 4096, alignment: 0, isSecure: false }),
    });
    fc.assert(
      fc.property(fc.nat(), depth, shape, (seed, most, { is32Bit, isShared, ...features }) => {
        const host = blockHost(2048, isShared);
        const domU = host.domain(1);
        const abi = is32Bit ? BLOCK_ABI_32 : BLOCK_ABI_64;
        const sectors = WORK_SECTORS;
        const { front, back, disk } = connectedDisk(host, domU, { abi, sectors, features });
        const work = new BlockWork(front, seed, 60, most);
        for (let round = 0; !work.isDone; round += 1) {
          host.events.setRunnable(0, round % 3 === 2, round);
          work.step(round);
        }
        const { ended, failed, wrong } = work;
        expect({ ended, failed, wrong }).toEqual({ ended: 60, failed: 0, wrong: 0 });
        expect([front.outstanding, front.queued, front.lostFrames]).toEqual([0, 0, 0]);
        const whole = new Uint8Array(sectors * 512);
        expect(disk.read(0, whole)).toBe(0);
        expectOctets(whole, work.content);
        back.disconnect();
        expect(front.close(0)).toBe(true);
        expect(host.tables.isReferenced(1)).toBe(false);
        expect(domU.grants.available).toBe(4 * 512 - 8);
      }),
      { numRuns: 25 },
    );
  });
});
