import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { checkIpv4, IPV4, IPV4_MIN_LENGTH } from "../../src/l3/ipv4.ts";
import { checkTcpChecksum, TCP, TCP_MIN_LENGTH, tcpHeaderLengthOf } from "../../src/l4/tcp.ts";
import { TCP_SEGMENTER } from "../../src/l4/tcp-segmentation.ts";
import { viewOf } from "../../src/wire/field.ts";
import { Bench } from "../l3/bench.ts";
import { largeSegment, type LargeSegment, SegmentRouter } from "./large-segment.ts";

const IP = ETHERNET_LENGTH;
const at = IP + IPV4_MIN_LENGTH;

/** A segment that a router forwards, with a blank checksum that is right. */
const sound = (): fc.Arbitrary<LargeSegment> =>
  largeSegment().filter(({ frame, segmentSize }) => {
    const bench = new SegmentRouter(65_535);
    const [sent] = bench.forward({ frame, segmentSize: 0 });
    if (segmentSize === 0 || sent?.on !== "far") return false;
    const view = viewOf(sent.octets);
    const { src, dst } = IPV4;
    const end = sent.octets.length;
    return checkTcpChecksum(view, at, end, src.get(view, IP), dst.get(view, IP)) === null;
  });

describe("a large segment", () => {
  it("leaves as segments that carry its octets, one after the other, and hold", () => {
    fc.assert(
      fc.property(sound(), (segment) => {
        const router = new SegmentRouter(1600);
        const sent = router.forward(segment);
        const whole = viewOf(segment.frame);
        const headers = at + tcpHeaderLengthOf(whole, at);
        const payload: number[] = [];
        sent.forEach(({ octets }, index) => {
          const view = viewOf(octets);
          const end = octets.length;
          const isLast = index === sent.length - 1;
          expect(checkIpv4(view, IP, end)).toBeNull();
          const src = IPV4.src.get(view, IP);
          expect(checkTcpChecksum(view, at, end, src, IPV4.dst.get(view, IP))).toBeNull();
          expect(TCP.seq.get(view, at)).toBe((TCP.seq.get(whole, at) + payload.length) >>> 0);
          expect(IPV4.id.get(view, IP)).toBe((IPV4.id.get(whole, IP) + index) & 0xffff);
          if (!isLast) expect(end - headers).toBe(segment.segmentSize);
          payload.push(...octets.subarray(headers));
        });
        expect(payload).toEqual([...segment.frame.subarray(headers)]);
        expect(sent.length).toBeGreaterThan(1);
      }),
      { numRuns: 60 },
    );
  });

  it("goes whole where the device takes it so, its checksum still blank", () => {
    fc.assert(
      fc.property(sound(), (segment) => {
        const router = new SegmentRouter(1600);
        router.far.takesLargeSegments = true;
        router.far.takesBlankChecksums = true;
        const [sent] = router.forward(segment);
        expect(sent?.octets.length).toBe(segment.frame.length);
        const sum = TCP.checksum.get(viewOf(segment.frame), at);
        expect(TCP.checksum.get(viewOf(sent?.octets ?? segment.frame), at)).toBe(sum);
      }),
      { numRuns: 30 },
    );
  });

  it("is ended once, whatever its octets are, and so is each piece", () => {
    const octets = fc.uint8Array({ minLength: at, maxLength: at + 2 * TCP_MIN_LENGTH });
    fc.assert(
      fc.property(octets, fc.integer({ min: 1, max: 30 }), (frame, segmentSize) => {
        const { pool } = new Bench();
        const packet = pool.copyIn(frame);
        if (packet === null) throw new Error("the pool is exhausted");
        packet.network = packet.frame + IP;
        packet.transport = packet.frame + at;
        packet.segmentSize = segmentSize;
        TCP_SEGMENTER.longest(packet);
        TCP_SEGMENTER.cut(packet, (piece) => pool.end(piece, "delivered", "test/sent", 0), 0);
        expect(pool.live).toBe(0);
      }),
    );
  });
});
