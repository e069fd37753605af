import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkDhcp,
  decodeMessage,
  DHCP,
  DHCP_LENGTH,
  dhcpCodec,
  type DhcpHeader,
  dhcpLayout,
  encodeMessage,
} from "../../src/dhcp/message.ts";
import { Overload, packOptions, type RawOption } from "../../src/dhcp/options.ts";
import { ipv4Of } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";

/** As buffer-layout gives octets. */
const withBuffers = (fields: readonly (readonly [string, unknown])[]): Record<string, unknown> =>
  Object.fromEntries(
    fields.map(([name, value]) => [name, value instanceof Uint8Array ? Buffer.from(value) : value]),
  );

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const address = u32.map(ipv4Of);
const octets = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length, size: "max" });
const header: fc.Arbitrary<DhcpHeader> = fc.record({
  op: u8,
  htype: u8,
  hlen: fc.nat(16),
  hops: u8,
  xid: u32,
  secs: u16,
  flags: u16,
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  chaddr: octets(16),
  sname: octets(64),
  file: octets(128),
});
const code = fc.integer({ min: 1, max: 254 }).filter((value) => value !== 52);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 20, size: "max" }),
  fc.uint8Array({ maxLength: 600, size: "max" }),
);
const options = fc.uniqueArray(fc.tuple(code, value), {
  maxLength: 12,
  selector: ([key]) => key,
  size: "max",
});
const room = fc.record({
  main: fc.integer({ min: 8, max: 1300 }),
  file: fc.boolean(),
  sname: fc.boolean(),
});

describe("A DHCP message", () => {
  it("reads through its fields and its codec what buffer-layout decodes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 240, maxLength: 300, size: "max" }), (bytes) => {
        const at = bytes.length - DHCP_LENGTH;
        const reference = dhcpLayout.reference.decode(Buffer.from(bytes), at);
        const view = viewOf(bytes);
        const fields = Object.entries(DHCP);
        const read = fields.map(([name, field]) => [name, field.get(view, at)] as const);
        expect(withBuffers(read)).toEqual(reference);
        expect(withBuffers(Object.entries(dhcpCodec.decode(bytes, at)))).toEqual(reference);
      }),
    );
  });

  it("decodes what it encoded", () => {
    fc.assert(
      fc.property(header, (fixed) => {
        expect(dhcpCodec.decode(dhcpCodec.encode(fixed))).toEqual(fixed);
      }),
    );
  });

  it("loses no option that found room, however long, wherever it was put", () => {
    fc.assert(
      fc.property(header, options, room, (fixed, list, places) => {
        const packed = packOptions(list, places);
        const message = decodeMessage(encodeMessage(fixed, packed));
        if (typeof message === "string") throw new Error(message);
        const sent = list.filter(([key]) => !packed.left.includes(key));
        const found = new Map(message.options);
        const overload = found.get(52)?.[0] ?? 0;
        found.delete(52);
        expect(message.isIntact).toBe(true);
        expect(found).toEqual(
          new Map<number, Uint8Array>(sent.map(([...each]: RawOption) => each)),
        );
        expect((overload & Overload.File) !== 0).toBe(packed.file !== null);
        expect((overload & Overload.Sname) !== 0).toBe(packed.sname !== null);
        expect(packed.main.length).toBeLessThanOrEqual(places.main);
      }),
      { numRuns: 150 },
    );
  });

  it("judges and reads any octets without a throw", () => {
    const start = fc.constantFrom(0, 4, DHCP_LENGTH - 1, DHCP_LENGTH, 300);
    const wild = fc.uint8Array({ maxLength: 420, size: "max" });
    fc.assert(
      fc.property(wild, start, fc.boolean(), (bytes, at, isMarked) => {
        const view = viewOf(bytes);
        const cookie = at + DHCP_LENGTH;
        if (isMarked && cookie + 4 <= bytes.length) {
          view.setUint32(cookie, 0x63825363);
          DHCP.hlen.set(view, at, 6);
        }
        const message = decodeMessage(bytes, at);
        const fault = checkDhcp(view, at, bytes.length);
        expect(typeof message === "string" ? message : null).toBe(fault);
        if (typeof message !== "string") expect(message.length).toBe(bytes.length - at);
      }),
      { numRuns: 500 },
    );
  });
});
