import { describe, expect, it } from "vitest";
import { OptionError, RangeFault } from "../../src/base/errors.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import {
  ANNOTATABLE_FRAMES,
  DEFAULT_EPOCH_NS,
  PcapngWriter,
} from "../../src/pcap/pcapng-writer.ts";
import { instantOf, nanosecondsOf, type Verdict } from "../../src/pcap/record.ts";
import { macOf, parseInterfaceAddress, parseIpv4 } from "../../src/wire/addr.ts";
import { Collector, hex, view, written } from "./collect.ts";

const FRAME = view([1, 2, 3, 4, 5]);
const SHOT: Verdict = { judge: "tc", action: 2n };
const LIMIT = 2 ** 53 - 1;

describe("a pcapng file", () => {
  it("is laid out as draft-ietf-opsawg-pcapng section 4 says", () => {
    const bytes = written((writer) => {
      writer.addInterface({
        name: "vif3.0",
        description: "d1",
        mac: macOf(0x123139_00a511),
        addresses: [parseInterfaceAddress("10.254.168.2/23")],
      });
      writer.addNames(parseIpv4("10.254.170.223"), ["dom_1"]);
      const frame = writer.writeFrame(0, 1_000_001, FRAME, 0, 5, 5, 0x1_0000_0007);
      writer.annotate(frame, SHOT, "no");
      writer.writeStatistics(0, 2_000_000, { start: 0, end: 2_000_000, received: 1, dropped: 0 });
    });
    const expected = [
      "0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff",
      "0400 0400 646f6d30 0000 0000 28000000",
      "01000000 4c000000 0100 0000 00000000 0200 0600 766966332e30 0000 0300 0200 6431 0000",
      "0400 0800 0afea802 fffffe00 0600 0600 12313900a511 0000 0900 0100 09 000000",
      "0000 0000 4c000000",
      "04000000 20000000 0100 0a00 0afeaadf 646f6d5f3100 0000 0000 0000 20000000",
      // 1,264,982,401.000001 s are 0x118e1eca_a2b9cde8 ns.
      "06000000 58000000 00000000 ca1e8e11 e8cdb9a2 05000000 05000000 0102030405 000000",
      "0200 0400 05000000 0500 0800 0700000001000000 0700 0900 010200000000000000 000000",
      "0100 0200 6e6f 0000 0000 0000 58000000",
      "05000000 4c000000 00000000 ca1e8e11 009454de 0200 0800 ca1e8e11 00001f67",
      "0300 0800 ca1e8e11 009454de 0400 0800 0100000000000000 0500 0800 0000000000000000",
      "0000 0000 4c000000",
    ];
    expect(hex(bytes)).toBe(expected.join("").replaceAll(" ", ""));
  });

  it("keeps times exact from the first microsecond to the last", () => {
    const epochs = [0n, DEFAULT_EPOCH_NS, 0xffff_ffffn, 2n ** 63n - 1n];
    const instants = [0, 1, 4_294_967_295, 4_294_967_296, 9_007_199_254_740, LIMIT - 1, LIMIT];
    for (const epochNs of epochs) {
      const write = (writer: PcapngWriter): void => {
        writer.addInterface({ name: "a" });
        for (const now of instants) writer.writeFrame(0, now, FRAME, 0, 5, 0, 0);
      };
      const { records } = readCapture(written(write, { epochNs }));
      expect(records.map(nanosecondsOf)).toEqual(
        instants.map((at) => epochNs + BigInt(at) * 1000n),
      );
      expect(records.map((record) => instantOf(record, epochNs))).toEqual(instants);
    }
  });

  it("leaves out what an interface does not have", () => {
    const [found] = readCapture(written((writer) => writer.addInterface({ name: "" }))).interfaces;
    expect(found).toMatchObject({ name: null, description: null, mac: null, addresses: [] });
  });
});

describe("annotate", () => {
  it("reaches the last 16 frames, and only those", () => {
    const bytes = written((writer) => {
      writer.addInterface({ name: "a" });
      for (let now = 0; now < 40; now += 1) writer.writeFrame(0, now, FRAME, 0, 5, 0, 0);
      const answers = Array.from({ length: 42 }, (_, number) =>
        writer.annotate(number - 1, null, `frame ${number - 1}`),
      );
      expect(answers.indexOf(true)).toBe(40 - ANNOTATABLE_FRAMES + 1);
      expect(answers.filter(Boolean)).toHaveLength(ANNOTATABLE_FRAMES);
    });
    const comments = readCapture(bytes).records.map(({ comment }) => comment);
    const expected = comments.map((_, number) => (number < 24 ? null : `frame ${number}`));
    expect(comments).toEqual(expected);
  });

  it("reaches as far whatever the size of the chunks", () => {
    const files = [1024, 4096, 65_536].map((chunkOctets) =>
      written(
        (writer) => {
          writer.addInterface({ name: "a" });
          const frame = view(new Uint8Array(700));
          for (let number = 0; number < 100; number += 1) {
            const last = writer.writeFrame(0, number, frame, 0, 700, 0, number);
            writer.annotate(last - 15, SHOT, `late ${"and long ".repeat(number)}`);
          }
        },
        { chunkOctets },
      ),
    );
    expect(files[0]).toEqual(files[2]);
    expect(files[1]).toEqual(files[2]);
    const { records } = readCapture(files[0] ?? new Uint8Array());
    expect(records.map(({ verdict }) => verdict)).toEqual(
      records.map((_, number) => (number < 85 ? SHOT : null)),
    );
  });

  it("does not reach frames that were flushed", () => {
    const collector = new Collector();
    const writer = new PcapngWriter({ sink: collector.sink });
    writer.addInterface({ name: "a" });
    const frame = writer.writeFrame(0, 0, FRAME, 0, 5, 0, 0);
    writer.flush();
    expect(writer.annotate(frame, SHOT, "late")).toBe(false);
    expect(readCapture(collector.bytes).records).toHaveLength(1);
  });

  it("adds to what was added before", () => {
    const hardware: Verdict = { judge: "hardware", octets: Uint8Array.of(1, 2, 3) };
    const bytes = written((writer) => {
      writer.addInterface({ name: "a" });
      const frame = writer.writeFrame(0, 0, FRAME, 0, 5, 0, 0);
      writer.annotate(frame, hardware, "one");
      writer.annotate(frame, { judge: "xdp", action: 2n ** 64n - 1n }, "two");
    });
    expect(readCapture(bytes).records).toMatchObject([{ verdict: hardware, comment: "one\ntwo" }]);
  });
});

describe("the writer's memory", () => {
  it("holds a million frames in no more than a few chunks", () => {
    const frame = view(new Uint8Array(60));
    let longest = 0;
    let octets = 0;
    const sink = (chunk: Uint8Array): void => {
      longest = Math.max(longest, chunk.length, chunk.buffer.byteLength);
      octets += chunk.length;
    };
    const writer = new PcapngWriter({ sink, chunkOctets: 4096 });
    writer.addInterface({ name: "vif3.0" });
    for (let number = 0; number < 1_000_000; number += 1) {
      writer.writeFrame(0, number, frame, 0, 60, 1, number);
    }
    writer.close();
    expect(octets).toBe(40 + 44 + 1_000_000 * (32 + 60 + 8 + 12 + 4));
    expect(longest).toBe(4096);
  });

  it("grows for what can still be annotated, and no further", () => {
    const frame = view(new Uint8Array(65_549));
    let longest = 0;
    const sink = (chunk: Uint8Array): void => {
      longest = Math.max(longest, chunk.buffer.byteLength);
    };
    const writer = new PcapngWriter({ sink, chunkOctets: 1024 });
    writer.addInterface({ name: "a" });
    for (let number = 0; number < 200; number += 1) {
      writer.writeFrame(0, number, frame, 0, 65_549, 0, 0);
    }
    expect(longest).toBeLessThan(2 * (ANNOTATABLE_FRAMES + 2) * 65_700);
  });

  it("gives the sink whole blocks", () => {
    const collector = new Collector();
    const writer = new PcapngWriter({ sink: collector.sink, chunkOctets: 1024 });
    writer.addInterface({ name: "a" });
    for (let number = 0; number < 300; number += 1) writer.writeFrame(0, 0, FRAME, 0, 5, 0, number);
    writer.close();
    expect(collector.chunks.length).toBeGreaterThan(10);
    const [, second = new Uint8Array()] = collector.chunks;
    expect(hex(second.subarray(0, 4))).toBe("06000000");
    expect(hex(second.subarray(-4))).toBe(hex(second.subarray(4, 8)));
  });
});

describe("a writer's caller", () => {
  const writer = (): PcapngWriter => {
    const made = new PcapngWriter({ sink: () => {} });
    made.addInterface({ name: "a" });
    return made;
  };
  const wrong: readonly (readonly [string, (subject: PcapngWriter) => unknown])[] = [
    ["an interface that was not added", (one) => one.writeFrame(1, 0, FRAME, 0, 5, 0, 0)],
    ["a broken interface number", (one) => one.writeFrame(0.5, 0, FRAME, 0, 5, 0, 0)],
    ["a time before the epoch", (one) => one.writeFrame(0, -1, FRAME, 0, 5, 0, 0)],
    ["a broken microsecond", (one) => one.writeFrame(0, 0.5, FRAME, 0, 5, 0, 0)],
    ["the time that never comes", (one) => one.writeFrame(0, Infinity, FRAME, 0, 5, 0, 0)],
    ["a negative packet id", (one) => one.writeFrame(0, 0, FRAME, 0, 5, 0, -1)],
    ["an end before the start", (one) => one.writeFrame(0, 0, FRAME, 5, 0, 0, 0)],
    ["an endless frame", (one) => one.writeFrame(0, 0, FRAME, 0, 262_145, 0, 0)],
    ["an empty name", (one) => one.addNames(parseIpv4("1.2.3.4"), ["a", ""])],
    [
      "too many names",
      (one) => one.addNames(parseIpv4("1.2.3.4"), Array(99).fill("x".repeat(999))),
    ],
    ["a name with a NUL", (one) => one.addInterface({ name: "a\0b" })],
    ["an endless name", (one) => one.addInterface({ name: "é".repeat(32_768) })],
    ["a negative count", (one) => one.writeStatistics(0, 0, { start: 0, end: 0, received: -1 })],
    ["statistics of nothing", (one) => one.writeStatistics(7, 0, { start: 0, end: 0 })],
  ];

  it.each(wrong)("is told about %s, and nothing is written", (_, act) => {
    const collector = new Collector();
    const subject = new PcapngWriter({ sink: collector.sink });
    subject.addInterface({ name: "a" });
    expect(() => act(subject)).toThrow(RangeFault);
    subject.writeFrame(0, 0, FRAME, 0, 5, 0, 1);
    subject.close();
    expect(readCapture(collector.bytes).records).toMatchObject([{ packetId: 1n }]);
  });

  it("is told about a comment that no option holds", () => {
    const subject = writer();
    const frame = subject.writeFrame(0, 0, FRAME, 0, 5, 0, 0);
    expect(() => subject.annotate(frame, null, "x".repeat(65_536))).toThrow(RangeFault);
    const octets = new Uint8Array(65_535);
    expect(() => subject.annotate(frame, { judge: "hardware", octets }, null)).toThrow(RangeFault);
  });

  it("is told about options out of range", () => {
    const sink = (): void => {};
    expect(() => new PcapngWriter({ sink, chunkOctets: 1023 })).toThrow(OptionError);
    expect(() => new PcapngWriter({ sink, epochNs: -1n })).toThrow(OptionError);
    expect(() => new PcapngWriter({ sink, epochNs: 2n ** 63n })).toThrow(OptionError);
  });

  it("cannot write after the end", () => {
    const subject = writer();
    subject.close();
    expect(() => subject.addInterface({ name: "b" })).toThrow("the capture is closed");
  });
});
