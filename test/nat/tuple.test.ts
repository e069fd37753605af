import { describe, expect, it } from "vitest";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { lookup2, lookup3, turnRound } from "../../src/nat/jhash.ts";
import {
  invertIcmpType,
  invertTuple,
  isIcmpQuery,
  isSameTuple,
  readTuple,
  type Tuple,
  TUPLE_LENGTH,
  tupleAt,
  writeTuple,
} from "../../src/nat/tuple.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { type Ends, ipv4, query, tcp, udp } from "./packets.ts";

const ends: Ends = { src: "10.0.0.1", dst: "255.255.255.254", srcPort: 65_535, dstPort: 53 };
const memory = new Int32Array((2 * TUPLE_LENGTH) / 4);

function tupleOf(packet: Uint8Array, portOctets = 4): Tuple | null {
  const view = viewOf(packet);
  const { trackers } = FLOWS_6.conntrack;
  return readTuple(view, 0, packet.length, memory, 0, portOctets, trackers)
    ? tupleAt(memory, 0)
    : null;
}

describe("the tuple of a packet", () => {
  const src = parseIpv4(ends.src);
  const dst = parseIpv4(ends.dst);

  it.each([
    ["UDP", udp(ends), { protocol: 17, src, dst, srcPort: 65_535, dstPort: 53 }],
    ["TCP", tcp(ends, { flags: "S" }), { protocol: 6, src, dst, srcPort: 65_535, dstPort: 53 }],
    ["ICMP", query(ends, 13), { protocol: 1, src, dst, srcPort: 65_535, dstPort: 13 * 256 }],
    [
      "others",
      ipv4(ends.src, ends.dst, 50, new Uint8Array(4)),
      { protocol: 50, src, dst, srcPort: 0, dstPort: 0 },
    ],
  ])("is read of %s", (_, packet, tuple) => {
    expect(tupleOf(packet)).toEqual(tuple);
  });

  it("is not read where the ports are cut off", () => {
    const packet = udp(ends);
    expect(tupleOf(packet.slice(0, 23), 4)).toBeNull();
    expect(tupleOf(packet.slice(0, 24), 4)).not.toBeNull();
    expect(tupleOf(packet.slice(0, 27), 8)).toBeNull();
    expect(tupleOf(packet.slice(0, 19), 4)).toBeNull();
    expect(tupleOf(query(ends).slice(0, 27), 4)).toBeNull();
  });

  it("is not read of a later fragment, nor behind options that are not there", () => {
    expect(tupleOf(ipv4(ends.src, ends.dst, 17, new Uint8Array(8), 1))).toBeNull();
    expect(tupleOf(udp(ends).fill(0x4f, 0, 1))).toBeNull();
    const other = ipv4(ends.src, ends.dst, 50, new Uint8Array(4));
    expect(tupleOf(other.fill(0x4f, 0, 1))).toBeNull();
  });
});

describe("the inverse of a tuple", () => {
  it("is the tuple of the answers, and its own inverse", () => {
    for (const packet of [udp(ends), query(ends, 8), query(ends, 18)]) {
      const tuple = tupleOf(packet);
      expect(invertTuple(memory, 0, TUPLE_LENGTH)).toBe(true);
      expect(isSameTuple(memory, 0, TUPLE_LENGTH)).toBe(false);
      expect(invertTuple(memory, TUPLE_LENGTH, TUPLE_LENGTH)).toBe(true);
      expect(tupleAt(memory, TUPLE_LENGTH)).toEqual(tuple);
      writeTuple(tupleAt(memory, TUPLE_LENGTH), memory, 0);
      expect(isSameTuple(memory, 0, TUPLE_LENGTH)).toBe(true);
    }
  });

  it("does not exist for ICMP types without an answer", () => {
    tupleOf(query(ends, 3));
    expect(invertTuple(memory, 0, TUPLE_LENGTH)).toBe(false);
    const types = Array.from({ length: 256 }, (_, type) => type);
    const answered = types.filter((type) => invertIcmpType(type) >= 0);
    expect(answered).toEqual([0, 8, 13, 14, 15, 16, 17, 18]);
    expect(answered.every((type) => invertIcmpType(invertIcmpType(type)) === type)).toBe(true);
    expect(types.filter(isIcmpQuery)).toEqual([8, 13, 15, 17]);
  });
});

describe("Jenkins' hashes", () => {
  it("are those of the kernel", () => {
    // lookup2: computed by the macro __jhash_mix of Linux 2.6.18. lookup3: seen in addresses that
    // a kernel chose from 192.0.2.100-192.0.2.112 for 10.0.0.1.
    expect(lookup2(0, 0)).toBe(0xbd49d10d);
    expect(lookup2(0x0100000a, 0x08080808)).toBe(0xebaf5025);
    const source = turnRound(parseIpv4("10.0.0.1"));
    const spread = (initial: number) => Math.floor((lookup3(source, initial) * 13) / 2 ** 32);
    expect(spread(turnRound(parseIpv4("8.8.8.8")))).toBe(12);
    expect(spread(0)).toBe(3);
  });

  it("read addresses as a little-endian processor does", () => {
    expect(turnRound(0x01020384)).toBe(0x84030201);
  });
});
