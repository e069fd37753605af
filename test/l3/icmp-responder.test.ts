import { describe, expect, it } from "vitest";
import { HOUR } from "../../src/base/time.ts";
import { viewOf } from "../../src/wire/field.ts";
import { EtherType } from "../../src/l2/ethernet.ts";
import { ICMP, ICMP_TIMESTAMPS, IcmpType } from "../../src/l3/icmp.ts";
import { ipv4Codec } from "../../src/l3/ipv4.ts";
import { frameOf, icmpOf, packetOf, pattern } from "../oracle/world-octets.ts";
import { Bench } from "./bench.ts";

const MESSAGE = 14 + 20;
const REST = pattern(40, 3);

function setup() {
  const bench = new Bench();
  const device = bench.addDevice("e0", ["10.1.2.1/24"], { mac: "02:00:00:00:00:00" });
  bench.know(device, "10.1.2.2", "12:31:39:00:00:02");
  const heard: number[] = [];
  const listener = { onIcmp: (_packet: unknown, type: number) => void heard.push(type) };
  bench.router.icmp.addListener(listener);
  const ask = (message: Uint8Array, dst = "10.1.2.1", tos = 0): Uint8Array[] => {
    const octets = packetOf({
      src: "10.1.2.2",
      dst,
      tos,
      id: 1,
      flagsFragment: 0x4000,
      ttl: 3,
      protocol: 1,
      options: new Uint8Array(0),
      payload: message,
    });
    const frame = frameOf("02:00:00:00:00:00", "12:31:39:00:00:02", EtherType.Ipv4, octets);
    return bench.receive(device, frame).map((one) => one.octets);
  };
  return { bench, heard, listener, ask };
}

describe("an echo request", () => {
  it("comes back with its content, its type of service and a fresh header", () => {
    const { ask } = setup();
    const [answer = new Uint8Array(60)] = ask(icmpOf(IcmpType.Echo, 5, REST), "10.1.2.1", 0x5d);
    expect(answer.slice(MESSAGE)).toEqual(icmpOf(IcmpType.EchoReply, 5, REST));
    expect(ipv4Codec.decode(answer, 14)).toMatchObject({
      tos: 0x5d,
      ttl: 64,
      flagsFragment: 0,
      src: 0x0a01_0201,
      dst: 0x0a01_0202,
    });
  });

  it("to all or to all hosts is not answered", () => {
    const { bench, ask } = setup();
    expect(ask(icmpOf(IcmpType.Echo, 0, REST), "255.255.255.255")).toEqual([]);
    expect(ask(icmpOf(IcmpType.Echo, 0, REST), "10.1.2.255")).toEqual([]);
    expect(ask(icmpOf(IcmpType.Echo, 0, REST), "224.0.0.1")).toEqual([]);
    expect(bench.pool.ends.entries()).toEqual([["icmp/broadcast", 3]]);
  });
});

describe("a timestamp request", () => {
  it("comes back with the time of day twice, its code cleared", () => {
    const { bench, ask } = setup();
    bench.advance(HOUR + 5_678);
    const [answer = new Uint8Array(60)] = ask(icmpOf(IcmpType.Timestamp, 9, pattern(16, 1)));
    const view = viewOf(answer);
    expect(ICMP.type.get(view, MESSAGE)).toBe(IcmpType.TimestampReply);
    expect(ICMP.code.get(view, MESSAGE)).toBe(0);
    expect(ICMP_TIMESTAMPS.receive.get(view, MESSAGE + 8)).toBe(3_600_005);
    expect(ICMP_TIMESTAMPS.transmit.get(view, MESSAGE + 8)).toBe(3_600_005);
    expect(answer.slice(MESSAGE + 4, MESSAGE + 12)).toEqual(pattern(8, 1));
  });

  it("needs its sender's own time and no more", () => {
    const { bench, ask } = setup();
    expect(ask(icmpOf(IcmpType.Timestamp, 0, pattern(8, 1))).length).toBe(1);
    expect(ask(icmpOf(IcmpType.Timestamp, 0, pattern(7, 1)))).toEqual([]);
    expect(bench.pool.ends.get("icmp/truncated")).toBe(1);
  });
});

describe("other messages", () => {
  it("are replies and errors, which listeners hear as long as they listen", () => {
    const { bench, heard, listener, ask } = setup();
    const types = [0, 3, 4, 5, 11, 12, 14, 16, 18];
    for (const type of types) expect(ask(icmpOf(type, 0, REST))).toEqual([]);
    expect(heard).toEqual(types);
    bench.router.icmp.removeListener(listener);
    ask(icmpOf(0, 0, REST));
    expect(heard.length).toBe(types.length);
    expect(bench.pool.ends.entries()).toEqual([
      ["icmp/error", 5],
      ["icmp/reply", 5],
    ]);
  });

  it("are never answered: information, masks, routers, what nobody knows, what is broken", () => {
    const { bench, heard, ask } = setup();
    for (const type of [1, 2, 6, 7, 9, 10, 15, 17, 19, 42]) {
      expect(ask(icmpOf(type, 0, REST))).toEqual([]);
    }
    expect(ask(icmpOf(IcmpType.Echo, 0, REST, 1))).toEqual([]);
    expect(heard).toEqual([]);
    expect(bench.pool.ends.entries()).toEqual([
      ["icmp/checksum", 1],
      ["icmp/not-answered", 8],
      ["icmp/type", 2],
    ]);
  });
});
