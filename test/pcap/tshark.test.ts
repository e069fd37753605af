import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { digestOf } from "../../src/pcap/digest.ts";
import { type CaptureRecord, nanosecondsOf } from "../../src/pcap/record.ts";
import { macOf, parseInterfaceAddress, parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { written } from "./collect.ts";
import { ForeignFile } from "./foreign-file.ts";
import { DIGEST_FIELDS, type Dissected, pieces, said } from "./digest-oracle.ts";
import { dissect, hasWireshark, run, withFile } from "./wireshark.ts";

const ROOT = new URL("../../captures/", import.meta.url).pathname;
const FILES = ["linux-kernel", "real-xen"].flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`)
    .filter((name) => name.endsWith(".pcap"))
    .map((name) => `${ROOT}${folder}/${name}`),
);

const md5 = (octets: Uint8Array): string => createHash("md5").update(octets).digest("hex");

/** "1264982400.000000001" as nanoseconds. */
const nanoseconds = (epoch: string): bigint => BigInt(epoch.replace(".", ""));

const basics = (record: CaptureRecord): unknown[] => [
  nanosecondsOf(record),
  record.octets.length,
  record.originalLength,
  md5(record.octets),
];

const FRAME_FIELDS = ["frame.time_epoch", "frame.cap_len", "frame.len", "frame.md5_hash"] as const;
type FrameFields = Record<(typeof FRAME_FIELDS)[number], string>;

const basicsOf = (fields: FrameFields): unknown[] => [
  nanoseconds(fields["frame.time_epoch"]),
  Number(fields["frame.cap_len"]),
  Number(fields["frame.len"]),
  fields["frame.md5_hash"],
];

/** A frame of a real capture, so that dissectors have something to do. */
const [echo, arp] = readCapture(readFileSync(`${ROOT}linux-kernel/domu-3.pcap`))
  .records.map(({ octets }) => octets)
  .filter((_, index) => index === 6 || index === 4)
  .toReversed();

/** Two interfaces, four frames, all that the writer can say. */
function sample(): Uint8Array {
  return written((writer) => {
    const addresses = ["10.254.168.2/23", "169.254.1.0"].map(parseInterfaceAddress);
    const mac = macOf(0xefff_ffff_ffff);
    writer.addInterface({ name: "vif3.0", description: "dom_1’s vif", mac, addresses });
    writer.addInterface({ name: "peth0" });
    writer.addNames(parseIpv4("10.254.170.223"), ["dom-32504936"]);
    writer.addNames(parseIpv4("10.254.170.1"), ["gateway"]);
    const write = (
      id: number,
      now: number,
      frame: Uint8Array,
      flags: number,
      packet: number,
    ): number => writer.writeFrame(id, now, viewOf(frame), 0, frame.length, flags, packet);
    const first = write(0, 0, echo ?? new Uint8Array(), 1 | (1 << 2), 7);
    write(1, 1, echo ?? new Uint8Array(), 2, 7);
    const arpFrame = write(0, 1_000_001, arp ?? new Uint8Array(), 1 | (3 << 2), 2 ** 32 + 5);
    const last = write(1, 2 ** 40, echo ?? new Uint8Array(), 1 | (4 << 2), 2 ** 53 - 1);
    writer.annotate(first, { judge: "tc", action: 2n }, "dropped: filter/rule");
    writer.annotate(arpFrame, { judge: "xdp", action: 1n }, null);
    writer.annotate(last, { judge: "hardware", octets: Uint8Array.of(0xab, 0xcd) }, "grüße");
    writer.writeStatistics(0, 2 ** 40, { start: 0, end: 2 ** 40, received: 2, dropped: 0 });
    writer.writeStatistics(1, 2 ** 40, { start: 0, end: 2 ** 40, received: 2, dropped: 0 });
  });
}

const TITLE = hasWireshark ? "Wireshark" : "Wireshark (not compared: tshark is not installed)";

describe.skipIf(!hasWireshark)(`${TITLE} on captures of the writer`, { timeout: 60_000 }, () => {
  it("sees in a written capture what was meant", () => {
    const fields = [
      "frame.interface_name",
      "frame.interface_description",
      "frame.packet_flags_direction",
      "frame.packet_flags_reception_type",
      "frame.packet_id",
      "frame.verdict.ebpf_tc",
      "frame.verdict.ebpf_xdp",
      "frame.verdict.hw",
      "frame.comment",
      "frame.time_epoch",
      "ip.src_host",
      "ip.dst_host",
      "_ws.malformed",
    ] as const;
    const lines = withFile(sample(), (path) => dissect(path, fields, ["-N", "n"]));
    const rows = lines.map((line) => fields.map((field) => line[field]).join("|"));
    const names = "dom-32504936|gateway|";
    const vif = "vif3.0|dom_1’s vif";
    expect(rows).toEqual([
      `${vif}|0x00000001|1|7|2|||dropped: filter/rule|1264982400.000000000|${names}`,
      `peth0||0x00000002|0|7|||||1264982400.000001000|${names}`,
      `${vif}|0x00000001|3|4294967301||1|||1264982401.000001000|||`,
      `peth0||0x00000001|4|9007199254740991|||ab cd|grüße|1266081911.627776000|${names}`,
    ]);
  });

  it("finds nothing wrong with any block of a written capture", () => {
    const args = ["-n", "-X", "read_format:MIME Files Format"];
    const fields = ["frame.protocols", "_ws.malformed", "_ws.expert.message"] as const;
    const [whole, ...rest] = withFile(sample(), (path) => dissect(path, fields, args));
    expect(whole?.["frame.protocols"]).toMatch(/^mime_dlt:file-pcapng/);
    expect([whole?.["_ws.malformed"], whole?.["_ws.expert.message"], rest]).toEqual(["", "", []]);
    const types = withFile(sample(), (path) =>
      run("tshark", ["-r", path, ...args, "-T", "fields", "-e", "pcapng.block.type"]),
    );
    const blocks = types.trim().split(",").map(Number);
    expect(blocks).toEqual([0x0a0d0d0a, 1, 1, 4, 4, 6, 6, 6, 6, 5, 5]);
  });

  it("counts interfaces, precision and statistics of a written capture", () => {
    const report = withFile(sample(), (path) => run("capinfos", ["-M", path]));
    expect(report).toMatch(/File type: +pcapng\n/);
    expect(report).toMatch(/File timestamp precision: +nanoseconds \(9\)\n/);
    expect(report).toMatch(/Capture application: +dom0\n/);
    expect(report).toMatch(/Number of interfaces in file: 2\n/);
    expect(report).toMatch(/Name = vif3\.0\n/);
    expect(report).toMatch(/Description = dom_1’s vif\n/);
    expect(report.match(/Number of stat entries = 1\n/g)).toHaveLength(2);
    expect(report.match(/Number of packets = 2\n/g)).toHaveLength(2);
  });

  it.each([
    ["pcapng", ["mergecap", "-a", "-F", "pcapng"]],
    ["pcap", ["mergecap", "-a", "-F", "pcap"]],
    ["nanosecond pcap", ["mergecap", "-a", "-F", "nsecpcap"]],
    ["truncated pcapng", ["editcap", "-F", "pcapng", "-s", "40"]],
  ])("writes %s that is read alike", (_, [tool = "", ...args]) => {
    withFile(new Uint8Array(), (path) => {
      if (tool === "editcap") run(tool, [...args, FILES[0] ?? "", path]);
      else run(tool, [...args, "-w", path, ...FILES]);
      const { records } = readCapture(readFileSync(path));
      expect(records.map(basics)).toEqual(dissect(path, FRAME_FIELDS).map(basicsOf));
      expect(records.length).toBeGreaterThan(100);
    });
  });

  it("converts every resolution and offset of time alike", () => {
    const file = new ForeignFile("big").section();
    // Beyond 10^10 Wireshark's own arithmetic overflows: it multiplies by 10^9 in 64 bits.
    const decimals = Array.from({ length: 11 }, (_, exponent) => exponent);
    const binaries = Array.from({ length: 33 }, (_, exponent) => 0x80 | exponent);
    const resolutions = [...decimals, ...binaries];
    for (const [id, resolution] of resolutions.entries()) {
      const offset = file.option(14, file.u64(id % 2 === 0 ? 1_000_000_000 : 7));
      file.interface(0, ...file.option(9, [resolution]), ...(id % 3 === 0 ? offset : []));
      const perSecond = (resolution < 128 ? 10n : 2n) ** BigInt(resolution & 127);
      for (const fraction of [0n, 1n, perSecond / 3n, perSecond - 1n]) {
        file.enhanced(id, 1_264_982n * perSecond + fraction, [1, 2, 3]);
      }
    }
    const { records } = readCapture(file.bytes);
    const seen = withFile(file.bytes, (path) => dissect(path, ["frame.time_epoch"]));
    expect(records.map(nanosecondsOf)).toEqual(
      seen.map((fields) => nanoseconds(fields["frame.time_epoch"])),
    );
    expect(records).toHaveLength(4 * resolutions.length);
  });

  it("reads foreign blocks and sections alike", () => {
    const big = new ForeignFile("big").section().interface(4);
    big
      .block(3, ...big.u32(5), 1, 2, 3, 4)
      .block(0x7777, 0, 0, 0, 9)
      .enhanced(0, 7n, [1, 2, 3]);
    const lengths = [...big.u32(3), ...big.u32(99)];
    big.block(2, ...big.u16(0), ...big.u16(7), ...big.time(5n), ...lengths, 7, 8, 9, 0);
    const little = new ForeignFile("little").section(1, 2).interface().interface();
    little.enhanced(1, 2n ** 40n, [1, 2, 3, 4, 5], ...little.option(1, [65, 66]));
    const bytes = Uint8Array.of(...big.bytes, ...little.bytes);
    const fields = ["frame.cap_len", "frame.len", "frame.md5_hash", "frame.comment"] as const;
    const seen = withFile(bytes, (path) => dissect(path, fields));
    const read = readCapture(bytes).records.map((record) => [
      String(record.octets.length),
      String(record.originalLength),
      md5(record.octets),
      record.comment ?? "",
    ]);
    expect(read).toEqual(seen.map((line) => fields.map((field) => line[field])));
    expect(read).toHaveLength(4);
  });
});

describe.skipIf(!hasWireshark)(`${TITLE} on real systems`, { timeout: 60_000 }, () => {
  const files = FILES.map((path) => readFileSync(path));
  const dissected = (): readonly (FrameFields & Dissected)[] =>
    withFile(new Uint8Array(), (path) => {
      run("mergecap", ["-a", "-F", "pcap", "-w", path, ...FILES]);
      return dissect(path, [...FRAME_FIELDS, ...DIGEST_FIELDS]);
    });

  it("reads the same frames and says the same of them", () => {
    const records = files.flatMap((bytes) => readCapture(bytes).records);
    const lines = files.flatMap((bytes) => digestOf(bytes).trimEnd().split("\n"));
    const seen = dissected();
    expect(records.map(basics)).toEqual(seen.map(basicsOf));
    expect([lines.length, seen.length]).toEqual([1119, 1119]);
    for (const [index, fields] of seen.entries()) {
      const line = lines[index]?.replace(/^\S+ if0 - /, "") ?? "";
      const whole = said(fields);
      if (whole !== null) expect(line).toBe(whole);
      else for (const piece of pieces(fields)) expect(line).toContain(piece);
    }
  });
});
