/** Steps in which a domain reboots, crashes, is held, saved or restored. */
import { describe, expect, it } from "vitest";
import type { RunEvent } from "../../../src/cli/scenario/events.ts";
import { playText } from "./play-text.ts";

const zoneOf = (profile: string): string => `
profile: ${profile}
hosts:
  - domains:
      - { name: dom_2, securityGroups: [open], publicAddress: 75.101.160.7 }
      - { name: dom_4, securityGroups: [open], onCrash: preserve }
      - { name: dom_6, guest: external }
securityGroups:
  open: [{ protocol: icmp, source: 0.0.0.0/0 }]
internet: [{ name: www, address: 93.184.216.34 }]
steps:
`;

/** Failed judgements as text. */
const failures = (events: readonly RunEvent[]): string[] =>
  events.flatMap((event) =>
    event.event === "judgement" && !event.holds
      ? [`line ${event.line}: ${event.key} ${String(event.expected)}, got ${String(event.actual)}`]
      : [],
  );

describe.each(["ec2-2010", "linux"])("steps of %s", (profile) => {
  const afterCrash = profile === "linux" ? "{ state: gone }" : "{ state: running, domid: 6 }";

  it("tell what became of a domain, and judge how it stands", async () => {
    const { events, failed } = await playText(`${zoneOf(profile)}
  - { at: 15s, ping: { from: dom_2, to: www, count: 20 }, expect: { replies: 3 } }
  - { at: 17.5s, reboot: dom_2, expect: { state: running, domid: 4 } }
  - { at: 40s, ping: { from: www, to: dom_2 }, expect: { replies: 3 } }
  - { at: 45s, pause: dom_2, expect: { state: paused, domid: 4 } }
  - { at: 46s, ping: { from: www, to: dom_2, count: 1 }, expect: { replies: 1 } }
  - { at: 47s, unpause: dom_2, expect: { state: running } }
  - { at: 50s, save: dom_2, expect: { state: saved } }
  - { at: 51s, ping: { from: www, to: dom_2 }, expect: { replies: 0 } }
  - { at: 70s, restore: dom_2, expect: { state: running, domid: 5 } }
  - { at: 71s, ping: { from: www, to: dom_2 }, expect: { replies: 3 } }
  - { at: 72s, crash: dom_4, expect: { state: shutdown, domid: 2 } }
  - { at: 76s, shutdown: dom_4 }
  - { at: 77s, crash: dom_2, expect: ${afterCrash} }
  - { at: 78s, launch: { host: host-a, name: dom_8 }, expect: { state: running } }
`);
    expect(failures(events)).toEqual([]);
    expect(failed).toBe(0);
    const lives = events.flatMap((event) => (event.event === "life" ? [event] : []));
    const told = lives.map(({ name, what, vif, step }) => `${step} ${name} ${what} ${vif}`);
    expect(told.slice(0, 2)).toEqual(["1 dom_2 halted vif1.0", "1 dom_2 started vif4.0"]);
    expect(told).toContain("6 dom_2 halted vif4.0");
    expect(told).toContain("8 dom_2 started vif5.0");
    const leases = events.filter(({ event }) => event === "lease");
    expect(leases).toHaveLength(3);
  });

  it("refuse what is not possible then, and what cannot be expected", async () => {
    const run = (steps: string): Promise<unknown> => playText(`${zoneOf(profile)}${steps}`);
    await expect(run("  - { at: 1s, restore: dom_2 }")).rejects.toThrow("a saved domain");
    await expect(run("  - { at: 1s, unpause: dom_6 }")).rejects.toThrow("a paused domain");
    await expect(run("  - { at: 1s, reboot: dom_9 }")).rejects.toThrow('no domain "dom_9"');
    const wrong = "  - { at: 1s, save: dom_2, expect: { replies: 3 } }";
    await expect(run(wrong)).rejects.toThrow("does not go with save; expected one of state");
    const gone = "  - { at: 1s, shutdown: dom_2 }\n  - { at: 2s, crash: dom_2 }";
    await expect(run(gone)).rejects.toThrow("dom_2 is not running");
  });
});

it("knows the actions of each toolstack, and refuses the others' with the line", async () => {
  const launch =
    "  - { at: 1s, launch: { host: host-a, name: dom_8, onCrash: coredump-restart } }\n";
  await expect(playText(`${zoneOf("ec2-2010")}${launch}`)).rejects.toThrow("onCrash: expected");
  const crash = "  - { at: 2s, crash: dom_8, expect: { state: running, domid: 5 } }\n";
  const { events, failed } = await playText(`${zoneOf("linux")}${launch}${crash}`);
  expect(failed).toBe(0);
  const dumped = events.find((event) => event.event === "life" && event.what === "dumped");
  expect(dumped).toMatchObject({ path: "/var/lib/xen/dump/dom_8", name: "dom_8", step: 1 });
});
