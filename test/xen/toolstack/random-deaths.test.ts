/** A hundred domains that die at random, some in the midst of their handshake. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/base/prng.ts";
import { NEVER, SECOND } from "../../../src/base/time.ts";
import { ShutdownReason } from "../../../src/xen/hypervisor/domain-table.ts";
import { XEND_3_1, XL_4_17 } from "../../../src/xen/toolstack/toolstack-profile.ts";
import type { DiskConfig } from "../../../src/xen/toolstack/toolstack.ts";
import { dump, EC2_NIC, World } from "./host-world.ts";

const REASONS = [ShutdownReason.Poweroff, ShutdownReason.Reboot, ShutdownReason.Crash] as const;

/** Launch, let die, launch again, for a minute; then end all that lives. @returns who died when. */
function live(world: World, seed: number, domains: number): string[] {
  const { host } = world;
  const chance = new Prng(seed, "deaths");
  const died: string[] = [];
  const session = (domid: number) => host.store.sessionOf(domid);
  const half = (domid: number): void => {
    // A front end that stops half-way: some of its nodes, some of its states.
    const nodes = ["ring-ref", "event-channel", "protocol", "state"].slice(chance.below(4));
    for (const node of nodes) {
      const value = new TextEncoder().encode(node === "state" ? "3" : String(chance.below(20)));
      session(domid)?.write(`device/vbd/2049/${node}`, value);
    }
    host.settle(host.nextDeadline() === NEVER ? 0 : Math.min(host.nextDeadline(), 10 ** 9));
  };
  let now = 0;
  for (let launched = 0; launched < domains; launched += 1) {
    now += chance.below(SECOND);
    for (let at = host.nextDeadline(); at <= now; at = host.nextDeadline()) host.expire(at);
    const file = `/mnt/image-${launched}`;
    const isBroken = chance.below(10) === 0;
    if (!isBroken) world.addFile(file);
    const disks: DiskConfig[] = [{ dev: "sda1", type: "file", params: file, mode: "w" }];
    const hasKernel = chance.below(4) !== 0;
    const name = `dom_${32_504_936 + launched}`;
    const { domid } = host.create(
      {
        name,
        disks,
        nics: [EC2_NIC],
        guest: hasKernel ? world.guest : null,
        onCrash: "destroy",
        pages: 64,
      },
      now,
    );
    if (!hasKernel) half(domid);
    const living = [...host.domains];
    for (let count = chance.below(3); count > 0 && living.length > 0; count -= 1) {
      const victim = living[chance.below(living.length)];
      if (victim === undefined || victim.status === "gone") continue;
      died.push(`${victim.domid} ${victim.status}`);
      const reason = REASONS[chance.below(REASONS.length)] ?? ShutdownReason.Crash;
      if (chance.below(2) === 0) host.destroy(victim.domid, now);
      else if (victim.status !== "closing") host.guestShutdown(victim.domid, reason, now);
    }
  }
  const isOver = (): boolean => [...host.domains].length === 0 && host.nextDeadline() === NEVER;
  // With xl, one that is gone may still be restarted two seconds later.
  while (!isOver()) {
    now += SECOND;
    for (const { domid } of [...host.domains]) host.destroy(domid, now);
    for (let at = host.nextDeadline(); at <= now; at = host.nextDeadline()) host.expire(at);
    if (now > 10_000 * SECOND) throw new Error("domains that do not die");
  }
  return died;
}

describe.each([XEND_3_1, XL_4_17])("$name", (profile) => {
  /** Scripts that take up to five seconds; one in twenty hangs. */
  const worldOf = (seed: number): World => {
    const chance = new Prng(seed, "scripts");
    return new World(profile, {
      scriptTime: (name) => {
        const hangs = chance.below(20) === 0 && (name === "block-add" || name === "vif-online");
        return hangs ? 500 * SECOND : chance.below(5 * SECOND);
      },
      memory: { totalKib: 2 ** 40, dom0Kib: 2 ** 20 },
    });
  };

  it("has nothing left of a hundred domUs that died at random", () => {
    const world = worldOf(7);
    const { host } = world;
    const before = host.create({ name: "before", guest: world.guest, pages: 64 }, 0);
    host.destroy(before.domid, 0);
    while (host.nextDeadline() < NEVER) host.expire(host.nextDeadline());
    const [tree, rest] = [dump(host), world.leftovers];
    const died = live(world, 7, 100);
    expect(died.length).toBeGreaterThan(50);
    // Some died before they ran, some while they were destroyed already.
    for (const status of ["building", "running"]) {
      expect(
        died.some((line) => line.endsWith(status)),
        status,
      ).toBe(true);
    }
    while (host.nextDeadline() < NEVER) host.expire(host.nextDeadline());
    expect(dump(host)).toEqual(tree);
    expect(world.leftovers).toEqual(rest);
  });

  it("has nothing left of a few, whatever the chance", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const world = worldOf(seed);
        const { host } = world;
        const before = host.create({ name: "before", guest: world.guest, pages: 64 }, 0);
        host.destroy(before.domid, 0);
        while (host.nextDeadline() < NEVER) host.expire(host.nextDeadline());
        const [tree, rest] = [dump(host), world.leftovers];
        live(world, seed, 12);
        while (host.nextDeadline() < NEVER) host.expire(host.nextDeadline());
        expect(dump(host)).toEqual(tree);
        expect(world.leftovers).toEqual(rest);
      }),
      { numRuns: 15 },
    );
  });
});
