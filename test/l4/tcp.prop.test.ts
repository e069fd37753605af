import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkTcp,
  checkTcpChecksum,
  mendTcpChecksum,
  sealTcp,
  TCP,
  TCP_MIN_LENGTH,
  tcpCodec,
  tcpHeaderLengthOf,
  tcpLayout,
} from "../../src/l4/tcp.ts";
import { ipv4Of } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const address = u32.map(ipv4Of);
const header = fc.record({
  srcPort: u16,
  dstPort: u16,
  seq: u32,
  ack: u32,
  offsetReserved: u8,
  flags: u8,
  window: u16,
  checksum: u16,
  urgent: u16,
});
const segment = fc.uint8Array({ minLength: TCP_MIN_LENGTH, maxLength: 80, size: "max" });

describe("TCP", () => {
  it("reads through its fields and its codec what buffer-layout decodes", () => {
    fc.assert(
      fc.property(segment, fc.nat(60), (bytes, at) => {
        fc.pre(at + TCP_MIN_LENGTH <= bytes.length);
        const reference = tcpCodec.decode(bytes, at);
        expect(tcpLayout.reference.decode(Buffer.from(bytes), at)).toEqual(reference);
        const view = viewOf(bytes);
        const { dataOffset, reserved, ...octets } = TCP;
        const fields = Object.entries(octets).map(([name, field]) => [name, field.get(view, at)]);
        expect(Object.fromEntries(fields)).toEqual(reference);
        const word = dataOffset.get(view, at) * 16 + reserved.get(view, at);
        expect(word).toBe(reference.offsetReserved);
      }),
    );
  });

  it("decodes what it encoded", () => {
    fc.assert(
      fc.property(header, (value) => {
        expect(tcpCodec.decode(tcpCodec.encode(value))).toEqual(value);
      }),
    );
  });

  it("judges any octets without a throw, and lets no header pass that runs out", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 90, size: "max" }),
        fc.nat(95),
        address,
        address,
        (bytes, at, src, dst) => {
          const view = viewOf(bytes);
          if (checkTcp(view, at, bytes.length) !== null) return;
          const length = tcpHeaderLengthOf(view, at);
          expect(length).toBeGreaterThanOrEqual(TCP_MIN_LENGTH);
          expect(at + length).toBeLessThanOrEqual(bytes.length);
          checkTcpChecksum(view, at, bytes.length, src, dst);
        },
      ),
    );
  });

  it("accepts what it sealed, and nothing with one bit flipped", () => {
    fc.assert(
      fc.property(segment, address, address, fc.nat(8 * 80 - 1), (bytes, src, dst, bit) => {
        const view = viewOf(bytes);
        sealTcp(view, 0, bytes.length, src, dst);
        expect(checkTcpChecksum(view, 0, bytes.length, src, dst)).toBeNull();
        const at = (bit >>> 3) % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
        expect(checkTcpChecksum(view, 0, bytes.length, src, dst)).toBe("tcp/checksum");
      }),
    );
  });

  it("mends to what sealing anew would write", () => {
    fc.assert(
      fc.property(segment, address, address, address, u16, (bytes, src, dst, newDst, newPort) => {
        const view = viewOf(bytes);
        sealTcp(view, 0, bytes.length, src, dst);
        mendTcpChecksum(view, 0, dst, newDst, TCP.dstPort.get(view, 0), newPort);
        TCP.dstPort.set(view, 0, newPort);
        const mended = TCP.checksum.get(view, 0);
        sealTcp(view, 0, bytes.length, src, newDst);
        expect(mended).toBe(TCP.checksum.get(view, 0));
      }),
    );
  });
});
