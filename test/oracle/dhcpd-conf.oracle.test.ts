import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { formatDhcpdConf } from "../../src/dhcp/dhcpd-printer.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { missingForDhcpd, testDhcpdConf } from "./dhcpd.ts";
import { DHCPD_WORLDS } from "./dhcpd-worlds.ts";

const missing = missingForDhcpd();
const cases = Number(process.env["DHCPD_CASES"] ?? 250);
const seed = Number(process.env["DHCPD_SEED"] ?? 1);

const TEXT = `# EC2
authoritative;
default-lease-time 86400; max-lease-time 0x15180;
server-identifier 169.254.1.0;
option rfc3442-classless-static-routes code 121 = array of integer 8;
option long-name code 224 = { ip-address, unsigned integer 16 };
ddns-update-style none;
next-server 10.254.168.3;
filename "boot/vmlinuz";
use-host-decl-names on;
allow bootp; deny unknown-clients; ignore declines;
shared-network vifs {
  option domain-name "compute-1.internal";
  subnet 10.254.168.0 netmask 255.255.255.0 {
    option routers 10.254.168.1;
  }
  subnet 10.254.170.0 netmask 255.255.254.0 {
    range 10.254.170.10 10.254.170.20;
    range dynamic-bootp 10.254.170.30;
    pool {
      allow known clients; deny dynamic bootp clients;
      range 10.254.170.40 10.254.170.41;
      min-lease-time 60;
    }
    option domain-name-servers 172.16.0.23, 172.16.0.24;
    option domain-search "a.example", "b.example";
    option time-offset -3600;
    option ip-forwarding false;
    option vendor-encapsulated-options 01:02:ff;
    option long-name 10.0.0.1 65535;
    option rfc3442-classless-static-routes 24, 10, 254, 168, 10, 254, 170, 1;
  }
}
group {
  option host-name "x";
  host dom_1 { hardware ethernet 12:31:39:00:a5:11; fixed-address 10.254.170.223; }
  host dom_2 {
    hardware ethernet 12:31:39:00:a5:12;
    fixed-address 10.254.170.222, 10.254.170.224;
    option interface-mtu 1400;
  }
}
host by_id { option dhcp-client-identifier "by-id"; fixed-address 10.254.170.221; }
subnet 10.253.0.0 netmask 255.255.0.0 { not authoritative; }
`;
const WORDS = (
  '{ } ; , . : = host subnet option 10 077 on "s" routers foo authoritative range 256 ' +
  "ff code netmask pool group allow 65536 hardware ethernet"
).split(" ");
const TOKENS = /"[^"]*"|#[^\n]*|\s+|[A-Za-z0-9_-]+|./g;

/** The text with one word lost, doubled, misplaced or another. */
function damaged(prng: Prng): string {
  const tokens = TEXT.match(TOKENS) ?? [];
  const solid = [...tokens.keys()].filter((index) => !/^(\s|#)/.test(tokens[index] ?? ""));
  const which = prng.below(solid.length - 1);
  const at = solid[which] ?? 0;
  const next = solid[which + 1] ?? 0;
  const word = tokens[at] ?? "";
  const other = WORDS[prng.below(WORDS.length)] ?? "";
  const [here = "", there = tokens[next] ?? ""] = [
    [""],
    [`${word} ${word}`],
    [tokens[next] ?? "", word],
    [` ${other} `],
  ][prng.below(4)] ?? [""];
  tokens[at] = here;
  tokens[next] = there;
  return tokens.join("");
}

/** Where our parser refuses a text; 0 if it does not. */
function faultOf(text: string): { line: number; message: string } {
  try {
    parseDhcpdConf(text);
    return { line: 0, message: "" };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return { line: error.line ?? 0, message: error.message };
  }
}

/** What only ISC dhcpd takes: names of hosts, which it looks up, and numbers of no octets. */
const IS_TAKEN = /expecting (an IP address|a number from 0 to 255|numeric value|a value)/;
/** Statements that we do not have. */
const IS_MISSING = /not supported/;

describe.skipIf(missing !== null)(
  `dhcpd -t of 4.4.3${missing === null ? "" : ` (${missing})`}`,
  () => {
    it("accepts what we accept, and refuses what we refuse at the same line", () => {
      const prng = new Prng(seed, "dhcpd.conf");
      expect(faultOf(TEXT)).toEqual({ line: 0, message: "" });
      for (let round = 0; round < cases; round += 1) {
        const text = damaged(prng);
        const ours = faultOf(text);
        const { isAccepted, line, said } = testDhcpdConf(text);
        if (isAccepted && IS_TAKEN.test(ours.message)) continue;
        if (IS_MISSING.test(ours.message)) continue;
        const about = `case ${round} of seed ${seed}: ${ours.message}\n${said}\n${text}`;
        expect(ours.line === 0, about).toBe(isAccepted);
        if (line > 0) expect(ours.line, about).toBe(line);
      }
    });

    it.each(DHCPD_WORLDS)("reads what we print: $name", ({ conf }) => {
      const { isAccepted, said } = testDhcpdConf(formatDhcpdConf(parseDhcpdConf(conf)));
      expect(isAccepted, said).toBe(true);
    });
  },
);
