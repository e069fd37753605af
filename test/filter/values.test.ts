import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { formatProtocol, parseProtocol } from "../../src/filter/protocol-names.ts";
import {
  findNumber,
  formatMaskedAddress,
  formatNameBits,
  parseDeviceName,
  parseMaskedAddress,
  parseMaskedNumber,
  parseNameBits,
  parseRange,
} from "../../src/filter/values.ts";
import { ipv4Of, maskOf } from "../../src/wire/addr.ts";

describe("Values in rules", () => {
  it.each([
    ["12", 12],
    ["0x1F", 31],
    ["017", 15],
    ["0", 0],
    ["08", null],
    ["-1", null],
    ["1e3", null],
    ["", null],
  ])("are numbers as strtoul reads them: %s", (word, value) => {
    expect(findNumber(word)).toBe(value);
  });

  it.each([
    ["10.1.2.3", "10.1.2.3/32"],
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["10.1.2.3/255.255.0.0", "10.1.0.0/16"],
    ["10.1.2.3/255.0.255.0", "10.0.2.0/255.0.255.0"],
    ["10.1/16", "10.1.0.0/16"],
    ["0/0", "0.0.0.0/0"],
  ])("are addresses with a mask: %s", (word, printed) => {
    expect(formatMaskedAddress(parseMaskedAddress(word))).toBe(printed);
  });

  it("print every prefix length as such", () => {
    for (let length = 0; length <= 32; length += 1) {
      const masked = { address: ipv4Of(0), mask: maskOf(length) };
      expect(formatMaskedAddress(masked)).toBe(`0.0.0.0/${length}`);
    }
  });

  it.each(["10.1.2.3/33", "10.1.2.3/", "256.1.1.1", "010.1.1.1", "", "1.2.3.4.5", "host", "1/2/3"])(
    "are no addresses if they are others: %s",
    (word) => {
      expect(() => parseMaskedAddress(word)).toThrow(ParseError);
    },
  );

  it("are ranges that rise", () => {
    expect(parseRange("80", "a port")).toEqual({ lower: 80, upper: 80 });
    expect(parseRange(":80", "a port")).toEqual({ lower: 0, upper: 80 });
    expect(parseRange("80:", "a port")).toEqual({ lower: 80, upper: 65_535 });
    expect(() => parseRange("90:80", "a port")).toThrow("the range 90:80 falls");
    expect(() => parseRange("1:2:3", "a port")).toThrow("expected a port or a range");
    expect(() => parseRange("65536", "a port")).toThrow("a port must be a number from 0 to 65535");
  });

  it("are numbers with a mask", () => {
    expect(parseMaskedNumber("0x10/0xf", 255, "a mark")).toEqual({ value: 16, mask: 15 });
    expect(parseMaskedNumber("7", 255, "a mark")).toEqual({ value: 7, mask: 255 });
    expect(() => parseMaskedNumber("1/2/3", 255, "a mark")).toThrow("one mask at most");
    expect(() => parseMaskedNumber("256", 255, "a mark")).toThrow("from 0 to 255");
  });

  it("are names that may be cut short, of which the first counts", () => {
    const names = ["NEW", "UNSPEC", "UNICAST"] as const;
    expect(parseNameBits("un", names, "a type")).toBe(0b010);
    expect(parseNameBits("uni,new", names, "a type")).toBe(0b101);
    expect(formatNameBits(0b101, names)).toBe("NEW,UNICAST");
    expect(() => parseNameBits("", names, "a type")).toThrow(
      "a type is one of NEW, UNSPEC, UNICAST",
    );
    expect(() => parseNameBits("new,", names, "a type")).toThrow(ParseError);
  });

  it("are names of devices that the kernel could have", () => {
    expect(parseDeviceName("vif1.0")).toBe("vif1.0");
    for (const word of ["", "a b", "a/b", "a234567890123456"]) {
      expect(() => parseDeviceName(word)).toThrow(ParseError);
    }
  });

  it("are protocols by name and number", () => {
    expect(["tcp", "UDP", "icmpv6", "0x11", "all", "255"].map(parseProtocol)).toEqual([
      6, 17, 58, 17, 0, 255,
    ]);
    expect([6, 58, 135, 99].map(formatProtocol)).toEqual([
      "tcp",
      "ipv6-icmp",
      "mobility-header",
      "99",
    ]);
    expect(() => parseProtocol("256")).toThrow('no protocol is called "256"');
    expect(() => parseProtocol("nosuch")).toThrow(ParseError);
  });
});
