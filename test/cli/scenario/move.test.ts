/** A domain that is saved on one host and restored on another one. */
import { describe, expect, it } from "vitest";
import { playText } from "./play-text.ts";

const textOf = (profile: string, steps: string): string => `
profile: ${profile}
hosts:
  - domains:
      - name: dom_2
        securityGroups: [open]
        publicAddress: 75.101.160.7
        instanceStore: false
      - { name: dom_4, securityGroups: [open] }
      - { name: dom_6, guest: external, instanceStore: false }
  - name: host-b
    domains: [{ name: dom_8, securityGroups: [open] }]
  - { name: host-c, privateAddress: 10.1.4.2 }
securityGroups:
  open: [{ protocol: icmp, source: 0.0.0.0/0 }]
  shut: [{ protocol: icmp, source: 192.0.2.0/24 }]
internet: [{ name: www, address: 93.184.216.34 }]
steps:
${steps}`;

describe.each(["ec2-2010", "linux"])("a restore on another host, %s", (profile) => {
  it("takes address, vif, groups and the public address with it", async () => {
    const { events, world, failed } = await playText(
      textOf(
        profile,
        `  - { at: 15s, ping: { from: www, to: dom_2 }, expect: { replies: 3 } }
  - { at: 19s, save: dom_2, expect: { state: saved } }
  - { at: 20s, ping: { from: www, to: dom_2, count: 1 }, expect: { replies: 0 } }
  - { at: 32s, restore: { domain: dom_2, host: host-b }, expect: { state: running, domid: 2 } }
  - { at: 33s, ping: { from: www, to: dom_2 }, expect: { replies: 3 } }
  - { at: 37s, ping: { from: dom_4, to: dom_2 }, expect: { replies: 3 } }
  - { at: 37s, ping: { from: dom_8, to: dom_2 }, expect: { replies: 3 } }
  - { at: 41s, ping: { from: dom_2, to: www }, expect: { replies: 3 } }
  - { at: 45s, securityGroup: { name: open, permissions: [] } }
  - { at: 46s, ping: { from: www, to: dom_2, count: 1 },
      expect: { replies: 0, dropped: security-group/no-permission } }
  - { at: 58s, securityGroup: { name: open, permissions: [{ protocol: icmp, source: 0.0.0.0/0 }] } }
  - { at: 58s, associate: { domain: dom_2, address: 75.101.160.90 } }
  - { at: 59s, ping: { from: www, to: dom_2 }, expect: { replies: 3 } }
  - { at: 63s, reboot: dom_2, expect: { state: running, domid: 3 } }
  - { at: 85s, ping: { from: www, to: dom_2 }, expect: { replies: 3 } }
  - { at: 90s, save: dom_2 }
  - { at: 91s, restore: { domain: dom_2, host: host-a }, expect: { state: running, domid: 4 } }
  - { at: 92s, ping: { from: www, to: dom_2 }, expect: { replies: 3 } }
`,
      ),
    );
    const judged = events.filter((event) => event.event === "judgement" && !event.holds);
    expect(judged).toEqual([]);
    expect(failed).toBe(0);
    const told = events.flatMap((event) => (event.event === "life" ? [event] : []));
    const started = told.filter(({ what }) => what === "started").map(({ vif }) => vif);
    expect(started).toEqual(["vif2.0", "vif3.0", "vif4.0"]);
    const [first, second] = [...world.hosts];
    expect([...(first?.domains ?? [])].map(({ name }) => name)).toContain("dom_2");
    expect([...(second?.dom0.vifs ?? [])].map(({ name }) => name)).toEqual(["vif1.0"]);
  });

  it.each([
    [
      "save: dom_4",
      "restore: { domain: dom_4, host: host-b }",
      "a domain without disks on its host",
    ],
    ["pause: dom_2", "restore: { domain: dom_2, host: host-b }", "a saved domain"],
    [
      "save: dom_2",
      "restore: { domain: dom_2, host: host-c }",
      "a host beside the domain's address",
    ],
    ["save: dom_2", "restore: { domain: dom_2, host: host-x }", 'there is no host "host-x"'],
    ["save: dom_2", "restore: { domain: dom_2 }", "restore.host: is missing"],
    ["save: dom_2", "restore: { host: host-b }", "restore.domain: is missing"],
    ["save: dom_2", "restore: 5", "steps[1].restore: expected a domain name"],
  ])("is refused with the line: %s, %s", async (before, step, sentence) => {
    const text = textOf(profile, `  - { at: 15s, ${before} }\n  - { at: 16s, ${step} }\n`);
    const line = text.split("\n").findIndex((one) => one.includes(step)) + 1;
    await expect(playText(text)).rejects.toThrow(`s.yaml:${line}: steps[1].restore`);
    await expect(playText(text)).rejects.toThrow(sentence);
  });

  it("stays on the host that it was restored on", async () => {
    const { failed } = await playText(
      textOf(
        profile,
        `  - { at: 15s, save: dom_6, expect: { state: saved } }
  - { at: 16s, restore: { domain: dom_6, host: host-b }, expect: { state: running } }
  - { at: 17s, save: dom_6, expect: { state: saved } }
  - { at: 18s, restore: dom_6, expect: { state: running } }
`,
      ),
    );
    expect(failed).toBe(0);
  });
});
