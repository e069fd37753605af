import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { summaryOf } from "../../src/pcap/summary.ts";
import { buildFrame } from "../../src/testing/build-frame.ts";
import { faultOf } from "../../src/testing/laws.ts";

const ENDS = {
  from: "12:31:39:00:A5:11",
  to: "FE:FF:FF:FF:FF:FF",
  src: "10.254.170.223",
  dst: "93.184.216.34",
};
const HEAD = "12:31:39:00:a5:11 > fe:ff:ff:ff:ff:ff: 10.254.170.223 > 93.184.216.34";

describe("a frame in words", () => {
  it.each([
    [
      buildFrame({ ...ENDS, tcp: { srcPort: 4000, dstPort: 80 } }),
      "ttl 64 id 0 DF TCP 4000 > 80 [S] seq 0 ack 0 win 65535, 0 octets",
    ],
    [
      buildFrame({
        ...ENDS,
        ttl: 9,
        id: 7,
        data: Uint8Array.of(1, 2, 3),
        tcp: { srcPort: 1, dstPort: 2, flags: "FSRP.UEC", seq: 5, ack: 6, window: 10 },
      }),
      "ttl 9 id 7 DF TCP 1 > 2 [FSRP.UEC] seq 5 ack 6 win 10, 3 octets",
    ],
    [
      buildFrame({ ...ENDS, udp: { srcPort: 53, dstPort: 5353 }, data: new Uint8Array(5) }),
      "ttl 64 id 0 DF UDP 53 > 5353, 5 octets",
    ],
    [
      buildFrame({ ...ENDS, echo: { id: 3, sequence: 4 }, data: new Uint8Array(1) }),
      "ttl 64 id 0 DF ICMP echo request id 3 seq 4, 1 octets",
    ],
  ])("says what they say, with right checksums: %#", (frame, words) => {
    expect(summaryOf(frame)).toBe(`${HEAD} ${words}`);
    expect(faultOf(frame)).toBeNull();
  });

  it("is refused for what cannot be read", () => {
    const tcp = { srcPort: 1, dstPort: 2 };
    expect(() => buildFrame({ ...ENDS, src: "10.1", tcp })).toThrow(ParseError);
    expect(() => buildFrame({ ...ENDS, to: "x", tcp })).toThrow(ParseError);
    expect(() => buildFrame({ ...ENDS, tcp: { ...tcp, flags: "SA" } })).toThrow(/got "SA"/);
  });
});
