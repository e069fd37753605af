import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import {
  formatHostLine,
  removeHostLines,
  replaceHostLine,
} from "../../src/dhcp/dhcpd-host-line.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";

const host = (name: string) => ({
  name,
  mac: parseMac("12:31:39:00:a5:11"),
  address: parseIpv4("10.254.170.223"),
});
const line = (name: string): string =>
  `host ${name} { hardware ethernet 12:31:39:00:a5:11; fixed-address 10.254.170.223; }`;

describe("A host line", () => {
  it("declares a domU in one line that dhcpd reads", () => {
    expect(formatHostLine(host("dom_1"))).toBe(line("dom_1"));
    const statements = ['option host-name "domU-12-31-39-00-A5-11";'];
    const text = formatHostLine({ ...host("dom_1"), statements });
    const [block] = parseDhcpdConf(text).items;
    expect(block).toMatchObject({ kind: "host", name: "dom_1" });
    expect(text).not.toContain("\n");
  });

  it("stands at the end of the file, once", () => {
    expect(replaceHostLine("", host("dom_1"))).toBe(`${line("dom_1")}\n`);
    expect(replaceHostLine("authoritative;", host("dom_1"))).toBe(
      `authoritative;\n${line("dom_1")}\n`,
    );
    const text = `authoritative;\n${line("dom_1")}\n${line("dom_2")}\n`;
    expect(replaceHostLine(text, host("dom_1"))).toBe(
      `authoritative;\n${line("dom_2")}\n${line("dom_1")}\n`,
    );
  });

  it("goes away with grep -v, and with it each host whose name begins alike", () => {
    const text = ["# host dom_1 of old", line("dom_1"), line("dom_12"), line("dom_2"), ""];
    expect(removeHostLines(text.join("\n"), "dom_1")).toBe(`${line("dom_2")}\n`);
  });

  it("goes away alone if that is asked for", () => {
    const text = ["# host dom_1 of old", line("dom_1"), `  ${line("dom_1")}`, line("dom_12"), ""];
    expect(removeHostLines(text.join("\n"), "dom_1", { asGrep: false })).toBe(
      `# host dom_1 of old\n${line("dom_12")}\n`,
    );
  });

  it.each(["", "a b", "a;", "a\nb", ".*", "x".repeat(256)])("has no name %j", (name) => {
    expect(() => formatHostLine(host(name))).toThrow(OptionError);
    expect(() => removeHostLines("", name)).toThrow(OptionError);
  });
});
