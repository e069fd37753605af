/** What later launches name is kept from those that come before. */
import { describe, expect, it } from "vitest";
import { formatIpv4, formatMac, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { macFor } from "../../src/zone/address-plan.ts";
import { Zone } from "../../src/zone/zone.ts";

describe("a launch", () => {
  it("has what it names, although others came before, if that was reserved", () => {
    const zone = new Zone();
    const later = {
      name: "dom_32504936",
      domid: 1,
      mac: macFor(parseIpv4("10.254.170.2")),
      privateAddress: parseIpv4("10.254.170.2"),
      publicAddress: parseIpv4("75.101.160.7"),
    };
    zone.reserve([parseIpv4("10.254.168.2"), parseIpv4("216.182.232.10")]);
    const host = zone.addHost();
    expect(formatIpv4(host.dom0.privateAddress)).toBe("10.254.168.3");
    expect(formatIpv4(host.dom0.externalAddress)).toBe("216.182.232.11");
    host.reserve(later);
    const first = host.launch({ guest: "external" });
    expect([first.name, first.domid, formatIpv4(first.privateAddress)]).toEqual([
      "dom_32504937",
      2,
      "10.254.170.3",
    ]);
    const named = host.launch({ guest: "external", ...later });
    expect(named).toMatchObject(later);
    expect(() => zone.addHost({ privateAddress: later.privateAddress })).toThrow("nobody else has");
  });

  it("takes the plan's MAC address, or one beside it if somebody has that", () => {
    const host = new Zone().addHost();
    const planned = macFor(parseIpv4("10.254.170.3"));
    host.launch({ guest: "external", mac: planned });
    const { mac } = host.launch({ guest: "external" });
    expect([formatMac(planned), formatMac(mac)]).toEqual([
      "12:31:39:00:a5:f9",
      "12:31:39:01:a5:f9",
    ]);
    const taken = "mac: expected a MAC address that no other domain has";
    expect(() => host.launch({ mac })).toThrow(taken);
    expect(() => host.launch({ mac: parseMac("01:00:5e:00:00:01") })).toThrow("of one station");
  });

  it("that fails takes nothing", () => {
    const zone = new Zone();
    const host = zone.addHost();
    const wish = { name: "dom_7", mac: parseMac("12:31:39:00:00:01"), guest: "external" as const };
    const rest = { privateAddress: parseIpv4("10.254.170.9"), publicAddress: parseIpv4("1.2.3.4") };
    expect(() => host.launch({ ...wish, ...rest, securityGroups: ["nobody's"] })).toThrow(
      "nobody's",
    );
    expect(() =>
      host.launch({ ...wish, ...rest, publicAddress: parseIpv4("216.182.232.10") }),
    ).toThrow("publicAddress: expected an address that nobody else has");
    expect(host.launch({ ...wish, ...rest })).toMatchObject(rest);
  });

  it("takes no name that has a second spelling", () => {
    const host = new Zone().addHost();
    expect(() => host.launch({ name: "dom_007" })).toThrow('got "dom_007"');
    host.launch({ name: "dom_4294967295", guest: "external" });
    expect(host.launch({ guest: "external" }).name).toBe("dom_0");
  });
});

describe("hosts and internet hosts", () => {
  it("get names, addresses and gateways that are nobody's", () => {
    const zone = new Zone();
    zone.addInternetHost({ name: "host-b", address: parseIpv4("216.182.232.10") });
    zone.addInternetHost({ name: "ns", address: parseIpv4("93.184.216.1") });
    const hosts = [zone.addHost(), zone.addHost()];
    expect(hosts.map(({ name }) => name)).toEqual(["host-a", "host-c"]);
    expect(hosts.map(({ dom0 }) => formatIpv4(dom0.externalAddress))).toEqual([
      "216.182.232.11",
      "216.182.232.12",
    ]);
    const address = parseIpv4("93.184.216.2");
    expect(() => zone.addInternetHost({ name: "www", address })).toThrow("nobody else has");
    expect(() => zone.addHost({ name: "ns" })).toThrow("a name that nobody else has");
  });
});
