import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import type { Block, Item } from "../../src/dhcp/dhcpd-conf.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { formatDhcpdConf } from "../../src/dhcp/dhcpd-printer.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";

const items = (text: string): readonly Item[] => parseDhcpdConf(text).items;
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

/** The octets of the only option that a text sets. */
function octetsOf(text: string): string {
  const setting = items(text).find((item) => item.kind === "option");
  if (setting === undefined) throw new Error("no option");
  return hex(setting.octets);
}

/** What is wrong with a text: its line and the word that stands there. */
function faultOf(text: string): { line: number; word: unknown } {
  try {
    parseDhcpdConf(text);
  } catch (error) {
    if (error instanceof ParseError) return { line: error.line, word: error.value };
    throw error;
  }
  throw new Error("the text is accepted");
}

describe("A dhcpd.conf", () => {
  it("is read as the Dom0 of the recordings had it", () => {
    const text = readFileSync("captures/linux-kernel/dhcpd.conf", "utf8");
    const blocks = items(text).filter((item): item is Block => "items" in item);
    expect(blocks.map(({ kind }) => kind)).toContain("host");
    expect(items(formatDhcpdConf(parseDhcpdConf(text)))).toEqual(items(text));
  });

  it("says who a host is and where", () => {
    const [host] = items(
      "host dom_12 { hardware ethernet 12:31:39:0:a5:11; fixed-address 10.0.0.1, 10.0.0.2; }",
    );
    expect(host).toEqual({
      kind: "host",
      name: "dom_12",
      network: 0,
      netmask: 0,
      items: [
        { kind: "hardware", htype: 1, octets: Uint8Array.of(0x12, 0x31, 0x39, 0, 0xa5, 0x11) },
        { kind: "fixed-address", addresses: [parseIpv4("10.0.0.1"), parseIpv4("10.0.0.2")] },
      ],
    });
  });

  it.each([
    ["an address", "routers 10.0.0.1", "0a000001"],
    ["addresses", "domain-name-servers 10.0.0.1, 10.0.0.2", "0a0000010a000002"],
    ["pairs of addresses", "static-routes 10.0.0.0 10.0.0.1", "0a0000000a000001"],
    ["text", 'domain-name "a\\"\\101\\x42"', "61224142"],
    ["a name as text", "host-name dom_1", "646f6d5f31"],
    ["a boolean", "ip-forwarding on", "01"],
    ["a number in sixteens", "interface-mtu 0x5dc", "05dc"],
    ["a number in eights", "interface-mtu 010", "0008"],
    ["a number below zero", "time-offset -3600", "fffff1f0"],
    ["octets", "vendor-encapsulated-options 1:2:ff", "0102ff"],
    ["octets as text", 'dhcp-client-identifier "ab"', "6162"],
    ["domain names", 'domain-search "a.b", "b"', "0161016200c002"],
    ["an option by its number", "unknown-224 01:02", "0102"],
  ])("gives an option %s", (_, said, octets) => {
    expect(octetsOf(`option ${said};`)).toBe(octets);
  });

  it.each([
    ["array of integer 8", "24, 10, -1", "180aff"],
    ["unsigned integer 32", "4294967295", "ffffffff"],
    ["{ ip-address, integer 16 }", "10.0.0.1 -2", "0a000001fffe"],
    ["array of { ip-address, boolean }", "10.0.0.1 on, 10.0.0.2 off", "0a000001010a00000200"],
    ["text", '"ab"', "6162"],
    ["string", "61:62", "6162"],
    ["domain-list", '"a"', "016100"],
  ])("defines an option of %s", (form, said, octets) => {
    const text = `option mine code 224 = ${form}; option mine ${said};`;
    expect(octetsOf(text)).toBe(octets);
    expect(octetsOf(formatDhcpdConf(parseDhcpdConf(text)))).toBe(octets);
  });

  it("has comments, and statements for others, which change nothing", () => {
    const text = `# first
      ddns-update-style none; # "last
      log-facility local7; omapi-port 7911; authoritativ;`;
    expect(items(text)).toHaveLength(3);
  });

  it.each([
    ["a word that nobody knows", "authoritative;\n\nfoo 1;", 3, "1"],
    ["a statement of other uses", 'authoritative;\nclass "x" { }', 2, "class"],
    ["an option without a name", "option foo 1;", 1, "foo"],
    ["a missing semicolon", "authoritative\nnext-server 10.0.0.1;", 2, "next-server"],
    ["a part of an address above 255", "next-server 10.0.0.256;", 1, "256"],
    ["a name for an address", "next-server boot;", 1, "boot"],
    ["a number that does not fit", "min-secs 300;", 1, "300"],
    ["a number that is none", "default-lease-time x;", 1, "x"],
    ["a boolean that is none", "always-broadcast maybe;", 1, "maybe"],
    ["a style that does not exist", "ddns-update-style never;", 1, "never"],
    ["a string without an end", 'filename "boot;\n', 1, "boot;\n"],
    ["a subnet that its mask cuts", "subnet 10.0.0.1 netmask 255.0.0.0 { }", 1, "netmask"],
    ["a subnet without a mask", "subnet 10.0.0.0 { }", 1, "{"],
    [
      "a range outside its subnet",
      `subnet 10.0.0.0 netmask 255.0.0.0 {\nrange 11.0.0.1; }`,
      2,
      "range",
    ],
    [
      "a range twice",
      "subnet 10.0.0.0 netmask 255.0.0.0 { range 10.0.0.1; range 10.0.0.1; }",
      1,
      "range",
    ],
    ["a range outside all subnets", "range 10.0.0.1;", 1, "range"],
    ["a pool outside all networks", "pool { }", 1, "pool"],
    ["a shared network without a subnet", "shared-network x { }", 1, ""],
    ["a subnet in a subnet", "subnet 10.0.0.0 netmask 255.0.0.0 { subnet", 1, "subnet"],
    ["an address for no host", "fixed-address 10.0.0.1;", 1, "fixed-address"],
    ["hardware for no host", "hardware ethernet 1:2:3:4:5:6;", 1, "hardware"],
    ["hardware of no kind", "host x { hardware yarn 1:2; }", 1, "yarn"],
    ["hardware twice", "host x { hardware ethernet 1; hardware ethernet 2; }", 1, "}"],
    ["a host of 17 octets", `host x { hardware ethernet ${"1:".repeat(16)}1; }`, 1, "hardware"],
    ["two hosts of one name", "host x { }\nhost x { }", 2, ""],
    ["a host without an end", "host x {\n", 1, ""],
    ["a definition inside", "host x { option y code 224 = text; }", 1, "code"],
    ["a definition of no type", "option y code 224 = colour;", 1, "colour"],
    ["a definition of 24 bits", "option y code 224 = integer 24;", 1, "24"],
    ["a definition of End", "option y code 255 = text;", 1, "code"],
    [
      "whom nobody knows in a pool",
      "subnet 10.0.0.0 netmask 255.0.0.0 { pool { allow me; } }",
      1,
      "me",
    ],
    ["what nobody may be allowed", "allow dancing;", 1, "dancing"],
  ])("is refused for %s, with the line and the word", (_, text, line, word) => {
    expect(faultOf(text)).toEqual({ line, word });
  });
});
