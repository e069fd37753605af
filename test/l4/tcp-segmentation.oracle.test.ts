import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { IPV4, Protocol } from "../../src/l3/ipv4.ts";
import { viewOf } from "../../src/wire/field.ts";
import { GsoKernel, missingForGso } from "./gso-kernel.ts";
import { largeSegment, SegmentRouter } from "./large-segment.ts";

const missing = missingForGso();

/** An ICMP error has an identification that the kernel draws. */
function comparable(octets: Uint8Array): string {
  const copy = octets.slice();
  const view = viewOf(copy);
  if (IPV4.protocol.get(view, ETHERNET_LENGTH) === Protocol.Icmp) {
    IPV4.id.set(view, ETHERNET_LENGTH, 0);
    IPV4.checksum.set(view, ETHERNET_LENGTH, 0);
  }
  return Buffer.from(copy).toString("hex");
}

describe.skipIf(missing !== null)(`Large segments in the kernel (${missing ?? "here"})`, () => {
  for (const mtu of [1500, 1400]) {
    describe(`with an MTU of ${mtu}`, () => {
      let kernel: GsoKernel;
      beforeAll(() => {
        kernel = new GsoKernel(mtu);
      });
      afterAll(() => kernel.close());

      it("are cut into the same frames, octet for octet", { timeout: 120_000 }, async () => {
        let pieces = 0;
        await fc.assert(
          fc.asyncProperty(largeSegment(), async (segment) => {
            const router = new SegmentRouter(mtu);
            const sent = router.forward(segment);
            const of = (name: string): string[] =>
              sent.filter(({ on }) => on === name).map(({ octets }) => comparable(octets));
            const theirs = await kernel.forward(segment.frame, segment.segmentSize);
            const far = theirs.far.map((hex) => comparable(Buffer.from(hex, "hex")));
            const near = theirs.near.map((hex) => comparable(Buffer.from(hex, "hex")));
            expect({ far: of("far"), near: of("near") }).toEqual({ far, near });
            expect(router.bench.pool.live).toBe(0);
            pieces += far.length;
          }),
          { numRuns: 150 },
        );
        expect(pieces).toBeGreaterThan(150);
      });
    });
  }
});
