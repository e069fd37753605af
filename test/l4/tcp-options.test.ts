import { describe, expect, it } from "vitest";
import { RangeFault } from "../../src/base/errors.ts";
import { decodeTcpOptions, encodeTcpOptions } from "../../src/l4/tcp-option-codec.ts";
import {
  findTcpOption,
  nextTcpOption,
  TCP_MSS,
  TCP_OPTION,
  TcpOptionKind,
  TcpOptions,
  writeTcpOptions,
} from "../../src/l4/tcp-options.ts";
import { TCP, TCP_MIN_LENGTH, TcpFlag } from "../../src/l4/tcp.ts";
import { viewOf } from "../../src/wire/field.ts";
import { TCP_DATA, TCP_RST, TCP_SYN, TCP_SYN_ACK } from "./vectors.ts";

/** A header with these flags and these octets of options, which must fill whole words. */
function headerOf(flags: number, ...options: number[]): Uint8Array {
  const bytes = new Uint8Array(TCP_MIN_LENGTH + options.length);
  bytes.set(options, TCP_MIN_LENGTH);
  TCP.dataOffset.set(viewOf(bytes), 0, bytes.length / 4);
  TCP.flags.set(viewOf(bytes), 0, flags);
  return bytes;
}

function read(bytes: Uint8Array): TcpOptions {
  const options = new TcpOptions();
  options.read(viewOf(bytes), 0);
  return options;
}

const NOTHING = {
  mss: 0,
  windowShift: -1,
  isSackPermitted: false,
  hasTimestamps: false,
  timestamp: 0,
  timestampEcho: 0,
  sack: -1,
  sackBlocks: 0,
};
const SAY_NOTHING = { ...NOTHING, sackBlocks: [] };

describe("TCP options", () => {
  it("reads those of a SYN that a Linux kernel sent", () => {
    const options = new TcpOptions();
    options.read(TCP_SYN.view, TCP_SYN.at);
    expect(options).toEqual({
      ...NOTHING,
      mss: 1460,
      windowShift: 10,
      isSackPermitted: true,
      hasTimestamps: true,
      timestamp: 2982190615,
    });
    expect(decodeTcpOptions(TCP_SYN.bytes, TCP_SYN.at)).toEqual([
      { name: "mss", mss: 1460 },
      { name: "sack-permitted" },
      { name: "timestamps", value: 2982190615, echo: 0 },
      { name: "no-operation" },
      { name: "window-scale", shift: 10 },
    ]);
  });

  it("writes what the kernel wrote for SYN and data", () => {
    for (const { bytes, view, at } of [TCP_SYN, TCP_SYN_ACK, TCP_DATA, TCP_RST]) {
      const options = new TcpOptions();
      options.read(view, at);
      const copy = bytes.slice();
      const end = at + TCP.dataOffset.get(view, at) * 4;
      copy.fill(0xee, at + TCP_MIN_LENGTH, end);
      TCP.dataOffset.set(viewOf(copy), at, 15);
      expect(writeTcpOptions(viewOf(copy), at, Object.assign(options, { sackBlocks: [] }))).toBe(
        end,
      );
      expect(copy).toEqual(bytes);
      expect(encodeTcpOptions(decodeTcpOptions(bytes, at))).toEqual(
        bytes.subarray(at + TCP_MIN_LENGTH, end),
      );
    }
  });

  it("aligns SACK blocks behind the timestamps, and SACK permitted without them", () => {
    const bytes = new Uint8Array(60);
    const sackBlocks = [
      { left: 1, right: 2 },
      { left: 3, right: 4 },
    ];
    const choice = { ...SAY_NOTHING, hasTimestamps: true, timestamp: 5, timestampEcho: 6 };
    expect(writeTcpOptions(viewOf(bytes), 0, { ...choice, sackBlocks })).toBe(20 + 12 + 20);
    expect(decodeTcpOptions(bytes)).toEqual([
      { name: "no-operation" },
      { name: "no-operation" },
      { name: "timestamps", value: 5, echo: 6 },
      { name: "no-operation" },
      { name: "no-operation" },
      { name: "sack", blocks: sackBlocks },
    ]);
    expect(writeTcpOptions(viewOf(bytes), 0, { ...SAY_NOTHING, isSackPermitted: true })).toBe(24);
    expect(decodeTcpOptions(bytes).map(({ name }) => name)).toEqual([
      "no-operation",
      "no-operation",
      "sack-permitted",
    ]);
  });

  it("refuses to write more than a header holds", () => {
    const sackBlocks = Array.from({ length: 4 }, () => ({ left: 0, right: 1 }));
    const choice = { ...SAY_NOTHING, hasTimestamps: true, sackBlocks };
    expect(() => writeTcpOptions(viewOf(new Uint8Array(80)), 0, choice)).toThrow("fit its header");
    expect(() =>
      encodeTcpOptions([{ name: "sack", blocks: [...sackBlocks, ...sackBlocks] }]),
    ).toThrow(RangeFault);
    expect(() => encodeTcpOptions([{ name: "mss", mss: 65_536 }])).toThrow(RangeFault);
  });

  it("reads what only a SYN may say from a SYN alone", () => {
    const options = [2, 4, 5, 180, 4, 2, 1, 1, 3, 3, 7, 0];
    const said = { ...NOTHING, mss: 1460, isSackPermitted: true, windowShift: 7 };
    expect(read(headerOf(TcpFlag.Syn, ...options))).toEqual(said);
    expect(read(headerOf(TcpFlag.Syn | TcpFlag.Ack, ...options))).toEqual(said);
    expect(read(headerOf(TcpFlag.Ack, ...options))).toEqual(NOTHING);
  });

  it("takes a window shift above 14 for 14", () => {
    expect(read(headerOf(TcpFlag.Syn, 3, 3, 255, 0)).windowShift).toBe(14);
  });

  it("takes the last of several equal options, and forgets those of the segment before", () => {
    const bytes = headerOf(TcpFlag.Syn, 2, 4, 0, 1, 2, 4, 0, 2);
    const options = read(bytes);
    expect(options.mss).toBe(2);
    options.read(viewOf(headerOf(TcpFlag.Syn)), 0);
    expect(options).toEqual(NOTHING);
  });

  it.each([
    ["an MSS of three octets", [2, 3, 5, 1]],
    ["a window scale of four", [3, 4, 7, 1]],
    ["SACK permitted of three", [4, 3, 0, 1]],
    ["timestamps of eight", [8, 8, 0, 0, 0, 1, 0, 2]],
    ["SACK of six", [5, 6, 0, 0, 0, 1, 1, 1]],
    ["SACK without a block", [5, 2, 1, 1]],
    ["a length of 0", [2, 0, 5, 180]],
    ["a length of 1", [2, 1, 5, 180]],
    ["a length beyond the header", [2, 5, 5, 180]],
    ["a kind without a length", [1, 1, 1, 2]],
    ["an end before it", [0, 2, 4, 5, 180, 0, 0, 0]],
  ])("ignores %s", (_name, options) => {
    expect(read(headerOf(TcpFlag.Syn, ...options))).toEqual(NOTHING);
  });

  it("reads on after an option that it does not know", () => {
    const bytes = headerOf(TcpFlag.Syn, 254, 5, 1, 2, 3, 2, 4, 5, 180, 0, 0, 0);
    expect(read(bytes).mss).toBe(1460);
    const data = Uint8Array.of(1, 2, 3);
    expect(decodeTcpOptions(bytes)[0]).toEqual({ name: "unknown", kind: 254, data });
  });

  it("finds an option where it lies, for those who change it", () => {
    const { view, at } = TCP_SYN;
    const option = findTcpOption(view, at, TcpOptionKind.Mss);
    expect(option).toBe(at + TCP_MIN_LENGTH);
    expect(TCP_MSS.mss.get(view, option)).toBe(1460);
    expect(findTcpOption(view, at, TcpOptionKind.Sack)).toBe(-1);
    expect(findTcpOption(TCP_RST.view, TCP_RST.at, TcpOptionKind.Mss)).toBe(-1);
    const kinds: number[] = [];
    for (let o = nextTcpOption(view, at); o >= 0; o = nextTcpOption(view, at, o)) {
      kinds.push(TCP_OPTION.kind.get(view, o));
    }
    expect(kinds).toEqual([2, 4, 8, 3]);
  });
});
