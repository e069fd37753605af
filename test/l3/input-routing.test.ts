import { describe, expect, it } from "vitest";
import { parseIpv4 } from "../../src/wire/addr.ts";
import type { Reason } from "../../src/wire/packet.ts";
import { InputRouting } from "../../src/l3/input-routing.ts";
import type { InterfaceSettings } from "../../src/l3/interface.ts";
import { RouteKind } from "../../src/l3/route-table.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";
import { Bench } from "./bench.ts";

/** What `profile` decides about packets that come in by e0, 10.1.2.1/24. */
function decider(profile: typeof LINUX, settings: Partial<InterfaceSettings> = {}) {
  const bench = new Bench(profile.router);
  const device = bench.addDevice("e0", ["10.1.2.1/24"], settings);
  bench.addDevice("e1", ["10.2.2.1/24"]);
  const { addressing } = bench.router;
  const { fib, interfaces } = addressing;
  const routing = new InputRouting(fib, profile.router, interfaces);
  const decide = (src: string, dst: string): Reason | RouteKind => {
    const via = interfaces.get(device);
    if (via === undefined) throw new Error("the device is gone");
    routing.decide(via, parseIpv4(src), parseIpv4(dst));
    return routing.reason ?? routing.kind;
  };
  return { routing, decide, interfaces, device };
}

const GUEST = "10.1.2.2";
const OTHER = "10.2.2.2";

describe("a source", () => {
  it.each([
    ["224.0.0.9", "route/martian-source", "route/martian-source"],
    ["255.255.255.255", "route/martian-source", "route/martian-source"],
    ["127.0.0.1", "route/martian-source", "route/martian-source"],
    ["0.0.0.0", "route/martian-source", "route/martian-source"],
    ["0.1.2.3", "route/martian-source", RouteKind.Unicast],
    ["240.0.0.1", "route/martian-source", RouteKind.Unicast],
    ["10.1.2.1", "route/martian-source", "route/martian-source"],
    ["10.1.2.255", "route/martian-source", RouteKind.Unicast],
    ["8.8.8.8", RouteKind.Unicast, RouteKind.Unicast],
    [GUEST, RouteKind.Unicast, RouteKind.Unicast],
  ] as const)("%s is judged %s by 2.6.18 and %s by a current kernel", (src, before, now) => {
    expect(decider(EC2_2010).decide(src, OTHER)).toBe(before);
    expect(decider(LINUX).decide(src, OTHER)).toBe(now);
  });

  it("must have its way back over its device, or over any, as rp_filter asks", () => {
    const judge = (rpFilter: 0 | 1 | 2) => {
      const { decide } = decider(LINUX, { rpFilter });
      return [GUEST, "10.2.2.9", "8.8.8.8"].map((src) => decide(src, OTHER));
    };
    const martian = "route/martian-source";
    expect(judge(0)).toEqual([RouteKind.Unicast, RouteKind.Unicast, RouteKind.Unicast]);
    expect(judge(1)).toEqual([RouteKind.Unicast, martian, martian]);
    expect(judge(2)).toEqual([RouteKind.Unicast, RouteKind.Unicast, martian]);
  });
});

describe("a destination", () => {
  it.each([
    ["10.1.2.1", RouteKind.Local],
    ["10.2.2.1", RouteKind.Local],
    ["10.1.2.255", RouteKind.Broadcast],
    ["255.255.255.255", RouteKind.Broadcast],
    ["224.0.0.1", RouteKind.Multicast],
    ["224.0.0.5", "route/not-a-member"],
    ["127.0.0.1", "route/martian-destination"],
    ["0.0.0.0", "route/martian-destination"],
    ["8.8.8.8", "route/unreachable"],
    [OTHER, RouteKind.Unicast],
  ] as const)("%s is judged %s", (dst, expected) => {
    expect(decider(LINUX).decide(GUEST, dst)).toBe(expected);
  });

  it("of all is for a host without an address too", () => {
    const { decide } = decider(LINUX);
    expect(decide("0.0.0.0", "255.255.255.255")).toBe(RouteKind.Broadcast);
    expect(decide("0.0.0.0", "0.0.0.0")).toBe(RouteKind.Broadcast);
    expect(decide("0.0.0.0", "224.0.0.1")).toBe(RouteKind.Multicast);
    expect(decide("127.0.0.1", "224.0.0.1")).toBe("route/martian-source");
  });

  it("of a group is judged by the source (ip_route_input_mc)", () => {
    const localnet = { rpFilter: 0, acceptsLocal: true, routesLocalnet: true } as const;
    expect(decider(LINUX, localnet).decide("127.0.0.1", "224.0.0.1")).toBe(RouteKind.Multicast);
    const open = { rpFilter: 0 } as const;
    expect(decider(LINUX, open).decide("240.0.0.1", "224.0.0.1")).toBe(RouteKind.Multicast);
    const before = decider(EC2_2010, open).decide("240.0.0.1", "224.0.0.1");
    expect(before).toBe("route/martian-source");
  });

  it("is refused where forwarding is off, once the options are read", () => {
    const { routing, decide } = decider(LINUX, { isForwarding: false });
    expect(decide(GUEST, OTHER)).toBe("route/not-forwarding");
    expect(routing).toMatchObject({ isRefused: true, refusal: -1 });
    expect(decide(GUEST, "10.1.2.1")).toBe(RouteKind.Local);
  });
});

describe("a detour", () => {
  it("is a way back out by the device of a sender who is on its link", () => {
    const isDetour = (src: string, dst: string, sendsRedirects = true): boolean => {
      const { routing, decide } = decider(LINUX, { sendsRedirects });
      decide(src, dst);
      return routing.isDetour;
    };
    expect(isDetour(GUEST, "10.1.2.3")).toBe(true);
    expect(isDetour("10.2.2.9", "10.1.2.3")).toBe(false);
    expect(isDetour(GUEST, OTHER)).toBe(false);
    expect(isDetour(GUEST, "10.1.2.3", false)).toBe(false);
  });
});

describe("proxy ARP", () => {
  const mayProxy = (settings: Partial<InterfaceSettings>, target = OTHER): boolean => {
    const { routing, decide, interfaces, device } = decider(LINUX, settings);
    decide(GUEST, target);
    const via = interfaces.get(device);
    return via !== undefined && routing.mayProxy(via, parseIpv4(GUEST), parseIpv4(target));
  };

  it("is for what lies behind another device, if it is on", () => {
    expect(mayProxy({ hasProxyArp: true })).toBe(true);
    expect(mayProxy({})).toBe(false);
    expect(mayProxy({ hasProxyArp: true }, "10.1.2.3")).toBe(false);
    expect(mayProxy({ hasProxyArp: true }, "8.8.8.8")).toBe(false);
    expect(mayProxy({ hasProxyArp: true }, "10.2.2.1")).toBe(false);
  });

  it("is not for what lies on the same medium, or where the medium is -1", () => {
    expect(mayProxy({ hasProxyArp: true, mediumId: 1 })).toBe(true);
    expect(mayProxy({ hasProxyArp: true, mediumId: -1 })).toBe(false);
  });

  it("is for what lies on the device itself where that is asked for, but for the asker", () => {
    expect(mayProxy({ hasProxyArpPvlan: true }, "10.1.2.3")).toBe(true);
    expect(mayProxy({ hasProxyArpPvlan: true }, GUEST)).toBe(false);
    expect(mayProxy({ hasProxyArpPvlan: true })).toBe(false);
  });
});
