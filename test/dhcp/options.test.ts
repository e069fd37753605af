import { describe, expect, it } from "vitest";
import { OptionError, RangeFault } from "../../src/base/errors.ts";
import {
  findOption,
  Option,
  packOptions,
  rawOption,
  type RawOption,
  readOptions,
} from "../../src/dhcp/options.ts";
import { ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";

const octetsOf = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const route = (address: string, length: number, router: string) => ({
  destination: { address: parseIpv4(address), length },
  router: parseIpv4(router),
});

describe("DHCP options", () => {
  it("are known by 101 names, each with a code of its own", () => {
    const options = Object.values(Option);
    expect(options).toHaveLength(101);
    expect(new Set(options.map(({ code }) => code)).size).toBe(101);
    expect(new Set(options.map(({ name }) => name)).size).toBe(101);
    const ofRfc2132 = options.filter(({ code }) => code <= 76).map(({ code }) => code);
    expect(ofRfc2132).toEqual(Array.from({ length: 76 }, (_, index) => index + 1));
  });

  it("are joined if they were split, in the order in which they stand", () => {
    const found = new Map<number, Uint8Array>();
    const parts: RawOption[] = [];
    expect(readOptions(octetsOf("00 0c0161 350101 00 0c026263 ff 0c0164"), found, parts)).toBe(
      true,
    );
    expect(findOption(found, Option.HostName)).toBe("abc");
    expect([...found.keys()]).toEqual([12, 53]);
    expect(parts.map(([code, { length }]) => [code, length])).toEqual([
      [12, 1],
      [53, 1],
      [12, 2],
    ]);
  });

  it.each([
    ["without a length", "350101 0c"],
    ["that runs past the end", "350101 0c0261"],
  ])("end at one %s", (_, text) => {
    const found = new Map<number, Uint8Array>();
    expect(readOptions(octetsOf(text), found)).toBe(false);
    expect([...found.keys()]).toEqual([53]);
  });

  it("need no End", () => {
    expect(readOptions(octetsOf("350101"), new Map())).toBe(true);
  });

  it("are packed one after the other, with an End", () => {
    const { main, file, sname, left } = packOptions([
      rawOption(Option.MessageType, 5),
      rawOption(Option.LeaseTime, 86_400),
      rawOption(Option.Routers, [parseIpv4("10.254.170.1")]),
    ]);
    expect(hex(main)).toBe("35010533040001518003040afeaa01ff");
    expect([file, sname, left]).toEqual([null, null, []]);
  });

  it("are split after 255 octets", () => {
    const { main } = packOptions([[43, new Uint8Array(300).fill(7)]], { main: 400 });
    expect([main[0], main[1], main[257], main[258]]).toEqual([43, 255, 43, 45]);
  });

  it("overflow into file and then into sname if those are free", () => {
    const options: RawOption[] = [
      [60, new Uint8Array(30)],
      [61, new Uint8Array(100)],
      [62, new Uint8Array(50)],
    ];
    const { main, file, sname, left } = packOptions(options, { main: 40, file: true, sname: true });
    expect(hex(main.subarray(32))).toBe("340103ff");
    expect([file?.[0], file?.[1], file?.[102]]).toEqual([61, 100, 255]);
    expect([sname?.[0], sname?.[1], sname?.[52]]).toEqual([62, 50, 255]);
    expect(left).toEqual([]);
  });

  it("are left out if they find no room", () => {
    const { main, left } = packOptions(
      [
        [60, new Uint8Array(100)],
        [61, Uint8Array.of(1)],
      ],
      { main: 40 },
    );
    expect(hex(main)).toBe("3d0101ff");
    expect(left).toEqual([60]);
  });

  it.each([0, 52, 255, 256, 1.5])("have no code %s", (code) => {
    expect(() => packOptions([[code, Uint8Array.of(1)]])).toThrow(OptionError);
  });

  it("need room for an overload", () => {
    expect(() => packOptions([], { main: 3 })).toThrow(OptionError);
    expect(hex(packOptions([], { main: 4 }).main)).toBe("ff");
  });

  it("carry values of the types that RFC 2132 section 3 to 9 gives them", () => {
    expect(hex(rawOption(Option.TimeOffset, -18_000)[1])).toBe("ffffb9b0");
    expect(hex(rawOption(Option.InterfaceMtu, 1500)[1])).toBe("05dc");
    expect(hex(rawOption(Option.IpForwarding, true)[1])).toBe("01");
    const pair = [parseIpv4("10.0.0.0"), parseIpv4("10.254.170.1")] as const;
    expect(hex(rawOption(Option.StaticRoutes, [pair])[1])).toBe("0a0000000afeaa01");
    expect(Option.DomainName.type.decode(octetsOf("612e620000"))).toBe("a.b");
  });

  it.each([
    ["an address of three octets", Option.SubnetMask, "ffffff"],
    ["addresses of five octets", Option.Routers, "0a00000101"],
    ["no addresses", Option.Routers, ""],
    ["a time of two octets", Option.LeaseTime, "0001"],
    ["a flag of two octets", Option.IpForwarding, "0001"],
    ["routes that end early", Option.ClasslessRoutes, "180a0000"],
    ["a prefix of 33 bits", Option.ClasslessRoutes, "210a000000000a000001"],
    ["a domain name that leads to itself", Option.DomainSearch, "c000"],
    ["a domain name that leads ahead", Option.DomainSearch, "c002016100"],
    ["a label of 64 octets", Option.DomainSearch, `40${"61".repeat(64)}00`],
    ["a domain name without an end", Option.DomainSearch, "0161"],
  ] as const)("have no value for %s", (_, { type }, text) => {
    expect(type.decode(octetsOf(text))).toBeNull();
  });

  it("carry classless routes with as many octets as the prefix needs", () => {
    const routes = [
      route("0.0.0.0", 0, "10.17.0.1"),
      route("10.0.0.0", 8, "10.17.0.1"),
      route("10.0.0.0", 24, "10.17.0.1"),
      route("10.17.0.0", 16, "0.0.0.0"),
      route("10.27.129.0", 24, "10.17.0.1"),
      route("10.229.0.128", 25, "10.17.0.1"),
      route("10.198.122.47", 32, "10.17.0.1"),
    ];
    const text =
      "00 0a110001 080a 0a110001 180a0000 0a110001 100a11 00000000 180a1b81 0a110001 " +
      "190ae50080 0a110001 200ac67a2f 0a110001";
    expect(hex(Option.ClasslessRoutes.type.encode(routes))).toBe(text.replaceAll(" ", ""));
    expect(Option.ClasslessRoutes.type.decode(octetsOf(text))).toEqual(routes);
  });

  it("carry domain names that share their ends: RFC 3397 section 2", () => {
    const names = ["eng.apple.com", "marketing.apple.com"];
    const octets = octetsOf("03656e67 056170706c65 03636f6d 00 096d61726b6574696e67 c004");
    expect(Option.DomainSearch.type.encode(names)).toEqual(octets);
    expect(Option.DomainSearch.type.decode(octets)).toEqual(names);
  });

  it.each([
    ["a port above 65,535", () => rawOption(Option.InterfaceMtu, 65_536)],
    ["a negative time", () => rawOption(Option.LeaseTime, -1)],
    ["half a second", () => rawOption(Option.LeaseTime, 0.5)],
    ["text of wide characters", () => rawOption(Option.HostName, "\u{3a9}")],
    ["a domain name with an empty label", () => rawOption(Option.DomainSearch, ["a..b"])],
  ])("refuse %s", (_, act) => {
    expect(act).toThrow(RangeFault);
  });

  it("read an address as the number that it is", () => {
    expect(findOption(new Map([[1, octetsOf("fffffe00")]]), Option.SubnetMask)).toBe(
      ipv4Of(0xffff_fe00),
    );
    expect(findOption(new Map(), Option.SubnetMask)).toBeNull();
  });
});
