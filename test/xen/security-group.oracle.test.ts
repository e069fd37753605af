import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { Dom0 } from "../../src/xen/dom0.ts";
import type { Permission } from "../../src/xen/permission.ts";
import { EC2_2010 } from "../../src/xen/profile.ts";
import { SecurityGroups } from "../../src/xen/security-group.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { KernelRules, missingForRules } from "../filter/kernel-rules.ts";
import { builtInChains } from "../filter/rule-texts.ts";
import { chance, FIRST, FIRST_PUBLIC, SECOND } from "../support/hosts.ts";

const missing = missingForRules();

const GROUPS = ["default", "web", "db servers", "495219933132/web"];
const port = fc.integer({ min: 0, max: 65_535 });
const ports = fc.tuple(port, port).map(([one, other]) => ({
  lower: Math.min(one, other),
  upper: Math.max(one, other),
}));
const source = fc.record({
  address: fc.nat({ max: 0xffff_ffff }).map(ipv4Of),
  length: fc.integer({ min: 0, max: 32 }),
});
const icmp = fc.record({
  type: fc.integer({ min: 0, max: 254 }),
  code: fc.integer({ min: -1, max: 255 }),
});
const permission: fc.Arbitrary<Permission> = fc.oneof(
  fc.record({ protocol: fc.constantFrom("tcp", "udp", "icmp"), source }),
  fc.record({ protocol: fc.constantFrom("tcp", "udp"), source, ports }),
  fc.record({ protocol: fc.constant("icmp"), source, icmp }),
  fc.record({ group: fc.constantFrom(...GROUPS) }),
);
const defined = fc.array(fc.tuple(fc.constantFrom(...GROUPS), permission), {
  maxLength: 20,
  size: "max",
});

/** A host with two domUs whose groups have these permissions. */
function hostWith(permissions: readonly (readonly [string, Permission])[]): Dom0 {
  const securityGroups = new SecurityGroups();
  for (const name of GROUPS) if (!securityGroups.has(name)) securityGroups.create(name);
  const dom0 = new Dom0({
    name: "host",
    pool: new PacketPool({ slots: 1, largeSlots: 0 }),
    profile: EC2_2010,
    chance: chance(),
    privateAddress: parseIpv4("10.254.168.2"),
    uplink: {
      mac: SECOND.mac,
      address: parseIpv4("216.182.232.10"),
      length: 20,
      gateway: parseIpv4("216.182.232.1"),
    },
    routers: 1,
    securityGroups,
  });
  const launch = (domid: number, { mac, address }: typeof FIRST, groups: readonly string[]): void =>
    void dom0.addVif(
      {
        domid,
        domain: `dom_${domid}`,
        mac,
        addresses: [address],
        publicAddress: domid === 3 ? FIRST_PUBLIC : null,
        securityGroups: groups,
      },
      0,
    );
  launch(3, FIRST, ["default", "web", "db servers"]);
  launch(4, SECOND, ["495219933132/web"]);
  for (const [name, one] of permissions) {
    securityGroups.revoke(name, one);
    securityGroups.authorize(name, one);
  }
  return dom0;
}

describe.skipIf(missing !== null)(`The rules of a host (${missing ?? "here"})`, () => {
  let kernel: KernelRules;

  beforeAll(() => {
    kernel = new KernelRules({ name: "vif3.0", mac: "02:00:00:00:00:01" });
  });

  afterAll(() => kernel.close());

  it("are what iptables-restore takes and iptables-save prints", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(defined, async (permissions) => {
        const { rules } = hostWith(permissions).firewall;
        const tables = rules.tables.map(({ name }) => name);
        expect(tables).toEqual(["raw", "nat", "filter"]);
        let saved = "";
        for (const table of tables) {
          const text = rules.save();
          const begin = text.indexOf(`*${table}\n`);
          const own = text.slice(begin, text.indexOf("COMMIT\n", begin) + "COMMIT\n".length);
          const chains = builtInChains(table);
          const request = { table, text: own, chains, frames: [], logPrefix: "" };
          saved += (await kernel.judge(request)).saved;
        }
        expect(saved).toBe(rules.save());
      }),
      { numRuns: 25 },
    );
  });
});
