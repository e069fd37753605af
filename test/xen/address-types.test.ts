import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { Router } from "../../src/l3/router.ts";
import { RouteKind } from "../../src/l3/route-table.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { AddressTypes } from "../../src/xen/address-types.ts";
import { LINUX } from "../../src/xen/profile.ts";

const deviceOf = (name: string): Device => new Device({ name, mac: parseMac("02:00:00:00:00:01") });
const inner = deviceOf("in0");
const outer = deviceOf("out0");
const router = new Router({
  ...{ name: "router", pool: new PacketPool({ slots: 1, largeSlots: 0 }) },
  ...{ behaviour: LINUX.router, chance: new Prng(1), midnightOffset: 0 },
});
const settings = { isForwarding: true, hasProxyArp: false, mediumId: 0, sendsRedirects: false };
for (const [device, address] of [
  [inner, "10.0.0.254"],
  [outer, "192.0.2.254"],
] as const) {
  const added = router.addressing.addInterface(device, { ...settings, rpFilter: 0 });
  router.addressing.addAddress(added, parseIpv4(address), 24, null);
}
const types = new AddressTypes(router.addressing);

describe("The type of an address", () => {
  it.each([
    ["10.0.0.254", RouteKind.Local, RouteKind.Local, RouteKind.Unicast],
    ["192.0.2.254", RouteKind.Local, RouteKind.Unicast, RouteKind.Local],
    ["10.0.0.255", RouteKind.Broadcast, RouteKind.Broadcast, RouteKind.Unicast],
    ["255.255.255.255", RouteKind.Broadcast, RouteKind.Broadcast, RouteKind.Broadcast],
    ["224.0.0.1", RouteKind.Multicast, RouteKind.Multicast, RouteKind.Multicast],
    ["127.0.0.9", RouteKind.Local, RouteKind.Unicast, RouteKind.Unicast],
    ["10.0.0.1", RouteKind.Unicast, RouteKind.Unicast, RouteKind.Unicast],
  ])("%s on all devices, on in0, on out0", (text, all, onInner, onOuter) => {
    const address = parseIpv4(text);
    const found = [null, inner, outer].map((device) => types.typeOf(address, device));
    expect(found).toEqual([all, onInner, onOuter]);
  });
});
