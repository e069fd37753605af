import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { digestLine, digestOf, digestReader } from "../../src/pcap/digest.ts";
import { nanosecondsOf } from "../../src/pcap/record.ts";
import { viewOf } from "../../src/wire/field.ts";
import { written } from "./collect.ts";
import { ForeignFile, text } from "./foreign-file.ts";

const ROOT = new URL("../../captures/", import.meta.url).pathname;
const GOLDENS = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter((path) =>
  /\.pcap(ng)?$/.test(path),
);

const octets = (hex: string): Uint8Array =>
  Uint8Array.from(
    (hex.replaceAll(" ", "").match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)),
  );

/** The digest of one Ethernet frame, without time, interface and direction. */
function summary(hex: string): string {
  const frame = octets(hex);
  const bytes = written((writer) => {
    writer.addInterface({ name: "a" });
    writer.writeFrame(0, 0, viewOf(frame), 0, frame.length, 1, 0);
  });
  return digestOf(bytes).replace("0.000000 a in ", "").trimEnd();
}

const MACS = "020000000001 020000000002";
const ETHERNET = "02:00:00:00:00:02 > 02:00:00:00:00:01:";
/** 10.0.0.1 to 10.0.0.2, TTL 64, id 1; the rest is said by the arguments. */
const ipv4 = (protocol: string, length: string, sum: string, body: string): string =>
  `${MACS} 0800 4500 ${length} 0001 0000 40 ${protocol} ${sum} 0a000001 0a000002 ${body}`;
const IPV4 = `${ETHERNET} 10.0.0.1 > 10.0.0.2 ttl 64 id 1`;

describe("the golden digests", () => {
  it.each(GOLDENS)("of %s is unchanged", (path) => {
    const bytes = readFileSync(`${ROOT}${path}`);
    expect(digestOf(bytes)).toBe(
      readFileSync(`${ROOT}${path.replace(/\.pcap(ng)?$/, ".txt")}`, "utf8"),
    );
  });

  it("of a file cut in pieces is that of the whole", () => {
    const bytes = readFileSync(`${ROOT}linux-kernel/domu-4.pcap`);
    const lines: string[] = [];
    const reader = digestReader((line) => lines.push(`${line}\n`));
    for (let at = 0; at < bytes.length; at += 97) reader.push(bytes.subarray(at, at + 97));
    reader.close();
    expect(lines.join("")).toBe(digestOf(bytes));
  });

  it("of a stream keeps its limits", () => {
    const reader = digestReader(() => {}, { maxBlockOctets: 64 });
    const bytes = readFileSync(`${ROOT}linux-kernel/domu-4.pcap`);
    expect(() => reader.push(bytes)).toThrow("expected at most 64");
  });
});

describe("a line", () => {
  it("has time, interface, direction, lengths and comment", () => {
    const file = new ForeignFile("big").section();
    file.interface(0, ...file.option(2, text("vif3.0")), ...file.option(9, [9]));
    file.interface(0, ...file.option(2, text("two words\n")));
    file.interface(4).block(1, 0, 105, 0, 0, 0, 0, 0, 0);
    file.enhanced(0, 10n ** 18n, []);
    file.enhanced(0, 10n ** 18n + 1_000n, [], ...file.option(2, file.u32(1)));
    file.enhanced(0, 10n ** 18n + 1_001n, [], ...file.option(2, file.u32(2)));
    file.enhanced(1, 10n ** 15n - 1_500_000n, [], ...file.option(1, text('say "no"\nplease')));
    file.enhanced(3, 10n ** 15n + 86_400_000_000n, [1, 2, 3]);
    const cut = new ForeignFile("big").section().interface(2);
    cut.block(3, ...cut.u32(9), 1, 2, 0, 0);
    expect(digestOf(Uint8Array.of(...file.bytes, ...cut.bytes)).split("\n")).toEqual([
      "0.000000 vif3.0 - no Ethernet header (0)",
      "0.000001 vif3.0 in no Ethernet header (0)",
      "0.000001001 vif3.0 out no Ethernet header (0)",
      '-1.500000 "two words\\n" - no Ethernet header (0) "say \\"no\\"\\nplease"',
      "86400.000000 if3 - link type 105 (3)",
      "- if0 - no Ethernet header (2/9)",
      "",
    ]);
  });

  it("can count its time from any moment", () => {
    const [record] = readCapture(readFileSync(`${ROOT}linux-kernel/domu-4.pcap`)).records;
    const at = (record && nanosecondsOf(record)) ?? 0n;
    expect(record && digestLine(record, at - 2_000_000_500n)).toMatch(/^2\.000000500 if0 - /);
  });
});

describe("a summary", () => {
  const UDP = "0035 4000 000b 0000 616263";
  it.each([
    [
      `${MACS} 0806 0001080006040003 020000000002 0a000001 000000000000 0a000002`,
      `${ETHERNET} ARP op 3 10.0.0.1 is-at 02:00:00:00:00:02 to 10.0.0.2 at 00:00:00:00:00:00 (42)`,
    ],
    [`${MACS} 0806 0001`, `${ETHERNET} ARP cut off (16)`],
    [`${MACS} 8100 0001`, `${ETHERNET} type 0x8100 (16)`],
    [`${MACS} 86dd 6000`, `${ETHERNET} IPv6 (16)`],
    [`${MACS} 0800 4500`, `${ETHERNET} IPv4 cut off (16)`],
    [ipv4("11", "001f", "66cb", UDP), `${IPV4} UDP 53 > 16384, 3 octets (45)`],
    [ipv4("11", "001f", "66ca", UDP), `${IPV4} bad IPv4 checksum UDP 53 > 16384, 3 octets (45)`],
    [ipv4("11", "001f", "66cb", `${UDP} 0000`), `${IPV4} UDP 53 > 16384, 3 octets (47)`],
    [
      ipv4("11", "001f", "66cb", "0035 4000 000b 0001 616263"),
      `${IPV4} UDP 53 > 16384, 3 octets bad checksum (45)`,
    ],
    [
      ipv4("11", "0021", "66c9", "0035 4000 000b e73d 616263 ffff"),
      `${IPV4} UDP 53 > 16384, 5 octets (47)`,
    ],
    [ipv4("11", "0018", "66d2", "0035 4000"), `${IPV4} UDP cut off (38)`],
    [ipv4("11", "0030", "66ba", UDP), `${IPV4} UDP 53 > 16384, 3 octets (45)`],
    [ipv4("2f", "0016", "66b6", "0000"), `${IPV4} protocol 47, 2 octets (36)`],
    [
      ipv4("01", "001c", "66de", "0800 f7ff 0000 0000"),
      `${IPV4} ICMP echo request id 0 seq 0, 0 octets (42)`,
    ],
    [
      ipv4("01", "001c", "66de", "0304 f727 0000 05d4"),
      `${IPV4} ICMP unreachable too big mtu 1492 (42)`,
    ],
    [ipv4("01", "001c", "66de", "2907 d6f8 0000 0000"), `${IPV4} ICMP type 41 code 7 (42)`],
    [ipv4("01", "0016", "66e4", "0800"), `${IPV4} ICMP cut off (36)`],
    [ipv4("06", "0018", "66dd", "0016 0017"), `${IPV4} TCP cut off (38)`],
    [`${MACS} 0800 5500 0014 0001 0000 40 11 0000 0a000001 0a000002`, `${IPV4} bad header (34)`],
    [`${MACS} 0800 4400 0014 0001 0000 40 11 0000 0a000001 0a000002`, `${IPV4} bad header (34)`],
    [`${MACS} 0800 4600 0014 0001 0000 40 11 0000 0a000001 0a000002`, `${IPV4} bad header (34)`],
  ])("of %s is %s", (hex, expected) => {
    expect(summary(hex)).toBe(expected);
  });

  it("tells DHCP from BOOTP and from noise on its ports", () => {
    const body = `0101 0600 00c0ffee 0000 0000 ${"00000000".repeat(3)} 0a000009 020000000003`;
    const zeros = "00".repeat(236 - 34);
    const summaries = ["", "63825363", "63825363 00 0c0161 3501", "63825363 ff 350101"].map(
      (options) =>
        summary(ipv4("11", "0200", "64ea", `0044 0043 0200 0000 ${body} ${zeros} ${options} 05`)),
    );
    const said = (type: string): RegExp =>
      new RegExp(`DHCP ${type} xid 0x00c0ffee 02:00:00:00:00:03 giaddr 10\\.0\\.0\\.9 \\(`);
    expect(summaries[0]).toMatch(said("BOOTP"));
    expect(summaries[1]).toMatch(said("BOOTP"));
    expect(summaries[2]).toMatch(said("ACK"));
    expect(summaries[3]).toMatch(said("BOOTP"));
    expect(summary(ipv4("11", "001f", "66cb", "0044 0043 000b 0000 616263"))).not.toContain("DHCP");
  });
});
