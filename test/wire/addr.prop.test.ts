import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { expect, it } from "vitest";
import { EmulatorError } from "../../src/base/errors.ts";
import {
  contains,
  formatIpv4,
  formatMac,
  formatPrefix,
  ipv4Of,
  isGroupMac,
  macOf,
  maskOf,
  parseInterfaceAddress,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../../src/wire/addr.ts";

const address = fc.nat({ max: 2 ** 32 - 1 }).map(ipv4Of);
const mac = fc.nat({ max: 2 ** 48 - 1 }).map(macOf);
const length = fc.nat({ max: 32 });

it("reads back every address that it writes", () => {
  fc.assert(
    fc.property(address, mac, length, (ipv4, hardware, bits) => {
      expect(parseIpv4(formatIpv4(ipv4))).toBe(ipv4);
      expect(parseMac(formatMac(hardware))).toBe(hardware);
      expect(parseMac(formatMac(hardware).toUpperCase().replaceAll(":", "-"))).toBe(hardware);
      const prefix = { address: ipv4Of(ipv4 & maskOf(bits)), length: bits };
      expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix);
      expect(parseInterfaceAddress(`${formatIpv4(ipv4)}/${bits}`)).toEqual({
        address: ipv4,
        length: bits,
      });
    }),
  );
});

it("writes what ipaddr.js writes", () => {
  fc.assert(
    fc.property(address, (ipv4) => {
      const octets = [24, 16, 8, 0].map((shift) => (ipv4 >>> shift) & 255);
      expect(formatIpv4(ipv4)).toBe(ipaddr.fromByteArray(octets).toString());
    }),
  );
});

it("finds an address in a prefix as ipaddr.js does", () => {
  fc.assert(
    fc.property(address, address, length, fc.nat({ max: 32 }), (base, other, bits, shared) => {
      const network = ipv4Of(base & maskOf(bits));
      const near = ipv4Of((base & maskOf(shared)) | (other & ~maskOf(shared)));
      const expected = ipaddr
        .parse(formatIpv4(near))
        .match(ipaddr.parse(formatIpv4(network)), bits);
      expect(contains({ address: network, length: bits }, near)).toBe(expected);
    }),
  );
});

it("knows a group address by the lowest bit of the first octet", () => {
  fc.assert(
    fc.property(mac, (hardware) => {
      expect(isGroupMac(hardware)).toBe(
        (Number.parseInt(formatMac(hardware).slice(0, 2), 16) & 1) === 1,
      );
    }),
  );
});

it("reads any text, or refuses it with an error of its own", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(...Array.from("0123456789abcdefx:./- ")), maxLength: 20 }),
  );
  fc.assert(
    fc.property(
      text,
      fc.constantFrom(parseMac, parseIpv4, parsePrefix, parseInterfaceAddress),
      (one, parse) => {
        try {
          parse(one);
        } catch (error) {
          expect(error).toBeInstanceOf(EmulatorError);
        }
      },
    ),
  );
});
