import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkUdp,
  checkUdpChecksum,
  mendUdpChecksum,
  sealUdp,
  UDP,
  UDP_LENGTH,
  udpCodec,
  udpLayout,
} from "../../src/l4/udp.ts";
import { IPV4_ANY, ipv4Of } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";

const u16 = fc.nat(0xffff);
const address = fc.nat(0xffff_ffff).map(ipv4Of);
const header = fc.record({ srcPort: u16, dstPort: u16, length: u16, checksum: u16 });
const datagram = fc.uint8Array({ minLength: UDP_LENGTH, maxLength: 80, size: "max" });

describe("UDP", () => {
  it("reads through its fields and its codec what buffer-layout decodes", () => {
    fc.assert(
      fc.property(datagram, fc.nat(60), (bytes, at) => {
        fc.pre(at + UDP_LENGTH <= bytes.length);
        const reference = udpLayout.reference.decode(Buffer.from(bytes), at);
        const view = viewOf(bytes);
        const fields = Object.entries(UDP).map(([name, field]) => [name, field.get(view, at)]);
        expect(Object.fromEntries(fields)).toEqual(reference);
        expect(udpCodec.decode(bytes, at)).toEqual(reference);
      }),
    );
  });

  it("decodes what it encoded", () => {
    fc.assert(
      fc.property(header, (value) => {
        expect(udpCodec.decode(udpCodec.encode(value))).toEqual(value);
      }),
    );
  });

  it("judges any octets without a throw, and lets no length pass that lies", () => {
    const length = fc.oneof(fc.nat(70), u16);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64, size: "max" }),
        fc.nat(70),
        length,
        (bytes, at, said) => {
          const view = viewOf(bytes);
          if (at + UDP_LENGTH <= bytes.length) UDP.length.set(view, at, said);
          const isSound = said >= UDP_LENGTH && at + said <= bytes.length;
          expect(checkUdp(view, at, bytes.length) === null).toBe(isSound);
          if (isSound) checkUdpChecksum(view, at, IPV4_ANY, IPV4_ANY);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("accepts what it sealed, and nothing with one bit flipped", () => {
    const flip = fc.nat(8 * 80 - 1);
    fc.assert(
      fc.property(datagram, address, address, flip, (bytes, src, dst, bit) => {
        const view = viewOf(bytes);
        sealUdp(view, 0, bytes.length, src, dst);
        expect(UDP.checksum.get(view, 0)).not.toBe(0);
        expect(checkUdp(view, 0, bytes.length)).toBeNull();
        expect(checkUdpChecksum(view, 0, src, dst)).toBeNull();
        const at = (bit >>> 3) % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
        const isReadable = checkUdp(view, 0, bytes.length) === null;
        const hasChecksum = UDP.checksum.get(view, 0) !== 0;
        if (isReadable && hasChecksum) {
          expect(checkUdpChecksum(view, 0, src, dst)).toBe("udp/checksum");
        }
      }),
    );
  });

  it("mends to what sealing anew would write", () => {
    fc.assert(
      fc.property(datagram, address, address, address, u16, (bytes, src, dst, newSrc, newPort) => {
        const view = viewOf(bytes);
        sealUdp(view, 0, bytes.length, src, dst);
        mendUdpChecksum(view, 0, src, newSrc, UDP.srcPort.get(view, 0), newPort, true);
        UDP.srcPort.set(view, 0, newPort);
        const mended = UDP.checksum.get(view, 0);
        sealUdp(view, 0, bytes.length, newSrc, dst);
        expect(mended).toBe(UDP.checksum.get(view, 0));
      }),
    );
  });
});
