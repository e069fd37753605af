import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { ETHERNET } from "../../src/l2/ethernet.ts";
import { Zone } from "../../src/zone/zone.ts";
import type { Domain } from "../../src/zone/domain.ts";
import { repliesOf } from "../support/hosts.ts";

function newZone(ebtables: string | null): { zone: Zone; first: Domain; second: Domain } {
  const zone = new Zone({ seed: 7, traceLimit: 100 });
  const host = zone.addHost({
    hasSecurityGroups: false,
    ...(ebtables === null ? {} : { ebtables }),
  });
  const [first, second] = [host.launch({ domid: 1 }), host.launch({ domid: 2 })];
  return { zone, first, second };
}

async function ping({ zone, first, second }: ReturnType<typeof newZone>): Promise<number> {
  await zone.run({ until: "15s" });
  const { host } = first.guest ?? {};
  return host === undefined ? -1 : repliesOf(zone, host, second.privateAddress);
}

describe("a host whose vifs have rules about frames", () => {
  it("is one without, octet for octet, if the rules let all pass", async () => {
    const captures = [null, "*filter\n:own RETURN\n-A INPUT -j own\n*nat\n"].map(async (text) => {
      const stand = newZone(text);
      const chunks: Uint8Array[] = [];
      stand.zone.capture.writeTo((chunk) => chunks.push(chunk.slice()));
      expect(await ping(stand)).toBe(3);
      stand.zone.close();
      return Buffer.concat(chunks);
    });
    const [without, withRules] = await Promise.all(captures);
    expect(without).toBeDefined();
    expect(withRules?.equals(without ?? Buffer.alloc(0))).toBe(true);
  });

  it("gives no lease when INPUT drops DHCP: dhcpd listens above the bridge", async () => {
    const stand = newZone(
      "*filter\n-A INPUT -i vif1.0 -p IPv4 --ip-proto udp --ip-dport 67 -j DROP",
    );
    await stand.zone.run({ until: "15s" });
    expect([stand.first, stand.second].map(({ guest }) => guest?.lease != null)).toEqual([
      false,
      true,
    ]);
    expect(stand.zone.pool.ends.get("filter/dropped")).toBeGreaterThan(0);
  });

  it("tells table, chain and rule of what they drop", async () => {
    const stand = newZone("*nat\n-A POSTROUTING -o vif2.0 -p IPv4 --ip-proto icmp -j DROP");
    expect(await ping(stand)).toBe(0);
    const steps = [...(stand.zone.capture.trace?.stories() ?? [])].flatMap((story) => story.steps);
    const told = steps.find(({ what }) => what.startsWith("ebtables"));
    expect(told?.where).toBe("vif2.0 POSTROUTING");
    expect(told?.what).toBe(
      "ebtables table nat, chain POSTROUTING, rule 1: " +
        "-A POSTROUTING -p IPv4 -o vif2.0 --ip-proto icmp -j DROP",
    );
  });

  it("answers ARP before the stack does, with the address that the rule says", async () => {
    const rule = "-A PREROUTING -p ARP --arp-op Request -j arpreply --arpreply-mac";
    const stand = newZone(`*nat\n${rule} 02:00:00:00:00:99`);
    await stand.zone.run({ until: "15s" });
    const { host } = stand.first.guest ?? {};
    expect(host && (await repliesOf(stand.zone, host, stand.second.privateAddress))).toBe(0);
    expect(stand.zone.pool.ends.get("filter/arp-answered")).toBeGreaterThan(0);
    expect(stand.zone.pool.ends.get("ethernet/other-host")).toBe(0);
    expect(stand.zone.pool.ends.get("bridge/no-port")).toBeGreaterThan(0);
  });

  it("lets iptables see the marks that ebtables sets", async () => {
    const stand = newZone("*nat\n-A PREROUTING -i vif1.0 -j mark --mark-set 7");
    const { rules } = [...stand.zone.hosts][0]?.dom0.firewall ?? {};
    rules?.command("-t mangle -A PREROUTING -m mark --mark 7 -p icmp -j DROP");
    expect(await ping(stand)).toBe(0);
  });

  it("hides the domU's address behind another one", async () => {
    const stand = newZone("*nat\n-A POSTROUTING -o vif2.0 -j snat --to-src 2:0:0:0:0:c --snat-arp");
    const macs = new Set<number>();
    stand.second.guest?.host.device.addTap({
      tap: (_device, { pool, frame }) => macs.add(ETHERNET.src.get(pool.view, frame)),
    });
    await stand.zone.run({ until: "15s" });
    expect([...macs]).toEqual([0x0200_0000_000c]);
  });

  it("feels a new rule at once, whatever flows are under way", async () => {
    const stand = newZone("*filter\n");
    expect(await ping(stand)).toBe(3);
    const { ebtables } = [...stand.zone.hosts][0]?.dom0 ?? {};
    ebtables?.command("-A OUTPUT -o vif2.0 -p IPv4 --ip-proto icmp -j DROP");
    const { host } = stand.first.guest ?? {};
    expect(host && (await repliesOf(stand.zone, host, stand.second.privateAddress))).toBe(0);
    ebtables?.command("-F");
    expect(host && (await repliesOf(stand.zone, host, stand.second.privateAddress))).toBe(3);
  });

  it("refuses a host whose rules cannot be read", () => {
    expect(() => new Zone().addHost({ ebtables: "*broute\n" })).toThrow(ParseError);
  });
});
