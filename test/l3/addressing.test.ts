import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { IPV4_ANY, formatPrefix, parseIpv4, parseMac, parsePrefix } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { Addressing } from "../../src/l3/addressing.ts";
import { Hooks } from "../../src/l3/hooks.ts";
import { newRoute, type Route, RouteKind } from "../../src/l3/route-table.ts";

const OWNER = { hooks: new Hooks(), receiveFrame: (): void => {} };
const newDevice = (name: string, mtu = 1500): Device =>
  new Device({ name, mac: parseMac("02:00:00:00:00:01"), mtu });

/** A stack with two devices, without addresses. */
function setup(isLowestBroadcast = false) {
  const addressing = new Addressing(OWNER, isLowestBroadcast, () => {});
  const [first, second] = [newDevice("e0"), newDevice("e1", 576)];
  const one = addressing.addInterface(first);
  const two = addressing.addInterface(second);
  return { addressing, first, second, one, two };
}

const words = ({ kind, prefix, device, scope, source }: Route): string =>
  [kind, formatPrefix(prefix), device?.name, scope, source === null ? "" : source >>> 24].join(" ");
const localOf = ({ fib }: Addressing): string[] =>
  [...fib.local].filter(({ device }) => device !== null).map(words);

describe("an address", () => {
  it("comes with itself, its block and its broadcast, as ip addr add makes them", () => {
    const { addressing, one } = setup();
    addressing.addAddress(one, parseIpv4("10.1.2.1"), 24, parseIpv4("10.1.2.255"));
    expect([...addressing.fib.main].map(words)).toEqual(["1 10.1.2.0/24 e0 link 10"]);
    expect(localOf(addressing)).toEqual([
      "2 10.1.2.1 lo host 10",
      "3 10.1.2.255 e0 link 10",
      "2 127.0.0.0/8 lo host 127",
    ]);
  });

  it("has the first of its block for a broadcast too, before Linux 5.14", () => {
    const { addressing, one } = setup(true);
    addressing.addAddress(one, parseIpv4("10.1.2.1"), 24);
    const kinds = ["10.1.2.0", "10.1.2.255"].map((address) =>
      addressing.fib.kindOf(parseIpv4(address)),
    );
    expect(kinds).toEqual([RouteKind.Broadcast, RouteKind.Broadcast]);
  });

  it.each([
    [32, 0, 1],
    [31, 1, 1],
    [30, 1, 2],
  ])(
    "of a block of /%i makes %i routes in the main table, %i in the local",
    (length, main, local) => {
      const { addressing, one } = setup();
      addressing.addAddress(one, parseIpv4("10.1.2.1"), length);
      expect([...addressing.fib.main].length).toBe(main);
      expect(localOf(addressing).length).toBe(local + 1);
    },
  );

  it("that two devices share stays this host's until both gave it up", () => {
    const { addressing, one, two } = setup();
    const address = parseIpv4("10.254.168.2");
    const held = addressing.addAddress(one, address, 32);
    const again = addressing.addAddress(two, address, 32);
    addressing.removeAddress(one, held);
    expect(addressing.isLocal(address)).toBe(true);
    addressing.removeAddress(two, again);
    expect(addressing.isLocal(address)).toBe(false);
  });
});

describe("the source of an own packet", () => {
  it("is the route's, else the one on the gateway's block, else the device's first", () => {
    const { addressing, first, one } = setup();
    addressing.addAddress(one, parseIpv4("10.1.2.1"), 24);
    addressing.addAddress(one, parseIpv4("10.9.2.1"), 24);
    const prefix = parsePrefix("0.0.0.0/0");
    const route = { prefix, device: first };
    const source = parseIpv4("10.1.2.1");
    const gateway = parseIpv4("10.9.2.7");
    expect(addressing.sourceFor(newRoute({ ...route, source, gateway }))).toBe(source);
    expect(addressing.sourceFor(newRoute({ ...route, gateway }))).toBe(parseIpv4("10.9.2.1"));
    expect(addressing.sourceFor(newRoute(route))).toBe(source);
  });

  it("is another device's if this one has none, never the loopback's", () => {
    const { addressing, first, two } = setup();
    expect(addressing.select(first, null)).toBe(IPV4_ANY);
    addressing.addAddress(two, parseIpv4("10.2.2.1"), 24);
    expect(addressing.select(first, parseIpv4("8.8.8.8"))).toBe(parseIpv4("10.2.2.1"));
  });
});

describe("a peer knows this host", () => {
  it("by the source that packets to it would have, or by the device it is behind", () => {
    const { addressing, one, two } = setup();
    addressing.addAddress(one, parseIpv4("10.1.2.1"), 24);
    addressing.addAddress(two, parseIpv4("10.2.2.1"), 24);
    const { fib } = addressing;
    fib.add(newRoute({ prefix: parsePrefix("198.51.100.0/24"), kind: RouteKind.Unreachable }));
    const ask = (peer: string) => addressing.specificAddress(two, parseIpv4(peer));
    expect(ask("10.1.2.9")).toBe(parseIpv4("10.1.2.1"));
    expect(ask("198.51.100.9")).toBe(parseIpv4("10.2.2.1"));
    expect(ask("8.8.8.8")).toBe(parseIpv4("10.2.2.1"));
    expect(ask("0.0.0.0")).toBe(parseIpv4("10.2.2.1"));
  });
});

describe("the route of an own packet", () => {
  it("is none where the tables refuse or know none", () => {
    const { addressing } = setup();
    const { fib } = addressing;
    fib.add(newRoute({ prefix: parsePrefix("192.0.2.0/24"), kind: RouteKind.Blackhole }));
    expect(addressing.routeTo(parseIpv4("192.0.2.1"))).toBeNull();
    expect(addressing.routeTo(parseIpv4("8.8.8.8"))).toBeNull();
    expect(addressing.routeTo(parseIpv4("255.255.255.255"))).toBeNull();
    expect(addressing.routeTo(parseIpv4("127.0.0.1"))?.kind).toBe(RouteKind.Local);
  });

  it("to all or to a group leaves by the device that is named, or that a route names", () => {
    const { addressing, first, second } = setup();
    const everywhere = parsePrefix("0.0.0.0/0");
    addressing.fib.add(newRoute({ prefix: everywhere, device: first }));
    const group = parseIpv4("224.0.0.9");
    expect(addressing.routeTo(group, second)).toMatchObject({ kind: 5, device: second });
    expect(addressing.routeTo(group)).toMatchObject({ kind: 5, device: first });
    const all = parseIpv4("255.255.255.255");
    expect(addressing.routeTo(all, second)).toMatchObject({ kind: 3, device: second });
  });

  it("has the MTU that it says, else its device's", () => {
    const { addressing, second } = setup();
    const route = { prefix: parsePrefix("0.0.0.0/0"), device: second };
    expect(addressing.mtuOf(newRoute(route))).toBe(576);
    expect(addressing.mtuOf(newRoute({ ...route, mtu: 1400 }))).toBe(1400);
  });
});

describe("a device", () => {
  it("is added once, and takes its addresses and routes with it", () => {
    const { addressing, first, one } = setup();
    addressing.addAddress(one, parseIpv4("10.1.2.1"), 24);
    addressing.fib.add(newRoute({ prefix: parsePrefix("8.0.0.0/8"), device: first }));
    expect(() => addressing.addInterface(first)).toThrow(OptionError);
    addressing.removeInterface(first);
    addressing.removeInterface(first);
    expect([...addressing.fib.main]).toEqual([]);
    expect([...addressing.interfaces.keys()].map(({ name }) => name)).toEqual(["lo", "e1"]);
    expect(addressing.isLocal(parseIpv4("10.1.2.1"))).toBe(false);
  });
});
