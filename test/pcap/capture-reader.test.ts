import { describe, expect, it } from "vitest";
import { OptionError, ParseError } from "../../src/base/errors.ts";
import { CaptureReader, readCapture } from "../../src/pcap/capture-reader.ts";
import { instantOf, nanosecondsOf } from "../../src/pcap/record.ts";
import { formatIpv4, ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { ForeignFile, text } from "./foreign-file.ts";

const FRAME = [1, 2, 3, 4, 5];
const ORDERS = ["little", "big"] as const;

/** What reading `bytes` complains about, and where. */
function complaint(bytes: Uint8Array): [string, unknown] {
  try {
    readCapture(bytes);
  } catch (error) {
    if (error instanceof ParseError) return [error.code, error.value];
    throw error;
  }
  return ["", null];
}

describe.each(ORDERS)("a %s-endian pcapng file", (order) => {
  const file = (): ForeignFile => new ForeignFile(order).section();

  it("is read with all that an interface and a frame can say", () => {
    const made = file();
    made.interface(
      0,
      ...made.option(2, text("eth0")),
      ...made.option(3, text("the first")),
      ...made.option(4, [10, 0, 0, 1, 255, 255, 254, 0]),
      ...made.option(4, [10, 0, 2, 1, 255, 0, 255, 0]),
      ...made.option(6, [0x12, 0x31, 0x39, 0, 0xa5, 0x11]),
      ...made.option(9, [9]),
      ...made.option(14, made.u64(-1)),
      ...made.option(0x8123, text("local use")),
    );
    made.enhanced(
      0,
      0x1234_5678_9abc_def0n,
      FRAME,
      ...made.option(1, text("first")),
      ...made.option(2, made.u32(0x12)),
      ...made.option(5, made.u64(0x0102_0304_0506_0708n)),
      ...made.option(7, [2, ...made.u64(1)]),
      ...made.option(7, [0, 9]),
      ...made.option(1, text("second")),
    );
    const { format, interfaces, records } = readCapture(made.bytes);
    expect(format).toBe("pcapng");
    expect(interfaces).toMatchObject([
      {
        section: 0,
        id: 0,
        name: "eth0",
        description: "the first",
        linkType: 1,
        mac: 0x123139_00a511,
      },
    ]);
    const [first] = interfaces;
    expect(first?.addresses.map(({ address, length }) => [formatIpv4(address), length])).toEqual([
      ["10.0.0.1", 23],
      ["10.0.2.1", 8],
    ]);
    expect(first).toMatchObject({ ticksPerSecond: 10n ** 9n, offsetSeconds: -1n, snapLength: 0 });
    expect(records).toEqual([
      {
        interface: first,
        ticks: 0x1234_5678_9abc_def0n - 10n ** 9n,
        octets: Uint8Array.from(FRAME),
        originalLength: 5,
        flags: 0x12,
        direction: "outbound",
        packetId: 0x0102_0304_0506_0708n,
        verdict: { judge: "xdp", action: 1n },
        comment: "first\nsecond",
      },
    ]);
  });

  it("is read with simple and obsolete packet blocks", () => {
    const made = file().interface(4);
    made.block(3, ...made.u32(5), 1, 2, 3, 4);
    made.block(3, ...made.u32(3), 1, 2, 3, 0);
    const lengths = [...made.u32(3), ...made.u32(99)];
    const flags = made.option(2, made.u32(1));
    made.block(
      2,
      ...made.u16(0),
      ...made.u16(7),
      ...made.time(5n),
      ...lengths,
      7,
      8,
      9,
      0,
      ...flags,
    );
    expect(readCapture(made.bytes).records).toMatchObject([
      { ticks: null, octets: Uint8Array.of(1, 2, 3, 4), originalLength: 5, direction: null },
      { ticks: null, octets: Uint8Array.of(1, 2, 3), originalLength: 3, direction: null },
      { ticks: 5n, octets: Uint8Array.of(7, 8, 9), originalLength: 99, direction: "inbound" },
    ]);
  });

  it("is read past blocks and options that nobody knows", () => {
    const made = file().block(0xbad, 1, 2, 3, 4).interface();
    made.block(0x8000_0000).enhanced(0, 0n, FRAME, ...made.option(99, [1, 2, 3]));
    made.block(10, ...made.u32(0), ...made.u32(0));
    made.enhanced(0, 1n, FRAME, ...made.option(7, [3, 1]), ...made.option(0, []), 9, 9, 9, 9);
    expect(readCapture(made.bytes).records).toMatchObject([
      { verdict: null, ticks: 0n },
      { verdict: null, ticks: 1n },
    ]);
  });

  it("is read with names and statistics", () => {
    const made = file().interface();
    const record = (code: number, ...value: readonly number[]): number[] =>
      made.option(code, value);
    made.block(
      4,
      ...record(1, 10, 0, 0, 1, ...text("one\0uno\0")),
      ...record(2, ...Array.from({ length: 16 }, () => 0), ...text("six\0")),
      ...record(1, 10, 0, 0, 2, ...text("cut off")),
      ...record(0),
    );
    made.block(4, ...record(1, 10, 0, 0, 1, ...text("uno\0eins\0")));
    const counts = [4, 5, 6, 7, 8].flatMap((code) => made.option(code, made.u64(code * 10)));
    const times = [...made.option(2, made.time(1n)), ...made.option(3, made.time(2n ** 33n))];
    made.block(5, ...made.u32(0), ...made.time(9n), ...times, ...counts);
    const { names, interfaces } = readCapture(made.bytes);
    expect([...(names.get(parseIpv4("10.0.0.1")) ?? [])]).toEqual(["one", "uno", "eins"]);
    expect([...(names.get(parseIpv4("10.0.0.2")) ?? [])]).toEqual(["cut off"]);
    expect(interfaces[0]?.statistics).toEqual({
      startTicks: 1n,
      endTicks: 2n ** 33n,
      received: 40n,
      dropped: 50n,
      accepted: 60n,
      droppedBySystem: 70n,
      delivered: 80n,
    });
  });

  it.each([
    [0x00, 1n, 3_000_000_000n],
    [0x03, 1_000n, 3_000_000n],
    [0x06, 1_000_000n, 3_000n],
    [0x09, 1_000_000_000n, 3n],
    [0x0c, 1_000_000_000_000n, 0n],
    [0x80, 1n, 3_000_000_000n],
    [0x8a, 1_024n, 2_929_687n],
    [0xa0, 2n ** 32n, 0n],
    [0xff, 2n ** 127n, 0n],
  ])("counts time in units of if_tsresol %i", (resolution, perSecond, threeTicks) => {
    const made = file();
    made.interface(0, ...made.option(9, [resolution])).enhanced(0, 3n, FRAME);
    const [record] = readCapture(made.bytes).records;
    expect(record?.interface.ticksPerSecond).toBe(perSecond);
    expect(record?.ticks).toBe(3n);
    expect(record && nanosecondsOf(record)).toBe(threeTicks);
  });

  it("has times before 1970 rounded down", () => {
    const made = file();
    made.interface(0, ...made.option(14, made.u64(-10))).enhanced(0, 1n, FRAME);
    const [record] = readCapture(made.bytes).records;
    expect(record && nanosecondsOf(record)).toBe(-9_999_999_000n);
    expect(record && instantOf(record, -9_999_999_001n)).toBe(0);
    expect(record && instantOf(record, -10_000_000_001n)).toBe(1);
    expect(record && instantOf(record, 0n)).toBeNull();
  });

  it("has no instant 2^53 microseconds away", () => {
    const made = file()
      .interface()
      .enhanced(0, 2n ** 53n, FRAME);
    const [record] = readCapture(made.bytes).records;
    expect(record && instantOf(record, 0n)).toBeNull();
    expect(record && instantOf(record, 1_000n)).toBe(2 ** 53 - 1);
  });
});

describe("sections", () => {
  it("have their own byte order and interfaces", () => {
    const big = new ForeignFile("big").section().interface().interface().enhanced(1, 1n, FRAME);
    const little = new ForeignFile("little").section(1, 2).interface().enhanced(0, 2n, FRAME);
    const { interfaces, records } = readCapture(Uint8Array.of(...big.bytes, ...little.bytes));
    expect(interfaces.map(({ section, id }) => [section, id])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(records.map((record) => interfaces.indexOf(record.interface))).toEqual([1, 2]);
  });

  it("of another version are skipped", () => {
    const made = new ForeignFile("big").section(2, 0).block(1, 1, 2, 3, 4).section(1, 1).block(6);
    made.section().interface().enhanced(0, 1n, FRAME);
    expect(readCapture(made.bytes)).toMatchObject({ interfaces: [{ section: 2 }], records: [{}] });
  });

  it("do not lend their interfaces to the next", () => {
    const made = new ForeignFile("big").section().interface().section().enhanced(0, 1n, FRAME);
    expect(complaint(made.bytes)).toEqual(["capture-interface", 28 + 20 + 28]);
  });
});

describe.each([
  ["little", 0xa1b2c3d4, 1_000_000n],
  ["little", 0xa1b23c4d, 1_000_000_000n],
  ["big", 0xa1b2c3d4, 1_000_000n],
  ["big", 0xa1b23c4d, 1_000_000_000n],
] as const)("a %s-endian pcap file with magic %i", (order, magic, perSecond) => {
  it("is read with its one interface", () => {
    const made = new ForeignFile(order).pcapHeader(magic, 0xf400_0001);
    made.pcapRecord(0xffff_ffff, 7, FRAME, 60).pcapRecord(0, 0, [], 0);
    const { format, interfaces, names, records } = readCapture(made.bytes);
    expect([format, names.size]).toEqual(["pcap", 0]);
    expect(interfaces).toMatchObject([{ name: null, linkType: 1, ticksPerSecond: perSecond }]);
    const plain = { direction: null, packetId: null, verdict: null, comment: null, flags: 0 };
    expect(records).toEqual([
      {
        interface: interfaces[0],
        ticks: 0xffff_ffffn * perSecond + 7n,
        octets: Uint8Array.from(FRAME),
        originalLength: 60,
        ...plain,
      },
      {
        interface: interfaces[0],
        ticks: 0n,
        octets: new Uint8Array(),
        originalLength: 0,
        ...plain,
      },
    ]);
  });
});

describe("a damaged file", () => {
  const little = (): ForeignFile => new ForeignFile("little");
  const file = (): ForeignFile => little().section().interface();
  const start = 28 + 20;
  const cases: readonly (readonly [string, () => Uint8Array, string, number])[] = [
    ["nothing at all", () => new Uint8Array(), "truncated", 0],
    ["three octets", () => Uint8Array.of(10, 13, 13), "truncated", 3],
    ["another format", () => Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), "format", 0],
    ["no byte-order magic", () => little().block(0x0a0d0d0a, 1, 2, 3, 4).bytes, "format", 0],
    ["a short section header", () => little().section().bytes.subarray(0, 27), "truncated", 27],
    ["a cut block", () => file().block(7, 1, 2, 3, 4).bytes.subarray(0, -1), "truncated", 63],
    [
      "a cut pcap header",
      () => little().pcapHeader(0xa1b2c3d4).bytes.subarray(0, 9),
      "truncated",
      9,
    ],
    ["an old pcap version", () => little().pcapHeader(0xa1b2c3d4, 1, 3).bytes, "format", 0],
    [
      "a cut pcap record",
      () => little().pcapHeader(0xa1b2c3d4).pcapRecord(0, 0, FRAME, 5).bytes.subarray(0, 44),
      "truncated",
      44,
    ],
    [
      "an endless pcap record",
      () =>
        little()
          .pcapHeader(0xa1b2c3d4)
          .add(...Array.from({ length: 16 }, () => 0xff)).bytes,
      "record",
      24,
    ],
    ["a length of 8", () => file().add(7, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0).bytes, "block", start],
    [
      "an odd length",
      () => file().add(7, 0, 0, 0, 13, 0, 0, 0, 1, 2, 3, 4, 5).bytes,
      "block",
      start,
    ],
    [
      "an endless length",
      () => file().add(7, 0, 0, 0, 252, 255, 255, 255, 1, 2, 3, 4).bytes,
      "block",
      start,
    ],
    [
      "two lengths that differ",
      () => file().add(7, 0, 0, 0, 12, 0, 0, 0, 16, 0, 0, 0).bytes,
      "block",
      start,
    ],
    ["half an interface", () => little().section().block(1, 1, 0, 0, 0).bytes, "block", 28],
    ["half a frame", () => file().block(6, 0, 0, 0, 0).bytes, "block", start],
    ["half an obsolete frame", () => file().block(2, 0, 0, 0, 0).bytes, "block", start],
    ["half a simple frame", () => file().block(3).bytes, "block", start],
    ["half a statistic", () => file().block(5, 0, 0, 0, 0).bytes, "block", start],
    ["a frame longer than its block", () => file().block(3, 9, 0, 0, 0, 1).bytes, "block", start],
    ["an unknown interface", () => file().enhanced(1, 0n, FRAME).bytes, "interface", start],
    [
      "a frame before any interface",
      () => little().section().block(3, 0, 0, 0, 0).bytes,
      "interface",
      28,
    ],
    ["a long option", () => file().enhanced(0, 0n, [], 1, 0, 9, 0).bytes, "option", start + 28],
    [
      "short flags",
      () => file().enhanced(0, 0n, [], 2, 0, 2, 0, 1, 1, 0, 0).bytes,
      "option",
      start + 28,
    ],
    [
      "a short id",
      () => file().enhanced(0, 0n, [], 5, 0, 1, 0, 1, 0, 0, 0).bytes,
      "option",
      start + 28,
    ],
    ["an empty verdict", () => file().enhanced(0, 0n, [], 7, 0, 0, 0).bytes, "option", start + 28],
    [
      "a short verdict",
      () => file().enhanced(0, 0n, [], 7, 0, 2, 0, 1, 2, 0, 0).bytes,
      "option",
      start + 28,
    ],
    ["half a name", () => file().block(4, 1, 0, 3, 0, 1, 2, 3, 0).bytes, "option", start + 8],
    [
      "a short count",
      () => file().block(5, ...Array.from({ length: 12 }, () => 0), 4, 0, 0, 0).bytes,
      "option",
      start + 20,
    ],
  ];

  it.each(cases)("with %s is a ParseError that tells where", (_, make, code, offset) => {
    expect(complaint(make())).toEqual([`capture-${code}`, offset]);
  });

  it("gives up its frames before the damage", () => {
    const seen: number[] = [];
    const reader = new CaptureReader({ onRecord: ({ octets }) => seen.push(octets.length) });
    const made = file().enhanced(0, 0n, FRAME).enhanced(9, 0n, FRAME);
    expect(() => reader.push(made.bytes)).toThrow(ParseError);
    expect(seen).toEqual([5]);
  });
});

describe("a reader", () => {
  const onRecord = (): void => {};
  const octets = (count: number): number[] => Array.from({ length: count }, () => 1);

  it("holds no more blocks, interfaces and names than it is told", () => {
    const made = new ForeignFile("big").section().interface().interface();
    const names = made.option(1, [1, 2, 3, 4, ...text("a\0b\0a\0")]);
    made.block(4, ...names).block(0xbad, ...octets(116));
    const limits = { maxBlockOctets: 128, maxInterfaces: 2, maxNames: 2 };
    const read = (one: Partial<typeof limits>): void =>
      new CaptureReader({ onRecord, ...limits, ...one }).push(made.bytes);
    expect(() => read({})).not.toThrow();
    expect(() => read({ maxBlockOctets: 124 })).toThrow("a block of 128 octets");
    expect(() => read({ maxInterfaces: 1 })).toThrow("more than 1 interfaces");
    expect(() => read({ maxNames: 1 })).toThrow("more than 1 names");
  });

  it.each(["maxBlockOctets", "maxInterfaces", "maxNames"])("refuses a broken %s", (name) => {
    expect(() => new CaptureReader({ onRecord, [name]: -1 })).toThrow(OptionError);
    expect(() => new CaptureReader({ onRecord, [name]: 100.5 })).toThrow(OptionError);
  });

  it("knows the format, the interfaces and the names as they come", () => {
    const reader = new CaptureReader({ onRecord });
    expect([reader.format, reader.interfaces.length, reader.names.size]).toEqual([null, 0, 0]);
    const made = new ForeignFile("big").section().interface();
    reader.push(made.bytes);
    expect([reader.format, reader.interfaces.length, reader.names.size]).toEqual(["pcapng", 1, 0]);
    const more = new ForeignFile("big");
    reader.push(more.block(4, ...more.option(1, [1, 2, 3, 4, ...text("a")])).bytes);
    expect([...reader.names.keys()]).toEqual([ipv4Of(0x0102_0304)]);
  });
});
