import fc from "fast-check";
import { expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { DhcpdConfFile } from "../../src/dhcp/dhcpd-conf-file.ts";
import type { HostLine } from "../../src/dhcp/dhcpd-host-line.ts";
import { removeHostLines, replaceHostLine } from "../../src/dhcp/dhcpd-host-line.ts";
import { Networks } from "../../src/dhcp/dhcpd-networks.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";

const MACS = ["12:31:39:00:a5:11", "12:31:39:00:a5:12"].map(parseMac);
const IDS = ["one", "two"];
const ADDRESS = parseIpv4("10.254.170.223");

/** What stands before the lines: with and without a newline at its end, with hosts of its own. */
const BASES = [
  "",
  "authoritative;",
  "option tier code 200 = text; subnet 10.254.170.0 netmask 255.255.254.0 { }\n",
  "host dom_1 { hardware ethernet 12:31:39:00:a5:12; }\nhost dom_10 { }",
  `group {\n  host dom_2 {\n    option dhcp-client-identifier "one"; }\n}\n`,
];

const host: fc.Arbitrary<HostLine> = fc.record({
  name: fc.constantFrom("dom_1", "dom_10", "dom_2", "dom_3"),
  mac: fc.constantFrom(...MACS),
  address: fc.constant(ADDRESS),
  statements: fc.oneof(
    fc.constant([]),
    fc.constantFrom(...IDS).map((id) => [`option dhcp-client-identifier "${id}";`]),
    fc.constant(['option tier "front";']),
  ),
});
const edit = fc.record({ isAdded: fc.boolean(), host });

/** Who is meant by each hardware address and each identifier, in dhcpd's order. */
function found(networks: Networks): string[][] {
  const octets = (mac: number): Uint8Array =>
    Uint8Array.from([5, 4, 3, 2, 1, 0], (place) => Math.floor(mac / 256 ** place) % 256);
  const names = (hosts: readonly { readonly name: string }[]): string[] =>
    hosts.map(({ name }) => name);
  return [
    ...MACS.map((mac) => names(networks.hostsByHardware(1, octets(mac)))),
    ...IDS.map((id) => names(networks.hostsByClientId(new TextEncoder().encode(id)))),
  ];
}

it("is the text that the scripts' own edits make, and says what dhcpd reads in it", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...BASES),
      fc.array(edit, { maxLength: 20, size: "max" }),
      (base, edits) => {
        const file = new DhcpdConfFile(base);
        let text = base;
        for (const { isAdded, host: one } of edits) {
          const next = isAdded
            ? replaceHostLine(text, one, { asGrep: false })
            : removeHostLines(text, one.name, { asGrep: false });
          let isRead = true;
          try {
            parseDhcpdConf(next);
          } catch (error) {
            expect(error).toBeInstanceOf(ParseError);
            isRead = false;
          }
          const make = (): void => {
            if (isAdded) file.replaceHost(one);
            else file.removeHost(one.name);
          };
          if (isRead) {
            make();
            text = next;
          } else expect(make).toThrow(ParseError);
          expect(file.text).toBe(text);
          expect(found(file.setup.networks)).toEqual(found(new Networks(parseDhcpdConf(text))));
        }
      },
    ),
    { numRuns: 200 },
  );
});
