import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { digestOf } from "../../src/pcap/digest.ts";
import { formatIpv4, parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { Zone } from "../../src/zone/zone.ts";
import {
  EVERYWHERE,
  FIRST_PUBLIC,
  OUTSIDE,
  repliesOf,
  SECOND_PUBLIC,
  seedZone,
} from "../support/hosts.ts";

/** The octets of a capture of a zone's busy minute. */
async function busyMinute(
  seed: number,
  isCaptured: boolean,
): Promise<{ capture: string; ends: string }> {
  const { zone, first, second, outside } = seedZone({ seed });
  const chunks: Uint8Array[] = [];
  if (isCaptured) zone.capture.writeTo((chunk) => chunks.push(chunk.slice()));
  zone.at("12s", (now) => first.guest?.host.ping({ target: second.privateAddress, count: 3 }, now));
  zone.at("14s", (now) => first.guest?.host.traceroute({ target: OUTSIDE }, now));
  zone.at("20s", (now) => outside.ping({ target: SECOND_PUBLIC, count: 2 }, now));
  await zone.run({ until: "60s" });
  zone.close();
  return {
    capture: Buffer.concat(chunks).toString("base64"),
    ends: JSON.stringify(zone.pool.ends.entries()),
  };
}

describe("a zone", () => {
  it("boots its domUs over DHCP with the addresses of the plan", async () => {
    const { zone, first, second } = seedZone();
    await zone.run({ until: "15s" });
    expect(first.guest?.lease?.address).toBe(first.privateAddress);
    expect(second.guest?.lease?.hostName).toBe("domU-12-31-39-00-A5-12");
    expect([first.name, first.instanceId]).toEqual(["dom_32504936", "i-00b6bc68"]);
  });

  it("lets domUs reach each other and the outside, by private and public addresses", async () => {
    const { zone, first, second } = seedZone();
    await zone.run({ until: "15s" });
    const { host } = first.guest ?? {};
    expect(host && (await repliesOf(zone, host, second.privateAddress))).toBe(3);
    expect(host && (await repliesOf(zone, host, OUTSIDE))).toBe(3);
    expect(host && (await repliesOf(zone, host, SECOND_PUBLIC))).toBe(3);
    expect(host && (await repliesOf(zone, host, FIRST_PUBLIC))).toBe(3);
  });

  it("lets the outside reach a domU by its public address alone", async () => {
    const { zone, outside, first } = seedZone();
    await zone.run({ until: "15s" });
    expect(await repliesOf(zone, outside, FIRST_PUBLIC)).toBe(3);
    expect(await repliesOf(zone, outside, first.privateAddress)).toBe(3);
  });

  it("shows Dom0's private and then its external address to a traceroute", async () => {
    const { zone, first } = seedZone();
    await zone.run({ until: "15s" });
    // The gateway then knows its neighbor: 2.6.18 lets three packets wait for one, not sixteen.
    expect(first.guest && (await repliesOf(zone, first.guest.host, OUTSIDE))).toBe(3);
    const trace = first.guest?.host.traceroute({ target: OUTSIDE }, zone.now);
    await zone.run({ until: "60s" });
    const hops = trace?.hops.map(({ answers: [answer] }) =>
      answer?.address === undefined ? "*" : formatIpv4(answer.address),
    );
    expect(hops).toEqual(["10.254.168.2", "216.182.232.10", "216.182.232.1", "93.184.216.34"]);
  });

  it("discards silently what no security group permits, and follows a change at once", async () => {
    const { zone, outside } = seedZone();
    zone.setSecurityGroup("open", []);
    await zone.run({ until: "15s" });
    expect(await repliesOf(zone, outside, FIRST_PUBLIC)).toBe(0);
    expect(zone.pool.ends.get("security-group/no-permission")).toBe(3);
    zone.setSecurityGroup("open", [{ protocol: "icmp", source: parsePrefix("93.184.216.0/24") }]);
    expect(await repliesOf(zone, outside, FIRST_PUBLIC)).toBe(3);
  });

  it("permits a group's members by their private addresses", async () => {
    const zone = new Zone({ seed: 3 });
    const host = zone.addHost();
    zone.setSecurityGroup("front", [{ protocol: "icmp", source: EVERYWHERE }]);
    zone.setSecurityGroup("back", [{ group: "front" }]);
    const front = host.launch({ securityGroups: ["front"] });
    const back = host.launch({ securityGroups: ["back"] });
    const stranger = host.launch();
    await zone.run({ until: "30s" });
    const ping = async (from: typeof front, to: typeof back): Promise<number | undefined> =>
      from.guest === null ? undefined : repliesOf(zone, from.guest.host, to.privateAddress);
    expect(await ping(front, back)).toBe(3);
    expect(await ping(stranger, back)).toBe(0);
    host.destroy(front);
    const heir = host.launch({ privateAddress: front.privateAddress });
    await zone.run({ until: zone.now + 30_000_000 });
    expect(await ping(heir, back)).toBe(0);
  });

  it("joins hosts by the fabric, with private addresses between them", async () => {
    const zone = new Zone({ seed: 5 });
    zone.setSecurityGroup("default", [{ protocol: "icmp", source: parsePrefix("10.0.0.0/8") }]);
    const here = zone.addHost().launch();
    const neighbour = zone.addHost().launch();
    const there = zone.addHost({ privateAddress: parseIpv4("10.254.172.2") }).launch({
      privateAddress: parseIpv4("10.254.174.9"),
    });
    await zone.run({ until: "30s" });
    for (const { privateAddress } of [neighbour, there]) {
      expect(here.guest && (await repliesOf(zone, here.guest.host, privateAddress))).toBe(3);
    }
  });

  it("explains a packet step by step, to its end", async () => {
    const { zone, first } = seedZone();
    await zone.run({ until: "15s" });
    first.guest?.host.ping({ target: OUTSIDE, count: 1 }, zone.now);
    await zone.run({ until: "20s" });
    const stories = [...(zone.capture.trace?.stories() ?? [])];
    const ping = stories.find(({ steps }) => steps.some(({ what }) => what.includes("dev peth0")));
    const places = ping?.steps.map(({ where }) => where);
    expect(places).toEqual(expect.arrayContaining(["vif3.0", "host-a/dom0 route", "peth0"]));
    expect(ping?.ends).toEqual([
      expect.objectContaining({ fate: "consumed", reason: "icmp/echo" }),
    ]);
    expect(zone.explain(ping?.id ?? 0)).toBe(ping);
  });

  it("hands frames to and from an external domU", async () => {
    const zone = new Zone();
    const raw = zone.addHost().launch({ guest: "external" });
    const heard: string[] = [];
    raw.external?.onReceive((frame) =>
      heard.push(Buffer.from(frame.subarray(0, 14)).toString("hex")),
    );
    expect(raw.external?.transmit(new Uint8Array(13))).toBe(false);
    expect(raw.external?.transmit(new Uint8Array(1515))).toBe(false);
    const dom0 = "0afea802";
    const mac = raw.mac.toString(16).padStart(12, "0");
    const own = raw.privateAddress.toString(16).padStart(8, "0");
    const question = `ffffffffffff${mac}08060001080006040001${mac}${own}000000000000${dom0}`;
    expect(raw.external?.transmit(Uint8Array.from(Buffer.from(question, "hex")))).toBe(true);
    await zone.run({ until: "1s" });
    expect(heard).toEqual([`${mac}efffffffffff0806`]);
  });

  it("refuses names, numbers and addresses that are taken", () => {
    const { zone, host, first } = seedZone();
    expect(() => host.launch({ privateAddress: first.privateAddress })).toThrow(OptionError);
    expect(() => host.launch({ publicAddress: FIRST_PUBLIC })).toThrow(OptionError);
    expect(() => host.launch({ name: first.name })).toThrow(OptionError);
    expect(() => host.launch({ domid: first.domid })).toThrow(OptionError);
    expect(() => host.launch({ securityGroups: ["unknown"] })).toThrow(OptionError);
    expect(() => zone.addHost({ name: "host-a" })).toThrow(OptionError);
    expect(() => zone.addInternetHost({ name: "other", address: OUTSIDE })).toThrow(OptionError);
  });

  it("moves a public address from one domain to another, for new connections", async () => {
    const { zone, host, outside, first, second } = seedZone();
    await zone.run({ until: "15s" });
    host.associate(first, null);
    expect(await repliesOf(zone, outside, FIRST_PUBLIC)).toBe(0);
    host.associate(second, FIRST_PUBLIC);
    expect(await repliesOf(zone, outside, FIRST_PUBLIC)).toBe(3);
    expect(await repliesOf(zone, outside, SECOND_PUBLIC)).toBe(0);
    expect([first.publicAddress, second.publicAddress]).toEqual([null, FIRST_PUBLIC]);
  });

  it("lets links fail and heal while it runs", async () => {
    const { zone, outside, first } = seedZone();
    await zone.run({ until: "15s" });
    zone.setFaults(first.name, { loss: 1 });
    expect(await repliesOf(zone, outside, FIRST_PUBLIC)).toBe(0);
    expect(zone.pool.ends.get("link/lost")).toBeGreaterThan(0);
    zone.setFaults(first.name, null);
    expect(await repliesOf(zone, outside, FIRST_PUBLIC)).toBe(3);
    expect(() => zone.setFaults("nobody", null)).toThrow(OptionError);
  });

  it("leaves nothing behind of a domain that is destroyed", async () => {
    const { zone, host, first, second } = seedZone();
    await zone.run({ until: "15s" });
    const { dom0 } = host;
    host.destroy(first);
    host.destroy(second);
    await zone.run({ until: "20s" });
    expect(dom0.firewall.rules.save()).not.toContain("vif3.0");
    expect(dom0.gatewayFirewall.rules.save()).not.toContain("75.101.160.7");
    expect(dom0.dhcpd?.conf).not.toContain("dom_32504936");
    expect(
      [...dom0.router.addressing.fib.main].some(({ device }) => device?.name === "vif3.0"),
    ).toBe(false);
    expect(zone.pool.live).toBe(0);
    expect(
      host.launch({ domid: 3, privateAddress: first.privateAddress, publicAddress: FIRST_PUBLIC })
        .domid,
    ).toBe(3);
  });
});

describe("a zone's chance and time", () => {
  it("gives the same capture for the same seed, and another for another", async () => {
    const [one, same, other] = await Promise.all([
      busyMinute(7, true),
      busyMinute(7, true),
      busyMinute(8, true),
    ]);
    expect(same.capture).toBe(one.capture);
    expect(other.capture).not.toBe(one.capture);
    expect(digestOf(Uint8Array.from(Buffer.from(one.capture, "base64"))).length).toBeGreaterThan(
      1000,
    );
  });

  it("is not changed by a capture", async () => {
    const [watched, alone] = await Promise.all([busyMinute(7, true), busyMinute(7, false)]);
    expect(alone.ends).toBe(watched.ends);
  });

  it("ends every packet exactly once, whatever is destroyed when", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 1000 }),
        fc.array(fc.nat({ max: 30_000_000 }), { maxLength: 4 }),
        async (seed, times) => {
          const { zone, host, first, second, outside } = seedZone({ seed });
          for (const at of times) zone.at(at, () => host.destroy(at % 2 === 0 ? first : second));
          zone.at("6s", (now) => outside.ping({ target: FIRST_PUBLIC, count: 20 }, now));
          zone.at("6s", (now) =>
            first.guest?.host.ping({ target: second.privateAddress, count: 20 }, now),
          );
          await zone.run({ until: "5m" });
          expect(zone.pool.live).toBe(0);
          expect(zone.pool.allocated).toBe(zone.pool.ended);
        },
      ),
      { numRuns: 15 },
    );
  });

  it("runs virtual hours of idle domUs in seconds", async () => {
    const zone = new Zone({ traceLimit: 0 });
    const host = zone.addHost({ dhcpdStartTime: 0 });
    for (let count = 0; count < 100; count += 1) host.launch({ publicAddress: null });
    await zone.run({ until: "30h" });
    expect([...host.domains].every(({ guest }) => guest?.lease != null)).toBe(true);
  });
});
