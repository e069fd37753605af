import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MATCHES, TARGETS } from "../../src/filter/registry.ts";
import { Census } from "./census.ts";
import { talkCase } from "./talk-case.ts";

const WORLDS = 400;
const STEPS = 10;

/** What worlds of the oracle say, and what far ends say there that hear nothing. */
function censusOf(seed: number): Census {
  const census = new Census();
  for (const { world, site, steps } of fc.sample(talkCase(STEPS), { seed, numRuns: WORLDS })) {
    census.addRules(world.iptables ?? "");
    for (const spec of steps) {
      const frames = spec?.(site, { seen: [], said: [] }) ?? [];
      for (const { octets, command } of frames) {
        if (command === undefined) census.addInput(Buffer.from(octets).toString("hex"));
        else census.addCommand(command);
      }
    }
  }
  return census;
}

describe("the worlds of the oracle", () => {
  const census = censusOf(1);

  it.each([...MATCHES, ...TARGETS].map(({ name }) => name))("have rules with %s", (name) => {
    expect(census.get(`rules with ${name}`)).toBeGreaterThan(0);
  });

  it.each(["ARP", "ICMP", "TCP", "UDP", "GRE", "SCTP", "UDP-Lite", "later fragments"])(
    "have frames with %s",
    (kind) => expect(census.get(`in: ${kind}`)).toBeGreaterThan(0),
  );

  it.each([
    ...["iptables -t filter", "iptables -t nat", "conntrack -F", "conntrack -D -p"],
    ...["ip route add", "ip route del", "ip addr add", "ip addr del"],
    ...["ip neigh replace", "ip neigh del", "ip link set"],
    ...["sysctl rp_filter", "sysctl forwarding", "sysctl ip_forward", "sysctl ip_default_ttl"],
    ...["sysctl icmp_ratemask", "sysctl icmp_echo_ignore_all", "sysctl accept_local"],
  ])("have commands with %s", (kind) => {
    expect(census.get(`commands: ${kind}`)).toBeGreaterThan(0);
  });
});
