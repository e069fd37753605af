import { describe, expect, it } from "vitest";
import { viewOf } from "../../src/wire/field.ts";
import { EtherType } from "../../src/l2/ethernet.ts";
import { ICMP, IcmpType } from "../../src/l3/icmp.ts";
import { IPV4, ipv4Codec } from "../../src/l3/ipv4.ts";
import { frameOf, icmpOf, packetOf, type PacketWords, pattern } from "../oracle/world-octets.ts";
import { Bench } from "./bench.ts";

const MESSAGE = 14 + 20;
const PLAIN: PacketWords = {
  src: "10.1.2.2",
  dst: "10.2.2.2",
  tos: 0,
  id: 1,
  flagsFragment: 0,
  ttl: 1,
  protocol: 17,
  options: new Uint8Array(0),
  payload: pattern(30, 1),
};

/** A router whose every way but one is open; `offend` has it meet a packet that it must report. */
function setup(mtu = 1500) {
  const bench = new Bench({ icmpGlobalLimit: null });
  const left = bench.addDevice("e0", ["10.1.2.1/24"], { mac: "02:00:00:00:00:00" });
  const right = bench.addDevice("e1", ["10.2.2.1/24"], { mac: "02:00:00:00:00:01", mtu });
  for (const host of [2, 3, 4, 5]) bench.know(left, `10.1.2.${host}`, `12:31:39:00:00:0${host}`);
  bench.know(right, "10.2.2.2", "12:31:39:00:01:02");
  const offend = (parts: Partial<PacketWords>, to = "02:00:00:00:00:00"): Uint8Array[] => {
    const octets = packetOf({ ...PLAIN, ...parts });
    const frame = frameOf(to, "12:31:39:00:00:02", EtherType.Ipv4, octets);
    return bench
      .receive(left, frame)
      .filter(({ on }) => on === "e0")
      .map((one) => one.octets);
  };
  return { bench, offend };
}

describe("an error", () => {
  it("quotes a short packet whole and a long one up to 576 octets", () => {
    const { offend } = setup();
    for (const [length, quoted] of [
      [0, 20],
      [528, 548],
      [529, 548],
      [1400, 548],
    ] as const) {
      const [error = new Uint8Array(60)] = offend({ payload: pattern(length, 1) });
      expect(error.length).toBe(MESSAGE + 8 + quoted);
      const offender = packetOf({ ...PLAIN, payload: pattern(length, 1) });
      expect(error.slice(MESSAGE + 8)).toEqual(offender.slice(0, quoted));
    }
  });

  it("has the precedence of a network's control and its offender's type of service", () => {
    const { offend } = setup();
    const tos = (of: number): number => {
      const [error = new Uint8Array(60)] = offend({ tos: of });
      return ipv4Codec.decode(error, 14).tos;
    };
    expect([0, 0x10, 0xff, 0x01].map(tos)).toEqual([0xc0, 0xd0, 0xde, 0xc0]);
  });

  it("tells the MTU of the next hop", () => {
    const { offend } = setup(576);
    const payload = pattern(560, 1);
    const [error = new Uint8Array(60)] = offend({ ttl: 9, flagsFragment: 0x4000, payload });
    const view = viewOf(error);
    expect(ICMP.type.get(view, MESSAGE)).toBe(IcmpType.Unreachable);
    expect(ICMP.code.get(view, MESSAGE)).toBe(4);
    expect(ICMP.mtu.get(view, MESSAGE)).toBe(576);
  });

  it("points to the octet of an option that is wrong", () => {
    const { offend } = setup();
    const [error = new Uint8Array(60)] = offend({ options: Uint8Array.of(1, 7, 9, 4) });
    const view = viewOf(error);
    expect(ICMP.type.get(view, MESSAGE)).toBe(IcmpType.ParameterProblem);
    expect(ICMP.pointer.get(view, MESSAGE)).toBe(21);
  });

  it("tells of a better way, and the packet goes on all the same", () => {
    const { offend } = setup();
    const [redirect = new Uint8Array(60), passed = new Uint8Array(60)] = offend({
      dst: "10.1.2.3",
      ttl: 9,
    });
    expect(ICMP.type.get(viewOf(redirect), MESSAGE)).toBe(IcmpType.Redirect);
    expect(ICMP.gateway.get(viewOf(redirect), MESSAGE)).toBe(0x0a01_0203);
    expect(IPV4.ttl.get(viewOf(passed), 14)).toBe(8);
  });
});

describe("no error is sent", () => {
  const MAC = "02:00:00:00:00:00";
  const icmp = (type: number) => ({ protocol: 1, payload: icmpOf(type, 0, pattern(20, 1)) });
  it.each([
    ["about a later fragment", { flagsFragment: 1 }, MAC],
    ["about an ICMP error", icmp(IcmpType.TimeExceeded), MAC],
    ["about an ICMP type that is no query", icmp(10), MAC],
    ["about ICMP without a type", { protocol: 1, payload: new Uint8Array(0) }, MAC],
    ["about a frame to all", { dst: "10.1.2.1", protocol: 253 }, "ff:ff:ff:ff:ff:ff"],
    ["about a packet to all", { dst: "255.255.255.255", protocol: 253 }, MAC],
    ["about a packet to all hosts", { dst: "224.0.0.1", protocol: 253 }, MAC],
    ["to nobody", { src: "0.0.0.0", dst: "255.255.255.255", protocol: 253 }, MAC],
    ["to where no route leads", { src: "8.8.8.8" }, MAC],
  ] as const)("%s", (_what, parts, to) => {
    const { bench, offend } = setup();
    expect(offend(parts, to)).toEqual([]);
    expect(bench.pool.live).toBe(0);
  });

  it("beyond six at once to one address, while others get theirs", () => {
    const { offend } = setup();
    const sent = Array.from({ length: 8 }, () => offend({}).length);
    expect(sent).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
    expect(offend({ src: "10.1.2.3" }).length).toBe(1);
  });

  it("about fragmentation is without limit", () => {
    const { offend } = setup(576);
    const parts = { ttl: 9, flagsFragment: 0x4000, payload: pattern(600, 1) };
    const sent = Array.from({ length: 8 }, () => offend(parts).length);
    expect(sent).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });
});
