import { describe, expect, it } from "vitest";
import {
  checkUdp,
  checkUdpChecksum,
  mendUdpChecksum,
  sealUdp,
  UDP,
  UDP_LENGTH,
  udpCodec,
} from "../../src/l4/udp.ts";
import { ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { UDP_PROBE } from "./vectors.ts";

const A = parseIpv4("10.254.170.223");
const B = parseIpv4("93.184.216.34");

/** A datagram of this length in so many octets. */
function datagram(length: number, octets: number): DataView {
  const bytes = new Uint8Array(octets);
  if (octets >= UDP_LENGTH) UDP.length.set(viewOf(bytes), 0, length);
  return viewOf(bytes);
}

describe("UDP", () => {
  it("reads a datagram that a Linux kernel sent", () => {
    const { bytes, view, src, dst, at, end } = UDP_PROBE;
    const header = { srcPort: 53837, dstPort: 33434, length: 40, checksum: 0xc9f8 };
    expect(udpCodec.decode(bytes, at)).toEqual(header);
    expect(checkUdp(view, at, end)).toBeNull();
    expect(checkUdpChecksum(view, at, src, dst)).toBeNull();
    expect(checkUdpChecksum(view, at, src, A)).toBe("udp/checksum");
  });

  it("seals as the kernel did", () => {
    const bytes = UDP_PROBE.bytes.slice();
    const { src, dst, at, end } = UDP_PROBE;
    bytes.fill(0xff, at + UDP.length.offset, at + UDP_LENGTH);
    sealUdp(viewOf(bytes), at, end, src, dst);
    expect(bytes).toEqual(UDP_PROBE.bytes);
  });

  it.each([
    [8, 8, null],
    [8, 30, null],
    [0, 8, "udp/length"],
    [7, 8, "udp/length"],
    [9, 8, "udp/truncated"],
    [8, 7, "udp/truncated"],
  ])("judges a length of %i in %i octets: %s", (length, octets, reason) => {
    expect(checkUdp(datagram(length, octets), 0, octets)).toBe(reason);
  });

  it("takes a checksum of 0 for none, and leaves it at that", () => {
    const bytes = UDP_PROBE.bytes.slice();
    const { src, dst, at } = UDP_PROBE;
    const view = viewOf(bytes);
    UDP.checksum.set(view, at, 0);
    expect(checkUdpChecksum(view, at, src, A)).toBeNull();
    mendUdpChecksum(view, at, src, dst, 1, 2, true);
    expect(UDP.checksum.get(view, at)).toBe(0);
  });

  it("sends a sum of zero as 0xFFFF, for 0 would say that there is none", () => {
    const view = datagram(8, 8);
    sealUdp(view, 0, 8, A, B);
    // What makes the sum zero, as a source port.
    UDP.srcPort.set(view, 0, UDP.checksum.get(view, 0));
    sealUdp(view, 0, 8, A, B);
    expect(UDP.checksum.get(view, 0)).toBe(0xffff);
    expect(checkUdpChecksum(view, 0, A, B)).toBeNull();
  });

  it.each([
    [true, 0xffff],
    [false, 0],
  ])("mends to zero and, if it sends zero as 0xFFFF is %s, writes %i", (sendsZeroAsFfff, sum) => {
    const view = datagram(8, 8);
    sealUdp(view, 0, 8, A, B);
    const port = UDP.checksum.get(view, 0);
    mendUdpChecksum(view, 0, A, A, 0, port, sendsZeroAsFfff);
    expect(UDP.checksum.get(view, 0)).toBe(sum);
  });

  it("mends address and port in one, even if the sum is zero in between", () => {
    const view = datagram(8, 8);
    sealUdp(view, 0, 8, ipv4Of(0), B);
    const between = ipv4Of(UDP.checksum.get(view, 0));
    mendUdpChecksum(view, 0, ipv4Of(0), between, 0, 99, false);
    UDP.srcPort.set(view, 0, 99);
    expect(UDP.checksum.get(view, 0)).not.toBe(0);
    expect(checkUdpChecksum(view, 0, between, B)).toBeNull();
  });
});
