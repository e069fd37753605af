/** Frames of every kind that rules about frames ask for, whole and cut short. */
import fc from "fast-check";
import { parseIpv4, parseMac } from "../../../src/wire/addr.ts";
import { FRAME_IPS, FRAME_MACS, FRAME_PORTS } from "./frame-rule-texts.ts";

type Octets = readonly number[];

const u16 = (value: number): number[] => [value >>> 8, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];
const octetsOf = (mac: string): number[] => {
  const value = parseMac(mac);
  return [...u16(Math.floor(value / 2 ** 32)), ...u32(value % 2 ** 32)];
};

const ip = fc.constantFrom(...FRAME_IPS).map((text) => u32(parseIpv4(text)));
const mac = fc.constantFrom(...FRAME_MACS).map(octetsOf);
const port = fc.constantFrom(...FRAME_PORTS);

/** Ports for TCP and UDP; the same octets are types and codes of ICMP. */
const transport = fc
  .tuple(port, port, fc.uint8Array({ maxLength: 6 }))
  .map(([source, target, rest]): Octets => [...u16(source), ...u16(target), ...rest]);
const icmp = fc
  .tuple(fc.constantFrom(0, 3, 8, 11, 17), fc.constantFrom(0, 1, 3))
  .map(([type, code]): Octets => [type, code, 0, 0, 0, 0]);

const ipv4 = fc
  .record({
    words: fc.constantFrom(5, 5, 5, 5, 6, 0, 15),
    tos: fc.constantFrom(0, 0x10, 184),
    fragment: fc.constantFrom(0, 0, 0, 0x4000, 0x2000, 1, 0x1fff),
    protocol: fc.constantFrom(1, 1, 2, 6, 6, 17, 17, 132, 253),
    source: ip,
    target: ip,
    ports: transport,
    message: icmp,
  })
  .map(({ words, tos, fragment, protocol, source, target, ports, message }): Octets => {
    const options = Array.from({ length: Math.max(words - 5, 0) * 4 }, () => 1);
    const payload = protocol <= 2 ? message : ports;
    const length = 20 + options.length + payload.length;
    const fixed = [0x40 + words, tos, ...u16(length), 0, 1, ...u16(fragment), 64, protocol, 0, 0];
    return [...fixed, ...source, ...target, ...options, ...payload];
  });

const arp = fc
  .record({
    htype: fc.constantFrom(1, 1, 6),
    ptype: fc.constantFrom(0x800, 0x800, 0x806),
    lengths: fc.constantFrom([6, 4], [6, 4], [6, 4], [8, 4], [6, 6], [0, 4], [255, 4]),
    op: fc.constantFrom(1, 1, 2, 3, 10),
    sha: mac,
    spa: ip,
    tha: mac,
    tpa: ip,
    isGratuitous: fc.boolean(),
  })
  .map(({ htype, ptype, lengths, op, sha, spa, tha, tpa, isGratuitous }): Octets => {
    const fixed = [...u16(htype), ...u16(ptype), ...lengths, ...u16(op)];
    return [...fixed, ...sha, ...spa, ...tha, ...(isGratuitous ? spa : tpa)];
  });

const typed = fc.oneof(
  fc.tuple(fc.constant(0x800), ipv4),
  fc.tuple(fc.constant(0x800), ipv4),
  fc.tuple(fc.constantFrom(0x806, 0x806, 0x8035), arp),
  fc.tuple(
    fc.constantFrom(0x1234, 0x86dd, 0x8137, 46, 0x05ff),
    fc.uint8Array({ maxLength: 60 }).map((octets): Octets => [...octets]),
  ),
);
const cut = fc
  .tuple(typed, fc.nat(30))
  .map(([[type, octets], length]): [number, Octets] => [type, octets.slice(0, length)]);
const tag = fc
  .tuple(fc.constantFrom(0, 3, 7), fc.constantFrom(0, 1, 5))
  .map(([priority, vlan]): Octets => [0x81, 0, ...u16((priority << 13) | vlan)]);

/** Source and type, whole or not, with a tag or without. */
const payload = fc
  .tuple(
    fc.option(tag, { freq: 5, nil: [] }),
    fc.oneof({ weight: 5, arbitrary: typed }, { weight: 1, arbitrary: cut }),
  )
  .map(([tagged, [type, octets]]): Octets => [...tagged, ...u16(type), ...octets]);

/** A link-local group's address, one without a bridge's meaning, and all others. */
const destination = fc.oneof(
  { weight: 8, arbitrary: mac },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("01:80:c2:00:00:01", "01:80:c2:00:00:02", "01:80:c2:00:00:0e")
      .map(octetsOf),
  },
);
const station = fc
  .constantFrom("02:00:00:00:00:0a", "02:00:00:00:00:0b", "12:31:39:00:a5:11")
  .map(octetsOf);
const anySource = fc.oneof(
  { weight: 12, arbitrary: station },
  {
    weight: 1,
    arbitrary: fc.constantFrom("00:00:00:00:00:00", "01:00:5e:00:00:01").map(octetsOf),
  },
);

const hexOf = (...parts: readonly Octets[]): string => Buffer.from(parts.flat()).toString("hex");

/** A frame that comes in by a port of the bridge. */
const incoming = fc
  .tuple(fc.constantFrom("p0", "p1"), destination, anySource, payload)
  .map(([port_, dst, src, rest]): readonly [string, string] => [port_, hexOf(dst, src, rest)]);

/** A frame of the host's own: whole and without a tag, as a router sends them. */
const outgoing = fc
  .tuple(mac, typed)
  .filter(([dst]) => dst[0] !== 0xfe)
  .map(([dst, [type, octets]]): readonly [string, string] => [
    "br0",
    hexOf(dst, octetsOf("fe:ff:ff:ff:ff:ff"), u16(type), octets),
  ]);

/** Frames in the order in which they are sent. */
export const frames = fc.array(
  fc.oneof({ weight: 3, arbitrary: incoming }, { weight: 1, arbitrary: outgoing }),
  { minLength: 20, maxLength: 50, size: "max" },
);
