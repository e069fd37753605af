import { describe, expect, it } from "vitest";
import type { Chance } from "../../src/base/prng.ts";
import { SECOND } from "../../src/base/time.ts";
import { Hook } from "../../src/l3/hooks.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import { FLOWS_2618, FLOWS_6, type FlowBehaviour } from "../../src/nat/behaviour.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { type Ends, query, read, tcp, turned, udp } from "./packets.ts";
import { range, type RangeOptions, rulesOf, Stand } from "./stand.ts";

const BOTH: [string, FlowBehaviour][] = [
  ["2.6.18", FLOWS_2618],
  ["6.x", FLOWS_6],
];
const PUBLIC = "75.101.160.7";
const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
/** How the answer to `ends` is addressed outside. */
const back = { ...turned(ends), dst: PUBLIC };

/** Sources in 10.0.0.0/8 get what `options` say where they leave. */
const sources = (options: RangeOptions) =>
  rulesOf((hook, packet) => {
    const src = IPV4.src.get(packet.pool.view, packet.network);
    return hook === Hook.Postrouting && src >>> 24 === 10 ? range(options) : null;
  });
const readOf = (octets: Uint8Array | null) => read(octets ?? new Uint8Array(20));

describe.each(BOTH)("mappings of Linux %s", (_, behaviour) => {
  it("forgets a mapping with its last connection", () => {
    const rules = sources({ to: "192.0.2.0", upTo: "192.0.2.255" });
    const stand = new Stand({ behaviour, rules });
    const to = (dst: string) => readOf(stand.forward(udp({ ...ends, dst })).octets).src;
    const first = to("8.8.8.8");
    expect(to("9.9.9.9")).toBe(first);
    stand.now = 31 * SECOND;
    expect(to("9.9.9.9")).not.toBe(first);
  });

  it("uses one mapping for all connections of one source port", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC, ports: [2000, 2999] }) });
    const first = readOf(stand.forward(udp(ends)).octets).srcPort;
    expect(first).toBeGreaterThanOrEqual(2000);
    const others = [54, 55, 56].map(
      (dstPort) => readOf(stand.forward(udp({ ...ends, dstPort })).octets).srcPort,
    );
    expect(others).toEqual([first, first, first]);
  });

  it("finds another port for a second inner host with the same one", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const ports = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(
      (src) => readOf(stand.forward(udp({ ...ends, src })).octets).srcPort,
    );
    expect(ports[0]).toBe(4000);
    expect(new Set(ports).size).toBe(3);
    expect(ports.every((port) => port >= 1024)).toBe(true);
  });

  it.each([
    [400, 1, 511],
    [512, 600, 1023],
    [1023, 600, 1023],
    [1024, 1024, 65_535],
  ])("replaces port %i by one of its kind", (srcPort, lower, upper) => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    stand.forward(udp({ ...ends, srcPort }));
    const other = stand.forward(udp({ ...ends, srcPort, src: "10.0.0.2" }));
    const port = readOf(other.octets).srcPort;
    expect(port).not.toBe(srcPort);
    expect(port).toBeGreaterThanOrEqual(lower);
    expect(port).toBeLessThanOrEqual(upper);
  });

  it("drops a connection for which there is no free port", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC, ports: [7, 8] }) });
    const of = (host: number) => stand.forward(udp({ ...ends, src: `10.0.0.${host}` }));
    const ports = [of(1), of(2)].map(({ octets }) => readOf(octets).srcPort);
    expect(new Set(ports)).toEqual(new Set([7, 8]));
    expect(of(3).reason).toBe("conntrack/clash");
    stand.now = 31 * SECOND;
    expect(of(3).octets).not.toBeNull();
  });

  it("keeps ports unique where no rule wants anything", () => {
    const rules = rulesOf((hook, packet) => {
      const dst = IPV4.dst.get(packet.pool.view, packet.network);
      if (hook !== Hook.Prerouting || dst !== parseIpv4(PUBLIC)) return null;
      return range({ side: "destination", to: "8.8.8.8" });
    });
    const stand = new Stand({ behaviour, rules });
    stand.forward(udp(ends));
    const { octets } = stand.forward(udp({ ...ends, dst: PUBLIC }));
    expect(readOf(octets)).toMatchObject({ src: "10.0.0.1", dst: "8.8.8.8", dstPort: 53 });
    expect(readOf(octets).srcPort).not.toBe(4000);
  });
});

describe("ports of Linux 2.6.18", () => {
  it("are counted on from 0, for each protocol by itself", () => {
    const stand = new Stand({ behaviour: FLOWS_2618, rules: sources({ to: PUBLIC }) });
    const portsOf = (make: (one: Ends) => Uint8Array, srcPort: number): number[] =>
      [1, 2, 3, 4].map((host) => {
        const passage = stand.forward(make({ ...ends, src: `10.0.0.${host}`, srcPort }));
        return readOf(passage.octets).srcPort;
      });
    expect(portsOf(udp, 4000)).toEqual([4000, 1024, 1025, 1026]);
    expect(portsOf(udp, 5000)).toEqual([5000, 1027, 1028, 1029]);
    expect(portsOf((one) => tcp(one, { flags: "S" }), 80)).toEqual([80, 1, 2, 3]);
    expect(portsOf((one) => query(one), 0)).toEqual([0, 1, 2, 3]);
  });
});

describe("the search for a port of Linux 6.x", () => {
  it("begins anywhere, and gives up after five beginnings", () => {
    let draws = 0;
    const chance: Chance = {
      below: (bound) => {
        draws += 1;
        return bound - 1;
      },
    };
    const rules = sources({ to: PUBLIC, ports: [2000, 2999] });
    const stand = new Stand({ behaviour: FLOWS_6, rules, chance });
    const passages = Array.from({ length: 129 }, (_, index) => {
      draws = 0;
      return { ...stand.forward(udp({ ...ends, src: `10.0.${index}.1` })), draws };
    });
    const ports = passages.slice(0, 128).map(({ octets }) => readOf(octets).srcPort);
    const first = 2000 + (65_535 % 1000);
    const second = 2000;
    expect(ports).toEqual([first, ...Array.from({ length: 127 }, (_, index) => second + index)]);
    expect(passages[127]?.draws).toBe(1);
    expect(passages[128]).toMatchObject({ reason: "conntrack/clash", draws: 5 });
  });
});

describe("the last ports of Linux 6.x", () => {
  const rules = sources({ to: PUBLIC, ports: [2000, 2001] });
  const talk = (stand: Stand, src: string): number => {
    const one = { ...ends, src };
    const { octets } = stand.forward(tcp(one, { flags: "S", seq: 100 }));
    const { srcPort } = readOf(octets);
    const answer = { ...back, dstPort: srcPort };
    stand.answer(tcp(answer, { flags: "SA", seq: 1, ack: 101 }));
    stand.forward(tcp(one, { flags: "A", seq: 101, ack: 2 }));
    stand.forward(tcp(one, { flags: "FA", seq: 101, ack: 2 }));
    stand.answer(tcp(answer, { flags: "FA", seq: 2, ack: 102 }));
    stand.forward(tcp(one, { flags: "A", seq: 102, ack: 3 }));
    return srcPort;
  };

  it("are taken from closed connections, if the numbers of the new one go on from theirs", () => {
    const stand = new Stand({ behaviour: FLOWS_6, rules });
    const ports = [talk(stand, "10.0.0.1"), talk(stand, "10.0.0.2")];
    expect(new Set(ports)).toEqual(new Set([2000, 2001]));
    const states = stand.conntrack.entries(0).map(({ tcpState }) => tcpState);
    expect(states).toEqual(["TIME_WAIT", "TIME_WAIT"]);
    const third = { ...ends, src: "10.0.0.3" };
    const early = stand.forward(tcp(third, { flags: "S", seq: 50 }));
    expect(early.reason).toBe("conntrack/clash");
    expect(stand.forward(tcp(third, { flags: "S", seq: 5000 })).octets).not.toBeNull();
    expect(stand.conntrack.entries(0)).toHaveLength(2);
  });
});

describe("many addresses", () => {
  const rules = (isPersistent: boolean) =>
    sources({ to: "192.0.2.100", upTo: "192.0.2.112", isPersistent });
  const addressesFor = (behaviour: FlowBehaviour, isPersistent = false): string[] => {
    const stand = new Stand({ behaviour, rules: rules(isPersistent) });
    return ["8.8.8.8", "9.9.9.9", "192.0.2.1"].map(
      (dst, index) => readOf(stand.forward(udp({ ...ends, dst, srcPort: index + 1 })).octets).src,
    );
  };

  it("are chosen by both ends, as the kernel's hash has it", () => {
    // Seen in the kernel's own table.
    expect(addressesFor(FLOWS_6)[0]).toBe("192.0.2.112");
    expect(addressesFor(FLOWS_2618)).toEqual(addressesFor(FLOWS_2618));
    expect(new Set(addressesFor(FLOWS_2618)).size).toBeGreaterThan(1);
  });

  it("are chosen by the source alone if they shall persist", () => {
    expect(addressesFor(FLOWS_6, true)).toEqual(["192.0.2.103", "192.0.2.103", "192.0.2.103"]);
  });
});
