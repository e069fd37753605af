import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import {
  IPV4_ANY,
  IPV4_BROADCAST,
  MAC_BROADCAST,
  MAC_ZERO,
  contains,
  formatIpv4,
  formatMac,
  formatPrefix,
  ipv4Of,
  isGroupMac,
  isLoopback,
  isMulticast,
  isZeroNetwork,
  maskOf,
  parseInterfaceAddress,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../../src/wire/addr.ts";

describe("a MAC address", () => {
  it.each(["12:31:39:00:a5:11", "12:31:39:00:A5:11", "12-31-39-00-a5-11"])(
    "is read from %s",
    (text) => {
      expect(parseMac(text)).toBe(0x1231_3900_a511);
    },
  );

  it.each([
    "",
    "12:31:39:00:a5",
    "12:31:39:00:a5:11:00",
    "12:31:39:0:a5:11",
    "12:31:39:00:a5:g1",
    "12:31-39:00-a5:11",
    "1231.3900.a511",
    "12313900a511",
    " 12:31:39:00:a5:11",
    "12:31:39:00:a5:11\n",
  ])("is not read from %j", (text) => {
    expect(() => parseMac(text)).toThrow(ParseError);
  });

  it("is written in lower case with all its zeros", () => {
    expect(formatMac(MAC_ZERO)).toBe("00:00:00:00:00:00");
    expect(formatMac(MAC_BROADCAST)).toBe("ff:ff:ff:ff:ff:ff");
    expect(formatMac(parseMac("00:0F:00:A0:00:01"))).toBe("00:0f:00:a0:00:01");
  });

  it.each([
    ["ff:ff:ff:ff:ff:ff", true],
    ["ef:ff:ff:ff:ff:ff", true],
    ["01:00:5e:00:00:01", true],
    ["fe:ff:ff:ff:ff:ff", false],
    ["02:ff:ff:ff:ff:ff", false],
    ["00:00:00:00:00:01", false],
  ])("%s is a group address: %s", (text, isGroup) => {
    expect(isGroupMac(parseMac(text))).toBe(isGroup);
  });
});

describe("an IPv4 address", () => {
  it.each([
    ["0.0.0.0", IPV4_ANY],
    ["255.255.255.255", IPV4_BROADCAST],
    ["10.254.170.223", 0x0afe_aadf],
    ["128.0.0.1", 0x8000_0001],
  ])("is read from %s and written so", (text, address) => {
    expect(parseIpv4(text)).toBe(address);
    expect(formatIpv4(parseIpv4(text))).toBe(text);
  });

  it.each([
    "",
    "10.0.0",
    "10.0.0.0.0",
    "10.1",
    "167772161",
    "010.0.0.1",
    "10.0.0.01",
    "0x0a.0.0.1",
    "0x0a000001",
    "10.0.0.256",
    "10.0.0.-1",
    "10.0.0.1 ",
    " 10.0.0.1",
    "10.0.0.1\n",
    "10.0.0.1/32",
    "::ffff:10.0.0.1",
    "10..0.1",
    "1e1.0.0.1",
    "99999999999999999999.0.0.1",
  ])("is not read from %j", (text) => {
    expect(() => parseIpv4(text)).toThrow(ParseError);
  });

  it("belongs to the special networks at their edges and not beyond", () => {
    expect(
      [0xdfff_ffff, 0xe000_0000, 0xefff_ffff, 0xf000_0000].map((n) => isMulticast(ipv4Of(n))),
    ).toEqual([false, true, true, false]);
    expect(
      [0x7eff_ffff, 0x7f00_0000, 0x7fff_ffff, 0x8000_0000].map((n) => isLoopback(ipv4Of(n))),
    ).toEqual([false, true, true, false]);
    expect([0x0000_0000, 0x00ff_ffff, 0x0100_0000].map((n) => isZeroNetwork(ipv4Of(n)))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("is the low 32 bits of a computed number, unsigned", () => {
    expect(ipv4Of(-1)).toBe(IPV4_BROADCAST);
    expect(ipv4Of(2 ** 32 + 5)).toBe(5);
  });
});

describe("a prefix", () => {
  it.each([
    ["10.254.168.0/23", 0x0afe_a800, 23],
    ["0.0.0.0/0", 0, 0],
    ["128.0.0.0/1", 0x8000_0000, 1],
    ["10.0.0.1", 0x0a00_0001, 32],
  ])("is read from %s and written so", (text, address, length) => {
    expect(parsePrefix(text)).toEqual({ address, length });
    expect(formatPrefix(parsePrefix(text))).toBe(text);
  });

  it.each([
    "10.0.0.1/23",
    "128.0.0.0/0",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10/8",
    "10.0.0.0/-1",
    "10.0.0.0/255.0.0.0",
    "/8",
    "",
  ])("is not read from %j", (text) => {
    expect(() => parsePrefix(text)).toThrow(ParseError);
  });

  it("keeps its host bits as the address of an interface", () => {
    expect(parseInterfaceAddress("10.254.170.223/23")).toEqual({
      address: 0x0afe_aadf,
      length: 23,
    });
    expect(() => parseInterfaceAddress("10.254.170.223/33")).toThrow(ParseError);
    expect(() => parseInterfaceAddress("10.254.170.223/x")).toThrow(ParseError);
  });

  it("has a mask for every length", () => {
    expect([0, 1, 8, 23, 31, 32].map((length) => formatIpv4(maskOf(length)))).toEqual([
      "0.0.0.0",
      "128.0.0.0",
      "255.0.0.0",
      "255.255.254.0",
      "255.255.255.254",
      "255.255.255.255",
    ]);
  });

  it("contains its first and last address and neither neighbour", () => {
    const prefix = parsePrefix("10.254.168.0/23");
    const texts = ["10.254.167.255", "10.254.168.0", "10.254.169.255", "10.254.170.0"];
    expect(texts.map((text) => contains(prefix, parseIpv4(text)))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});
