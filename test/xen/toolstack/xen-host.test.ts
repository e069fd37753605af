import { describe, expect, it } from "vitest";
import { NEVER, SECOND } from "../../../src/base/time.ts";
import { ShutdownReason } from "../../../src/xen/hypervisor/domain-table.ts";
import type { DomainRequest } from "../../../src/xen/toolstack/managed-domain.ts";
import { XEND_3_1, XL_4_17 } from "../../../src/xen/toolstack/toolstack-profile.ts";
import { dump, EBS, EC2_DISKS, EC2_NIC, World } from "./host-world.ts";

const request: DomainRequest = {
  name: "dom_32504936",
  disks: EC2_DISKS,
  nics: [EC2_NIC],
  pages: 64,
};
const find = (world: World, node: string): string | undefined =>
  dump(world.host)
    .find((line) => line.startsWith(`${node} = `))
    ?.replace(/^.* = "(.*)" {3}\(.*$/s, "$1");
/** The state of a device's halves as text: "back front". */
const states = (world: World, type: string, domid: number, devid: number): string =>
  [
    find(world, `/local/domain/0/backend/${type}/${domid}/${devid}/state`),
    find(world, `/local/domain/${domid}/device/${type}/${devid}/state`),
  ].join(" ");

describe.each([XEND_3_1, XL_4_17])("a host with $name", (profile) => {
  /** A host that had a domain before: directories that stay have been made. */
  function usedWorld(options: ConstructorParameters<typeof World>[1] = {}): World {
    const world = new World(profile, options);
    const { domid } = world.host.create({ name: "before", guest: world.guest, pages: 64 }, 0);
    world.host.destroy(domid, 0);
    return world;
  }

  it("connects every device of a domain, and leaves nothing of it behind", () => {
    const world = usedWorld();
    const { host } = world;
    const [tree, rest] = [dump(host), world.leftovers];
    const domain = host.create({ ...request, guest: world.guest }, 0);
    expect([domain.status, domain.failure]).toEqual(["running", null]);
    for (const devid of [2049, 2050, 2051]) expect(states(world, "vbd", 2, devid)).toBe("4 4");
    expect(states(world, "vif", 2, 0)).toBe("4 4");
    expect(world.connected).toEqual(["vbd2.2049", "vbd2.2050", "vbd2.2051", "vif2.0"]);
    host.destroy(domain.domid, SECOND);
    expect(domain.status).toBe("gone");
    expect(dump(host)).toEqual(tree);
    expect(world.leftovers).toEqual(rest);
    expect(host.nextDeadline()).toBe(NEVER);
  });

  it("does not run a domain before its devices are set up", () => {
    const world = new World(profile, { scriptTime: () => 3 * SECOND });
    const { host } = world;
    let startedAt = NEVER;
    const onStart = (now: number): void => {
      startedAt = now;
    };
    const domain = host.create({ ...request, guest: world.guest, onStart }, 0);
    expect(domain.status).toBe("building");
    expect(host.table.find(1)?.isPaused).toBe(true);
    expect(world.connected).toEqual([]);
    for (let at = host.nextDeadline(); at < 60 * SECOND; at = host.nextDeadline()) host.expire(at);
    expect(domain.status).toBe("running");
    expect(startedAt).toBe((profile === XEND_3_1 ? 3 : 6) * SECOND);
    expect(world.connected).toHaveLength(4);
  });

  it("gives up a domain whose script hangs, in the toolstack's own time", () => {
    const world = usedWorld({
      scriptTime: (name, { domid }) => (name === "block-add" && domid === 2 ? NEVER : 0),
    });
    const { host } = world;
    const tree = dump(host);
    const domain = host.create({ ...request, guest: world.guest }, SECOND);
    expect(domain.status).toBe("building");
    let at = SECOND;
    while (host.nextDeadline() < 1000 * SECOND) host.expire((at = host.nextDeadline()));
    expect(domain.status).toBe("gone");
    expect(domain.failure).toContain(
      profile === XEND_3_1 ? "Hotplug scripts not working" : "timed out",
    );
    expect(at).toBeGreaterThanOrEqual((profile === XEND_3_1 ? 101 : 41) * SECOND);
    expect(dump(host)).toEqual(tree);
    expect(world.connected).toEqual([]);
  });

  it("refuses a disk that is not there, or that another domain writes", () => {
    const world = usedWorld();
    const { host } = world;
    const tree = dump(host);
    const missing = { dev: "sda1", type: "phy", params: "/dev/none", mode: "w" } as const;
    const lost = host.create({ ...request, disks: [missing], guest: world.guest }, 0);
    expect(lost.status).toBe("gone");
    expect(lost.failure).toContain(profile === XEND_3_1 ? "not found" : "does not exist");
    expect(dump(host)).toEqual(tree);
    const first = host.create({ ...request, guest: world.guest }, 0);
    for (const disk of EC2_DISKS) {
      const second = host.create({ name: "other", disks: [disk], guest: world.guest }, 0);
      expect([second.status, disk.params]).toEqual(["gone", disk.params]);
      expect(second.failure).toMatch(/(mounted|found)/);
    }
    expect(world.connected).toHaveLength(4);
    host.destroy(first.domid, 0);
    const again = host.create({ name: "other", disks: EC2_DISKS, guest: world.guest }, 0);
    expect(again.status).toBe("running");
  });

  it("attaches a disk to a running domain, and detaches it", () => {
    const world = usedWorld();
    const { host } = world;
    const { domid } = host.create({ ...request, guest: world.guest }, 0);
    const [tree, rest] = [dump(host), world.leftovers];
    host.attach(domid, EBS, SECOND);
    expect(states(world, "vbd", domid, 2128)).toBe("4 4");
    expect(world.log.at(-1)).toBe(`${domid} has vbd2128: 20971520`);
    host.detach(domid, { type: "vbd", devid: 2128 }, 2 * SECOND);
    expect(dump(host)).toEqual(tree);
    expect(world.leftovers).toEqual(rest);
    host.attach(domid, EBS, 3 * SECOND);
    expect(states(world, "vbd", domid, 2128)).toBe("4 4");
    expect(() => host.attach(99, EBS, 0)).toThrow("the domid of a domain");
  });

  it("limits a vif as its configuration says, and as its node says later", () => {
    const world = usedWorld();
    const { host } = world;
    const nics = [{ ...EC2_NIC, rate: "10Mb/s@20ms" }];
    const { domid } = host.create({ ...request, nics, guest: world.guest }, 0);
    const node = `/local/domain/0/backend/vif/${domid}/0/rate`;
    expect(find(world, node)).toBe("25000,20000");
    world.log.length = 0;
    host.store.sessionOf(0)?.write(node, new TextEncoder().encode("1000,50000"));
    host.settle(SECOND);
    // 2.6.18 reads it when the vif connects, and never again.
    const heard = profile === XEND_3_1 ? [] : [`vif${domid}.0 rate 1000,50000`];
    expect(world.log).toEqual(heard);
    expect(() => host.attach(domid, { ...EC2_NIC, rate: "10" }, SECOND)).toThrow("expected a rate");
    expect(() => host.create({ ...request, nics: [{ ...EC2_NIC, rate: "" }] }, 0)).toThrow(
      "expected a rate",
    );
    host.destroy(domid, SECOND);
    expect(world.leftovers).toMatchObject({ domains: [], backends: [] });
  });

  it("waits for a guest that does not let go of its disk", () => {
    const world = usedWorld();
    const { host } = world;
    const { domid } = host.create({ ...request, guest: null }, 0);
    host.detach(domid, { type: "vbd", devid: 2049 }, SECOND);
    expect(states(world, "vbd", domid, 2049)).toBe("5 1");
    while (host.nextDeadline() < 1000 * SECOND) host.expire(host.nextDeadline());
    // xl removes it by force after ten seconds; xend leaves it to the guest.
    expect(states(world, "vbd", domid, 2049)).toBe(profile === XEND_3_1 ? "5 1" : " ");
    host.destroy(domid, 2000 * SECOND);
    while (host.nextDeadline() < 9000 * SECOND) host.expire(host.nextDeadline());
    expect(world.leftovers).toMatchObject({ domains: [], backends: [], loops: 0, table: 0 });
  });

  it("does after a shutdown what the domain's configuration says", () => {
    const world = usedWorld();
    const { host } = world;
    const make = (change: Partial<DomainRequest>): number =>
      host.create({ ...request, guest: world.guest, ...change }, 0).domid;
    const names = (): string[] => [...host.domains].map(({ domid, name }) => `${domid} ${name}`);
    const isXl = profile === XL_4_17;
    const vms = dump(host).filter((line) => line.startsWith("/vm/"));
    const wait = (): void => {
      if (!isXl) return;
      expect(names()).not.toContainEqual(expect.stringMatching(/dom_32504936$/));
      host.expire(host.nextDeadline());
    };
    host.guestShutdown(make({ onPoweroff: "destroy" }), ShutdownReason.Poweroff, SECOND);
    expect(names()).toEqual([]);
    host.guestShutdown(make({ onReboot: "restart" }), ShutdownReason.Reboot, SECOND);
    wait();
    expect(names()).toEqual(["4 dom_32504936"]);
    expect(world.connected).toContain("vbd4.2051");
    host.destroy(4, SECOND);
    const crashed = make({ onCrash: "preserve" });
    host.guestShutdown(crashed, ShutdownReason.Crash, SECOND);
    expect(host.find(crashed)?.status).toBe("shutdown");
    expect(host.table.find(crashed)?.shutdown).toBe(ShutdownReason.Crash);
    host.destroy(crashed, SECOND);
    // xl leaves the dead one its disks, so that its successor cannot have them.
    const disks = isXl ? { disks: [] } : {};
    const renamed = make({ onCrash: "rename-restart", ...disks });
    const uuid = host.find(renamed)?.request.uuid;
    host.guestShutdown(renamed, ShutdownReason.Crash, SECOND);
    wait();
    const kept = isXl ? /^6 dom_32504936-19700101T0000Z$/ : /^6 Domain-[\da-f-]{36}$/;
    expect(names()).toEqual([expect.stringMatching(kept), "7 dom_32504936"]);
    expect(world.connected).toContain("vif7.0");
    if (!isXl) expect(world.connected.filter((name) => name.includes("6."))).toEqual([]);
    expect(host.find(7)?.request.uuid).toBe(uuid);
    expect(host.find(7)?.status).toBe("running");
    host.destroy(6, SECOND);
    expect(find(world, `/vm/${uuid}/name`)).toBe("dom_32504936");
    host.destroy(7, SECOND);
    expect(dump(host).filter((line) => line.startsWith("/vm/"))).toEqual(vms);
    expect(world.leftovers).toMatchObject({ domains: [], rings: [], mappings: 0, table: 0 });
  });

  it("asks a guest to power off, by its own node", () => {
    const world = usedWorld();
    const { domid } = world.host.create({ ...request, guest: world.guest }, 0);
    world.host.requestShutdown(domid, "poweroff", SECOND);
    expect(world.leftovers).toMatchObject({ domains: [], rings: [], mappings: 0, table: 0 });
  });

  it("saves a domain and restores it: another domid, the same memory, connected anew", () => {
    const world = usedWorld();
    const { host } = world;
    const first = host.create({ ...request, guest: world.guest }, 0);
    const { memory } = first.io;
    const gfn = memory.pages - 1;
    memory.bytes.set([1, 2, 3, 4], gfn * 4096);
    const session = host.store.sessionOf(first.domid);
    session?.write("data/note", new TextEncoder().encode("kept"));
    const image = host.save(first.domid, SECOND);
    expect(first.status).toBe("gone");
    expect(world.leftovers).toMatchObject({ domains: [], rings: [], mappings: 0, table: 0 });
    const second = host.restore(image, 5 * SECOND);
    expect([second.status, second.name, second.domid]).toEqual(["running", "dom_32504936", 3]);
    expect(second.request.uuid).toBe(first.request.uuid);
    expect([...second.io.memory.bytes.subarray(gfn * 4096, gfn * 4096 + 4)]).toEqual([1, 2, 3, 4]);
    expect(find(world, "/local/domain/3/data/note")).toBe("kept");
    expect(world.connected).toEqual(["vbd3.2049", "vbd3.2050", "vbd3.2051", "vif3.0"]);
    expect(() => host.save(99, 0)).toThrow("the domid of a domain");
    const deaf = host.create({ name: "deaf", pages: 64, guest: null }, 0);
    expect(() => host.save(deaf.domid, 0)).toThrow("a guest that suspends");
  });

  it("restarts a VM whose devices are another by now as it is", () => {
    const world = usedWorld();
    const { host } = world;
    const { domid } = host.create({ ...request, guest: world.guest }, 0);
    host.attach(domid, EBS, SECOND);
    host.detach(domid, { type: "vbd", devid: 2051 }, SECOND);
    host.guestShutdown(domid, ShutdownReason.Reboot, SECOND);
    if (profile === XL_4_17) host.expire(host.nextDeadline());
    expect(world.connected).toEqual(["vbd3.2049", "vbd3.2050", "vbd3.2128", "vif3.0"]);
    const image = host.save(3, 9 * SECOND);
    host.restore(image, 9 * SECOND);
    expect(world.connected).toEqual(["vbd4.2049", "vbd4.2050", "vbd4.2128", "vif4.0"]);
  });

  it("lets a paused guest hear of nothing, and xend lose its patience with it", () => {
    const world = usedWorld();
    const { host } = world;
    const { domid } = host.create({ ...request, guest: world.guest }, 0);
    host.pause(domid, SECOND);
    expect(() => host.save(domid, SECOND)).toThrow("a guest that suspends");
    host.requestShutdown(domid, "poweroff", SECOND);
    expect(host.find(domid)?.status).toBe("running");
    if (profile === XL_4_17) {
      expect(host.nextDeadline()).toBe(NEVER);
      host.unpause(domid, 90 * SECOND);
    } else {
      expect(find(world, `/local/domain/${domid}/xend/shutdown_start_time`)).toBe("1.0");
      expect(host.nextDeadline()).toBe(31 * SECOND);
      host.expire(31 * SECOND);
    }
    expect(world.leftovers).toMatchObject({ domains: [], rings: [], mappings: 0, table: 0 });
  });

  it("dumps a core where the toolstack can, and refuses to where it cannot", () => {
    const dumped: string[] = [];
    const world = usedWorld({
      listener: {
        dumped: (_, path, { bytes }) => dumped.push(`${path} ${bytes[63 * 4096]}`),
        ended: ({ domid }) => dumped.push(`${domid} ended`),
      },
    });
    const { host } = world;
    dumped.length = 0;
    const make = (onCrash: "coredump-destroy" | "coredump-restart"): number =>
      host.create({ ...request, guest: world.guest, onCrash }, 0).domid;
    if (profile === XEND_3_1) {
      expect(() => make("coredump-restart")).toThrow("onCrash: expected destroy, restart");
      return;
    }
    const first = make("coredump-destroy");
    host.find(first)?.io.memory.bytes.set([7], 63 * 4096);
    host.guestShutdown(first, ShutdownReason.Crash, SECOND);
    host.guestShutdown(make("coredump-restart"), ShutdownReason.Crash, SECOND);
    host.expire(host.nextDeadline());
    const path = "/var/lib/xen/dump/dom_32504936";
    expect(dumped).toEqual([`${path} 7`, "2 ended", `${path} 0`]);
    expect(host.find(4)?.status).toBe("running");
  });

  it("goes on restarting a domain that ends at once only with xl, which waits two seconds", () => {
    const world = usedWorld();
    const { host } = world;
    const make = (): number =>
      host.create({ ...request, guest: world.guest, onReboot: "restart" }, 0).domid;
    const names = (): number[] => [...host.domains].map(({ domid }) => domid);
    host.guestShutdown(make(), ShutdownReason.Reboot, SECOND);
    if (profile === XL_4_17) {
      for (let domid = 3; domid < 9; domid += 1) {
        expect(names()).toEqual([]);
        host.expire(host.nextDeadline());
        expect(names()).toEqual([domid]);
        host.guestShutdown(domid, ShutdownReason.Reboot, (2 * domid - 3) * SECOND);
      }
      return;
    }
    expect(names()).toEqual([3]);
    host.guestShutdown(3, ShutdownReason.Reboot, 20 * SECOND);
    expect(names()).toEqual([]);
    host.guestShutdown(make(), ShutdownReason.Reboot, 30 * SECOND);
    host.guestShutdown(5, ShutdownReason.Reboot, 60 * SECOND);
    expect(names()).toEqual([6]);
  });

  it("tells what xm and xl tell", () => {
    const world = new World(profile);
    const { host } = world;
    host.create({ ...request, domid: 171, memoryKib: 1740 * 1024, guest: world.guest }, 0);
    host.pause(171, 0);
    const lines = host.lists.domains(0).split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^Domain-0 +0 {2}1024 {5}1 +r----- {6,7}0\.0$/);
    expect(lines[2]).toMatch(/^dom_32504936 +171 {2}1740 {5}1 +--p--- {6,7}0\.0$/);
    expect(host.lists.networks(171)).toMatch(/171\/0 *\n$/);
    expect(host.lists.blocks(171).split("\n")[1]).toContain("/local/domain/0/backend/vbd/171/2049");
  });
});

it("takes no more than there is", () => {
  const world = new World(XEND_3_1, { memory: { totalKib: 4 * 2 ** 20, dom0Kib: 2 ** 20 } });
  const launch = (name: string): number => world.host.create({ name, guest: world.guest }, 0).domid;
  expect(launch("a")).toBe(1);
  expect(() => launch("a")).toThrow("a name that no other domain has");
  expect(() => launch("b")).toThrow("KiB that are free");
  world.host.destroy(1, 0);
  expect(launch("b")).toBe(2);
});

it("ends a VM whose restart finds no room, or is given up", () => {
  const ended: number[] = [];
  const memory = { totalKib: 4 * 2 ** 20, dom0Kib: 2 ** 20 };
  const world = new World(XL_4_17, {
    memory,
    listener: { ended: ({ domid }) => ended.push(domid) },
  });
  const { host } = world;
  const first = host.create({ name: "a", guest: world.guest }, 0);
  host.guestShutdown(first.domid, ShutdownReason.Reboot, SECOND);
  const second = host.create({ name: "b", guest: world.guest }, SECOND);
  host.expire(3 * SECOND);
  expect(ended).toEqual([1]);
  host.guestShutdown(second.domid, ShutdownReason.Reboot, 3 * SECOND);
  host.giveUp(second);
  expect(host.nextDeadline()).toBe(NEVER);
  expect(host.table.size).toBe(0);
});
