/** What people do to a running host at odd moments, and what is left of it. */
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import type { StoreSession } from "../../src/xen/xenstore/session.ts";
import { Zone } from "../../src/zone/zone.ts";
import type { ZoneHost } from "../../src/zone/zone-host.ts";
import { portsOf } from "./traces.ts";

function storeOf({ xenstore }: ZoneHost, domid = 0): StoreSession {
  const session = xenstore.connect({ domid });
  if (session === null) throw new Error("the store takes a client");
  return session;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.each(["ec2-2010", "linux"] as const)("a host of %s", (profile) => {
  it("has no event channel and no memory left of domains that are gone", () => {
    const host = new Zone({ seed: 1, profile }).addHost();
    for (let count = 0; count < 5; count += 1) host.destroy(host.launch());
    expect(portsOf(host)).toBe(0);
    expect(host.hypervisor.grants.dying.size).toBe(0);
  });

  it("keeps nothing of a volume that could not be attached, nor of a destroyed domain's", () => {
    const host = new Zone({ seed: 1, profile }).addHost();
    const domain = host.launch();
    const volume = { path: "/dev/gnbd89", sectors: 8 };
    const root = host.diskOf(domain, "sda1");
    expect(() => host.attachVolume(domain, { dev: "zz", ...volume })).toThrow("name of a disk");
    expect(() => host.attachVolume(domain, { dev: "sda1", ...volume })).toThrow("already");
    expect(host.diskOf(domain, "sda1")).toBe(root);
    host.attachVolume(domain, { dev: "sdf", ...volume });
    expect(host.diskOf(domain, "sdf")?.geometry?.sectors).toBe(8);
    host.destroy(domain);
    expect(() => host.attachVolume(domain, { dev: "sdf", ...volume })).toThrow("domid of a domain");
    host.attachVolume(host.launch(), { dev: "sdf", ...volume });
  });

  it("goes on when a second interface is attached, for which the domU has no device", async () => {
    const zone = new Zone({ seed: 3011, profile });
    const host = zone.addHost();
    const domain = host.launch();
    const nic = { mac: "12:31:39:00:A1:B2", script: "/etc/xen/scripts/vif", ip: null };
    host.xen.attach(domain.domid, nic, zone.now);
    await zone.run({ until: "20s" });
    expect(domain.guest?.lease).not.toBeNull();
    host.destroy(domain);
    expect([...host.dom0.vifs]).toEqual([]);
  });

  it("takes a vif offline whose nodes somebody removed", async () => {
    const zone = new Zone({ seed: 17, profile });
    const host = zone.addHost();
    const domain = host.launch();
    await zone.run({ until: "1s" });
    storeOf(host).rm(`/libxl/${domain.domid}`);
    storeOf(host).rm(`/local/domain/${domain.domid}`);
    host.destroy(domain);
    expect([...host.dom0.vifs]).toEqual([]);
    await zone.run({ until: "2s" });
    expect(zone.pool.live).toBe(0);
  });

  it("ends what a guest sends after Dom0 has let go of its rings", async () => {
    const zone = new Zone({ seed: 109, profile });
    const host = zone.addHost();
    const domain = host.launch();
    await zone.run({ until: "20s" });
    storeOf(host).write(`/local/domain/${domain.domid}/device/vif/0/state`, text("6"));
    domain.guest?.host.ping({ target: parseIpv4("10.254.170.77"), count: 3 }, zone.now);
    await zone.run({ until: zone.now + 10 * SECOND });
    host.destroy(domain);
    await zone.run({ until: zone.now + 10 * SECOND });
    expect(zone.pool.live).toBe(0);
  });

  it("goes on whatever nodes name as the other half, and destroys the domain", async () => {
    const zone = new Zone({ seed: 108, profile });
    const host = zone.addHost();
    const [domain, other] = [host.launch(), host.launch()];
    await zone.run({ until: "20s" });
    const { domid } = domain;
    const spoil = (session: StoreSession, path: string, names: Record<string, string>): void => {
      for (const [name, value] of Object.entries(names)) {
        session.write(`${path}/${name}`, text(value));
      }
    };
    const guest = storeOf(host, domid);
    spoil(guest, "device/vif/7", { backend: "no path", "backend-id": "0", state: "1" });
    const dom0 = storeOf(host);
    const half = { frontend: "no path", "frontend-id": String(domid), state: "1" };
    spoil(dom0, `/local/domain/${domid}/device/vbd/9`, { ...half, backend: "no path" });
    spoil(dom0, `/local/domain/0/backend/vbd/${domid}/9`, half);
    spoil(dom0, `/libxl/${domid}/device/vbd/2049`, { backend: "no path" });
    spoil(dom0, `/local/domain/${domid}/device/vbd/2049`, { backend: "no path" });
    host.xen.detach(domid, { type: "vbd", devid: 2049 }, zone.now);
    await zone.run({ until: "40s" });
    host.destroy(domain);
    await zone.run({ until: "300s" });
    expect(host.xenstore.connect({ domid: other.domid })).not.toBeNull();
    expect(host.diskOf(other, "sda1")?.geometry).not.toBeNull();
    expect(host.listText()).not.toContain(domain.name);
  });

  it("gives no address to a domain that is destroyed, and no rule to one that ended", () => {
    const zone = new Zone({ seed: 5, profile });
    const host = zone.addHost();
    const domain = host.launch();
    const { publicAddress } = domain;
    host.destroy(domain);
    const heir = host.launch(publicAddress === null ? {} : { publicAddress });
    expect(() => host.associate(domain, null)).toThrow("a domain of this host");
    expect(() => host.launch(publicAddress === null ? {} : { publicAddress })).toThrow(
      "nobody else has",
    );
    host.save(heir);
    host.associate(heir, null);
    expect(heir.publicAddress).toBeNull();
    const rules = host.dom0.gatewayFirewall.rules.save();
    host.associate(heir, publicAddress);
    expect(host.dom0.gatewayFirewall.rules.save()).toBe(rules);
    host.restore(heir);
    expect(host.dom0.gatewayFirewall.rules.save()).not.toBe(rules);
    host.xen.guestShutdown(heir.domid, 0, zone.now);
    expect(() => host.associate(heir, null)).toThrow("a domain of this host");
    host.destroy(heir);
  });
});
