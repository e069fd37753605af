import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { SECOND } from "../../src/base/time.ts";
import { Bridge } from "../../src/l2/bridge.ts";
import { MAC_ZERO, macOf } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { BRIDGE_MAC, BridgeStand } from "../filter/ebtables/stand.ts";

const OWN = "feffffffffff";
const A = "02000000000a";
const B = "02000000000b";
const BROADCAST = "ffffffffffff";
const frame = (dst: string, src: string): string => `${dst}${src}1234`;

describe("a bridge", () => {
  it("hands the host what is for it, and all that is for groups", () => {
    const stand = new BridgeStand(null);
    stand.send(["p0", frame(OWN, A)]);
    stand.send(["p0", frame(BROADCAST, A)]);
    expect(stand.sent).toEqual([
      ["br0", frame(OWN, A)],
      ["p1", frame(BROADCAST, A)],
      ["br0", frame(BROADCAST, A)],
    ]);
    expect(stand.pool.live).toBe(0);
  });

  it("floods what it does not know, learns who speaks where, and forgets after 300 s", () => {
    const stand = new BridgeStand(null);
    stand.send(["br0", frame(A, OWN)]);
    expect(stand.sent.splice(0).map(([device]) => device)).toEqual(["p1", "p0"]);
    stand.send(["p0", frame(B, A)]);
    stand.send(["p1", frame(A, B)]);
    stand.send(["br0", frame(A, OWN)], 299 * SECOND);
    expect(stand.sent.splice(0).map(([device]) => device)).toEqual(["p1", "p0", "p0"]);
    stand.send(["br0", frame(A, OWN)], 300 * SECOND);
    expect(stand.sent.map(([device]) => device)).toEqual(["p1", "p0"]);
  });

  it("sends nothing back where it came from, and nothing to nowhere", () => {
    const stand = new BridgeStand(null);
    stand.send(["p0", frame(B, A)]);
    stand.send(["p0", frame(A, B)]);
    expect(stand.pool.ends.get("bridge/same-port")).toBe(1);
    const [port] = stand.ports;
    if (port !== undefined) stand.bridge.removePort(port);
    stand.send(["p1", frame(A, B)]);
    expect(stand.pool.ends.get("bridge/no-port")).toBe(1);
  });

  it("takes no sender that is a group or has no address", () => {
    const stand = new BridgeStand(null);
    stand.send(["p0", frame(OWN, BROADCAST)]);
    stand.send(["p0", frame(OWN, "000000000000")]);
    expect(stand.pool.ends.get("bridge/source")).toBe(2);
    expect(stand.sent).toEqual([]);
  });

  it("keeps link-local groups but that of spanning tree, and learns from them", () => {
    const stand = new BridgeStand(null);
    stand.send(["p0", frame("0180c2000000", A)]);
    stand.send(["p1", frame("0180c2000002", B)]);
    stand.send(["br0", frame(B, OWN)]);
    const devices = stand.sent.map(([device]) => device);
    expect(devices).toEqual(["p1", "br0", "p1"]);
    expect(stand.pool.ends.get("bridge/link-local")).toBe(1);
  });

  it("drops what is larger than a port takes", () => {
    const stand = new BridgeStand(null);
    const fits = frame(BROADCAST, OWN) + "00".repeat(1504);
    stand.send(["br0", fits]);
    stand.send(["br0", `${fits}00`]);
    expect(stand.sent).toHaveLength(2);
    expect(stand.pool.ends.get("bridge/too-big")).toBe(2);
  });

  it("keeps marks and notes of its rules on the way up, and has none of the link's", () => {
    const stand = new BridgeStand({
      judge: (packet) => {
        packet.mark += 1;
        return true;
      },
    });
    const marks: number[] = [];
    stand.bridge.device.attachStack({
      receive: (device, packet, now) => {
        expect(packet.input).toBe(device);
        marks.push(packet.mark);
        stand.pool.end(packet, "consumed", "test/noted", now);
      },
    });
    stand.send(["p0", frame(OWN, A)]);
    expect(marks).toEqual([2]);
  });

  it("wants ports of its own address, and a bound", () => {
    const bridge = new Bridge({ name: "br0", mac: BRIDGE_MAC, rules: null });
    const stranger = new Device({ name: "eth0", mac: macOf(0x0200_0000_0001) });
    expect(() => bridge.addPort(stranger)).toThrow(OptionError);
    expect(() => new Bridge({ name: "b", mac: MAC_ZERO, rules: null, stationLimit: 0 })).toThrow(
      OptionError,
    );
  });
});
