import { afterEach, describe, expect, it, vi } from "vitest";
import { Lexer } from "../../src/dhcp/dhcpd-lexer.ts";
import { Chain } from "../../src/filter/chain.ts";
import { ChainSet } from "../../src/filter/chain-set.ts";
import { Step } from "../../src/filter/step.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { macOf, parseIpv4 } from "../../src/wire/addr.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { Dom0 } from "../../src/xen/dom0.ts";
import type { Permission } from "../../src/xen/permission.ts";
import { PROFILES } from "../../src/xen/profile.ts";
import { SecurityGroups } from "../../src/xen/security-group.ts";
import type { Vif } from "../../src/xen/vif.ts";
import { dhcpdText } from "../../src/zone/dhcpd-text.ts";
import { chance, EVERYWHERE, OUTSIDE } from "../support/hosts.ts";
import { addressOf, DOM0, GroupBench } from "./group-bench.ts";

afterEach(() => void vi.restoreAllMocks());

/** Counts what grows with a host if anything does: looks at chains, rules made, words read. */
function countWork(): () => Record<string, number> {
  const counts = {
    "looks at a chain": vi.spyOn(Chain.prototype, "steps", "get"),
    "lists of chains": vi.spyOn(ChainSet.prototype, Symbol.iterator),
    "rules made": vi.spyOn(Step, "of"),
    "rows made": vi.spyOn(Step, "dispatcher"),
    "words of dhcpd.conf": vi.spyOn(Lexer.prototype, "next"),
  };
  const clear = (): void => {
    for (const spy of Object.values(counts)) spy.mockClear();
  };
  clear();
  return () => {
    const now = Object.entries(counts).map(([what, spy]) => [what, spy.mock.calls.length] as const);
    clear();
    return Object.fromEntries(now);
  };
}

const tcp = (port: number): Permission => ({
  protocol: "tcp",
  source: EVERYWHERE,
  ports: { lower: port, upper: port },
});

describe("A host with many vifs", () => {
  it.each([...PROFILES.keys()])("brings up each as the one before it: %s", (name) => {
    const profile = PROFILES.get(name);
    if (profile === undefined) throw new Error("no such profile");
    const dom0 = new Dom0({
      name: "host",
      pool: new PacketPool({ slots: 4, largeSlots: 0 }),
      profile,
      chance: chance(),
      privateAddress: DOM0,
      uplink: {
        mac: macOf(2),
        address: parseIpv4("216.182.232.10"),
        length: 20,
        gateway: parseIpv4("216.182.232.1"),
      },
      dhcpdConf: dhcpdText(DOM0, [{ address: parseIpv4("10.254.170.0"), length: 23 }]),
    });
    const launch = (domid: number): Vif =>
      dom0.addVif(
        {
          domid,
          domain: `dom_${domid}`,
          mac: macOf(domid),
          addresses: [addressOf(domid)],
          publicAddress: parseIpv4(`75.101.160.${domid}`),
          hostName: `domU-${domid}`,
        },
        0,
      );
    /** As packets would: each chain is walked from its first step. */
    const walk = (): void => {
      for (const { rules } of [dom0.firewall, dom0.gatewayFirewall]) {
        for (const table of rules.tables) {
          for (const chain of table.chains) if (chain instanceof Chain) void chain.first;
        }
      }
    };
    const bringUp = (domid: number): Record<string, number> => {
      walk();
      const work = countWork();
      launch(domid);
      return work();
    };
    for (let domid = 1; domid < 20; domid += 1) launch(domid);
    const twentieth = bringUp(20);
    for (let domid = 21; domid < 200; domid += 1) launch(domid);
    expect(bringUp(200)).toEqual(twentieth);
    expect(twentieth["rules made"]).toBeLessThan(20);
  });

  it("tells all of a group's permissions of a new member with one rule", () => {
    const bench = new GroupBench();
    bench.groups.create("front");
    const names = Array.from({ length: 20 }, (_, index) => `back-${index}`);
    for (const name of names) bench.groups.define(name, [tcp(80), { group: "front" }]);
    bench.launch(1, names);
    const work = countWork();
    bench.groups.join(["front"], addressOf(2));
    expect(work()["rules made"]).toBe(1);
    bench.groups.leave(["front"], addressOf(2));
    expect(work()["rules made"]).toBe(0);
  });
});

describe("A group with a thousand permissions", () => {
  const ports = Array.from({ length: 1000 }, (_, index) => index + 1);

  it("is changed permission by permission, under packets", () => {
    const bench = new GroupBench({ groups: new SecurityGroups({ permissions: 1000 }) });
    bench.groups.define("default", ports.map(tcp));
    const vif = bench.launch(1);
    const passes = (port: number, sourcePort: number): boolean =>
      bench.send(vif, {
        source: OUTSIDE,
        target: addressOf(1),
        protocol: Protocol.Tcp,
        port,
        sourcePort,
      });
    expect([passes(1, 2000), passes(1000, 2001), passes(1001, 2002)]).toEqual([true, true, false]);
    const work = countWork();
    bench.groups.define("default", [...ports.slice(1), 1001].map(tcp));
    expect(work()["rules made"]).toBe(1);
    expect([passes(1, 2003), passes(2, 2004), passes(1001, 2005)]).toEqual([false, true, true]);
    expect(bench.chain("sg-default")).toHaveLength(1000);
  });
});
