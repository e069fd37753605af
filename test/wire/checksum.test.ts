import { describe, expect, it } from "vitest";
import { checksum, onesSum, pseudoHeaderSum, update16, update32 } from "../../src/wire/checksum.ts";
import { viewOf } from "../../src/wire/field.ts";

const octets = (hex: string): DataView =>
  viewOf(Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16)));

describe("the sum", () => {
  it("is that of the example of RFC 1071 section 3", () => {
    const view = octets("0001f203f4f5f6f7");
    expect(onesSum(view, 0, 8)).toBe(0xddf2);
    expect(checksum(view, 0, 8)).toBe(0x220d);
  });

  it("pads an odd last octet with zero", () => {
    expect(onesSum(octets("0001f2"), 0, 3)).toBe(0xf201);
    expect(onesSum(octets("f2"), 0, 1)).toBe(0xf200);
    expect(onesSum(octets("ff"), 0, 0)).toBe(0);
  });

  it("sees only the octets that it is given", () => {
    expect(onesSum(octets("ffff0001f203ffff"), 2, 6)).toBe(0xf204);
    expect(onesSum(octets("ffff0001f203ffff"), 3, 6)).toBe(0x01f2 + 0x0300);
  });

  it("folds carries until none is left", () => {
    expect(onesSum(octets("ffff0001"), 0, 4)).toBe(1);
    expect(onesSum(octets("ffff"), 0, 2, 0x7fff_fffe)).toBe(0x7ffe);
    expect(onesSum(octets(""), 0, 0, 2 ** 31 - 1)).toBe(0x7fff);
  });

  it("holds over a real IPv4 header", () => {
    const header = octets("4500003c1c4640004006b1e6ac100a63ac100a0c");
    expect(onesSum(header, 0, 20)).toBe(0xffff);
    header.setUint16(10, 0);
    expect(checksum(header, 0, 20)).toBe(0xb1e6);
  });

  it("holds over a datagram that Linux sent, with its pseudo-header", () => {
    const payload = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";
    const datagram = octets(`d24d829a0028c9f8${payload}`);
    const pseudo = pseudoHeaderSum(0x0afe_aadf, 0x5db8_d822, 17, 40);
    expect(onesSum(datagram, 0, 40, pseudo)).toBe(0xffff);
    datagram.setUint16(6, 0);
    expect(checksum(datagram, 0, 40, pseudo)).toBe(0xc9f8);
  });

  it("holds over a segment of odd length that Linux sent, with its pseudo-header", () => {
    const header = "0050dc6cd49626bcc91f81528018004080df0000";
    const segment = octets(`${header}0101080a2c061350e3065c21706f6e670a`);
    const pseudo = pseudoHeaderSum(0x0afe_aade, 0x0afe_aadf, 6, 37);
    expect(onesSum(segment, 0, 37, pseudo)).toBe(0xffff);
    segment.setUint16(16, 0);
    expect(checksum(segment, 0, 37, pseudo)).toBe(0x80df);
  });
});

describe("the update", () => {
  it("is that of the example of RFC 1624 section 4", () => {
    expect(update16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  it("changes nothing when the word stays", () => {
    expect(update16(0xdd2f, 0x5555, 0x5555)).toBe(0xdd2f);
    expect(update32(0xdd2f, 0x5555_aaaa, 0x5555_aaaa)).toBe(0xdd2f);
  });

  it("makes zero, not its other form, where all octets become zero", () => {
    const full = checksum(octets("0000"), 0, 2);
    expect(full).toBe(0xffff);
    expect(update16(checksum(octets("5555"), 0, 2), 0x5555, 0)).toBe(0x0000);
  });
});
