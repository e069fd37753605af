import { describe, expect, it } from "vitest";
import type { Ipv4Addr } from "../../src/wire/addr.ts";
import { SecurityGroupError } from "../../src/xen/permission.ts";
import type { Domain } from "../../src/zone/domain.ts";
import { Zone } from "../../src/zone/zone.ts";
import { repliesOf } from "../support/hosts.ts";

/** Two domUs of one host, one of which lets the other's group in; booted. */
async function frontAndBack(hosts: 1 | 2) {
  const zone = new Zone({ seed: 3 });
  const first = zone.addHost();
  const second = hosts === 1 ? first : zone.addHost();
  zone.setSecurityGroup("front", []);
  zone.setSecurityGroup("back", [{ group: "front" }]);
  const front = first.launch({ securityGroups: ["front"] });
  const back = second.launch({ securityGroups: ["back"] });
  await zone.run({ until: "30s" });
  const ping = async ({ guest }: Domain, target: Ipv4Addr | null): Promise<number | null> =>
    guest === null || target === null ? null : repliesOf(zone, guest.host, target);
  return { zone, front, back, ping };
}

describe("A group as source", () => {
  it.each([1, 2] as const)("is its members' private addresses, on %i host(s)", async (hosts) => {
    const { front, back, ping } = await frontAndBack(hosts);
    expect(await ping(front, back.privateAddress)).toBe(3);
    expect(await ping(back, front.privateAddress)).toBe(0);
  });

  it("is not who comes by way of a public address, for whom a block must speak", async () => {
    const { zone, front, back, ping } = await frontAndBack(1);
    expect(await ping(front, back.publicAddress)).toBe(0);
    const { publicAddress } = front;
    if (publicAddress === null) throw new Error("the plan gives public addresses");
    zone.securityGroups.authorize("back", {
      protocol: "icmp",
      source: { address: publicAddress, length: 32 },
    });
    expect(await ping(front, back.publicAddress)).toBe(3);
  });
});

describe("A zone", () => {
  it("has the limits of 2008 unless it is told others", () => {
    const zone = new Zone({ securityGroupLimits: { groups: 2, permissions: 0 } });
    zone.setSecurityGroup("web", []);
    expect(() => zone.setSecurityGroup("db", [])).toThrow(SecurityGroupError);
    expect(() => zone.setSecurityGroup("web", [{ group: "web" }])).toThrow("at most 0 permissions");
    expect(() => new Zone().setSecurityGroup("web", [{ group: "db" }])).toThrow("no group");
  });

  it("names group and permission in what it explains, or that there is none", async () => {
    const { zone, front, back, ping } = await frontAndBack(2);
    await ping(front, back.privateAddress);
    await ping(back, front.privateAddress);
    const told = [...(zone.capture.trace?.stories() ?? [])].flatMap(({ steps }) =>
      steps.map(({ what }) => what),
    );
    const member: unknown = expect.stringMatching(
      /chain of-front, .* ACCEPT, by "back: icmp from group fr/,
    );
    const nobody: unknown = expect.stringContaining(
      '--comment "no permission of group front" -j DROP',
    );
    expect(told).toEqual(expect.arrayContaining([member, nobody]));
  });
});
