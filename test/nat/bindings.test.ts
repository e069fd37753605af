import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { FLOWS_2618, FLOWS_6 } from "../../src/nat/behaviour.ts";
import { Bindings } from "../../src/nat/bindings.ts";
import { Conntrack } from "../../src/nat/conntrack.ts";
import { Nat } from "../../src/nat/nat.ts";
import { parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { Bench } from "../l3/bench.ts";
import { type Ends, read, turned, udp } from "./packets.ts";
import { Stand } from "./stand.ts";

const pair = (privateAddress: string, publicAddress: string) => ({
  privateAddress: parseIpv4(privateAddress),
  publicAddress: parseIpv4(publicAddress),
});
const PRIVATE = "10.254.170.223";
const PUBLIC = "75.101.160.7";
const behaviour = FLOWS_2618;
const ends: Ends = { src: PRIVATE, dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
const inward: Ends = { src: "8.8.8.8", dst: PUBLIC, srcPort: 53, dstPort: 4001 };
const sourceOf = (octets: Uint8Array | null) => read(octets ?? new Uint8Array(20)).src;
const targetOf = (octets: Uint8Array | null) => read(octets ?? new Uint8Array(20)).dst;

describe("bindings", () => {
  it("translate both ways, each address for the other", () => {
    const rules = new Bindings();
    rules.add(pair(PRIVATE, PUBLIC));
    const stand = new Stand({ behaviour, rules });
    expect(sourceOf(stand.forward(udp(ends)).octets)).toBe(PUBLIC);
    expect(targetOf(stand.answer(udp(inward)).octets)).toBe(PRIVATE);
    expect(
      targetOf(stand.originate(udp({ ...inward, src: "10.0.0.1" }), stand.inside).octets),
    ).toBe(PRIVATE);
  });

  it("leave other addresses alone", () => {
    const rules = new Bindings();
    rules.add(pair(PRIVATE, PUBLIC));
    const stand = new Stand({ behaviour, rules });
    const other = udp({ ...ends, src: "10.254.170.222" });
    expect(stand.forward(other).octets).toEqual(other);
    const inner = udp({ ...inward, dst: "75.101.160.8" });
    expect(stand.answer(inner).octets).toEqual(inner);
  });

  it("change sources only where packets leave by the device, and not to the blocks", () => {
    const except = [parsePrefix("10.0.0.0/8"), parsePrefix("172.16.0.0/12")];
    const stand = new Stand({
      behaviour,
      rules: (device) => {
        const rules = new Bindings({ device, except });
        rules.add(pair(PRIVATE, PUBLIC));
        return rules;
      },
    });
    const to = (dst: string, output = stand.outside) =>
      sourceOf(stand.forward(udp({ ...ends, dst }), stand.inside, output).octets);
    expect(to("8.8.8.8")).toBe(PUBLIC);
    expect(to("9.9.9.9", stand.inside)).toBe(PRIVATE);
    expect(to("10.1.2.3")).toBe(PRIVATE);
    expect(to("172.31.0.1")).toBe(PRIVATE);
    expect(to("172.32.0.1")).toBe(PUBLIC);
  });

  it("leave connections that stand what they have when pairs come and go", () => {
    const rules = new Bindings();
    rules.add(pair(PRIVATE, PUBLIC));
    const stand = new Stand({ behaviour, rules });
    stand.forward(udp(ends));
    expect(rules.remove(parseIpv4(PRIVATE))).toBe(true);
    rules.add(pair("10.254.170.222", PUBLIC));
    expect(sourceOf(stand.forward(udp(ends)).octets)).toBe(PUBLIC);
    expect(targetOf(stand.answer(udp(turned({ ...ends, src: PUBLIC }))).octets)).toBe(PRIVATE);
    expect(sourceOf(stand.forward(udp({ ...ends, srcPort: 1 })).octets)).toBe(PRIVATE);
    expect(targetOf(stand.answer(udp(inward)).octets)).toBe("10.254.170.222");
  });

  it("are listed in the order of their addition, and found by either address", () => {
    const rules = new Bindings();
    const pairs = [pair("10.0.0.2", "75.0.0.2"), pair("10.0.0.1", "75.0.0.1")];
    for (const one of pairs) rules.add(one);
    expect(rules.list()).toEqual(pairs);
    expect(rules.publicOf(parseIpv4("10.0.0.1"))).toBe(parseIpv4("75.0.0.1"));
    expect(rules.privateOf(parseIpv4("75.0.0.2"))).toBe(parseIpv4("10.0.0.2"));
    expect(rules.publicOf(parseIpv4("75.0.0.2"))).toBeNull();
    expect(rules.privateOf(parseIpv4("10.0.0.1"))).toBeNull();
    expect(rules.remove(parseIpv4("10.0.0.9"))).toBe(false);
  });

  it.each([
    ["privateAddress", pair(PRIVATE, "75.0.0.1")],
    ["publicAddress", pair("10.0.0.1", PUBLIC)],
  ])("refuse an address that is bound already: %s", (option, second) => {
    const rules = new Bindings();
    rules.add(pair(PRIVATE, PUBLIC));
    expect(() => rules.add(second)).toThrow(OptionError);
    expect(() => rules.add(second)).toThrow(option);
    expect(rules.list()).toHaveLength(1);
  });
});

describe("bindings of a router that knows ways", () => {
  it("hold for the next connection from the moment they are made", () => {
    const bench = new Bench();
    const { hooks, jiffies } = bench.router;
    const conntrack = new Conntrack({ behaviour: FLOWS_6.conntrack, jiffies });
    conntrack.attach(hooks);
    const rules = new Bindings();
    new Nat({ conntrack, behaviour: FLOWS_6.nat, rules, chance: new Prng(1) }).attach(hooks);
    const inside = bench.addDevice("inside", ["10.254.170.1/24"]);
    bench.know(bench.addDevice("outside", ["8.8.8.1/24"]), "8.8.8.8", "02:00:00:00:00:08");
    const send = (srcPort: number): string | undefined => {
      const frame = new Uint8Array([
        ...[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 3, 8, 0],
        ...udp({ ...ends, srcPort }),
      ]);
      return bench.receive(inside, frame).map(({ octets }) => sourceOf(octets.subarray(14)))[0];
    };
    expect([4000, 4001, 4002].map(send)).toEqual([PRIVATE, PRIVATE, PRIVATE]);
    rules.add(pair(PRIVATE, PUBLIC));
    expect([4003, 4000].map(send)).toEqual([PUBLIC, PRIVATE]);
    rules.remove(pair(PRIVATE, PUBLIC).privateAddress);
    expect([4004, 4003].map(send)).toEqual([PRIVATE, PUBLIC]);
  });
});
