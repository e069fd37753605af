import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import type { Permission } from "../../src/xen/permission.ts";
import { LINUX } from "../../src/xen/profile.ts";
import { EVERYWHERE, OUTSIDE } from "../support/hosts.ts";
import { addressOf, GATEWAY_MAC, GroupBench } from "./group-bench.ts";

const { Icmp, Tcp, Udp } = Protocol;
const HTTP: Permission = { protocol: "tcp", source: EVERYWHERE, ports: { lower: 80, upper: 80 } };
const PING: Permission = { protocol: "icmp", source: EVERYWHERE, icmp: { type: 8, code: 0 } };
const ECHO: Permission = { protocol: "udp", source: EVERYWHERE, ports: { lower: 7, upper: 7 } };

describe("The groups of a domU", () => {
  it("are the default one unless it says otherwise, each once, of one account", () => {
    const bench = new GroupBench();
    bench.groups.create("web");
    bench.groups.create("other/web");
    expect(bench.launch(1).securityGroups).toEqual(["default"]);
    expect(bench.launch(2, ["web", "default", "web"]).securityGroups).toEqual(["web", "default"]);
    expect(() => bench.launch(3, ["web", "other/web"])).toThrow(OptionError);
    expect(() => bench.launch(3, ["nobody"])).toThrow(OptionError);
    expect(bench.groups.membersOf("web")).toEqual([addressOf(2)]);
  });

  it("let in their union, and silently nothing else", () => {
    const bench = new GroupBench();
    bench.groups.define("web", [HTTP]);
    bench.groups.define("ping", [PING]);
    const vif = bench.launch(1, ["web", "ping"]);
    const to = { source: OUTSIDE, target: addressOf(1) };
    expect(bench.send(vif, { ...to, protocol: Tcp, port: 80 })).toBe(true);
    expect(bench.send(vif, { ...to, protocol: Icmp })).toBe(true);
    expect(bench.send(vif, { ...to, protocol: Tcp, port: 81 })).toBe(false);
    expect(bench.send(vif, { ...to, protocol: 47 })).toBe(false);
    expect(bench.pool.ends.get("security-group/no-permission")).toBe(2);
    expect(bench.recorder.frames.get(bench.dom0.uplink)).toEqual([]);
  });

  it("let in tcp, udp and icmp from a group's members, while they run", () => {
    const bench = new GroupBench();
    bench.groups.define("front", []);
    bench.groups.define("back", [{ group: "front" }]);
    const back = bench.launch(1, ["back"]);
    const front = bench.launch(2, ["front"]);
    const passes = (protocol: number): boolean =>
      bench.send(back, { source: addressOf(2), target: addressOf(1), protocol, port: 9, id: 1 });
    expect([Tcp, Udp, Icmp, 47].map(passes)).toEqual([true, true, true, false]);
    expect(bench.send(back, { source: addressOf(3), target: addressOf(1), protocol: Tcp })).toBe(
      false,
    );
    bench.dom0.removeVif(front, bench.now);
    const fresh = { source: addressOf(2), target: addressOf(1), protocol: Udp, sourcePort: 5 };
    expect(bench.send(back, fresh)).toBe(false);
  });

  it("stand in one chain for each group, and one for each source, shared by all", () => {
    const bench = new GroupBench();
    bench.groups.define("front", [HTTP]);
    bench.groups.define("back", [{ group: "front" }, { ...PING, icmp: { type: 3, code: -1 } }]);
    bench.launch(1, ["back", "front"]);
    bench.launch(2, ["back"]);
    expect(bench.rules.split("\n")).toEqual([
      "*filter",
      ":INPUT ACCEPT [0:0]",
      ":FORWARD ACCEPT [0:0]",
      ":OUTPUT ACCEPT [0:0]",
      ...["in-vif1.0", "in-vif2.0", "of-front", "sg-back", "sg-front"].map(
        (name) => `:${name} - [0:0]`,
      ),
      "-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT",
      "-A FORWARD -o vif1.0 -j in-vif1.0",
      "-A FORWARD -o vif2.0 -j in-vif2.0",
      "-A in-vif1.0 -j sg-back",
      "-A in-vif1.0 -j sg-front",
      '-A in-vif1.0 -m comment --comment "security-group/no-permission" ' +
        '-m comment --comment "no permission of groups back, front" -j DROP',
      "-A in-vif2.0 -j sg-back",
      '-A in-vif2.0 -m comment --comment "security-group/no-permission" ' +
        '-m comment --comment "no permission of group back" -j DROP',
      "-A of-front -s 10.254.170.1/32 -j ACCEPT",
      '-A sg-back -p tcp -m comment --comment "back: tcp from group front" -j of-front',
      '-A sg-back -p udp -m comment --comment "back: udp from group front" -j of-front',
      '-A sg-back -p icmp -m comment --comment "back: icmp from group front" -j of-front',
      "-A sg-back -p icmp -m icmp --icmp-type 3 " +
        '-m comment --comment "back: icmp 3 from 0.0.0.0/0" -j ACCEPT',
      "-A sg-front -p tcp -m tcp --dport 80 " +
        '-m comment --comment "front: tcp 80 from 0.0.0.0/0" -j ACCEPT',
      "COMMIT",
      "",
    ]);
  });

  it("may have names that no chain can have", () => {
    const bench = new GroupBench();
    const name = `web servers of ${"x".repeat(200)}`;
    bench.groups.create(name);
    bench.groups.authorize("default", { group: name });
    bench.launch(1, [name, "default"]);
    expect(bench.chain("sg-default")).toContain(
      `-A sg-default -p udp -m comment --comment "default: udp from group ${name}" -j of-#2`,
    );
    expect(bench.chain("of-#2")).toEqual(["-A of-#2 -s 10.254.170.1/32 -j ACCEPT"]);
    expect(bench.chain("in-vif1.0").at(-1)).toContain(`"no permission of groups ${name}, default"`);
    bench.groups.create("y".repeat(100));
    bench.launch(2, ["default", name, "y".repeat(100)]);
    expect(bench.chain("in-vif2.0").at(-1)).toContain(
      `"no permission of groups default and 2 more"`,
    );
  });

  it("leave nothing behind when the last domU is gone", () => {
    const bench = new GroupBench();
    bench.groups.define("web", [HTTP, { group: "default" }]);
    const empty = bench.rules;
    const vifs = [bench.launch(1, ["web"]), bench.launch(2, ["web", "default"])];
    for (const vif of vifs) bench.dom0.removeVif(vif, 0);
    expect(bench.rules).toBe(empty);
  });
});

describe("A vif", () => {
  it.each([
    ["domain", { domain: "dom 1" }],
    ["hostName", { domain: "dom_1", hostName: 'a"; }' }],
    ["addresses", { domain: "dom_1", addresses: [] }],
  ])("that cannot be leaves no trace: %s", (option, wrong) => {
    const bench = new GroupBench();
    const config = { domid: 1, mac: GATEWAY_MAC, addresses: [addressOf(1)], ...wrong };
    const before = bench.rules;
    expect(() => bench.dom0.addVif(config, 0)).toThrow(option);
    expect(bench.rules).toBe(before);
    expect([...bench.dom0.vifs, ...bench.groups.membersOf("default")]).toEqual([]);
  });
});

describe("A change of permissions", () => {
  const flow = { source: OUTSIDE, target: addressOf(1), protocol: Udp, port: 7 };
  const back = { source: addressOf(1), target: OUTSIDE, protocol: Udp, sourcePort: 7 };

  it("leaves connections that are known alone, and new ones meet it at once", () => {
    const bench = new GroupBench();
    bench.groups.authorize("default", ECHO);
    const vif = bench.launch(1);
    expect(bench.send(vif, flow)).toBe(true);
    expect(bench.answer(vif, { ...back, port: 40_000 })).toBe(true);
    bench.groups.revoke("default", ECHO);
    expect(bench.send(vif, flow)).toBe(true);
    expect(bench.send(vif, { ...flow, sourcePort: 40_001 })).toBe(false);
    bench.now += 181_000_000;
    bench.dom0.expire(bench.now);
    expect(bench.send(vif, flow)).toBe(false);
  });

  it("ends a flow that nobody answered yet", () => {
    const bench = new GroupBench();
    bench.groups.authorize("default", ECHO);
    const vif = bench.launch(1);
    expect(bench.send(vif, flow)).toBe(true);
    bench.groups.revoke("default", ECHO);
    expect(bench.send(vif, flow)).toBe(false);
  });

  it.each([
    ["stops a running ping at once, as 2.6.18 forgets answered requests", undefined, false],
    ["lets a running ping go on with a current kernel", LINUX, true],
  ])("%s", (_, profile, goesOn) => {
    const bench = new GroupBench(profile === undefined ? {} : { profile });
    bench.groups.authorize("default", PING);
    const vif = bench.launch(1);
    const request = { source: OUTSIDE, target: addressOf(1), protocol: Icmp, type: 8, id: 77 };
    expect(bench.send(vif, request)).toBe(true);
    const reply = { source: addressOf(1), target: OUTSIDE, protocol: Icmp, type: 0, id: 77 };
    expect(bench.answer(vif, reply)).toBe(true);
    bench.groups.revoke("default", PING);
    expect(bench.send(vif, request)).toBe(goesOn);
  });

  it("does not end a TCP connection, even while nobody permits it", () => {
    const bench = new GroupBench();
    bench.groups.authorize("default", HTTP);
    const vif = bench.launch(1);
    const { Syn, Ack } = TcpFlag;
    const segment = { source: OUTSIDE, target: addressOf(1), protocol: Tcp, port: 80 };
    const answer = { source: addressOf(1), target: OUTSIDE, protocol: Tcp, sourcePort: 80 };
    expect(bench.send(vif, { ...segment, flags: Syn })).toBe(true);
    bench.answer(vif, { ...answer, port: 40_000, flags: Syn | Ack });
    bench.groups.define("default", []);
    expect(bench.send(vif, { ...segment, flags: Ack })).toBe(true);
    expect(bench.send(vif, { ...segment, sourcePort: 40_001, flags: Syn })).toBe(false);
  });

  it("is not needed for answers to what a domU asks", () => {
    const bench = new GroupBench();
    bench.groups.define("default", []);
    const vif = bench.launch(1);
    expect(bench.answer(vif, { ...back, port: 53 })).toBe(true);
    expect(bench.send(vif, { ...flow, sourcePort: 53 })).toBe(true);
  });

  it("keeps the counters of rules that stay", () => {
    const bench = new GroupBench();
    bench.groups.define("default", [HTTP, PING]);
    const vif = bench.launch(1);
    bench.send(vif, { source: OUTSIDE, target: addressOf(1), protocol: Icmp });
    bench.groups.define("default", [PING, ECHO]);
    const [ping, echo] = bench.dom0.firewall.rules.table("filter").list("sg-default");
    expect([ping?.packets, echo?.packets]).toEqual([1, 0]);
  });
});

describe("The explanation of a packet", () => {
  const words = (bench: GroupBench, deed: () => boolean): string[] => {
    const told: string[] = [];
    bench.pool.observe(
      {
        received: () => {},
        transmitted: () => {},
        ended: () => {},
        step: (_, place, what) => void told.push(`${place}: ${what}`),
      },
      true,
    );
    deed();
    bench.pool.observe(null);
    return told.filter((line) => line.startsWith("FORWARD: table filter"));
  };
  const setup = () => {
    const bench = new GroupBench();
    bench.groups.define("front", []);
    bench.groups.define("web", [HTTP, { group: "front" }]);
    const vif = bench.launch(1, ["web", "default"]);
    bench.launch(2, ["front"]);
    return { bench, vif };
  };

  it("names the group and the permission that let it in", () => {
    const { bench, vif } = setup();
    const http = { source: OUTSIDE, target: addressOf(1), protocol: Tcp, port: 80 };
    expect(words(bench, () => bench.send(vif, http))).toEqual([
      "FORWARD: table filter, chain sg-web, rule 1: -A sg-web -p tcp -m tcp --dport 80 " +
        '-m comment --comment "web: tcp 80 from 0.0.0.0/0" -j ACCEPT',
    ]);
    const member = { source: addressOf(2), target: addressOf(1), protocol: Udp, port: 9 };
    expect(words(bench, () => bench.send(vif, member))).toEqual([
      "FORWARD: table filter, chain of-front, rule 1: -A of-front -s 10.254.170.2/32 -j ACCEPT, " +
        'by "web: udp from group front"',
    ]);
  });

  it("names the groups of which none has a permission", () => {
    const { bench, vif } = setup();
    const ssh = { source: OUTSIDE, target: addressOf(1), protocol: Tcp, port: 22 };
    expect(words(bench, () => bench.send(vif, ssh))).toEqual([
      "FORWARD: table filter, chain in-vif1.0, rule 3: -A in-vif1.0 " +
        '-m comment --comment "security-group/no-permission" ' +
        '-m comment --comment "no permission of groups web, default" -j DROP',
    ]);
  });

  it("says that a known connection needs none", () => {
    const { bench, vif } = setup();
    const asked = { source: addressOf(1), target: OUTSIDE, protocol: Udp, sourcePort: 7, port: 53 };
    bench.answer(vif, asked);
    const answer = {
      source: OUTSIDE,
      target: addressOf(1),
      protocol: Udp,
      sourcePort: 53,
      port: 7,
    };
    expect(words(bench, () => bench.send(vif, answer))).toEqual([
      "FORWARD: table filter, chain FORWARD, rule 1: " +
        "-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT",
    ]);
  });
});
