import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { type Instant, SECOND } from "../../src/base/time.ts";
import type { Ping } from "../../src/guest/ping.ts";
import { ShutdownReason } from "../../src/xen/hypervisor/domain-table.ts";
import { BlockOp, BlockStatus } from "../../src/xen/io/blkif.ts";
import type { Domain } from "../../src/zone/domain.ts";
import { OUTSIDE } from "../support/hosts.ts";
import { Zone } from "../../src/zone/zone.ts";
import { nodesOf, traces } from "./traces.ts";

describe.each(["ec2-2010", "linux"] as const)("a host of %s", (profile) => {
  it("launches a domain with its store, disks and rings, and leaves nothing of it", async () => {
    const zone = new Zone({ seed: 3, profile });
    const host = zone.addHost();
    host.destroy(host.launch());
    const before = traces(host);
    const domain = host.launch({ name: "dom_32504999", domid: 171 });
    await zone.run({ until: "20s" });
    expect(domain.guest?.lease).not.toBeNull();
    const back = "/local/domain/0/backend";
    const nodes = nodesOf(host);
    for (const device of ["vif/171/0", "vbd/171/2049", "vbd/171/2050", "vbd/171/2051"]) {
      expect(nodes).toContain(`${back}/${device}/state = "4"`);
    }
    expect(nodes).toContain(`${back}/vbd/171/2049/node = "/dev/loop13"`);
    expect(nodes).toContain('/local/domain/171/name = "dom_32504999"');
    expect(host.listText()).toContain("dom_32504999");
    host.destroy(domain);
    expect(traces(host)).toEqual(before);
  });

  it("takes from a domU what its rate says, and what the node says while it runs", async () => {
    const zone = new Zone({ seed: 3, profile });
    const host = zone.addHost();
    const before = traces(host);
    expect(() => host.launch({ rate: "much" })).toThrow('expected a rate such as "10Mb/s"');
    expect(traces(host)).toEqual(before);
    const { domid, external, backend } = host.launch({ guest: "external", rate: "8Kb/s@1s" });
    const node = `/local/domain/0/backend/vif/${domid}/0/rate`;
    expect(nodesOf(host)).toContain(`${node} = "1000,1000000"`);
    let taken = 0;
    zone.observe({
      received: (device) => {
        if (device === backend.device) taken += 1;
      },
      transmitted: () => undefined,
      ended: () => undefined,
      step: () => undefined,
    });
    const frame = new Uint8Array(500);
    frame.fill(0xff, 0, 6);
    for (let count = 0; count < 20; count += 1) external?.transmit(frame);
    await zone.run({ until: "100ms" });
    expect(taken).toBe(2);
    host.xenstore.sessionOf(0)?.write(node, new TextEncoder().encode("3000,1000"));
    host.xen.settle(zone.now);
    await zone.run({ until: "900ms" });
    // More credit at once; but the next period begins where the old rate's would have ended.
    expect(taken).toBe(profile === "linux" ? 8 : 2);
    await zone.run({ until: "1900ms" });
    expect(taken).toBe(profile === "linux" ? 20 : 4);
  });

  it("drops early what is for a guest that takes nothing, and serves it when it does", async () => {
    const zone = new Zone({ seed: 5, profile });
    const host = zone.addHost();
    zone.setSecurityGroup("default", [{ group: "default" }]);
    const [asking, asleep] = [host.launch(), host.launch()];
    await zone.run({ until: "20s" });
    const { device } = asleep.backend;
    const { neighbors } = host.dom0.router;
    neighbors.addPermanent(device, asleep.privateAddress, asleep.mac, zone.now);
    neighbors.learn(device, OUTSIDE, asleep.mac, zone.now);
    const ends: [Instant, string][] = [];
    zone.observe({
      received: () => undefined,
      transmitted: () => undefined,
      ended: (_packet, _fate, reason, now) => {
        if (reason.startsWith("netback/")) ends.push([now, reason]);
      },
      step: () => undefined,
    });
    const ask = (count: number): Ping | undefined =>
      asking.guest?.host.ping(
        { target: asleep.privateAddress, count, interval: SECOND / 10 },
        zone.now,
      );
    host.xen.pause(asleep.domid, zone.now);
    ask(1000);
    await zone.run({ until: "130s" });
    const firstOf = (wanted: string): Instant =>
      ends.find(([, reason]) => reason === wanted)?.[0] ?? 0;
    const reasons = [...new Set(ends.map(([, reason]) => reason))];
    if (profile === "linux") {
      expect(reasons).toEqual(["netback/expired", "netback/no-carrier"]);
      // The first one that waits does so for ten seconds, of the sixty until the carrier goes.
      const between = firstOf("netback/no-carrier") - firstOf("netback/expired");
      expect(Math.round(between / SECOND)).toBe(50);
      expect(neighbors.find(device, OUTSIDE)).toBeNull();
    } else expect(reasons).toEqual(["netback/no-buffers"]);
    host.xen.unpause(asleep.domid, zone.now);
    const before = ends.length;
    const again = ask(3);
    await zone.run({ until: "135s" });
    expect(again?.received).toBe(3);
    expect(ends.length - before).toBe(0);
  });

  it("has the seed document's strings on its first domain, its volume attached", () => {
    const zone = new Zone({ seed: 1, profile });
    const host = zone.addHost();
    const domain = host.launch();
    host.attachVolume(domain, { dev: "sdf", path: "/dev/gnbd89", sectors: 20_971_520 });
    const nodes = nodesOf(host);
    const has = (text: string): void =>
      expect(
        nodes.some((node) => node.endsWith(text)),
        text,
      ).toBe(true);
    has('/2049/node = "/dev/loop13"');
    has('/2049/params = "/mnt/instance_image_store_3/262768"');
    has('/2051/params = "/dev/VolGroupDomU/instance_swap_store_3"');
    has('/2050/params = "/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_3"');
    has('/2128/params = "/dev/gnbd89"');
    has('/script = "/etc/xen/scripts/ec2-vif-route-dhcpd"');
    has('/name = "dom_32504936"');
    const octets = Uint8Array.from({ length: 1024 }, (_, at) => at & 0xff);
    let status = 99;
    const completion = { completed: (answer: number): void => void (status = answer) };
    const { front } = host.diskOf(domain, "sdf") ?? {};
    front?.submit({ operation: BlockOp.write, sector: 7, octets, completion }, zone.now);
    expect(status).toBe(BlockStatus.okay);
  });

  it("has nothing left of a hundred domUs that died at random", async () => {
    const zone = new Zone({ seed: 11, profile });
    const host = zone.addHost();
    host.destroy(host.launch());
    const before = traces(host);
    const chance = new Prng(11, "deaths");
    const living: Domain[] = [];
    for (let launched = 0; launched < 100; launched += 1) {
      living.push(host.launch());
      await zone.run({ until: zone.now + chance.below(2 * SECOND) });
      while (living.length > chance.below(12)) {
        const [victim] = living.splice(chance.below(living.length), 1);
        if (victim === undefined) continue;
        if (chance.below(2) === 0) {
          host.xen.guestShutdown(victim.domid, ShutdownReason.Crash, zone.now);
        }
        host.destroy(victim);
      }
    }
    for (const domain of living) host.destroy(domain);
    expect(traces(host)).toEqual(before);
  });
});

it("launches no more than the host's memory takes", () => {
  const zone = new Zone();
  const host = zone.addHost({ memoryKib: 8 * 2 ** 20 });
  const launched = [1, 2, 3, 4].map(() => host.launch());
  expect(() => host.launch()).toThrow("KiB that are free");
  const [first] = launched;
  if (first !== undefined) host.destroy(first);
  expect(host.launch().domid).toBe(5);
});
