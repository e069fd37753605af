import { beforeEach, describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { macOf, parseMac } from "../../src/wire/addr.ts";
import { Device, PatchCable, type Tap } from "../../src/wire/device.ts";
import { Cast, type Packet, PacketPool } from "../../src/wire/packet.ts";

/** What happened, in order, as `who what device`. */
let story: string[] = [];
let pool = new PacketPool({ slots: 4, largeSlots: 0 });

beforeEach(() => {
  story = [];
  pool = new PacketPool({ slots: 4, largeSlots: 0 });
  pool.observe({
    received: (device) => story.push(`observer received ${device.name}`),
    transmitted: (device) => story.push(`observer transmitted ${device.name}`),
    ended: (_, fate, reason) => story.push(`observer ${fate} ${reason}`),
    step: () => {},
  });
});

const deviceNamed = (name: string): Device => new Device({ name, mac: macOf(0x0200_0000_0001) });

function packetOf(...octets: number[]): Packet {
  const packet = pool.copyIn(Uint8Array.from(octets));
  if (packet === null) throw new Error("the pool is full");
  return packet;
}

/** A tap that tells, then does `more`. */
const tapNamed = (name: string, more: (tap: Tap, device: Device) => void = () => {}): Tap => ({
  tap(device, packet, now) {
    story.push(`${name} taps ${device.name} ${packet.octets().join()} at ${now}`);
    more(this, device);
  },
});

/** Let the stack above `device` tell, and take the packet. */
function listen(device: Device): void {
  device.attachStack({
    receive: (at, packet, now) => {
      story.push(`stack receives ${at.name} at ${now}`);
      packet.pool.end(packet, "delivered", "test/stack", now);
    },
  });
}

describe("a frame that comes in", () => {
  it("is seen by the observer, then by each tap in order, then goes to the stack", () => {
    const device = deviceNamed("vif1.0");
    device.addTap(tapNamed("first"));
    device.addTap(tapNamed("second"));
    listen(device);
    device.receive(packetOf(1, 2), 7);
    expect(story).toEqual([
      "observer received vif1.0",
      "first taps vif1.0 1,2 at 7",
      "second taps vif1.0 1,2 at 7",
      "stack receives vif1.0 at 7",
      "observer delivered test/stack",
    ]);
  });

  it("belongs to the device, and to no output", () => {
    const device = deviceNamed("vif1.0");
    const packet = packetOf(1);
    packet.output = device;
    let taken: Packet | null = null;
    device.attachStack({ receive: (_, one) => void (taken = one) });
    device.receive(packet, 0);
    expect(taken).toBe(packet);
    expect(packet.input).toBe(device);
    expect(packet.output).toBeNull();
    expect(packet.cast).toBe(Cast.Host);
  });

  it("is counted with its octets", () => {
    const device = deviceNamed("vif1.0");
    listen(device);
    device.receive(packetOf(1, 2, 3), 0);
    device.receive(packetOf(1), 0);
    expect(device).toMatchObject({ rxFrames: 2, rxOctets: 4, txFrames: 0, txOctets: 0 });
    expect(device.ends.entries()).toEqual([["test/stack", 2]]);
  });

  it("is discarded after the taps where no stack is", () => {
    const device = deviceNamed("vif1.0");
    device.addTap(tapNamed("tap"));
    listen(device);
    device.attachStack(null);
    device.receive(packetOf(1), 0);
    expect(story).toEqual([
      "observer received vif1.0",
      "tap taps vif1.0 1 at 0",
      "observer discarded device/no-stack",
    ]);
    expect(pool.live).toBe(0);
  });

  it("is still seen by the next tap when one removes itself or adds another", () => {
    const device = deviceNamed("vif1.0");
    device.addTap(tapNamed("leaving", (tap, at) => at.removeTap(tap)));
    device.addTap(tapNamed("staying", (_, at) => at.addTap(tapNamed("late"))));
    device.receive(packetOf(1), 0);
    expect(story.filter((line) => line.includes("taps"))).toEqual([
      "leaving taps vif1.0 1 at 0",
      "staying taps vif1.0 1 at 0",
    ]);
    story = [];
    device.receive(packetOf(1), 1);
    expect(story.filter((line) => line.includes("taps"))).toEqual([
      "staying taps vif1.0 1 at 1",
      "late taps vif1.0 1 at 1",
    ]);
  });

  it("is not seen by a tap that was removed, or removed twice", () => {
    const device = deviceNamed("vif1.0");
    const [tap, other] = [tapNamed("tap"), tapNamed("other")];
    device.addTap(tap);
    device.addTap(other);
    device.removeTap(tap);
    device.removeTap(tap);
    device.receive(packetOf(1), 0);
    expect(story.filter((line) => line.includes("taps"))).toEqual(["other taps vif1.0 1 at 0"]);
  });
});

describe("a frame that goes out", () => {
  it("is seen by the observer and by no tap, and goes to the carrier", () => {
    const device = deviceNamed("vif1.0");
    device.addTap(tapNamed("tap"));
    device.attachCarrier({
      carry: (from, packet, now) => {
        story.push(`carrier carries ${from.name} ${packet.octets().join()} at ${now}`);
        packet.pool.end(packet, "consumed", "test/carrier", now);
      },
    });
    const packet = packetOf(5, 6);
    device.transmit(packet, 9);
    expect(story).toEqual([
      "observer transmitted vif1.0",
      "carrier carries vif1.0 5,6 at 9",
      "observer consumed test/carrier",
    ]);
    expect(device).toMatchObject({ rxFrames: 0, rxOctets: 0, txFrames: 1, txOctets: 2 });
  });

  it("is discarded where no carrier is, at the account of the device where it came in", () => {
    const [input, output] = [deviceNamed("vif1.0"), deviceNamed("peth0")];
    input.attachStack({ receive: (_, packet, now) => output.transmit(packet, now) });
    input.receive(packetOf(1), 0);
    expect(story.at(-1)).toBe("observer discarded device/no-carrier");
    expect(input.ends.get("device/no-carrier")).toBe(1);
    expect(output.ends.entries()).toEqual([]);
    expect(pool.live).toBe(0);
  });
});

describe("a patch cable", () => {
  it("carries both ways, in the same instant and in order", () => {
    const [left, right] = [deviceNamed("left"), deviceNamed("right")];
    new PatchCable(left, right);
    listen(left);
    listen(right);
    left.transmit(packetOf(1), 4);
    right.transmit(packetOf(2), 5);
    left.transmit(packetOf(3), 5);
    expect(story.filter((line) => !line.includes("delivered"))).toEqual([
      "observer transmitted left",
      "observer received right",
      "stack receives right at 4",
      "observer transmitted right",
      "observer received left",
      "stack receives left at 5",
      "observer transmitted left",
      "observer received right",
      "stack receives right at 5",
    ]);
  });

  it("keeps the id of a packet and changes its input", () => {
    const [left, right] = [deviceNamed("left"), deviceNamed("right")];
    new PatchCable(left, right);
    const seen: unknown[] = [];
    right.addTap({ tap: (_, { id, input, output }) => void seen.push([id, input?.name, output]) });
    const packet = packetOf(1);
    const { id } = packet;
    left.transmit(packet, 0);
    expect(seen).toEqual([[id, "right", null]]);
  });
});

describe("a device", () => {
  it("is shown with its address", () => {
    const device = new Device({ name: "vif3.0", mac: parseMac("fe:ff:ff:ff:ff:ff") });
    expect(String(device)).toBe("vif3.0 (fe:ff:ff:ff:ff:ff)");
    expect(device).toMatchObject({ mtu: 1500, description: "" });
  });

  it.each(["", "sixteen-letters-", "eth 0", "eth/0", "eth\t0"])("is not called %j", (name) => {
    expect(() => deviceNamed(name)).toThrow(OptionError);
  });

  it.each([67, 65_536, 1500.5, Number.NaN])("has no MTU of %d", (mtu) => {
    expect(() => new Device({ name: "eth0", mac: macOf(1), mtu })).toThrow(OptionError);
  });

  it.each([68, 65_535])("may have an MTU of %d", (mtu) => {
    expect(new Device({ name: "fifteen-letters", mac: macOf(1), mtu }).mtu).toBe(mtu);
  });
});
