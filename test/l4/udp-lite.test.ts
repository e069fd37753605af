import { describe, expect, it } from "vitest";
import { Protocol } from "../../src/l3/ipv4.ts";
import { checkUdpLite, checkUdpLiteChecksum } from "../../src/l4/udp-lite.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { type Ends, udpLite } from "../nat/packets.ts";

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };

/** The verdicts about the header and the checksum of a packet's datagram. */
function judge(packet: Uint8Array, end = packet.length): (string | null)[] {
  const view = viewOf(packet);
  const [src, dst] = [parseIpv4(ends.src), parseIpv4(ends.dst)];
  const wrong = checkUdpLite(view, 20, end);
  return wrong === null ? [null, checkUdpLiteChecksum(view, 20, end, src, dst)] : [wrong];
}

describe("a datagram of UDP-Lite", () => {
  it("covers all, its header, or what it says of its data", () => {
    for (const coverage of [0, 8, 11, 17]) {
      const packet = udpLite(ends, new Uint8Array(9).fill(3), coverage);
      expect(judge(packet)).toEqual([null, null]);
      const covered = coverage === 0 ? 17 : coverage;
      for (let at = 8; at < 17; at += 1) {
        const broken = packet.slice().fill(4, 20 + at, 21 + at);
        expect(judge(broken)).toEqual([null, at < covered ? "udp-lite/checksum" : null]);
      }
    }
  });

  it("covers no more than there is, no less than its header, and has a checksum", () => {
    const packet = udpLite(ends, new Uint8Array(9));
    const withCoverage = (coverage: number): Uint8Array => packet.slice().fill(coverage, 25, 26);
    expect(judge(withCoverage(7))).toEqual(["udp-lite/coverage"]);
    expect(judge(withCoverage(18))).toEqual(["udp-lite/coverage"]);
    expect(judge(packet.slice().fill(0, 26, 28))).toEqual(["udp-lite/no-checksum"]);
    expect(judge(packet, 27)).toEqual(["udp-lite/truncated"]);
  });

  it("is summed as Linux does it: with UDP's number and the low octet of the length", () => {
    for (const length of [0, 247, 248, 601]) {
      const data = new Uint8Array(length).fill(1);
      expect(judge(udpLite(ends, data))).toEqual([null, null]);
      const right = udpLite(ends, data, 0, Protocol.UdpLite);
      expect(judge(right)).toEqual([null, "udp-lite/checksum"]);
    }
  });
});
