/** Domains of a zone that are restarted, saved, restored, held and ended. */
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import type { Domain } from "../../src/zone/domain.ts";
import { Zone } from "../../src/zone/zone.ts";
import type { ZoneHost } from "../../src/zone/zone-host.ts";
import type { Host } from "../../src/guest/host.ts";
import { EVERYWHERE, OUTSIDE, repliesOf } from "../support/hosts.ts";
import { nodesOf, traces } from "./traces.ts";

interface Stand {
  readonly zone: Zone;
  readonly host: ZoneHost;
  readonly outside: Host;
  readonly domain: Domain;
  readonly before: Record<string, unknown>;
}

/** A host that had a domain before, and has one that is up. */
async function standOf(
  profile: "ec2-2010" | "linux",
  options: Parameters<ZoneHost["launch"]>[0] = {},
): Promise<Stand> {
  const zone = new Zone({ seed: 5, profile });
  zone.setSecurityGroup("open", [{ source: EVERYWHERE, protocol: "icmp" }]);
  const host = zone.addHost();
  const outside = zone.addInternetHost({ name: "www.example.com", address: OUTSIDE });
  host.destroy(host.launch());
  const before = traces(host);
  const domain = host.launch({ securityGroups: ["open"], ...options });
  await zone.run({ until: "20s" });
  return { zone, host, outside, domain, before };
}

/** The zone after `seconds` more. */
const later = (zone: Zone, seconds: number): Promise<void> =>
  zone.run({ until: zone.now + seconds * SECOND });

describe.each(["ec2-2010", "linux"] as const)("a domain of %s", (profile) => {
  const gap = profile === "linux" ? 2 : 0;

  it("is another Xen domain with a fresh guest after a reboot, and the same instance", async () => {
    const { zone, host, outside, domain, before } = await standOf(profile);
    const { guest, name, mac, privateAddress, publicAddress } = domain;
    expect([domain.domid, domain.backend.name, domain.state]).toEqual([2, "vif2.0", "running"]);
    host.shutdown(domain, "reboot");
    if (gap > 0) {
      expect([domain.state, domain.isOnline]).toEqual(["restarting", false]);
      expect([...host.dom0.vifs]).toEqual([]);
      await later(zone, gap);
    }
    expect([domain.domid, domain.backend.name, domain.state]).toEqual([3, "vif3.0", "running"]);
    expect(domain).toMatchObject({ name, mac, privateAddress, publicAddress });
    expect(domain.guest).not.toBe(guest);
    expect(domain.guest?.lease).toBeNull();
    await later(zone, 20);
    expect(domain.guest?.lease?.address).toBe(privateAddress);
    expect([...host.dom0.vifs].map((vif) => vif.name)).toEqual(["vif3.0"]);
    expect(nodesOf(host)).toContain('/local/domain/0/backend/vbd/3/2049/node = "/dev/loop13"');
    if (publicAddress === null) throw new Error("it has a public address");
    expect(await repliesOf(zone, outside, publicAddress)).toBe(3);
    host.destroy(domain);
    expect([domain.state, [...host.domains]]).toEqual(["gone", []]);
    expect(traces(host)).toEqual(before);
    await later(zone, 1);
    expect(zone.pool.live).toBe(0);
  });

  it("powers off by its own node, and is gone", async () => {
    const { zone, host, domain, before } = await standOf(profile);
    const ended: string[] = [];
    zone.onDomain(({ kind, domain: one }) => ended.push(`${one.name} ${kind}`));
    host.shutdown(domain, "poweroff");
    expect(ended).toEqual([`${domain.name} halted`, `${domain.name} ended`]);
    expect([domain.state, [...host.domains]]).toEqual(["gone", []]);
    expect(traces(host)).toEqual(before);
    const next = host.launch({ privateAddress: domain.privateAddress });
    await later(zone, 20);
    expect(next.guest?.lease?.address).toBe(domain.privateAddress);
    expect(() => host.shutdown(domain, "reboot")).toThrow("a running domain");
    expect(() => host.crash(domain)).toThrow("a running domain");
  });

  it("goes on after a restore: the same guest, its connections, another vif", async () => {
    const { zone, host, outside, domain, before } = await standOf(profile);
    const { guest } = domain;
    if (guest === null) throw new Error("it has a guest");
    const answers: string[] = [];
    const server = outside.udp.bind(9000, ({ src, srcPort, bytes, start, end }, socket, now) => {
      socket.send(bytes.slice(start, end), src, srcPort, now);
    });
    const socket = guest.host.udp.bind(0, ({ bytes, start, end }) => {
      answers.push(new TextDecoder().decode(bytes.subarray(start, end)));
    });
    const say = (text: string): void => {
      socket.send(new TextEncoder().encode(text), OUTSIDE, server.port, zone.now);
    };
    say("one");
    await later(zone, 1);
    const { conntrack } = host.dom0.gatewayFirewall;
    const flows = conntrack?.entries(zone.now).length;
    host.save(domain);
    expect([domain.state, domain.isOnline, domain.domid]).toEqual(["saved", false, 2]);
    expect([...host.xen.domains]).toEqual([]);
    expect([...host.domains]).toEqual([domain]);
    say("lost");
    await later(zone, 3);
    host.restore(domain);
    expect([domain.state, domain.domid, domain.backend.name]).toEqual(["running", 3, "vif3.0"]);
    expect(domain.guest).toBe(guest);
    say("two");
    await later(zone, 2);
    expect(answers).toEqual(["one", "two"]);
    expect(conntrack?.entries(zone.now).length).toBe(flows);
    expect(guest.lease?.address).toBe(domain.privateAddress);
    expect(() => host.restore(domain)).toThrow("a saved domain");
    host.save(domain);
    host.destroy(domain);
    expect(traces(host)).toEqual(before);
    await later(zone, 1);
    expect(zone.pool.live).toBe(0);
  });

  it("keeps a crashed domain that is to be preserved, until it is destroyed", async () => {
    const { zone, host, domain, before } = await standOf(profile, { onCrash: "preserve" });
    host.crash(domain);
    expect([domain.state, domain.domid, domain.isOnline]).toEqual(["shutdown", 2, true]);
    expect(host.listText()).toMatch(/dom_\d+ +2 .*---sc-/);
    await later(zone, 30);
    expect(domain.state).toBe("shutdown");
    expect(() => host.shutdown(domain, "reboot")).toThrow("a running domain");
    host.destroy(domain);
    expect(traces(host)).toEqual(before);
  });

  it("keeps a crashed domain under another name where that was asked for", async () => {
    const options = { onCrash: "rename-restart" } as const;
    const { zone, host, domain } = await standOf(profile, options);
    host.crash(domain);
    await later(zone, gap);
    const names = [...host.xen.domains].map((one) => `${one.domid} ${one.status}`);
    if (profile === "linux") {
      // xl leaves the dead one its devices, so that the next one cannot be built.
      expect([names, domain.state, domain.domid]).toEqual([["2 shutdown"], "shutdown", 2]);
    } else {
      expect([names, domain.domid]).toEqual([["2 shutdown", "3 running"], 3]);
      await later(zone, 20);
      expect(domain.guest?.lease).not.toBeNull();
    }
    const { domid } = domain;
    host.destroy(domain);
    expect([...host.domains]).toEqual([]);
    expect([...host.dom0.vifs]).toEqual([]);
    for (const one of [...host.xen.domains]) host.xen.destroy(one.domid, zone.now);
    expect(host.xen.find(domid)).toBeNull();
    expect(host.xen.devices.loops).toBe(0);
  });

  it("runs nothing while it is held, and goes on", async () => {
    const { zone, host, outside, domain } = await standOf(profile);
    const { publicAddress } = domain;
    if (publicAddress === null) throw new Error("it has a public address");
    expect(await repliesOf(zone, outside, publicAddress)).toBe(3);
    host.pause(domain);
    expect(domain.state).toBe("paused");
    const ping = outside.ping({ target: publicAddress, count: 3 }, zone.now);
    await later(zone, 3);
    expect(ping.received).toBe(0);
    expect(() => host.save(domain)).toThrow("a guest that suspends");
    host.unpause(domain);
    expect(domain.state).toBe("running");
    await later(zone, 5);
    // What came meanwhile waited in the ring.
    expect(ping.received).toBe(3);
    expect(await repliesOf(zone, outside, publicAddress)).toBe(3);
    host.pause(domain);
    host.crash(domain);
    await later(zone, gap);
    expect(domain.state).toBe(profile === "linux" ? "gone" : "running");
  });

  it("has the public address and the volume of before after a restart", async () => {
    const { zone, host, domain, before } = await standOf(profile);
    host.attachVolume(domain, { dev: "sdf", path: "/dev/gnbd89", sectors: 64 });
    const { publicAddress: old } = domain;
    host.associate(domain);
    const { publicAddress } = domain;
    expect(publicAddress).not.toBe(old);
    for (const again of ["reboot", "save"] as const) {
      if (again === "reboot") host.shutdown(domain, "reboot");
      else host.save(domain);
      await later(zone, gap + 1);
      if (again === "save") host.restore(domain);
      expect(domain.publicAddress).toBe(publicAddress);
      expect(host.diskOf(domain, "sdf")?.geometry?.sectors).toBe(64);
      await later(zone, 20);
    }
    host.destroy(domain);
    expect(traces(host)).toEqual(before);
  });

  it("moves an external vif to the new one: who listens goes on", async () => {
    const { zone, host, domain } = await standOf(profile, { guest: "external" });
    const { external } = domain;
    if (external === null) throw new Error("it has a vif of ours");
    let received = 0;
    external.onReceive(() => {
      received += 1;
    });
    const frame = new Uint8Array(60).fill(0xff, 0, 6);
    const steps = [
      () => host.shutdown(domain, "reboot"),
      () => host.save(domain),
      () => host.restore(domain),
      () => host.pause(domain),
      () => host.unpause(domain),
      () => host.destroy(domain),
    ];
    const taken: boolean[] = [external.transmit(frame)];
    for (const step of steps) {
      step();
      await later(zone, gap);
      taken.push(external.transmit(frame));
    }
    expect(taken).toEqual([true, true, false, true, false, true, false]);
    await later(zone, 1);
    expect(zone.pool.live).toBe(0);
    expect(received).toBe(0);
  });
});

it("gives up a restart that is still to come when the domain is destroyed", async () => {
  const { zone, host, domain, before } = await standOf("linux");
  host.shutdown(domain, "reboot");
  await later(zone, 1);
  host.destroy(domain);
  await later(zone, 5);
  expect([...host.xen.domains]).toEqual([]);
  expect(traces(host)).toEqual(before);
});

it("destroys a domain that reboots again within twenty seconds, as xend does", async () => {
  const { zone, host, domain, before } = await standOf("ec2-2010");
  host.shutdown(domain, "reboot");
  await later(zone, 19);
  host.shutdown(domain, "reboot");
  expect(domain.state).toBe("gone");
  expect(traces(host)).toEqual(before);
});

it("restores a domain without disks on another host beside its address", async () => {
  const { zone, host, outside, domain, before } = await standOf("ec2-2010", {
    hasInstanceStore: false,
  });
  const other = zone.addHost();
  const { guest, publicAddress } = domain;
  if (publicAddress === null) throw new Error("it has a public address");
  host.save(domain);
  expect(traces(host)).toEqual(before);
  expect(() => other.restore(domain)).toThrow("a domain of the host");
  other.restore(domain, host);
  expect([...host.domains, ...other.domains]).toEqual([domain]);
  expect([domain.domid, domain.guest, domain.state]).toEqual([1, guest, "running"]);
  expect(await repliesOf(zone, outside, publicAddress)).toBe(3);
  const heavy = host.launch();
  host.save(heavy);
  expect(() => other.restore(heavy, host)).toThrow("without disks on its host");
  host.restore(heavy);
  other.destroy(domain);
  host.destroy(heavy);
  expect(traces(host)).toEqual(before);
});

it("has the faults of a link after a restart that were set before", async () => {
  const { zone, host, outside, domain } = await standOf("ec2-2010");
  const { publicAddress, name } = domain;
  if (publicAddress === null) throw new Error("it has a public address");
  host.shutdown(domain, "reboot");
  await later(zone, 21);
  zone.setFaults(name, { loss: 1 });
  host.save(domain);
  host.restore(domain);
  expect(await repliesOf(zone, outside, publicAddress)).toBe(0);
  zone.setFaults(name, null);
  expect(await repliesOf(zone, outside, publicAddress)).toBe(3);
});
