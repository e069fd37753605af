import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Capture, type CaptureOptions } from "../../src/pcap/capture.ts";
import { type CaptureFile, readCapture } from "../../src/pcap/capture-reader.ts";
import { DEFAULT_EPOCH_NS } from "../../src/pcap/pcapng-writer.ts";
import { instantOf } from "../../src/pcap/record.ts";
import { parseInterfaceAddress, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { Device, PatchCable } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { Collector } from "./collect.ts";

const GUEST = "12:31:39:00:a5:11";
const VIF = "ef:ff:ff:ff:ff:ff";

/** A domU's eth0 on a cable to vif3.0, with a capture of both. */
class Cable {
  readonly collector = new Collector();
  readonly pool = new PacketPool({ slots: 64 });
  readonly eth0 = new Device({ name: "eth0", mac: parseMac(GUEST), description: "dom_1" });
  readonly vif = new Device({ name: "vif3.0", mac: parseMac(VIF) });
  readonly capture: Capture;
  readonly cable: PatchCable;

  constructor(options: Omit<CaptureOptions, "sink"> = {}) {
    this.capture = new Capture({ sink: this.collector.sink, ...options });
    this.pool.observe(this.capture);
    this.cable = new PatchCable(this.eth0, this.vif);
  }

  /** What the vif's stack does with a packet. */
  stack(receive: (packet: Packet, now: number) => void): void {
    this.vif.attachStack({ receive: (_, packet, now) => receive(packet, now) });
  }

  /** eth0 sends a frame of `length` octets to `target`. */
  send(now: number, target = VIF, length = 60): void {
    const packet = this.pool.allocate(length);
    if (packet === null) throw new RangeError("the pool is exhausted");
    this.pool.bytes.fill(0x11, packet.frame, packet.end);
    const addresses = [...target.split(":"), ...GUEST.split(":")].slice(0, length);
    for (const [index, octet] of addresses.entries()) {
      this.pool.bytes[packet.frame + index] = Number.parseInt(octet, 16);
    }
    this.eth0.transmit(packet, now);
  }

  read(now: number): CaptureFile {
    this.capture.close(now);
    return readCapture(this.collector.bytes);
  }
}

/** The file in short: interface, direction, time, id and comment of each frame. */
const brief = ({ records }: CaptureFile): unknown[] =>
  records.map((record) => [
    record.interface.name,
    record.direction,
    instantOf(record, DEFAULT_EPOCH_NS),
    Number(record.packetId),
    record.comment,
  ]);

describe("a capture", () => {
  it("records a frame on every device under one id", () => {
    const cable = new Cable();
    cable.stack((packet, now) => cable.pool.end(packet, "consumed", "test/taken", now));
    cable.send(5);
    cable.send(6);
    expect(brief(cable.read(9))).toEqual([
      ["eth0", "outbound", 5, 1, null],
      ["vif3.0", "inbound", 5, 1, null],
      ["eth0", "outbound", 6, 2, null],
      ["vif3.0", "inbound", 6, 2, null],
    ]);
  });

  it("says what it knows of a device, added or not", () => {
    const cable = new Cable();
    const addresses = [parseInterfaceAddress("10.254.168.2/32")];
    cable.capture.add(cable.vif, 3, { name: "host-a/vif3.0", description: "to dom_1", addresses });
    cable.capture.name(parseIpv4("10.254.170.223"), "dom_1", "web");
    cable.send(5);
    const { interfaces, names } = cable.read(9);
    expect(interfaces).toMatchObject([
      { name: "host-a/vif3.0", description: "to dom_1", mac: cable.vif.mac, addresses },
      { name: "eth0", description: "dom_1", mac: cable.eth0.mac, addresses: [] },
    ]);
    expect([...(names.get(parseIpv4("10.254.170.223")) ?? [])]).toEqual(["dom_1", "web"]);
    expect(() => cable.capture.add(cable.vif, 9)).toThrow(OptionError);
  });

  it("records the chosen devices only", () => {
    const cable = new Cable({ devices: ["vif3.0"] });
    cable.capture.add(cable.eth0, 0);
    cable.send(5);
    const { interfaces, ...file } = cable.read(9);
    expect(interfaces.map(({ name }) => name)).toEqual(["vif3.0"]);
    expect(brief({ interfaces, ...file })).toEqual([
      ["vif3.0", "inbound", 5, 1, "discarded: device/no-stack"],
    ]);
  });

  it("counts frames from when a device is known", () => {
    const cable = new Cable();
    cable.capture.add(cable.vif, 3);
    cable.stack((packet, now) => cable.pool.end(packet, "dropped", "test/no", now + 1));
    cable.send(5);
    cable.send(6);
    const ticks = (now: number): bigint => DEFAULT_EPOCH_NS + BigInt(now) * 1000n;
    const none = { accepted: null, droppedBySystem: null, delivered: null };
    const counted = { endTicks: ticks(9), received: 2n, dropped: 0n, ...none };
    const { interfaces, records } = cable.read(9);
    expect(interfaces.map(({ statistics }) => statistics)).toEqual([
      { startTicks: ticks(3), ...counted },
      { startTicks: ticks(5), ...counted },
    ]);
    // The two frames that ended later are recorded once more, but did not cross once more.
    expect(records).toHaveLength(6);
  });

  it.each([
    [VIF, 60, 1 | (1 << 2)],
    ["ff:ff:ff:ff:ff:ff", 60, 1 | (3 << 2)],
    ["01:00:5e:00:00:01", 60, 1 | (2 << 2)],
    ["12:31:39:00:a5:12", 60, 1 | (4 << 2)],
    [VIF, 13, 1],
  ])("says how a frame to %s of %i octets was received", (target, length, flags) => {
    const cable = new Cable();
    cable.send(5, target, length);
    expect(cable.read(9).records.map((record) => record.flags)).toEqual([2, flags]);
  });

  it("changes no octet of a frame", () => {
    const cable = new Cable();
    const seen: number[][] = [];
    cable.stack((packet, now) => {
      seen.push([...packet.octets()]);
      cable.pool.end(packet, "dropped", "test/no", now);
    });
    cable.send(5);
    cable.pool.observe(null);
    cable.send(5);
    expect(seen[0]).toEqual(seen[1]);
  });

  it("is deaf once it is closed", () => {
    const cable = new Cable();
    cable.capture.close(1);
    const before = cable.collector.bytes;
    cable.send(5);
    cable.capture.close(9);
    expect(cable.collector.bytes).toEqual(before);
  });
});

describe("a packet that comes to nothing", () => {
  it("is marked where it was seen last, though frames followed in that instant", () => {
    const cable = new Cable();
    cable.stack((packet, now) => {
      const error = cable.pool.allocate(70);
      if (error !== null) cable.vif.transmit(error, now);
      cable.pool.end(packet, "dropped", "filter/rule", now);
    });
    cable.eth0.attachStack({
      receive: (_, packet, now) => cable.pool.end(packet, "delivered", "test/taken", now),
    });
    cable.send(5);
    const file = cable.read(9);
    expect(brief(file)).toEqual([
      ["eth0", "outbound", 5, 1, null],
      ["vif3.0", "inbound", 5, 1, "dropped: filter/rule"],
      ["vif3.0", "outbound", 5, 2, null],
      ["eth0", "inbound", 5, 2, null],
    ]);
    expect(file.records[1]?.verdict).toEqual({ judge: "tc", action: 2n });
  });

  it("is recorded again on its way out when it ends later", () => {
    const cable = new Cable();
    const peth0 = new Device({ name: "peth0", mac: parseMac("02:00:00:00:00:02") });
    const queue: Packet[] = [];
    cable.stack((packet) => {
      cable.pool.bytes[packet.frame] = 0xab;
      packet.output = peth0;
      queue.push(packet);
    });
    cable.send(5);
    const [packet] = queue;
    if (packet !== undefined) cable.pool.end(packet, "discarded", "neighbor/failed", 3_000_005);
    const file = cable.read(4_000_000);
    expect(brief(file)).toEqual([
      ["eth0", "outbound", 5, 1, null],
      ["vif3.0", "inbound", 5, 1, null],
      ["peth0", "outbound", 3_000_005, 1, "discarded: neighbor/failed"],
    ]);
    expect(file.records.map(({ octets }) => octets[0])).toEqual([0xef, 0xef, 0xab]);
    expect(file.records.map(({ verdict }) => verdict !== null)).toEqual([false, false, true]);
  });

  it("is recorded again where it came in when it was not routed", () => {
    const cable = new Cable();
    const queue: Packet[] = [];
    cable.stack((packet) => void queue.push(packet));
    cable.send(5);
    const [packet] = queue;
    if (packet !== undefined) cable.pool.end(packet, "discarded", "fragments/timeout", 30_000_005);
    const [, , late] = brief(cable.read(30_000_005));
    expect(late).toEqual(["vif3.0", "inbound", 30_000_005, 1, "discarded: fragments/timeout"]);
  });

  it("is marked on the device that had no carrier", () => {
    const cable = new Cable();
    cable.eth0.attachCarrier(null);
    cable.send(5);
    expect(brief(cable.read(9))).toEqual([
      ["eth0", "outbound", 5, 1, "discarded: device/no-carrier"],
    ]);
  });

  it("is not confused with its fragments", () => {
    const cable = new Cable();
    cable.stack((packet, now) => {
      const fragment = cable.pool.derive(packet, 40);
      if (fragment !== null) cable.vif.transmit(fragment, now);
      cable.pool.end(packet, "dropped", "test/no", now);
    });
    cable.send(5);
    const comments = cable.read(9).records.map(({ comment }) => comment);
    expect(comments).toEqual([null, "dropped: test/no", null, "discarded: device/no-stack"]);
  });

  it("gets words for people if there are some", () => {
    const words: CaptureOptions["words"] = (packet, reason) =>
      reason === "device/no-stack" && packet.id === 2 ? "nobody at home" : null;
    const cable = new Cable({ words });
    cable.send(5);
    cable.send(6);
    expect(cable.read(9).records.map(({ comment }) => comment)).toEqual([
      null,
      "discarded: device/no-stack",
      null,
      "discarded: device/no-stack (nobody at home)",
    ]);
  });

  it("is not recorded when no device ever had it", () => {
    const cable = new Cable();
    const packet = cable.pool.allocate(60);
    if (packet !== null) cable.pool.end(packet, "discarded", "route/unreachable", 5);
    expect(cable.read(9).records).toEqual([]);
  });
});
