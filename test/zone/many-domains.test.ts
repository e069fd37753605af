/** How many domains one host has at a time: event channels are what runs out first. */
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { BlockOp } from "../../src/xen/io/blkif.ts";
import { Zone } from "../../src/zone/zone.ts";
import type { ZoneHost } from "../../src/zone/zone-host.ts";
import { traces } from "./traces.ts";

const DOMAINS = 1000;
/** Of Dom0 for a domain with a vif and three disks: its store's, and one for each device. */
const PORTS = 5;
const LAST_OF_TWO_LEVELS = 4095;

/** Let Dom0's next port be `next`. */
function useUp({ hypervisor }: ZoneHost, next: number): void {
  let port = 0;
  while (port < next - 1) port = hypervisor.events.allocUnbound(0, 0);
  expect(port).toBe(next - 1);
}

describe("A host of many domains", () => {
  it(
    "has 1,000 with a vif and three disks each with `linux`, the last as good as the first",
    {
      timeout: 300_000,
    },
    async () => {
      const zone = new Zone({ seed: 2, profile: "linux" });
      const host = zone.addHost();
      zone.setSecurityGroup("default", [{ group: "default" }]);
      host.destroy(host.launch());
      const before = traces(host);
      // dhcpd knows some 750 addresses beside its host: this one has one of them, and becomes
      // another domain, with ports of its own, when all others have theirs.
      const last = host.launch();
      const peer = host.launch();
      await zone.run({ until: "5s" });
      host.save(last);
      const all = Array.from({ length: DOMAINS - 2 }, () => host.launch({ guest: "external" }));
      host.restore(last);
      const { hypervisor } = host;
      expect(hypervisor.events.portOf(0, DOMAINS * PORTS)).not.toBeNull();
      expect(hypervisor.dom0.table.mappings).toBe(DOMAINS * PORTS);
      const target = peer.privateAddress;
      const ping = last.guest?.host.ping({ target, count: 3, interval: SECOND }, zone.now);
      await zone.run({ until: zone.now + 5 * SECOND });
      expect(ping?.received).toBe(3);
      const answers: number[] = [];
      const completion = { completed: (status: number) => void answers.push(status) };
      const octets = new Uint8Array(4096).fill(7);
      const request = { operation: BlockOp.write, sector: 8, octets, completion };
      host.diskOf(last, "sda2")?.front.submit(request, zone.now);
      expect(answers).toEqual([0]);
      for (const domain of [...all, peer, last]) host.destroy(domain);
      expect(traces(host)).toEqual(before);
      await zone.run({ until: zone.now + SECOND });
      expect(zone.pool.live).toBe(0);
    },
  );

  it("has no more of `ec2-2010` than Xen 3.1's 4,095 ports of Dom0 bear", () => {
    const zone = new Zone({ seed: 2, profile: "ec2-2010" });
    const host = zone.addHost();
    useUp(host, LAST_OF_TWO_LEVELS + 1 - PORTS);
    const before = traces(host);
    const domain = host.launch();
    const full = traces(host);
    expect(() => host.launch()).toThrow(/introduce domain 2: EINVAL/u);
    expect(traces(host)).toEqual(full);
    host.destroy(domain);
    expect(traces(host)).toMatchObject({ domains: 0, ports: before["ports"] });
    expect(host.launch().domid).toBe(3);
  });

  it("has more of `linux` where those of the two-level shape end", () => {
    const zone = new Zone({ seed: 2, profile: "linux" });
    const host = zone.addHost();
    useUp(host, LAST_OF_TWO_LEVELS - 1);
    const domain = host.launch();
    expect(domain.guest).not.toBeNull();
    expect(host.hypervisor.events.portOf(0, LAST_OF_TWO_LEVELS - 1 + 4)).not.toBeNull();
  });
});
