import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findRawUdpTo, isRawUdpTo, readRawUdp, transmitRawUdp } from "../../src/l4/raw-udp.ts";
import { IPV4, sealHeader } from "../../src/l3/ipv4.ts";
import { UDP } from "../../src/l4/udp.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import {
  formatIpv4,
  IPV4_ANY,
  IPV4_BROADCAST,
  MAC_BROADCAST,
  parseMac,
} from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { hexOf } from "../guest/net.ts";

const FILE = "captures/linux-kernel/domu-3.pcap";
const { records } = readCapture(new Uint8Array(readFileSync(FILE)));
const frame = (number: number): Uint8Array =>
  records[number - 1]?.octets.slice() ?? new Uint8Array(0);
const pool = new PacketPool({ slots: 8, largeSlots: 0 });

/** Look at `octets` as a tap does. */
function look<T>(octets: Uint8Array, read: (packet: Packet) => T): T {
  const packet = pool.copyIn(octets);
  if (packet === null) throw new RangeError("the pool is exhausted");
  const result = read(packet);
  pool.end(packet, "consumed", "test/read", 0);
  return result;
}

/** A recorded OFFER after `change`, its IP header sealed again. */
function offer(change: (view: DataView) => void): Uint8Array {
  const octets = frame(2);
  const view = viewOf(octets);
  change(view);
  sealHeader(view, 14);
  return octets;
}

describe("a packet socket", () => {
  it("reads a recorded offer, whoever it is for", () => {
    const datagram = look(frame(2), (packet) => readRawUdp(packet, 68));
    expect(datagram?.sourcePort).toBe(67);
    expect(formatIpv4(datagram?.source ?? IPV4_ANY)).toBe("169.254.1.0");
    expect(formatIpv4(datagram?.destination ?? IPV4_ANY)).toBe("10.254.170.223");
    expect(hexOf(datagram?.payload ?? new Uint8Array(0))).toBe(hexOf(frame(2).subarray(42)));
    expect(look(frame(2), (packet) => readRawUdp(packet, 67))).toBeNull();
    expect(look(frame(5), (packet) => readRawUdp(packet, 68))).toBeNull();
  });

  it.each([
    ["a fragment", (view: DataView): void => IPV4.flagsFragment.set(view, 14, 0x2000)],
    ["another protocol", (view: DataView): void => IPV4.protocol.set(view, 14, 6)],
    ["a length that is none", (view: DataView): void => UDP.length.set(view, 34, 7)],
    ["a wrong checksum", (view: DataView): void => UDP.checksum.set(view, 34, 1)],
  ])("passes over %s", (_, change) => {
    expect(look(offer(change), (packet) => readRawUdp(packet, 68))).toBeNull();
  });

  it("takes a datagram without a checksum, and one whose sum Dom0 is still to finish", () => {
    const none = offer((view) => UDP.checksum.set(view, 34, 0));
    expect(look(none, (packet) => readRawUdp(packet, 68))).not.toBeNull();
    const blank = offer((view) => UDP.checksum.set(view, 34, 1));
    const datagram = look(blank, (packet) => {
      packet.hasBlankChecksum = true;
      return readRawUdp(packet, 68);
    });
    expect(datagram).not.toBeNull();
  });

  it("reads what it wrote, and writes a recorded request octet for octet", () => {
    const device = new Device({ name: "eth0", mac: parseMac("12:31:39:00:a5:11") });
    const sent: Uint8Array[] = [];
    device.attachCarrier({
      carry: (_, packet, now) => {
        sent.push(packet.octets().slice());
        pool.end(packet, "delivered", "test/sent", now);
      },
    });
    const payload = frame(1).subarray(42);
    const addresses = { source: IPV4_ANY, destination: IPV4_BROADCAST };
    const ports = { sourcePort: 68, destinationPort: 67, destinationMac: MAC_BROADCAST };
    const raw = { payload, ...addresses, ...ports, ttl: 128, tos: 0x10, id: 0 };
    transmitRawUdp(pool, device, raw, 0);
    expect(sent.map(hexOf)).toEqual([hexOf(frame(1))]);
    const read = look(sent[0] ?? new Uint8Array(0), (packet) => readRawUdp(packet, 67));
    expect(hexOf(read?.payload ?? new Uint8Array(0))).toBe(hexOf(payload));
    transmitRawUdp(pool, device, { ...raw, payload: new Uint8Array(3000) }, 0);
    expect(sent).toHaveLength(1);
    expect(pool.live).toBe(0);
  });

  it("finds in a burst the first frame that it would read one by one", () => {
    const part = fc.record({
      number: fc.integer({ min: 1, max: 6 }),
      length: fc.integer({ min: 0, max: 400 }),
      at: fc.constantFrom(12, 13, 14, 14, 23, 36, 37, 37),
      value: fc.constantFrom(0x08, 0x45, 0x46, 0x44, 17, 0, 68, 67),
      shift: fc.constantFrom(0, 0, 0, 1, 2, 4),
    });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.constantFrom(67, 68), (parts, port) => {
        const packets = parts.map(({ number, length, at, value, shift }) => {
          const octets = frame(number).slice(0, Math.max(length, shift));
          if (at < octets.length) octets[at] = value;
          const packet = pool.copyIn(octets);
          if (packet === null) throw new RangeError("the pool is exhausted");
          packet.frame += shift;
          return packet;
        });
        const wanted = packets.findIndex((packet) => isRawUdpTo(packet, port));
        const found = findRawUdpTo(packets, 0, packets.length, port);
        expect(found).toBe(wanted < 0 ? packets.length : wanted);
        pool.endAll(packets, packets.length, "consumed", "test/read", 0);
      }),
      { numRuns: 500 },
    );
  });

  it("looks at any octets without a throw, and never behind them", () => {
    const start = fc.constantFrom(frame(2), frame(1), new Uint8Array(0));
    const cuts = fc.tuple(start, fc.nat(400), fc.nat(60), fc.nat(255));
    fc.assert(
      fc.property(cuts, ([whole, length, at, value]) => {
        const octets = whole.slice(0, length);
        if (at < octets.length) octets[at] = value;
        const datagram = look(octets, (packet) => readRawUdp(packet, 68));
        const { length: read } = datagram?.payload ?? new Uint8Array(0);
        expect(read).toBeLessThanOrEqual(Math.max(octets.length - 42, 0));
      }),
      { numRuns: 500 },
    );
  });
});
