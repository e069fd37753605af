/** Many domains, one after the other and side by side, over the end of Xen's numbers. */
import { describe, expect, it } from "vitest";
import { EmulatorError } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { SECOND } from "../../src/base/time.ts";
import type { Domain } from "../../src/zone/domain.ts";
import { Zone } from "../../src/zone/zone.ts";
import type { ZoneHost } from "../../src/zone/zone-host.ts";
import { traces } from "./traces.ts";

const LAST_DOMID = 32_751;

/** Let the host's next domain be `next`, as if it had had all before. */
function useUp({ xen }: ZoneHost, next: number): void {
  const action = "destroy";
  const actions = { onPoweroff: action, onReboot: action, onCrash: action } as const;
  const config = {
    ...{ name: "x", uuid: "x", memoryKib: 1, vcpus: 1, weight: 256, cap: 0 },
    ...actions,
  };
  for (let domid = 0; domid < next - 1;) {
    ({ domid } = xen.table.create(config, 0));
    xen.table.destroy(domid);
  }
}

describe.each(["ec2-2010", "linux"] as const)("a host of %s", (profile) => {
  it("goes on at 1 after domain 32,751, past those that live", async () => {
    const zone = new Zone({ seed: 2, profile });
    const host = zone.addHost();
    const old = host.launch({ domid: 1 });
    useUp(host, LAST_DOMID - 1);
    const domain = host.launch();
    expect(domain.domid).toBe(LAST_DOMID - 1);
    const gap = profile === "linux" ? 2 : 0;
    for (const domid of [LAST_DOMID, 2, 3]) {
      await zone.run({ until: zone.now + 25 * SECOND });
      host.shutdown(domain, "reboot");
      await zone.run({ until: zone.now + gap * SECOND });
      expect([domain.domid, domain.backend.name]).toEqual([domid, `vif${domid}.0`]);
    }
    await zone.run({ until: zone.now + 25 * SECOND });
    expect(domain.guest?.lease?.address).toBe(domain.privateAddress);
    expect(old.guest?.lease?.address).toBe(old.privateAddress);
    host.save(domain);
    useUp(host, LAST_DOMID);
    host.restore(domain);
    expect(domain.domid).toBe(LAST_DOMID);
    expect(host.launch().domid).toBe(2);
  });

  it("has nothing left of many launches in a row", async () => {
    const zone = new Zone({ seed: 4, profile });
    const host = zone.addHost();
    host.destroy(host.launch());
    const before = traces(host);
    for (let count = 0; count < 150; count += 1) {
      const domain = host.launch();
      await zone.run({ until: zone.now + 100_000 });
      if (count % 3 === 0) host.shutdown(domain, "poweroff");
      else host.destroy(domain);
    }
    expect(traces(host)).toEqual(before);
    await zone.run({ until: zone.now + SECOND });
    expect(zone.pool.live).toBe(0);
  });

  it("has nothing left of a hundred domUs that died and came again at random", async () => {
    const zone = new Zone({ seed: 6, profile });
    const host = zone.addHost();
    host.destroy(host.launch());
    const before = traces(host);
    const chance = new Prng(6, "lives");
    const all: Domain[] = [];
    for (let count = 0; count < 100; count += 1) {
      all.push(host.launch(count % 2 === 0 ? {} : { onCrash: "restart", guest: "external" }));
    }
    const acts: readonly ((domain: Domain) => void)[] = [
      (one) => host.shutdown(one, "reboot"),
      (one) => host.shutdown(one, "poweroff"),
      (one) => host.crash(one),
      (one) => host.pause(one),
      (one) => host.unpause(one),
      (one) => host.save(one),
      (one) => host.restore(one),
    ];
    const done = new Map<number, number>();
    for (let step = 0; step < 400; step += 1) {
      const domain = all[chance.below(all.length)];
      const which = chance.below(acts.length);
      try {
        if (domain !== undefined) acts[which]?.(domain);
        done.set(which, (done.get(which) ?? 0) + 1);
      } catch (error) {
        // Not every domain can do everything; the property says which can.
        expect(error).toBeInstanceOf(EmulatorError);
      }
      await zone.run({ until: zone.now + chance.below(SECOND) });
    }
    expect(done.size).toBe(acts.length);
    const states = new Set(all.map(({ state }) => state));
    for (const state of ["running", "saved", "gone"] as const) expect(states).toContain(state);
    for (const domain of all) host.destroy(domain);
    expect(traces(host)).toEqual(before);
    await zone.run({ until: zone.now + 40 * SECOND });
    expect(zone.pool.live).toBe(0);
  });
});
